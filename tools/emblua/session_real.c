/* A session that asks for memory as the board does: the same requests in the same order, from power-on to the end of
 * each line. What the board asks for is recorded (tests/data/board_memory/vectors_real.json); what the strings are
 * whose sizes are seen there is known for some of them only, and the others stand here by their lengths.
 *
 * The board's prompt is that of stock lua.c, so its functions are here, by other names: pushline, addreturn, multiline, docall.
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "host.h"
#include "lauxlib.h"
#include "lgc.h"
#include "lobject.h"
#include "lopcodes.h"
#include "lstate.h"
#include "lstring.h"
#include "lualib.h"
#include "memory.h"

enum { VALUES_BELOW = 3, PINS = 32, CORES = 8, SYSTEM_HARDWARE = 9, SYSTEM_FIRMWARE = 37, HISTORY = 10, LONGEST_REMEMBERED = 128 };

/* ---- names that exist from the start ------------------------------------------------------------------------- */

/* A string that lives for ever, as the reserved words do. */
static void fix(lua_State *L, const char *text) { luaC_fix(L, obj2gco(luaS_new(L, text))); }

/* A string of which only the length is known. It cannot be typed, so no name of a program is the same. */
static void fix_unknown(lua_State *L, size_t length) {
    static int number;
    char text[LUAI_MAXSHORTLEN + 1];
    int head = snprintf(text, sizeof text, "\x01%x", (unsigned)number++);
    memset(text + head, '\x01', sizeof text - (size_t)head);
    text[length] = '\0';
    fix(L, text);
}

static void fix_numbered(lua_State *L, const char *format, int count) {
    char text[LUAI_MAXSHORTLEN + 1];
    for (int i = 1; i <= count; i++) {
        snprintf(text, sizeof text, format, i);
        fix(L, text);
    }
}

static int booting;

/* Called by lstate.c after the reserved words (luai_userstateopen). */
void board_fix_names(lua_State *L) {
    static const unsigned char between[] = {4, 8, 7, 3, 8, 7, 7, 6, 3}, last[] = {15, 16, 23, 24, 29};
    if (!booting) return; /* the state that only lends its functions */
    fix(L, "LOW");
    fix(L, "HIGH");
    fix_unknown(L, 6);
    fix_numbered(L, "PIN%d", PINS);
    fix_numbered(L, "PIN%d\x01_______", PINS);
    for (size_t i = 0; i < sizeof between; i++) {
        if (i == 2)
            fix(L, "PWM_MAX");
        else
            fix_unknown(L, between[i]);
    }
    fix_numbered(L, "CORE%d", CORES);
    for (size_t i = 0; i < sizeof last; i++) fix_unknown(L, last[i]);
}

/* ---- functions -------------------------------------------------------------------------------------------------- */

/* A state of its own that has all libraries, in this computer's memory: the board has its functions in flash. */
static lua_State *lender;

static void *plain_allocate(void *ud, void *block, size_t old_size, size_t new_size) {
    (void)ud, (void)old_size;
    if (new_size) return realloc(block, new_size);
    free(block);
    return NULL;
}

static void open_lender(void) {
    lender = lua_newstate(plain_allocate, NULL);
    if (!lender) abort();
    lua_gc(lender, LUA_GCSTOP);
    luaL_requiref(lender, LUA_GNAME, luaopen_base, 1);
    luaL_requiref(lender, LUA_MATHLIBNAME, luaopen_math, 1);
    luaL_requiref(lender, LUA_STRLIBNAME, luaopen_string, 1);
    luaL_requiref(lender, LUA_TABLIBNAME, luaopen_table, 1);
    lua_settop(lender, 0);
}

static lua_CFunction stock(const char *library, const char *name) {
    lua_getglobal(lender, library);
    lua_getfield(lender, -1, name);
    lua_CFunction function = lua_tocfunction(lender, -1);
    lua_settop(lender, 0);
    return function;
}

static lua_CFunction boards(const char *library, const char *name) {
    if (strcmp(library, "user") == 0) return strcmp(name, "is_even") ? board_lfsr32_next : board_is_even;
    lua_CFunction function = stock(library, name);
    if (function == board_stock_pcall) return board_pcall;
    if (function == board_stock_xpcall) return board_xpcall;
    return function;
}

static void import_into(lua_State *L, int table, const char *library, const char *name) {
    table = lua_absindex(L, table);
    lua_pushcfunction(L, boards(library, name));
    lua_setfield(L, table, name);
}

/* import("all") brings the functions for pins and time as well. Their names are in no source: these stand for them, as
 * many and as long as it takes to bring "count" to what the board prints afterwards. They cannot be typed. */
static void import_unknown_functions(lua_State *L, int table) {
    enum { FUNCTIONS = 70, LENGTH = 10, LONGER = 4 };
    table = lua_absindex(L, table);
    for (int i = 0; i < FUNCTIONS; i++) {
        char name[LENGTH + 2];
        int head = snprintf(name, sizeof name, "\x02%x", (unsigned)i);
        memset(name + head, '\x02', sizeof name - (size_t)head);
        lua_pushlstring(L, name, i < LONGER ? LENGTH + 1 : LENGTH);
        lua_pushcfunction(L, board_exit);
        lua_rawset(L, table);
    }
}

static int board_import(lua_State *L) {
    static const char *const no_functions[] = {NULL};
    static const struct {
        const char *name;
        const char *const *functions;
    } libraries[] = {{LUA_MATHLIBNAME, board_math_functions},
                     {LUA_STRLIBNAME, board_string_functions},
                     {LUA_TABLIBNAME, board_table_functions},
                     {"user", board_user_functions},
                     {"interrupt", no_functions}};
    int arguments = lua_gettop(L);
    if (arguments < 1 || arguments > 2) return luaL_error(L, "unexpected argument");
    const char *first = luaL_checkstring(L, 1);
    if (arguments == 1) {
        int all = strcmp(first, "all") == 0;
        if (!all && !board_one_of(first, board_base_functions))
            return luaL_error(L, "no such function in base library");
        lua_pushglobaltable(L);
        for (const char *const *name = board_base_functions; *name; name++)
            if (all || strcmp(*name, first) == 0) import_into(L, -1, LUA_GNAME, *name);
        if (all) import_unknown_functions(L, -1);
        return 0;
    }
    const char *function = luaL_checkstring(L, 2);
    for (size_t i = 0; i < sizeof libraries / sizeof *libraries; i++) {
        if (strcmp(libraries[i].name, first)) continue;
        if (!board_one_of(function, libraries[i].functions)) return luaL_error(L, "no such function in library");
        if (lua_getglobal(L, first) != LUA_TTABLE) return luaL_error(L, "no such library");
        import_into(L, -1, first, function);
        return 0;
    }
    return luaL_error(L, "no such library");
}

/* ---- stored programs -------------------------------------------------------------------------------------------- */

static void collect(lua_State *L) { luaC_fullgc(L, 1); /* no finalizers, nothing shrinks */ }

/* Loads a stored program. Returns LUA_OK with the function pushed, another status with a message pushed, or -1. */
static int load_program(lua_State *L, const char *name) {
    size_t length;
    const char *text = target_find_program(name, &length);
    if (!text) return -1;
    /* Not "=%s": a chunk that a program loads under that name makes a new string. */
    const char *chunk_name = lua_pushfstring(L, "@%s", name);
    int loaded = luaL_loadbuffer(L, text, length, chunk_name);
    target_release_program(text);
    lua_remove(L, -2);
    return loaded;
}

static int board_run_program_function(lua_State *L) {
    const char *name = luaL_checkstring(L, 1);
    if (lua_gettop(L) > 1) return luaL_error(L, "unexpected argument");
    int loaded = load_program(L, name);
    luaL_argcheck(L, loaded >= 0, 1, "no such program");
    if (loaded != LUA_OK) return lua_error(L);
    int before = lua_gettop(L) - 1;
    lua_call(L, 0, LUA_MULTRET);
    collect(L);
    return lua_gettop(L) - before;
}

/* ---- boot ------------------------------------------------------------------------------------------------------- */

static const struct board_identity *identity;

static void set_text(lua_State *L, const char *name, const char *text) {
    lua_pushstring(L, text);
    lua_setfield(L, -2, name);
}

static int open_base(lua_State *L) {
    const luaL_Reg functions[] = {{"collectgarbage", stock(LUA_GNAME, "collectgarbage")},
                                  {"print", stock(LUA_GNAME, "print")},
                                  {"import", board_import},
                                  {"reboot", board_reboot},
                                  {"exit", board_exit},
                                  {"run_program", board_run_program_function},
                                  {LUA_GNAME, NULL},
                                  {"_VERSION", NULL},
                                  {"_sW", NULL},
                                  {"_fW", NULL},
                                  {"_hW", NULL},
                                  {"_cI", NULL},
                                  {"_freq", NULL},
                                  {"PWM_MAX", NULL}, /* one more name that is fixed; which one is not known */
                                  {NULL, NULL}};
    char core[16];
    lua_pushglobaltable(L);
    luaL_setfuncs(L, functions, 0);
    lua_pushvalue(L, -1);
    lua_setfield(L, -2, LUA_GNAME);
    set_text(L, "_VERSION", LUA_VERSION);
    fix_unknown(L, 7);
    enum { TEXTS_OF_IDENTITY = 33 + 16 + 7 }; /* on the board; which is which is not known */
    set_text(L, "_sW", identity->software);
    set_text(L, "_fW", identity->firmware);
    set_text(L, "_hW", identity->hardware);
    /* Whatever the texts are here, "count" is the board's. */
    G(L)->GCdebt += TEXTS_OF_IDENTITY;
    G(L)->GCdebt -= (l_mem)(strlen(identity->software) + strlen(identity->firmware) + strlen(identity->hardware));
    memory_system_take(SYSTEM_HARDWARE);
    memory_system_take(SYSTEM_FIRMWARE);
    snprintf(core, sizeof core, "#%dof1", identity->core);
    set_text(L, "_cI", core);
    lua_pushinteger(L, identity->clock_mhz);
    lua_setfield(L, -2, "_freq");
    lua_pushinteger(L, 256);
    lua_setfield(L, -2, "PWM_MAX");
    return 1;
}

static int open_empty(lua_State *L) {
    lua_newtable(L);
    return 1;
}

static int open_string(lua_State *L) {
    static const char *const operators[] = {"__add", "__sub", "__mul", "__mod", "__pow", "__div", "__idiv", "__unm"};
    enum { OPERATORS = sizeof operators / sizeof *operators };
    lua_newtable(L);
    lua_createtable(L, 0, OPERATORS + 1); /* and __index */
    lua_pushstring(lender, "");
    lua_getmetatable(lender, -1);
    for (size_t i = 0; i < OPERATORS; i++) {
        lua_getfield(lender, 2, operators[i]);
        lua_pushcfunction(L, lua_tocfunction(lender, -1));
        lua_setfield(L, -2, operators[i]);
    }
    lua_settop(lender, 0);
    lua_pushliteral(L, "");
    lua_pushvalue(L, -2);
    lua_setmetatable(L, -2);
    lua_pop(L, 1);
    lua_pushvalue(L, -2);
    lua_setfield(L, -2, "__index");
    lua_pop(L, 1);
    return 1;
}

/* The seed is stock Lua's: the time, which stands at 0 there, and the address of the state, which is in the largest
 * fast block behind four bytes of extra space. With it the first two of math.random(10) are 5 and 2, as seen. */
static void seed(void *state, size_t size) {
    lua_getglobal(lender, LUA_MATHLIBNAME);
    lua_getfield(lender, -1, "randomseed");
    lua_pushvalue(lender, -1);
    lua_pushinteger(lender, 0);
    lua_pushinteger(lender, (lua_Integer)(BOARD_STATE_ADDRESS));
    lua_call(lender, 2, 0);
    lua_getupvalue(lender, -1, 1);
    memcpy(state, lua_touserdata(lender, -1), size);
    lua_settop(lender, 0);
}

static int open_math(lua_State *L) {
    static const luaL_Reg kept[] = {{"random", NULL}, {"randomseed", NULL}, {"pi", NULL},  {"huge", NULL},
                                    {"maxinteger", NULL}, {"mininteger", NULL}, {NULL, NULL}};
    const luaL_Reg random[] = {{"random", stock(LUA_MATHLIBNAME, "random")},
                               {"randomseed", stock(LUA_MATHLIBNAME, "randomseed")},
                               {NULL, NULL}};
    luaL_newlib(L, kept);
    lua_pushnumber(L, (lua_Number)3.141592653589793238462643383279502884);
    lua_setfield(L, -2, "pi");
    lua_pushnumber(L, (lua_Number)HUGE_VAL);
    lua_setfield(L, -2, "huge");
    lua_pushinteger(L, LUA_MAXINTEGER);
    lua_setfield(L, -2, "maxinteger");
    lua_pushinteger(L, LUA_MININTEGER);
    lua_setfield(L, -2, "mininteger");
    enum { STATE_SIZE = 32 };
    seed(lua_newuserdatauv(L, STATE_SIZE, 0), STATE_SIZE);
    luaL_setfuncs(L, random, 1);
    return 1;
}

static int open_interrupt(lua_State *L) {
    lua_createtable(L, 0, 2);
    for (int i = 0; i < 2; i++) { /* two entries with names of four characters */
        static const char *const names[] = {"\x01\x01\x01" "1", "\x01\x01\x01" "2"};
        lua_pushboolean(L, 0);
        lua_setfield(L, -2, names[i]);
    }
    return 1;
}

/* Constants that the board's compiler knows and that are in no table there: a table of ours that is not counted. */
static void add_constants(lua_State *L) {
    char name[16];
    memory_hide(L, 1);
    lua_newtable(L);
    for (int i = 1; i <= PINS + CORES; i++) {
        snprintf(name, sizeof name, i <= PINS ? "PIN%d" : "CORE%d", i <= PINS ? i : i - PINS);
        lua_pushinteger(L, i <= PINS ? i : i - PINS);
        lua_setfield(L, -2, name);
    }
    lua_pushinteger(L, 1);
    lua_setfield(L, -2, "HIGH");
    lua_pushinteger(L, 0);
    lua_setfield(L, -2, "LOW");
    lua_pushvalue(L, -1);
    lua_setfield(L, -2, "__index");
    lua_pushglobaltable(L);
    lua_pushvalue(L, -2);
    lua_setmetatable(L, -2);
    lua_pop(L, 2);
    memory_hide(L, 0);
}

void board_add_function(lua_State *L, const char *name, lua_CFunction function) {
    memory_hide(L, 1);
    lua_pushglobaltable(L);
    lua_getmetatable(L, -1);
    lua_pushcfunction(L, function);
    lua_setfield(L, -2, name);
    lua_pop(L, 2);
    memory_hide(L, 0);
}

/* The prompt's text can be set by two globals; the board asks for them each time. The answer stays on the stack until
 * a line has come. */
static void prompt(lua_State *L, const char *name) {
    if (lua_getglobal(L, name) == LUA_TNIL) return;
    luaL_tolstring(L, -1, NULL);
    lua_remove(L, -2);
}

static void boot(lua_State *L) {
    static const luaL_Reg libraries[] = {{LUA_GNAME, open_base},         {LUA_TABLIBNAME, open_empty},
                                         {LUA_STRLIBNAME, open_string},  {LUA_MATHLIBNAME, open_math},
                                         {"user", open_empty},           {"interrupt", open_interrupt},
                                         {NULL, NULL}};
    for (const luaL_Reg *library = libraries; library->name; library++) {
        luaL_requiref(L, library->name, library->func, 1);
        lua_pop(L, 1);
    }
    lua_gc(L, LUA_GCRESTART);
    lua_gc(L, LUA_GCGEN, 0, 0);
    add_constants(L);
    prompt(L, "_PROMPT");
}

void board_session(const struct board_identity *who, int hook_mask, int hook_count, void (*serve)(lua_State *L)) {
    identity = who;
    open_lender();
    board_stock_pcall = stock(LUA_GNAME, "pcall");
    board_stock_xpcall = stock(LUA_GNAME, "xpcall");
    memory_start(board_strict_heap);
    booting = 1;
    lua_State *L = lua_newstate(memory_allocate, NULL);
    if (!L) target_stop();
    booting = 0;
    lua_gc(L, LUA_GCSTOP);
    lua_sethook(L, board_q_hook, hook_mask, hook_count);
    /* Stock lua.c pushes a function and two arguments and does the rest in a protected call of them. On the board there
     * is no such call, or its record (36 bytes) would be seen; but two to four values lie below everything else: with
     * fewer or more the stack grows at other moments than the recorded ones. */
    for (int i = 0; i < VALUES_BELOW; i++) lua_pushnil(L);
    L->ci->func.p += VALUES_BELOW;
    L->ci->top.p += VALUES_BELOW;
    boot(L);
    board_heap_reset_peak();
    serve(L);
}

/* ---- prompt ----------------------------------------------------------------------------------------------------- */

/* What was typed is remembered in blocks of the same heap. */
struct history {
    uint32_t blocks[HISTORY];
    size_t next;
    char last[LONGEST_REMEMBERED + 1];
};

static struct history lines, commands;

static void remember(struct history *history, const char *text, size_t length) {
    if (length > LONGEST_REMEMBERED || strcmp(history->last, text) == 0) return;
    memory_system_give(history->blocks[history->next]);
    history->blocks[history->next] = memory_system_take((uint32_t)length + 1);
    history->next = (history->next + 1) % HISTORY;
    memcpy(history->last, text, length + 1);
}

void board_command(const char *text, size_t length) {
    static const char listing[] = "list|program_code(";
    enum { LISTING_BUFFER = 512 };
    if (strncmp(text, listing, sizeof listing - 1) == 0) memory_system_give(memory_system_take(LISTING_BUFFER));
    remember(&commands, text, length);
}

static void remember_line(lua_State *L) {
    size_t length;
    const char *line = lua_tolstring(L, 1, &length);
    remember(&lines, line, length);
}

static int load_text(lua_State *L, const char *text, size_t length) {
    return luaL_loadbuffer(L, text, length, "=stdin");
}

static int add_return(lua_State *L) {
    const char *line = lua_tostring(L, -1);
    const char *with_return = lua_pushfstring(L, "return %s;", line);
    int loaded = load_text(L, with_return, strlen(with_return));
    if (loaded == LUA_OK) {
        lua_remove(L, -2);
        remember_line(L);
    } else {
        lua_pop(L, 2);
    }
    return loaded;
}

static void end_line(lua_State *L) {
    lua_settop(L, 0);
    prompt(L, "_PROMPT");
}

enum board_result board_submit(lua_State *L, const char *text, size_t length) {
    static int continued;
    int loaded = !LUA_OK;
    if (length == 0) return BOARD_RAN; /* nothing is asked for, not even the prompt */
    lua_pop(L, 1);                     /* the prompt */
    if (continued) {                   /* the first lines are still on the stack */
        const char *last = strrchr(text, '\n');
        last = last ? last + 1 : text;
        lua_pushlstring(L, last, length - (size_t)(last - text));
        lua_pushliteral(L, "\n\r");
        lua_insert(L, -2);
        lua_concat(L, 3);
    } else {
        lua_settop(L, 0);
        if (text[0] == '=')
            lua_pushfstring(L, "return %s", text + 1);
        else
            lua_pushlstring(L, text, length);
        loaded = add_return(L);
    }
    if (loaded != LUA_OK) {
        size_t whole_length;
        const char *whole = lua_tolstring(L, 1, &whole_length);
        loaded = load_text(L, whole, whole_length);
        continued = loaded == LUA_ERRSYNTAX && board_ends_too_early(L);
        if (continued) {
            lua_pop(L, 1);
            prompt(L, "_PROMPT2");
            return BOARD_INCOMPLETE;
        }
        remember_line(L);
    }
    lua_remove(L, 1);
    if (loaded == LUA_OK) {
        board_call(L);
        collect(L);
    }
    end_line(L);
    return loaded == LUA_OK ? BOARD_RAN : BOARD_SYNTAX;
}

void board_run_program(lua_State *L, const char *name) {
    lua_settop(L, 0);
    if (load_program(L, name) != LUA_OK) { /* again, for the words of the error */
        lua_settop(L, 0);
        lua_pushcfunction(L, board_run_program_function);
        lua_pushstring(L, name);
    }
    board_call(L);
    collect(L);
    end_line(L);
}
