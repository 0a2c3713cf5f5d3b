/* The board's Lua: stock Lua 5.4 made to behave as embLua does on an ELM11.
 *
 *   32-bit integers (LUA_INT_TYPE on the compiler's command line), doubles;
 *   numbers read from text in single precision, floats printed with "%f";
 *   string functions that need memchr or strcoll are broken;
 *   error text and traceback in the board's colours; 'q' stops a program.
 *
 * What a session is made of, from the boot to the prompt, is in session_model.c and session_real.c, and where its
 * memory comes from in memory_model.c and memory_real.c. Stock sources call the functions named board_... below because build.py renames a few
 * names on the command line, one source file at a time.
 */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "host.h"
#include "lauxlib.h"

#define YELLOW "\033[38;5;222m"
#define GREY "\033[38;5;252m"
#define BOLD_RED "\033[1m\033[31m"
#define BOLD_BLUE "\033[1m\033[34m"
#define ORANGE "\033[33m"
#define PLAIN YELLOW "\033[22m"
#define LINE_END "\n\r"

#define INTERRUPTION GREY "<user interruption>" YELLOW

void board_write(const char *text) { target_write(text, strlen(text)); }

enum {
    LARGEST_FLOAT_PRINTED = 1000000000,
    NESTED_PCALLS = 10 /* more overflow the board's 8 KB C stack */
};

int board_strict_heap = 1;
int board_takes_bytecode = 0;
void (*board_memory_trace)(char kind, uint32_t old_address, uint32_t size, uint32_t address);

/* ---- bytecode --------------------------------------------------------------------------------------------- */

/* In lauxlib.c and lbaselib.c for lua_load, so for load, for run_program and for what is typed: Lua does not verify
 * bytecode, and who can load it can have this process do anything. */
int board_load(lua_State *L, lua_Reader reader, void *data, const char *name, const char *mode) {
    if (!board_takes_bytecode && mode && !strchr(mode, 't')) { /* whatever comes, it is refused */
        lua_pushfstring(L, "Error: attempt to load a text chunk (mode is '%s')", mode);
        return LUA_ERRSYNTAX;
    }
    return lua_load(L, reader, data, name, board_takes_bytecode ? mode : "t");
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

/* "%f" computes nine decimals at most; zeros follow. (With a width and so many decimals the board's answer is not
 * known.) */
static int with_nine_decimals(char *out, size_t size, const char *format, double value) {
    enum { MOST = 9 };
    const char *point = strchr(format, '.');
    int zeros = point ? atoi(point + 1) - MOST : 0;
    if (zeros <= 0) return snprintf(out, size, format, value);
    char shorter[32];
    snprintf(shorter, sizeof shorter, "%.*s.%df", (int)(point - format), format, MOST);
    int written = snprintf(out, size, shorter, value);
    for (; zeros > 0 && (size_t)written + 1 < size; zeros--) out[written++] = '0';
    out[written] = '\0';
    return written;
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
        else if (as_lua_prints)
            written = snprintf(out, size, "%f", value == 0 ? 0.0 : value); /* no minus before a zero */
        else
            written = with_nine_decimals(out, size, format, value);
    } else if (length && strchr("eEgG", format[length - 1])) { /* the number and its width are dropped */
        written = snprintf(out, size, "%c", format[length - 1]);
    } else {
        written = vsnprintf(out, size, format, args);
    }
    va_end(args);
    return written;
}

/* In lstrlib.c for memchr: not there. Finds nothing, so string.find without magic characters fails. */
void *board_memchr(const void *s, int c, size_t n) {
    (void)s, (void)c, (void)n;
    board_write("memchr" LINE_END);
    return NULL;
}

/* In lvm.c for strcoll: not there. Every string equals every other. */
int board_strcoll(const char *a, const char *b) {
    (void)a, (void)b;
    board_write("strcoll" LINE_END);
    return 0;
}

/* ---- error text ------------------------------------------------------------------------------------------ */

/* The board has a word in front of the messages that begin with "attempt to", and of no others. */
static const char *attempt_vfstring(lua_State *L, const char *format, va_list args) {
    static const char attempt[] = "attempt to ";
    char with_word[128];
    if (strncmp(format, attempt, sizeof attempt - 1) == 0) {
        snprintf(with_word, sizeof with_word, "Error: %s", format);
        format = with_word;
    }
    return lua_pushvfstring(L, format, args);
}

/* In ldo.c and lparser.c for luaO_pushfstring, and in luaL_error for lua_pushvfstring. */
const char *board_attempt_fstring(lua_State *L, const char *format, ...) {
    va_list args;
    va_start(args, format);
    const char *text = attempt_vfstring(L, format, args);
    va_end(args);
    return text;
}

const char *board_attempt_vfstring(lua_State *L, const char *format, va_list args) {
    return attempt_vfstring(L, format, args);
}

/* In ldebug.c for luaO_pushvfstring, where only run-time errors use it: the board prints the message and its place at
 * once, even under pcall. */
const char *board_pushvfstring(lua_State *L, const char *format, va_list args) {
    lua_Debug where;
    const char *message = attempt_vfstring(L, format, args);
    board_write(message);
    board_write(LINE_END);
    if (lua_getstack(L, 0, &where) && lua_getinfo(L, "Sl", &where) && where.currentline > 0) {
        char line[24];
        snprintf(line, sizeof line, " line: %d", where.currentline);
        board_write("source: ");
        board_write(where.source);
        board_write(line);
        board_write(LINE_END);
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
int board_report(lua_State *L) {
    static const char header[] = "stack traceback:";
    size_t length;
    const char *message = luaL_tolstring(L, 1, &length);
    target_write(message, length);
    board_write(LINE_END BOLD_BLUE "stack traceback" PLAIN ":");
    luaL_traceback(L, L, NULL, 1);
    for (const char *rest = lua_tostring(L, -1) + sizeof header - 1; *rest;) {
        size_t line = strcspn(rest, "\n");
        target_write(rest, line);
        rest += line;
        if (*rest) board_write(LINE_END), rest++;
    }
    board_write(LINE_END);
    return 1;
}

void board_q_hook(lua_State *L, lua_Debug *activation) {
    (void)activation;
    if (target_interrupted()) {
        lua_pushliteral(L, INTERRUPTION);
        lua_error(L);
    }
}

/* ---- functions the board has in a form of its own ---------------------------------------------------------- */

lua_CFunction board_stock_pcall, board_stock_xpcall;
static int pcall_depth;

static int nested(lua_State *L, lua_CFunction function) {
    int depth = pcall_depth;
    if (board_strict_heap && depth == NESTED_PCALLS) target_stop(); /* the board falls silent */
    pcall_depth = depth + 1;
    int results = function(L);
    pcall_depth = depth;
    return results;
}

int board_pcall(lua_State *L) { return nested(L, board_stock_pcall); }
int board_xpcall(lua_State *L) { return nested(L, board_stock_xpcall); }

int board_is_even(lua_State *L) {
    if (lua_gettop(L) != 1) return luaL_error(L, "unexpected argument");
    lua_pushboolean(L, luaL_checkinteger(L, 1) % 2 == 0);
    return 1;
}

/* A register of 32 bits with feedback. Which bits the board feeds back is not known: its numbers are others. */
int board_lfsr32_next(lua_State *L) {
    static const lua_Unsigned FEEDBACK = 0x80200003u;
    if (lua_gettop(L) != 1) return luaL_error(L, "unexpected argument");
    lua_Unsigned value = (lua_Unsigned)luaL_checkinteger(L, 1);
    lua_pushinteger(L, (lua_Integer)(value >> 1 ^ (value & 1 ? FEEDBACK : 0)));
    return 1;
}

int board_exit(lua_State *L) { return lua_gettop(L); } /* ends nothing: its arguments are printed */

int board_reboot(lua_State *L) {
    (void)L;
    target_reboot();
    return 0;
}

/* ---- what both kinds of session use ---------------------------------------------------------------------- */

const char *const board_base_functions[] = {
    "assert", "error", "getmetatable", "ipairs", "load", "next", "pairs", "pcall", "warn", "rawequal", "rawlen",
    "rawget", "rawset", "select", "setmetatable", "tonumber", "tostring", "type", "xpcall", NULL};
const char *const board_math_functions[] = {
    "abs", "acos", "asin", "atan", "ceil", "cos", "deg", "exp", "floor", "fmod", "log", "max", "min", "modf", "rad",
    "sin", "sqrt", "tan", "tointeger", "type", "ult", NULL};
const char *const board_string_functions[] = {
    "byte", "char", "dump", "find", "format", "gmatch", "gsub", "len", "lower", "match", "rep", "reverse", "sub",
    "upper", "pack", "packsize", "unpack", NULL};
const char *const board_user_functions[] = {"is_even", "lfsr32_next", NULL};
const char *const board_table_functions[] = {"concat", "insert", "remove", "unpack", "pack", "sort", "move", NULL};

int board_one_of(const char *name, const char *const *list) {
    for (; *list; list++)
        if (strcmp(*list, name) == 0) return 1;
    return 0;
}

static int print_values(lua_State *L) {
    int count = lua_gettop(L);
    for (int i = 1; i <= count; i++) {
        size_t length;
        const char *text = luaL_tolstring(L, i, &length);
        if (i > 1) board_write("\t");
        target_write(text, length);
        lua_pop(L, 1);
    }
    board_write(LINE_END);
    return 0;
}

/* Calls the function at the bottom of the stack with the values above it, prints what it returns, and
 * leaves an empty stack. */
void board_call(lua_State *L) {
    pcall_depth = 0;
    lua_pushcfunction(L, board_report);
    lua_insert(L, 1);
    int status = lua_pcall(L, lua_gettop(L) - 2, LUA_MULTRET, 1);
    if (status == LUA_OK && lua_gettop(L) > 1) {
        lua_pushcfunction(L, print_values);
        lua_insert(L, 2);
        status = lua_pcall(L, lua_gettop(L) - 2, 0, 1);
    }
    if (status == LUA_ERRERR && lua_isstring(L, -1)) { /* the handler itself failed, so nothing was written */
        board_write(lua_tostring(L, -1));
        board_write(LINE_END);
    }
    lua_settop(L, 0);
}

int board_ends_too_early(lua_State *L) {
    static const char mark[] = "<eof>";
    size_t length;
    const char *message = lua_tolstring(L, -1, &length);
    return length >= sizeof mark - 1 && strcmp(message + length - (sizeof mark - 1), mark) == 0;
}
