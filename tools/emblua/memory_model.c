/* A model of the board's heap that counts units and knows nothing of where blocks lie: 1 MiB in 128-byte units, no
 * block above 16 508 bytes, and no second chance. It runs wherever there is a C compiler, since it gives objects the
 * size they have with four-byte pointers. memory_real.c is what the board does. */
#include "memory.h"

#include <stdlib.h>
#include <string.h>

#include "board.h"
/* Internal headers: the model must know the table of short strings, the one large block of pointers. */
#include "lobject.h"
#include "lstate.h"

enum {
    UNIT = 128,
    HEAP_UNITS = 1048576 / UNIT,
    LARGEST_BLOCK = 16508,
    BLOCK_HEADER = 4
};

static int strict_heap = 1;
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

static void out_of_memory(const char *where) {
    static const char text[] = "\n---- Malloc Error ----\n\rError: out of heap_memory", end[] = "!\n\r";
    target_write(text, sizeof text - 1);
    target_write(where, strlen(where));
    target_write(end, sizeof end - 1);
    target_stop();
}

void *memory_allocate(void *ud, void *payload, size_t old_size, size_t new_size) {
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
    if (strict_heap && while_moving > HEAP_UNITS) out_of_memory("");
    if (strict_heap && board_size > LARGEST_BLOCK) out_of_memory(" after defrag");
    union block *moved = realloc(block, sizeof *moved + new_size);
    if (!moved) out_of_memory("");
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

void memory_start(int strict) { strict_heap = strict; }

void memory_state_is(lua_State *L) { main_state = L; }
