/* The board's Lua: stock Lua 5.4 made to behave as embLua does on an ELM11.
 *
 *   32-bit integers (LUA_INT_TYPE on the compiler's command line), doubles;
 *   numbers read from text in single precision, floats printed with "%f";
 *   the board's allocator: 1 MiB in 128-byte units, no block above 16 508 bytes, and no second chance;
 *   libraries that are empty until import() fills them; run_program();
 *   string functions that need memchr or strcoll are broken;
 *   error text and traceback in the board's colours; 'q' stops a program.
 *
 * Stock sources call the functions named board_... below because build.py renames a few names on the command line,
 * one source file at a time. Nothing in the sources is changed.
 */
#include "board.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lauxlib.h"
#include "lualib.h"
/* Internal headers: the model of the heap must know the table of short strings, the one large block of pointers. */
#include "lobject.h"
#include "lstate.h"

#define YELLOW "\033[38;5;222m"
#define GREY "\033[38;5;252m"
#define BOLD_RED "\033[1m\033[31m"
#define BOLD_BLUE "\033[1m\033[34m"
#define ORANGE "\033[33m"
#define PLAIN YELLOW "\033[22m"
#define LINE_END "\n\r"

#define INTERRUPTION GREY "<user interruption>" YELLOW

static void write_text(const char *text) { target_write(text, strlen(text)); }

/* ---- allocator ---------------------------------------------------------------------------------------- */

enum {
    UNIT = 128,
    HEAP_UNITS = 1048576 / UNIT,
    LARGEST_BLOCK = 16508,
    BLOCK_HEADER = 4,
    LARGEST_FLOAT_PRINTED = 1000000000,
    NESTED_PCALLS = 10 /* more overflow the board's 8 KB C stack */
};

int board_strict_heap = 1;

static struct board_heap heap;
static lua_State *main_state;

/* Kept before each block, because Lua names an object's type only when it is made, not when it is freed. */
union block {
    uint32_t board_size;
    long double alignment_a;
    void *alignment_b;
};

static uint32_t units_of(uint32_t board_size) {
    return board_size ? (board_size + BLOCK_HEADER + UNIT - 1) / UNIT : 0;
}

/* Sizes of objects with the board's 4-byte pointers. Where pointers have four bytes, the compiler checks them. */
enum { STRING_HEAD = 16, TABLE_SIZE = 32, CLOSURE_HEAD = 16, UPVALUE_SIZE = 32, PROTOTYPE_SIZE = 84 };
#define SAME_WITH_4_BYTE_POINTERS(size, constant) \
    _Static_assert(sizeof(void *) != 4 || (size) == (constant), #constant " is not " #size)
SAME_WITH_4_BYTE_POINTERS(offsetof(TString, contents), STRING_HEAD);
SAME_WITH_4_BYTE_POINTERS(sizeof(Table), TABLE_SIZE);
SAME_WITH_4_BYTE_POINTERS(offsetof(LClosure, upvals), CLOSURE_HEAD);
SAME_WITH_4_BYTE_POINTERS(sizeof(UpVal), UPVALUE_SIZE);
SAME_WITH_4_BYTE_POINTERS(sizeof(Proto), PROTOTYPE_SIZE);

/* The size a block would have on the board. Arrays of values, hash nodes, instructions and characters have the same
 * size here; objects differ by their pointers. Small arrays of pointers are left as they are: they fill one unit
 * either way. */
static uint32_t board_size_of(const void *block, size_t tag_or_old_size, size_t size) {
    if (sizeof(void *) == 4) return (uint32_t)size;
    if (block) {
        int is_string_table = main_state && block == (const void *)G(main_state)->strt.hash;
        return (uint32_t)(is_string_table ? size / 2 : size);
    }
    switch (tag_or_old_size) {
        case LUA_TSTRING: return (uint32_t)(size - offsetof(TString, contents) + STRING_HEAD);
        case LUA_TTABLE: return TABLE_SIZE;
        case LUA_TFUNCTION: return (uint32_t)(CLOSURE_HEAD + (size - offsetof(LClosure, upvals)) / 2);
        case LUA_TUSERDATA: return (uint32_t)(size - 16);
        case LUA_TTHREAD: return (uint32_t)(size / 2);
        case LUA_TUPVAL: return UPVALUE_SIZE;
        case LUA_TPROTO: return PROTOTYPE_SIZE;
        default: return (uint32_t)size;
    }
}

static void out_of_memory(void) {
    write_text("---- Malloc Error ----" LINE_END);
    target_stop();
}

static void *board_alloc(void *ud, void *payload, size_t old_size, size_t new_size) {
    (void)ud;
    union block *block = payload ? (union block *)payload - 1 : NULL;
    uint32_t old_board_size = block ? block->board_size : 0;
    if (new_size == 0) {
        heap.bytes -= old_board_size;
        heap.units -= units_of(old_board_size);
        free(block);
        return NULL;
    }
    uint32_t board_size = board_size_of(payload, old_size, new_size);
    /* A block that grows moves: for a moment both copies are there. */
    uint32_t while_moving = heap.units + (board_size > old_board_size ? units_of(board_size) : 0);
    if (board_strict_heap && (board_size > LARGEST_BLOCK || while_moving > HEAP_UNITS)) out_of_memory();
    union block *moved = realloc(block, sizeof *moved + new_size);
    if (!moved) out_of_memory();
    moved->board_size = board_size;
    heap.bytes += board_size - old_board_size;
    heap.units += units_of(board_size) - units_of(old_board_size);
    if (heap.bytes > heap.bytes_peak) heap.bytes_peak = heap.bytes;
    if (while_moving > heap.units_peak) heap.units_peak = while_moving;
    if (heap.units > heap.units_peak) heap.units_peak = heap.units;
    return moved + 1;
}

void board_heap_figures(struct board_heap *figures) { *figures = heap; }

void board_heap_reset_peak(void) {
    heap.bytes_peak = heap.bytes;
    heap.units_peak = heap.units;
}

/* ---- C library functions as the board has them ---------------------------------------------------------- */

/* In lobject.c for strtod: single precision. A minus sign makes 0.0 of a decimal fraction (integers do not come
 * here, and in source text the minus is an operator). Hexadecimal floats are exact. */
double board_strtod(const char *text, char **end) {
    const char *digits = text + strspn(text, " \f\n\r\t\v");
    int negative = *digits == '-';
    const char *number = digits + (negative || *digits == '+');
    if (number[0] == '0' && (number[1] == 'x' || number[1] == 'X')) return strtod(text, end);
    float value = strtof(text, end);
    return negative ? 0.0 : (double)value;
}

/* In lobject.c and lstrlib.c for snprintf: "%f" is the only float format, and writes nothing above 1e9 (Lua then
 * adds the ".0" that it gives to anything that looks like an integer). */
int board_snprintf(char *out, size_t size, const char *format, ...) {
    va_list args;
    int written;
    int as_lua_prints = strcmp(format, LUA_NUMBER_FMT) == 0;
    size_t length = strlen(format);
    va_start(args, format);
    if (as_lua_prints || (length && format[length - 1] == 'f')) {
        double value = va_arg(args, double);
        if (value != value)
            written = snprintf(out, size, "nan");
        else if (value - value != 0) /* infinite */
            written = snprintf(out, size, value < 0 ? "-inf" : "inf");
        else if (value > LARGEST_FLOAT_PRINTED || value < -LARGEST_FLOAT_PRINTED)
            written = snprintf(out, size, "%s", "");
        else
            written = snprintf(out, size, as_lua_prints ? "%f" : format, value);
    } else {
        written = vsnprintf(out, size, format, args);
    }
    va_end(args);
    return written;
}

/* In lstrlib.c for memchr: not there. Finds nothing, so string.find without magic characters fails. */
void *board_memchr(const void *s, int c, size_t n) {
    (void)s, (void)c, (void)n;
    write_text("memchr" LINE_END);
    return NULL;
}

/* In lvm.c for strcoll: not there. Every string equals every other. */
int board_strcoll(const char *a, const char *b) {
    (void)a, (void)b;
    write_text("strcoll" LINE_END);
    return 0;
}

/* ---- error text ------------------------------------------------------------------------------------------ */

/* In ldebug.c for luaO_pushvfstring, where only run-time errors use it: the board prints the message and its place at
 * once, even under pcall, and puts a word in front of it. */
const char *board_pushvfstring(lua_State *L, const char *format, va_list args) {
    lua_Debug where;
    lua_pushvfstring(L, format, args);
    const char *message = lua_pushfstring(L, "Error: %s", lua_tostring(L, -1));
    lua_remove(L, -2);
    write_text(message);
    write_text(LINE_END);
    if (lua_getstack(L, 0, &where) && lua_getinfo(L, "Sl", &where) && where.currentline > 0) {
        char line[24];
        snprintf(line, sizeof line, " line: %d", where.currentline);
        write_text("source: ");
        write_text(where.source);
        write_text(line);
        write_text(LINE_END);
    }
    return message;
}

/* In lauxlib.c for lua_pushfstring: the same words, with colours around the place. */
const char *board_pushfstring(lua_State *L, const char *format, ...) {
    static const char *const coloured[][2] = {
        {"%s:%d: ", BOLD_RED "%s" PLAIN ":%d: "},
        {"\n\t%s: in ", "\n\t" ORANGE "%s" YELLOW ": in "},
        {"\n\t%s:%d: in ", "\n\t" BOLD_RED "%s" PLAIN ":%d: in "},
    };
    for (size_t i = 0; i < sizeof coloured / sizeof *coloured; i++)
        if (strcmp(format, coloured[i][0]) == 0) format = coloured[i][1];
    va_list args;
    va_start(args, format);
    const char *text = lua_pushvfstring(L, format, args);
    va_end(args);
    return text;
}

/* Writes the error's message and traceback. Runs as the message handler, where the stack still stands. */
static int report(lua_State *L) {
    static const char header[] = "stack traceback:";
    size_t length;
    const char *message = luaL_tolstring(L, 1, &length);
    target_write(message, length);
    write_text(LINE_END BOLD_BLUE "stack traceback" PLAIN ":");
    luaL_traceback(L, L, NULL, 1);
    for (const char *rest = lua_tostring(L, -1) + sizeof header - 1; *rest;) {
        size_t line = strcspn(rest, "\n");
        target_write(rest, line);
        rest += line;
        if (*rest) write_text(LINE_END), rest++;
    }
    write_text(LINE_END);
    return 1;
}

static void q_key_hook(lua_State *L, lua_Debug *activation) {
    (void)activation;
    if (target_interrupted()) {
        lua_pushliteral(L, INTERRUPTION);
        lua_error(L);
    }
}

/* ---- functions the board has in a form of its own ---------------------------------------------------------- */

static lua_CFunction stock_pcall, stock_xpcall, stock_format;
static int pcall_depth;

static int nested(lua_State *L, lua_CFunction function) {
    int depth = pcall_depth;
    if (board_strict_heap && depth == NESTED_PCALLS) target_stop(); /* the board falls silent */
    pcall_depth = depth + 1;
    int results = function(L);
    pcall_depth = depth;
    return results;
}

static int board_pcall(lua_State *L) { return nested(L, stock_pcall); }
static int board_xpcall(lua_State *L) { return nested(L, stock_xpcall); }

static int board_format(lua_State *L) {
    const char *format = luaL_checkstring(L, 1);
    while ((format = strchr(format, '%')) != NULL) {
        size_t flags = strspn(++format, "-+ #0123456789.");
        char conversion = format[flags];
        if (conversion && strchr("eEgG", conversion))
            return luaL_error(L, "invalid conversion '%%%c' to 'format'", conversion);
        format += flags + (conversion != '\0');
    }
    return stock_format(L);
}

static int board_reboot(lua_State *L) {
    (void)L;
    target_reboot();
    return 0;
}

/* ---- import and run_program ------------------------------------------------------------------------------ */

static const char *const base_functions[] = {
    "assert", "error", "getmetatable", "ipairs", "load", "next", "pairs", "pcall", "warn", "rawequal", "rawlen",
    "rawget", "rawset", "select", "setmetatable", "tonumber", "tostring", "type", "xpcall", NULL};
static const char *const math_functions[] = {
    "abs", "acos", "asin", "atan", "ceil", "cos", "deg", "exp", "floor", "fmod", "log", "max", "min", "modf", "rad",
    "sin", "sqrt", "tan", "tointeger", "type", "ult", NULL};
static const char *const string_functions[] = {
    "byte", "char", "dump", "find", "format", "gmatch", "gsub", "len", "lower", "match", "rep", "reverse", "sub",
    "upper", "pack", "packsize", "unpack", NULL};
static const char *const table_functions[] = {"concat", "insert", "remove", "unpack", "pack", "sort", "move", NULL};
static const char *const no_functions[] = {NULL};

static const struct library {
    const char *name;
    lua_CFunction open;
    const char *const *functions;
} libraries[] = {{LUA_MATHLIBNAME, luaopen_math, math_functions},
                 {LUA_STRLIBNAME, luaopen_string, string_functions},
                 {LUA_TABLIBNAME, luaopen_table, table_functions},
                 {"user", NULL, no_functions},
                 {"interrupt", NULL, no_functions},
                 {NULL, NULL, NULL}};

static int one_of(const char *name, const char *const *list) {
    for (; *list; list++)
        if (strcmp(*list, name) == 0) return 1;
    return 0;
}

/* Pushes a new table with everything the base library has. It is made anew at each call, since kept names would fill
 * the heap, where the board has them in flash. */
static void push_base_library(lua_State *L) {
    lua_rawgeti(L, LUA_REGISTRYINDEX, LUA_RIDX_GLOBALS);
    lua_newtable(L);
    lua_pushvalue(L, -1);
    lua_rawseti(L, LUA_REGISTRYINDEX, LUA_RIDX_GLOBALS); /* luaopen_base fills the table of globals */
    lua_pushcfunction(L, luaopen_base);
    lua_call(L, 0, 0);
    lua_insert(L, -2);
    lua_rawseti(L, LUA_REGISTRYINDEX, LUA_RIDX_GLOBALS);
    lua_getfield(L, -1, "pcall");
    stock_pcall = lua_tocfunction(L, -1);
    lua_pushcfunction(L, board_pcall);
    lua_setfield(L, -3, "pcall");
    lua_getfield(L, -2, "xpcall");
    stock_xpcall = lua_tocfunction(L, -1);
    lua_pushcfunction(L, board_xpcall);
    lua_setfield(L, -4, "xpcall");
    lua_pop(L, 2);
}

/* Pushes a new table with everything a library has. */
static void push_library(lua_State *L, const struct library *library) {
    lua_pushcfunction(L, library->open);
    lua_call(L, 0, 1);
    if (library->open != luaopen_string) return;
    lua_getfield(L, -1, "format");
    stock_format = lua_tocfunction(L, -1);
    lua_pushcfunction(L, board_format);
    lua_setfield(L, -3, "format");
    /* Opening gave strings a new metatable; methods must find only what was imported. */
    lua_pop(L, 1);
    lua_pushliteral(L, "");
    lua_getmetatable(L, -1);
    lua_getfield(L, LUA_REGISTRYINDEX, LUA_LOADED_TABLE);
    lua_getfield(L, -1, library->name);
    lua_setfield(L, -3, "__index");
    lua_pop(L, 3);
}

static int import_base(lua_State *L, const char *wanted) {
    int all = strcmp(wanted, "all") == 0;
    if (!all && !one_of(wanted, base_functions)) return luaL_error(L, "no such function in base library");
    push_base_library(L);
    for (const char *const *name = base_functions; *name; name++) {
        if (!all && strcmp(*name, wanted)) continue;
        lua_getfield(L, -1, *name);
        lua_setglobal(L, *name);
    }
    return 0;
}

static int board_import(lua_State *L) {
    const char *first = luaL_checkstring(L, 1);
    if (lua_isnoneornil(L, 2)) return import_base(L, first);
    const char *function = luaL_checkstring(L, 2);
    const struct library *library = libraries;
    while (library->name && strcmp(library->name, first)) library++;
    if (!library->name || lua_getglobal(L, first) != LUA_TTABLE) return luaL_error(L, "no such library");
    if (lua_getfield(L, -1, function) != LUA_TNIL) return 0; /* there since boot, or imported before */
    if (!one_of(function, library->functions)) return luaL_error(L, "no such function in library");
    push_library(L, library);
    lua_getfield(L, -1, function);
    lua_setfield(L, -4, function);
    return 0;
}

/* Loads a stored program. Returns LUA_OK with the function pushed, another status with a message pushed, or -1. */
static int load_program(lua_State *L, const char *name) {
    size_t length;
    const char *text = target_find_program(name, &length);
    if (!text) return -1;
    const char *chunk_name = lua_pushfstring(L, "=%s", name);
    int status = luaL_loadbuffer(L, text, length, chunk_name);
    target_release_program(text);
    lua_remove(L, -2);
    return status;
}

static int board_run_program_function(lua_State *L) {
    const char *name = luaL_checkstring(L, 1);
    if (lua_gettop(L) > 1) return luaL_error(L, "unexpected argument");
    int status = load_program(L, name);
    luaL_argcheck(L, status >= 0, 1, "no such program");
    if (status != LUA_OK) return lua_error(L);
    int before = lua_gettop(L) - 1;
    lua_call(L, 0, LUA_MULTRET);
    lua_gc(L, LUA_GCCOLLECT); /* every program ends with a full collection */
    return lua_gettop(L) - before;
}

/* ---- prompt ------------------------------------------------------------------------------------------------ */

static void open_library(lua_State *L, const struct library *library) {
    static const char *const kept[] = {"pi", "huge", "maxinteger", "mininteger", "random", "randomseed", NULL};
    lua_getfield(L, LUA_REGISTRYINDEX, LUA_LOADED_TABLE); /* where a traceback looks for functions' names */
    lua_newtable(L);
    lua_pushvalue(L, -1);
    lua_setglobal(L, library->name);
    lua_pushvalue(L, -1);
    lua_setfield(L, -3, library->name);
    if (library->open) push_library(L, library);
    if (library->open == luaopen_math) {
        for (const char *const *name = kept; *name; name++) {
            lua_getfield(L, -1, *name);
            lua_setfield(L, -3, *name);
        }
        lua_getfield(L, -1, "randomseed"); /* the same numbers after every boot */
        lua_pushinteger(L, 0);
        lua_call(L, 1, 0);
    }
    lua_settop(L, 0);
}

static void set_text(lua_State *L, const char *name, const char *text) {
    lua_pushstring(L, text);
    lua_setglobal(L, name);
}

static void set_number(lua_State *L, const char *name, int number) {
    lua_pushinteger(L, number);
    lua_setglobal(L, name);
}

static int set_up(lua_State *L) {
    const struct board_identity *identity = lua_touserdata(L, 1);
    static const char *const at_boot[] = {"print", "collectgarbage", "_VERSION", NULL};
    luaL_getsubtable(L, LUA_REGISTRYINDEX, LUA_LOADED_TABLE);
    lua_pushglobaltable(L);
    lua_setfield(L, -2, LUA_GNAME);
    push_base_library(L);
    for (const char *const *name = at_boot; *name; name++) {
        lua_getfield(L, -1, *name);
        lua_setglobal(L, *name);
    }
    lua_settop(L, 0);
    for (const struct library *library = libraries; library->name; library++) open_library(L, library);
    lua_register(L, "import", board_import);
    lua_register(L, "run_program", board_run_program_function);
    lua_register(L, "reboot", board_reboot);
    lua_register(L, "exit", board_reboot);
    set_text(L, "_hW", identity->hardware);
    set_text(L, "_sW", identity->software);
    set_text(L, "_fW", identity->firmware);
    set_number(L, "_cI", identity->core);
    set_number(L, "_freq", identity->clock_mhz);
    set_number(L, "CORE1", 1);
    for (int pin = 1; pin <= 16; pin++) {
        char name[8];
        snprintf(name, sizeof name, "PIN%d", pin);
        set_number(L, name, pin);
    }
    return 0;
}

lua_State *board_open(const struct board_identity *identity, int hook_mask, int hook_count) {
    lua_State *L = lua_newstate(board_alloc, NULL);
    if (!L) target_stop();
    main_state = L;
    lua_gc(L, LUA_GCSTOP); /* or the size of the string table would depend on when a collection happens to come */
    lua_pushcfunction(L, set_up);
    lua_pushlightuserdata(L, (void *)identity);
    if (lua_pcall(L, 1, 0, 0) != LUA_OK) {
        write_text(lua_tostring(L, -1));
        target_stop();
    }
    lua_gc(L, LUA_GCRESTART);
    lua_gc(L, LUA_GCCOLLECT);
    lua_sethook(L, q_key_hook, hook_mask, hook_count);
    board_heap_reset_peak();
    return L;
}

static int print_values(lua_State *L) {
    int count = lua_gettop(L);
    for (int i = 1; i <= count; i++) {
        size_t length;
        const char *text = luaL_tolstring(L, i, &length);
        if (i > 1) write_text("\t");
        target_write(text, length);
        lua_pop(L, 1);
    }
    write_text(LINE_END);
    return 0;
}

/* Calls the function at the bottom of the stack with the values above it, prints what it returns, and tidies up. */
static void run(lua_State *L) {
    pcall_depth = 0;
    lua_pushcfunction(L, report);
    lua_insert(L, 1);
    int status = lua_pcall(L, lua_gettop(L) - 2, LUA_MULTRET, 1);
    if (status == LUA_OK && lua_gettop(L) > 1) {
        lua_pushcfunction(L, print_values);
        lua_insert(L, 2);
        status = lua_pcall(L, lua_gettop(L) - 2, 0, 1);
    }
    if (status == LUA_ERRERR && lua_isstring(L, -1)) { /* report itself failed, so nothing was written */
        write_text(lua_tostring(L, -1));
        write_text(LINE_END);
    }
    lua_settop(L, 0);
    lua_gc(L, LUA_GCCOLLECT);
}

static int ends_too_early(lua_State *L) {
    static const char mark[] = "<eof>";
    size_t length;
    const char *message = lua_tolstring(L, -1, &length);
    return length >= sizeof mark - 1 && strcmp(message + length - (sizeof mark - 1), mark) == 0;
}

enum board_result board_submit(lua_State *L, const char *text, size_t length) {
    static const char source[] = "=stdin";
    if (!memchr(text, '\n', length)) { /* one line may be an expression, also in the old form "=5" */
        int old_form = length > 0 && text[0] == '=';
        lua_pushliteral(L, "return ");
        lua_pushlstring(L, text + old_form, length - (size_t)old_form);
        lua_concat(L, 2);
        size_t expression_length;
        const char *expression = lua_tolstring(L, 1, &expression_length);
        if (luaL_loadbuffer(L, expression, expression_length, source) == LUA_OK) {
            lua_remove(L, 1);
            run(L);
            return BOARD_RAN;
        }
        lua_settop(L, 0);
    }
    if (luaL_loadbuffer(L, text, length, source) == LUA_OK) {
        run(L);
        return BOARD_RAN;
    }
    enum board_result result = ends_too_early(L) ? BOARD_INCOMPLETE : BOARD_SYNTAX;
    lua_settop(L, 0);
    lua_gc(L, LUA_GCCOLLECT);
    return result;
}

void board_run_program(lua_State *L, const char *name) {
    lua_pushcfunction(L, board_run_program_function);
    lua_pushstring(L, name);
    run(L);
}
