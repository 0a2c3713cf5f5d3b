/* How the board hands out memory, address by address: a fast heap of blocks of seven sizes, and behind it a heap of
 * units of 128 bytes whose blocks are joined and never split.
 *
 * It keeps its books outside the memory it hands out and never touches that memory, so it works on addresses alone:
 * a caller that wants to store something maps them to an array of its own (board_address - BOARD_FAST_START is the
 * offset). Facts: docs/virtual-board.md, section "The real heap".
 */
#ifndef EMBLUA_ALLOCATOR_H
#define EMBLUA_ALLOCATOR_H

#include <stdint.h>

enum {
    BOARD_UNIT = 128,
    BOARD_HEADER = 4, /* before each block of the heap: its size and whether it is in use */
    BOARD_UNITS = 8192,
    BOARD_FAST_REGIONS = 7,
    BOARD_FAST_BLOCKS = 236
};

#define BOARD_FAST_START UINT32_C(0x80000000)
#define BOARD_HEAP_START UINT32_C(0x80048000)

/* Why the board stands still. After anything but BOARD_GOES_ON no function may be called again. */
enum board_stop {
    BOARD_GOES_ON,
    BOARD_ERROR_0,   /* fewer bytes free than asked for */
    BOARD_ERROR_1,   /* no place found */
    BOARD_HANG,      /* the search goes round for ever */
    BOARD_FAST_FREE, /* a block was given back that lies behind the fast heap's regions */
    BOARD_CORRUPT    /* the chain of blocks leads out of the heap; only after a size was cut to 16 bits */
};

struct board_unit {
    uint16_t payload; /* of the block that begins here, or of the last one that did */
    uint16_t in_use;
};

struct board_allocator {
    struct board_unit *units; /* the caller's; one for each unit of the heap */
    uint32_t heap_end;
    uint32_t free_bytes; /* of the heap */
    uint32_t cursor;     /* address of a block of the heap: where the next search begins */
    enum board_stop stop;
    int size_was_cut; /* a joined block above 65 535 bytes: its books say less than it has, later blocks overlap it */
    uint16_t fast_free[BOARD_FAST_BLOCKS]; /* offsets of free blocks, one stack for each region */
    uint16_t fast_count[BOARD_FAST_REGIONS];
};

/* The state after a boot. The board has BOARD_UNITS units; more are a board that does not exist. */
void board_allocator_init(struct board_allocator *allocator, struct board_unit *units, uint32_t unit_count);

/* An address, or 0 when the board stops here: allocator->stop says why. */
uint32_t board_malloc(struct board_allocator *allocator, uint32_t size);

/* Always a new block, even when the size stays. The caller copies `size` bytes, whatever the old block's size was;
 * the old block is free again when this returns, but nothing has been written to it. */
uint32_t board_realloc(struct board_allocator *allocator, uint32_t address, uint32_t size);

/* Address 0 is ignored. */
void board_free(struct board_allocator *allocator, uint32_t address);

/* Units that a search can find free. */
uint32_t board_free_units(const struct board_allocator *allocator);

/* What the board prints before it stands still; nothing when it hangs. */
const char *board_stop_text(enum board_stop stop);

#endif
