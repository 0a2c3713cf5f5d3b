/* Lua's configuration as the board has it. The compiler includes this file before each source (gcc -include), so that
 * the stock luaconf.h stays as it is and its include guard keeps what is set here. */
#ifndef EMBLUA_BOARD_LUACONF_H
#define EMBLUA_BOARD_LUACONF_H

#include <limits.h>
#include <stddef.h>

/* The stock sources define this themselves, one line before they include luaconf.h. */
#define LUA_CORE

#include "luaconf.h"

/* 32-bit integers beside doubles; LUA_32BITS would make floats single as well. */
#undef LUA_INTEGER
#undef LUA_INTEGER_FRMLEN
#undef LUA_MAXINTEGER
#undef LUA_MININTEGER
#undef LUA_MAXUNSIGNED
#define LUA_INTEGER int
#define LUA_INTEGER_FRMLEN ""
#define LUA_MAXINTEGER INT_MAX
#define LUA_MININTEGER INT_MIN
#define LUA_MAXUNSIGNED UINT_MAX

/* Numbers from and to text. */
double board_strtod(const char *text, char **end);
int board_snprintf(char *out, size_t size, const char *format, ...);
#undef lua_str2number
#undef l_sprintf
#define lua_str2number(s, p) board_strtod((s), (p))
#define l_sprintf(s, sz, f, i) board_snprintf((s), (sz), (f), (i))

/* print ends a line with LF CR and goes to the serial port. */
void target_write(const char *bytes, size_t length);
#define lua_writestring(s, l) target_write((s), (l))
#define lua_writeline() target_write("\n\r", 2)

/* The same hashes, and so the same order of pairs(), at every start. */
#define luai_makeseed(L) 0u

#ifdef BOARD_MEMORY_REAL
/* The board's limit; its memory ends long before. */
#undef LUAI_MAXSTACK
#define LUAI_MAXSTACK 7168

/* More names that live for ever, made where the state is made (session_real.c). */
struct lua_State;
void board_fix_names(struct lua_State *L);
#define luai_userstateopen(L) board_fix_names(L)

/* Addresses print as eight digits: "table: 80001C30". */
#undef lua_pointer2str
#define lua_pointer2str(buff, sz, p) board_snprintf((buff), (sz), "%08X", (unsigned)(size_t)(p))
#endif

#endif
