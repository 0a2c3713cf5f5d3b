/* A session as the board has it, but for the memory: what lies where, and when it is collected, is not the board's.
 * session_real.c is the one that also asks for memory as the board does. */
#include <stdio.h>
#include <string.h>

#include "host.h"
#include "lauxlib.h"
#include "lualib.h"
#include "memory.h"

/* ---- import and run_program ------------------------------------------------------------------------------ */

static const char *const no_functions[] = {NULL};

static const struct library {
    const char *name;
    lua_CFunction open;
    const char *const *functions;
} libraries[] = {{LUA_MATHLIBNAME, luaopen_math, board_math_functions},
                 {LUA_STRLIBNAME, luaopen_string, board_string_functions},
                 {LUA_TABLIBNAME, luaopen_table, board_table_functions},
                 {"user", NULL, board_user_functions},
                 {"interrupt", NULL, no_functions},
                 {NULL, NULL, NULL}};

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
    board_stock_pcall = lua_tocfunction(L, -1);
    lua_pushcfunction(L, board_pcall);
    lua_setfield(L, -3, "pcall");
    lua_getfield(L, -2, "xpcall");
    board_stock_xpcall = lua_tocfunction(L, -1);
    lua_pushcfunction(L, board_xpcall);
    lua_setfield(L, -4, "xpcall");
    lua_pop(L, 2);
}

/* Pushes a new table with everything a library has. */
static void push_library(lua_State *L, const struct library *library) {
    lua_pushcfunction(L, library->open);
    lua_call(L, 0, 1);
    if (library->open != luaopen_string) return;
    /* Opening gave strings a new metatable; methods must find only what was imported. */
    lua_pushliteral(L, "");
    lua_getmetatable(L, -1);
    lua_getfield(L, LUA_REGISTRYINDEX, LUA_LOADED_TABLE);
    lua_getfield(L, -1, library->name);
    lua_setfield(L, -3, "__index");
    lua_pop(L, 3);
}

static int import_base(lua_State *L, const char *wanted) {
    int all = strcmp(wanted, "all") == 0;
    if (!all && !board_one_of(wanted, board_base_functions)) return luaL_error(L, "no such function in base library");
    push_base_library(L);
    for (const char *const *name = board_base_functions; *name; name++) {
        if (!all && strcmp(*name, wanted)) continue;
        lua_getfield(L, -1, *name);
        lua_setglobal(L, *name);
    }
    return 0;
}

static int board_import(lua_State *L) {
    if (lua_gettop(L) < 1 || lua_gettop(L) > 2) return luaL_error(L, "unexpected argument");
    const char *first = luaL_checkstring(L, 1);
    if (lua_gettop(L) == 1) return import_base(L, first);
    const char *function = luaL_checkstring(L, 2);
    const struct library *library = libraries;
    while (library->name && strcmp(library->name, first)) library++;
    if (!library->name || lua_getglobal(L, first) != LUA_TTABLE) return luaL_error(L, "no such library");
    if (lua_getfield(L, -1, function) != LUA_TNIL) return 0; /* there since boot, or imported before */
    if (!board_one_of(function, library->functions)) return luaL_error(L, "no such function in library");
    if (!library->open) {
        lua_pushcfunction(L, strcmp(function, "is_even") ? board_lfsr32_next : board_is_even);
        lua_setfield(L, -3, function);
        return 0;
    }
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
        lua_pushinteger(L, (lua_Integer)BOARD_STATE_ADDRESS);
        lua_call(L, 2, 0);
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
    lua_pushglobaltable(L);
    lua_setglobal(L, LUA_GNAME);
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
    lua_register(L, "exit", board_exit);
    set_text(L, "_hW", identity->hardware);
    set_text(L, "_sW", identity->software);
    set_text(L, "_fW", identity->firmware);
    char core[16];
    snprintf(core, sizeof core, "#%dof1", identity->core);
    set_text(L, "_cI", core);
    set_number(L, "_freq", identity->clock_mhz);
    set_number(L, "PWM_MAX", 256);
    set_number(L, "HIGH", 1);
    set_number(L, "LOW", 0);
    set_number(L, "CORE1", 1);
    for (int pin = 1; pin <= 16; pin++) {
        char name[8];
        snprintf(name, sizeof name, "PIN%d", pin);
        set_number(L, name, pin);
    }
    return 0;
}

void board_session(const struct board_identity *identity, int hook_mask, int hook_count, void (*serve)(lua_State *L)) {
    memory_start(board_strict_heap);
    lua_State *L = lua_newstate(memory_allocate, NULL);
    if (!L) target_stop();
    memory_state_is(L);
    lua_gc(L, LUA_GCSTOP); /* or the size of the string table would depend on when a collection happens to come */
    lua_pushcfunction(L, set_up);
    lua_pushlightuserdata(L, (void *)identity);
    if (lua_pcall(L, 1, 0, 0) != LUA_OK) {
        board_write(lua_tostring(L, -1));
        target_stop();
    }
    lua_gc(L, LUA_GCRESTART);
    lua_gc(L, LUA_GCCOLLECT);
    lua_sethook(L, board_q_hook, hook_mask, hook_count);
    board_heap_reset_peak();
    serve(L);
}

static void call_and_collect(lua_State *L) {
    board_call(L);
    lua_gc(L, LUA_GCCOLLECT);
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
            call_and_collect(L);
            return BOARD_RAN;
        }
        lua_settop(L, 0);
    }
    if (luaL_loadbuffer(L, text, length, source) == LUA_OK) {
        call_and_collect(L);
        return BOARD_RAN;
    }
    enum board_result result = board_ends_too_early(L) ? BOARD_INCOMPLETE : BOARD_SYNTAX;
    lua_settop(L, 0);
    lua_gc(L, LUA_GCCOLLECT);
    return result;
}

void board_run_program(lua_State *L, const char *name) {
    lua_pushcfunction(L, board_run_program_function);
    lua_pushstring(L, name);
    call_and_collect(L);
}

void board_command(const char *text, size_t length) { (void)text, (void)length; }

void board_add_function(lua_State *L, const char *name, lua_CFunction function) { lua_register(L, name, function); }
