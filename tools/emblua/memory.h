/* Between Lua and the board's memory: one of memory_model.c and memory_real.c, chosen when emblua is built
 * (build.py --memory). host.c uses either; session.c needs the real one. */
#ifndef EMBLUA_MEMORY_H
#define EMBLUA_MEMORY_H

#include <stddef.h>
#include <stdint.h>

#include "lua.h"

/* Before the first allocation. strict 0 lifts the limits of the heap. */
void memory_start(int strict);

/* Lua's allocation function. */
void *memory_allocate(void *ud, void *block, size_t old_size, size_t new_size);

/* The model needs the state to find its table of short strings. */
void memory_state_is(lua_State *L);

/* ---- the real memory only ------------------------------------------------------------------------------ */

/* What the board's own software asks for and gives back, beside Lua. 0 is no block. */
uint32_t memory_system_take(uint32_t size);
void memory_system_give(uint32_t address);

/* Between 1 and 0, what Lua allocates lies in this computer's own memory and is not counted: things of ours that the
 * board has in its flash or not at all. Freed blocks need no mark. */
void memory_hide(lua_State *L, int hidden);

#endif
