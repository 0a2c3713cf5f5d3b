/* emblua on a bare rv32i machine, QEMU's "virt", where instructions are counted: no operating system, no multiply, no
 * floating point, as in the board's default overlay. Files and output go through semihosting.
 *
 * It runs the program main.lua. Stored programs are the files of QEMU's working folder. Exit codes: 0 ran to its end,
 * 1 a Lua error, 3 the board would have stopped, 4 it would have restarted.
 *
 *   machine [--loose-heap]
 *
 * Globals that the board does not have, for measuring:
 *   instructions()         instructions retired since the start, as a float (exact up to 2^53)
 *   heap()                 bytes in use, their peak, units of 128 bytes in use, their peak
 *   heap_reset()           starts a new peak
 *   decimal(x)             a whole number's digits; the board prints no float above 1e9
 *   account(n)             books what is retired from here on to account n (0 to 31); returns the account before
 *   back_to(n, ...)        the same without the account before: returns the other arguments
 *   booked(n)              instructions in account n, and how often account(n) was called
 * The work of account and back_to themselves is in no account, but for their calls.
 */
#include <semihost.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "board.h"
#include "lauxlib.h"
#include "ldebug.h"
#include "lstate.h"

enum { LUA_ERROR = 1, STOPPED = 3, RESTARTED = 4, OUTPUT_SIZE = 4096, COMMAND_LINE_SIZE = 256, ACCOUNTS = 32 };
enum { Q_TEST_PASSES = 38 }; /* two instructions each; calibrated with an empty loop: README.md */

static const char main_program[] = "main.lua";

static char output[OUTPUT_SIZE];
static size_t output_length;
static int console = -1;

static void flush_output(void) {
    if (console < 0) console = sys_semihost_open(":tt", SH_OPEN_W);
    sys_semihost_write(console, output, output_length);
    output_length = 0;
}

static _Noreturn void end(int status) {
    flush_output();
    _Exit(status);
}

/* ---- what board.h asks of a target ------------------------------------------------------------------------ */

void target_write(const char *bytes, size_t length) {
    while (length) {
        size_t room = OUTPUT_SIZE - output_length;
        size_t part = length < room ? length : room;
        memcpy(output + output_length, bytes, part);
        output_length += part;
        bytes += part;
        length -= part;
        if (output_length == OUTPUT_SIZE) flush_output();
    }
}

int target_interrupted(void) { return 0; } /* nobody types here */

_Noreturn void target_stop(void) { end(STOPPED); }

_Noreturn void target_reboot(void) { end(RESTARTED); }

const char *target_find_program(const char *name, size_t *length) {
    if (!*name || strpbrk(name, "/:")) return NULL; /* files of this folder only; ":tt" is the console */
    int file = sys_semihost_open(name, SH_OPEN_R_B);
    if (file < 0) return NULL;
    size_t size = sys_semihost_flen(file);
    char *text = malloc(size + 1);
    size_t missing = text ? sys_semihost_read(file, text, size) : size;
    sys_semihost_close(file);
    if (missing) {
        free(text);
        return NULL;
    }
    *length = size;
    return text;
}

void target_release_program(const char *text) { free((char *)text); }

void *target_memory(uint32_t address, size_t size) {
    (void)address;
    return malloc(size);
}

/* The math library seeds its random numbers with the time whenever it is opened, which takes more or fewer instructions
 * by the second. Here the time stands still. */
time_t time(time_t *now) {
    if (now) *now = 0;
    return 0;
}

/* In lvm.c for luaG_traceexec, which stands between any two VM instructions while a hook is set: a test that always
 * takes as long, as the board's does. Only where build.py is told so (Q_TEST_RENAMED): the stock function with a line
 * hook takes as long within a line, but calls the hook, and looks for the line's number, whenever a loop goes back. */
int board_traceexec(lua_State *L, const Instruction *pc) {
    L->ci->u.l.savedpc = pc + 1; /* error messages find their line by this */
    int passes = Q_TEST_PASSES;
    __asm__ volatile("1: addi %0, %0, -1\n\tbnez %0, 1b" : "+r"(passes));
    return 1; /* and again at the next one */
}

/* ---- allocator ----------------------------------------------------------------------------------------------
 *
 * In place of the C library's, which searches a list: there an allocation takes longer or shorter by all that was ever
 * freed, and a count would tell more of that than of the program. Here it takes always the same. Blocks have whole
 * units, as on the board; free ones wait in a list for each size. Blocks above LISTED_UNITS (with --loose-heap) have
 * sizes of powers of two. */

enum { UNIT = 128, LISTED_UNITS = 256, SIZES = LISTED_UNITS + 16 };

union free_block { /* stands before each block; the size stays when it is freed */
    struct {
        unsigned size;
        union free_block *next;
    };
    double alignment;
};

extern char __heap_start[], __heap_end[]; /* of picolibc.ld */

static union free_block *free_blocks[SIZES];
static char *never_used = __heap_start;

static unsigned size_for(size_t bytes) {
    size_t units = (bytes + sizeof(union free_block) + UNIT - 1) / UNIT;
    if (units <= LISTED_UNITS) return units;
    unsigned size = LISTED_UNITS + 1;
    while (size < SIZES - 1 && (size_t)LISTED_UNITS << (size - LISTED_UNITS) < units) size++;
    return size;
}

static size_t bytes_of(unsigned size) {
    size_t units = size <= LISTED_UNITS ? size : (size_t)LISTED_UNITS << (size - LISTED_UNITS);
    return units * UNIT;
}

void *malloc(size_t bytes) {
    if (bytes > (size_t)(__heap_end - __heap_start)) return NULL;
    unsigned size = size_for(bytes);
    union free_block *block = free_blocks[size];
    if (block) {
        free_blocks[size] = block->next;
        return block + 1;
    }
    if (bytes_of(size) > (size_t)(__heap_end - never_used)) return NULL;
    block = (union free_block *)never_used;
    never_used += bytes_of(size);
    block->size = size;
    return block + 1;
}

void free(void *pointer) {
    if (!pointer) return;
    union free_block *block = (union free_block *)pointer - 1;
    block->next = free_blocks[block->size];
    free_blocks[block->size] = block;
}

void *realloc(void *pointer, size_t bytes) {
    if (!pointer) return malloc(bytes);
    union free_block *block = (union free_block *)pointer - 1;
    if (block->size == size_for(bytes)) return pointer;
    size_t before = bytes_of(block->size) - sizeof *block;
    void *moved = malloc(bytes);
    if (!moved) return NULL;
    memcpy(moved, pointer, bytes < before ? bytes : before);
    free(pointer);
    return moved;
}

/* ---- measuring -------------------------------------------------------------------------------------------- */

static uint64_t retired(void) {
    uint32_t high, low, again;
    do { /* the lower half may overflow between two reads */
        __asm__ volatile("rdinstreth %0" : "=r"(high));
        __asm__ volatile("rdinstret %0" : "=r"(low));
        __asm__ volatile("rdinstreth %0" : "=r"(again));
    } while (high != again);
    return (uint64_t)high << 32 | low;
}

static uint64_t accounts[ACCOUNTS], booked_until;
static lua_Integer openings[ACCOUNTS];
static lua_Integer open_account;

static void close_account(uint64_t now) { accounts[open_account] += now - booked_until; }

static void start_account(lua_Integer number) {
    open_account = number;
    booked_until = retired();
}

static lua_Integer account_argument(lua_State *L) {
    lua_Integer number = luaL_checkinteger(L, 1);
    luaL_argcheck(L, number >= 0 && number < ACCOUNTS, 1, "no such account");
    return number;
}

static int account(lua_State *L) {
    close_account(retired());
    lua_Integer before = open_account, number = account_argument(L);
    lua_pushinteger(L, before);
    openings[number]++;
    start_account(number);
    return 1;
}

static int back_to(lua_State *L) {
    close_account(retired());
    start_account(account_argument(L));
    return lua_gettop(L) - 1;
}

static int booked(lua_State *L) {
    lua_Integer number = account_argument(L);
    lua_pushnumber(L, (lua_Number)accounts[number]);
    lua_pushinteger(L, openings[number]);
    return 2;
}

static int instructions(lua_State *L) {
    lua_pushnumber(L, (lua_Number)retired());
    return 1;
}

static int heap_figures(lua_State *L) {
    struct board_heap heap;
    board_heap_figures(&heap);
    lua_pushinteger(L, (lua_Integer)heap.bytes);
    lua_pushinteger(L, (lua_Integer)heap.bytes_peak);
    lua_pushinteger(L, (lua_Integer)heap.units);
    lua_pushinteger(L, (lua_Integer)heap.units_peak);
    return 4;
}

static int heap_reset(lua_State *L) {
    (void)L;
    board_heap_reset_peak();
    return 0;
}

static int decimal(lua_State *L) {
    char text[32];
    int length = snprintf(text, sizeof text, "%.0f", (double)luaL_checknumber(L, 1));
    if (length < 0 || (size_t)length >= sizeof text) return luaL_argerror(L, 1, "too large");
    lua_pushlstring(L, text, (size_t)length);
    return 1;
}

/* ---- start ------------------------------------------------------------------------------------------------- */

static int with_traceback(lua_State *L) {
    luaL_traceback(L, L, luaL_tolstring(L, 1, NULL), 1);
    return 1;
}

static int status;

static void serve(lua_State *L) {
    static const luaL_Reg measuring[] = {{"instructions", instructions}, {"heap", heap_figures},
                                         {"heap_reset", heap_reset},     {"decimal", decimal},
                                         {"account", account},           {"back_to", back_to},
                                         {"booked", booked},             {NULL, NULL}};
    for (const luaL_Reg *function = measuring; function->name; function++)
        board_add_function(L, function->name, function->func);
    lua_pushcfunction(L, with_traceback);
    int handler = lua_gettop(L);
    lua_getglobal(L, "run_program");
    lua_pushstring(L, main_program);
    status = lua_pcall(L, 1, 0, handler);
    if (status != LUA_OK) {
        size_t length;
        const char *message = luaL_tolstring(L, -1, &length);
        target_write(message, length);
        target_write("\n\r", 2);
    }
}

int main(void) {
    char command_line[COMMAND_LINE_SIZE] = "";
    sys_semihost_get_cmdline(command_line, sizeof command_line);
    board_strict_heap = strstr(command_line, "--loose-heap") == NULL;
    /* Another Lua, compiler or C library may count differently: these two say which they are. */
    struct board_identity identity = {"rv32i", LUA_RELEASE, "gcc " __VERSION__ ", picolibc " _PICOLIBC_VERSION, 1, 66};
    board_session(&identity, LUA_MASKLINE, 0, serve);
    end(status == LUA_OK ? 0 : LUA_ERROR);
}
