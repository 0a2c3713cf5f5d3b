/* The seam between the board's Lua (host.c) and the machine it runs on.
 *
 * host.c knows how the board behaves and nothing of where it runs. A target is one more C file that defines the
 * functions of the first group and calls those of the second: process.c is a child process that talks frames over
 * its standard streams; a bare-metal target would write to a port and count instructions.
 */
#ifndef EMBLUA_BOARD_H
#define EMBLUA_BOARD_H

#include <stddef.h>
#include <stdint.h>

#include "lua.h"

/* ---- what a target provides -------------------------------------------------------------------------- */

/* Sends bytes to the board's serial port, as they are. */
void target_write(const char *bytes, size_t length);

/* True once for each 'q' that has arrived since the last call. Called from the hook, so it must be cheap. */
int target_interrupted(void);

/* The board stops for good; does not return. Everything that was written has to reach the host first. */
_Noreturn void target_stop(void);

/* The board restarts; does not return. */
_Noreturn void target_reboot(void);

/* The text of a stored program, or NULL. It stays valid until target_release_program. */
const char *target_find_program(const char *name, size_t *length);
void target_release_program(const char *text);

/* Memory for the board's heaps, if it can be at the address that it has on the board; NULL if there is none. */
void *target_memory(uint32_t address, size_t size);

/* ---- what host.c provides ---------------------------------------------------------------------------- */

/* What the globals _hW, _sW, _fW, _cI and _freq say. */
struct board_identity {
    const char *hardware;
    const char *software;
    const char *firmware;
    int core;
    int clock_mhz;
};

enum board_result {
    BOARD_RAN,        /* ran to its end, or to an error whose text was written */
    BOARD_INCOMPLETE, /* the text ends too early: the prompt wants another line */
    BOARD_SYNTAX      /* nothing ran; the board is silent about syntax errors */
};

/* Figures of the heap, in the board's own sizes (4-byte pointers, 128-byte units). */
struct board_heap {
    uint32_t bytes, bytes_peak;
    uint32_t units, units_peak;
};

/* Boots, and calls serve with the state as it is at the first prompt. hook_mask and hook_count say how often
 * target_interrupted is asked: LUA_MASKCOUNT with a number for a fast host, LUA_MASKLINE where instructions are counted
 * as on the board. */
void board_session(const struct board_identity *identity, int hook_mask, int hook_count, void (*serve)(lua_State *L));

/* Gives the session a global function that the board does not have. */
void board_add_function(lua_State *L, const char *name, lua_CFunction function);

/* Text from the prompt: one line, or several joined by LF while the prompt asked for more. */
enum board_result board_submit(lua_State *L, const char *text, size_t length);

/* A stored program as "run|program" starts it: its values are printed. */
void board_run_program(lua_State *L, const char *name);

/* A command that was typed in command mode and has been answered. Only the real memory keeps a history of them. */
void board_command(const char *text, size_t length);

void board_heap_figures(struct board_heap *figures);
void board_heap_reset_peak(void);

/* Called after each request for memory where it is set: 'm', 'r' or 'f', the block that was and the one that is, as
 * addresses of the board. Only the real memory calls it. */
extern void (*board_memory_trace)(char kind, uint32_t old_address, uint32_t size, uint32_t address);

/* 0 lifts the allocator's limits (the sizes are still counted), to see what a program would have needed. */
extern int board_strict_heap;

/* 1 lets load and run_program take bytecode, as the board does; 0, the default, lets them take text only. */
extern int board_takes_bytecode;

#endif
