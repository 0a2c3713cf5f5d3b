/* The board's memory as it is: allocator.c decides where each block lies, and when the board stands still. The sizes of
 * objects are the board's own only where pointers have four bytes and type tags two, which is checked below. */
#include "memory.h"

#include <stdlib.h>
#include <string.h>

#include "allocator.h"
#include "board.h"
#include "lobject.h"
#include "lstate.h"

/* OBJECTS.md of the board's facts: what a compiler for the board says. */
#define SIZE_IS(size, bytes) _Static_assert((size) == (bytes), #size " is not the board's " #bytes)
SIZE_IS(sizeof(TValue), 16);
SIZE_IS(_Alignof(TValue), 8);
SIZE_IS(sizeof(Node), 24);
SIZE_IS(sizeof(Table), 36);
SIZE_IS(offsetof(TString, contents), 20);
SIZE_IS(offsetof(Udata0, bindata), 24);
SIZE_IS(offsetof(Udata, uv[1]), 40);
SIZE_IS(sizeof(Proto), 84);
SIZE_IS(offsetof(LClosure, upvals), 16);
SIZE_IS(offsetof(CClosure, upvalue), 16);
SIZE_IS(sizeof(UpVal), 32);
SIZE_IS(sizeof(CallInfo), 36);
SIZE_IS(sizeof(lua_State), 116);
SIZE_IS(sizeof(Upvaldesc), 8);
SIZE_IS(sizeof(LocVar), 12);
SIZE_IS(sizeof(AbsLineInfo), 8);

enum {
    HIDDEN_MOST = 1 << 20,
    LOOSE_UNITS = 16 * BOARD_UNITS, /* a heap that no program of ours fills */
    FAST_SIZE = BOARD_HEAP_START - BOARD_FAST_START
};

static struct board_allocator allocator;
static struct board_unit *units;
static char *memory; /* the byte at BOARD_FAST_START */
static size_t memory_size;
static int hidden;
static uint32_t unit_count;
static struct board_heap heap;

static void count(void) {
    heap.units = unit_count - board_free_units(&allocator);
    if (heap.units > heap.units_peak) heap.units_peak = heap.units;
    if (heap.bytes > heap.bytes_peak) heap.bytes_peak = heap.bytes;
}

static void go_on_or_stop(void) {
    /* After a size was cut, the board's next steps hang on what was written where. Nothing here knows that. */
    if (allocator.stop == BOARD_GOES_ON && !allocator.size_was_cut) return;
    const char *text = board_stop_text(allocator.stop);
    target_write(text, strlen(text));
    target_stop();
}

static uint32_t address_of(const void *block) {
    return block ? BOARD_FAST_START + (uint32_t)((const char *)block - memory) : 0;
}

static void *block_at(uint32_t address) { return memory + (address - BOARD_FAST_START); }

static int is_hidden(const void *block) {
    return block && ((const char *)block < memory || (const char *)block >= memory + memory_size);
}

static void tell(char kind, uint32_t old_address, uint32_t size, uint32_t address) {
    if (board_memory_trace) board_memory_trace(kind, old_address, size, address);
}

void *memory_allocate(void *ud, void *block, size_t old_size, size_t new_size) {
    (void)ud;
    if (is_hidden(block) || (hidden && !block)) {
        if (new_size) return realloc(block, new_size);
        free(block);
        return NULL;
    }
    if (block) heap.bytes -= (uint32_t)old_size;
    heap.bytes += (uint32_t)new_size;
    uint32_t before = address_of(block);
    if (new_size == 0) {
        if (!block) return NULL;
        board_free(&allocator, before);
        go_on_or_stop();
        count();
        tell('f', 0, 0, before);
        return NULL;
    }
    uint32_t address = board_malloc(&allocator, (uint32_t)new_size);
    go_on_or_stop();
    count(); /* old and new at once: the peak is here */
    void *moved = block_at(address);
    if (block) {
        /* The board copies new_size bytes, which for a block that grows means whatever lies behind the old one. */
        memcpy(moved, block, old_size < new_size ? old_size : new_size);
        board_free(&allocator, before);
        go_on_or_stop();
        count();
    }
    tell(block ? 'r' : 'm', before, (uint32_t)new_size, address);
    return moved;
}

uint32_t memory_system_take(uint32_t size) {
    uint32_t address = board_malloc(&allocator, size);
    go_on_or_stop();
    count();
    tell('m', 0, size, address);
    return address;
}

void memory_system_give(uint32_t address) {
    if (!address) return;
    board_free(&allocator, address);
    go_on_or_stop();
    count();
    tell('f', 0, 0, address);
}

void memory_hide(lua_State *L, int on) {
    static l_mem before;
    global_State *g = G(L);
    if (on) {
        before = g->GCdebt;
        g->GCdebt = -HIDDEN_MOST; /* no collection meanwhile */
    } else {
        g->GCdebt = before; /* as if nothing had been asked for */
    }
    hidden = on;
}

void memory_start(int strict) {
    unit_count = strict ? BOARD_UNITS : LOOSE_UNITS;
    memory_size = FAST_SIZE + (size_t)unit_count * BOARD_UNIT;
    memory = target_memory(BOARD_FAST_START, memory_size);
    units = malloc(unit_count * sizeof *units);
    if (!memory || !units) abort();
    board_allocator_init(&allocator, units, unit_count);
}

void memory_state_is(lua_State *L) { (void)L; }

void board_heap_figures(struct board_heap *figures) { *figures = heap; }

void board_heap_reset_peak(void) {
    heap.bytes_peak = heap.bytes;
    heap.units_peak = heap.units;
}
