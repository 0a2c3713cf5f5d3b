/* Parts of the board's Lua that both kinds of session use (host.c). */
#ifndef EMBLUA_HOST_H
#define EMBLUA_HOST_H

#include "board.h"

#define LINE_END "\n\r"

void board_write(const char *text);

/* Names of the functions that import() can bring; lists end with NULL. */
extern const char *const board_base_functions[], *const board_math_functions[], *const board_string_functions[],
    *const board_table_functions[], *const board_user_functions[];
int board_one_of(const char *name, const char *const *list);

/* The board's forms of two functions, and where they find the stock ones, which the session has to set. */
extern lua_CFunction board_stock_pcall, board_stock_xpcall;
int board_pcall(lua_State *L);
int board_xpcall(lua_State *L);

int board_exit(lua_State *L);
int board_reboot(lua_State *L);

/* The functions of the library "user". */
int board_is_even(lua_State *L);
int board_lfsr32_next(lua_State *L);

/* Where the board's Lua state lies; with a 0 for the time it is the seed of its random numbers. */
#define BOARD_STATE_ADDRESS 0x80006204u

/* The message handler: writes the error and its traceback. */
int board_report(lua_State *L);

/* The hook that stops what runs when 'q' was typed. */
void board_q_hook(lua_State *L, lua_Debug *activation);

/* Calls the function at the bottom of the stack with the values above it, prints what it returns or the error, and
 * leaves an empty stack. */
void board_call(lua_State *L);

/* Whether the message on the stack says that the text ends too early. */
int board_ends_too_early(lua_State *L);

#endif
