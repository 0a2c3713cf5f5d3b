/* See allocator.h. The rules are the board's, odd ones included; their reasons are not known, only that they are so. */
#include "allocator.h"

#include <stddef.h>

enum {
    LONGEST_RUN = 129, /* blocks that are joined at most */
    LARGEST_PAYLOAD = 0xFFFF,
    OFFSET_MASK = 0xFFFF
};

/* `size` bytes each, `count` blocks; the region's first block at `offset`, its stack at `stack` in fast_free. */
static const struct fast_region {
    uint16_t size, count, offset, stack;
} regions[BOARD_FAST_REGIONS] = {
    {32, 32, 0, 0},      {64, 48, 1024, 32},    {80, 128, 4096, 80},   {128, 12, 14336, 208},
    {768, 8, 15872, 220}, {1024, 4, 22016, 228}, {1536, 4, 26112, 232},
};

/* ---- fast heap ------------------------------------------------------------------------------------------- */

static uint32_t fast_take(struct board_allocator *allocator, uint32_t size) {
    for (size_t i = 0; i < BOARD_FAST_REGIONS; i++)
        if (size <= regions[i].size && allocator->fast_count[i] > 0)
            return BOARD_FAST_START + allocator->fast_free[regions[i].stack + --allocator->fast_count[i]];
    return 0;
}

/* The block's address alone tells its region, so one that a small request took from a larger region goes back there. */
static void fast_give(struct board_allocator *allocator, uint32_t address) {
    uint32_t offset = address & OFFSET_MASK;
    for (size_t i = 0; i < BOARD_FAST_REGIONS; i++) {
        const struct fast_region *region = &regions[i];
        if (offset >= (uint32_t)region->offset + (uint32_t)region->size * region->count) continue;
        /* On the board a stack that is full grows into the next; that takes a block given back twice. */
        if (allocator->fast_count[i] == region->count) break;
        allocator->fast_free[region->stack + allocator->fast_count[i]++] = (uint16_t)offset;
        return;
    }
    allocator->stop = BOARD_FAST_FREE;
}

/* ---- heap ------------------------------------------------------------------------------------------------ */

static struct board_unit *unit_at(const struct board_allocator *allocator, uint32_t block) {
    return &allocator->units[(block - BOARD_HEAP_START) / BOARD_UNIT];
}

static uint32_t block_after(const struct board_allocator *allocator, uint32_t block) {
    return block + unit_at(allocator, block)->payload + BOARD_HEADER;
}

static uint32_t take(struct board_allocator *allocator, uint32_t block, uint32_t payload) {
    struct board_unit *unit = unit_at(allocator, block);
    if (payload > LARGEST_PAYLOAD) allocator->size_was_cut = 1;
    unit->payload = (uint16_t)payload;
    unit->in_use = 1;
    uint32_t length = (uint32_t)unit->payload + BOARD_HEADER;
    allocator->free_bytes -= length;
    allocator->cursor = block + length < allocator->heap_end ? block + length : BOARD_HEAP_START;
    return block + BOARD_HEADER;
}

/* Adds up free blocks from `*block` on. Returns their payload once it is enough; else 0, and `*block` is the place to
 * go on from: the block in use that ended the run, or the one behind LONGEST_RUN blocks, whatever it is. */
static uint32_t join(const struct board_allocator *allocator, uint32_t *block, int64_t wanted) {
    uint32_t sum = 0, place = *block;
    for (int blocks = 0; blocks < LONGEST_RUN && place < allocator->heap_end; blocks++) {
        const struct board_unit *unit = unit_at(allocator, place);
        if (unit->in_use) break;
        sum += unit->payload + (blocks ? BOARD_HEADER : 0u);
        if (sum >= wanted) return sum;
        place = block_after(allocator, place);
    }
    *block = place;
    return 0;
}

static uint32_t heap_stop(struct board_allocator *allocator, enum board_stop stop) {
    allocator->stop = stop;
    return 0;
}

static uint32_t heap_take(struct board_allocator *allocator, uint32_t size) {
    uint32_t needed = (size + BOARD_UNIT + BOARD_HEADER) / BOARD_UNIT * BOARD_UNIT; /* in 32 bits, as there */
    int64_t wanted = (int64_t)needed - BOARD_HEADER;
    if (needed > allocator->free_bytes) return heap_stop(allocator, BOARD_ERROR_0);
    uint32_t place = allocator->heap_end - allocator->cursor >= needed ? allocator->cursor : BOARD_HEAP_START;
    int passed_the_start = 0;
    for (;;) {
        const struct board_unit *unit = unit_at(allocator, place);
        if (!unit->in_use) {
            if (unit->payload >= wanted) return take(allocator, place, unit->payload);
            uint32_t first = place;
            uint32_t joined = join(allocator, &place, wanted);
            if (joined) return take(allocator, first, joined);
            if (place >= allocator->heap_end) return heap_stop(allocator, BOARD_CORRUPT);
        }
        place = block_after(allocator, place); /* also over a free block that the run above was too long to see */
        if (place == allocator->cursor) return heap_stop(allocator, BOARD_ERROR_1);
        if (place > allocator->heap_end) return heap_stop(allocator, BOARD_CORRUPT);
        if (place < allocator->heap_end && allocator->heap_end - place >= needed) continue;
        if (place <= allocator->cursor) return heap_stop(allocator, BOARD_ERROR_1);
        /* The board does not notice that it has been here. Nothing changes on the way, so the second time is for ever. */
        if (passed_the_start) return heap_stop(allocator, BOARD_HANG);
        passed_the_start = 1;
        place = BOARD_HEAP_START;
    }
}

/* ---- both -------------------------------------------------------------------------------------------------- */

void board_allocator_init(struct board_allocator *allocator, struct board_unit *units, uint32_t unit_count) {
    *allocator = (struct board_allocator){.units = units};
    allocator->free_bytes = unit_count * BOARD_UNIT;
    allocator->heap_end = BOARD_HEAP_START + allocator->free_bytes;
    allocator->cursor = BOARD_HEAP_START;
    for (uint32_t i = 0; i < unit_count; i++) units[i] = (struct board_unit){BOARD_UNIT - BOARD_HEADER, 0};
    for (size_t i = 0; i < BOARD_FAST_REGIONS; i++) {
        const struct fast_region *region = &regions[i];
        allocator->fast_count[i] = region->count;
        for (uint32_t block = 0; block < region->count; block++) /* the highest comes out first */
            allocator->fast_free[region->stack + block] = (uint16_t)(region->offset + block * region->size);
    }
}

uint32_t board_malloc(struct board_allocator *allocator, uint32_t size) {
    uint32_t address = fast_take(allocator, size);
    return address ? address : heap_take(allocator, size);
}

void board_free(struct board_allocator *allocator, uint32_t address) {
    if (address == 0) return;
    if (address < BOARD_HEAP_START) {
        fast_give(allocator, address);
        return;
    }
    uint32_t block = address - BOARD_HEADER;
    struct board_unit *unit = unit_at(allocator, block);
    unit->in_use = 0;
    allocator->free_bytes += (uint32_t)unit->payload + BOARD_HEADER;
    allocator->cursor = block;
}

uint32_t board_realloc(struct board_allocator *allocator, uint32_t address, uint32_t size) {
    uint32_t moved = board_malloc(allocator, size);
    if (moved) board_free(allocator, address);
    return moved;
}

uint32_t board_free_units(const struct board_allocator *allocator) { return allocator->free_bytes / BOARD_UNIT; }

const char *board_stop_text(enum board_stop stop) {
    switch (stop) {
        case BOARD_ERROR_0: return "\n---- Malloc Error ----\n\rError: out of heap_memory!\n\r";
        case BOARD_ERROR_1: return "\n---- Malloc Error ----\n\rError: out of heap_memory after defrag!\n\r";
        case BOARD_FAST_FREE: return "Error: fast heap free memory segment error!\n\r";
        case BOARD_GOES_ON:
        case BOARD_HANG:
        case BOARD_CORRUPT: break;
    }
    return "";
}
