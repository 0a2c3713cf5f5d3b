/* Replays requests on the board's allocator: the program behind replay_allocator.py.
 *
 * Input: "UNITS HANDLES", then one request a line: "m HANDLE SIZE", "r HANDLE SIZE", "f HANDLE". A handle is a number
 * below HANDLES that names a block. Output, one line for each request: "f" and the offset in the fast heap, or the
 * number of the unit in the heap, or "-" for a free, or why the board stops, which ends the replay. The last line is
 * "end FREE_BYTES CURSOR SIZE_WAS_CUT", the cursor as the number of a unit.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "allocator.h"

enum { USAGE = 2, MOST_UNITS = 1 << 20 };

static const char *const stops[] = {[BOARD_GOES_ON] = "", [BOARD_ERROR_0] = "error 0", [BOARD_ERROR_1] = "error 1",
                                    [BOARD_HANG] = "hang", [BOARD_FAST_FREE] = "fast free",
                                    [BOARD_CORRUPT] = "corrupt"};

static uint32_t unit_number(uint32_t block) { return (block - BOARD_HEAP_START) / BOARD_UNIT; }

int main(void) {
    uint32_t unit_count, handle_count, handle, size;
    char kind;
    if (scanf("%" SCNu32 " %" SCNu32, &unit_count, &handle_count) != 2 || !unit_count || unit_count > MOST_UNITS)
        return USAGE;
    struct board_unit *units = calloc(unit_count, sizeof *units);
    uint32_t *addresses = calloc((size_t)handle_count + 1, sizeof *addresses);
    if (!units || !addresses) return USAGE;
    struct board_allocator allocator;
    board_allocator_init(&allocator, units, unit_count);
    while (allocator.stop == BOARD_GOES_ON && scanf(" %c %" SCNu32, &kind, &handle) == 2) {
        if (handle >= handle_count) return USAGE;
        uint32_t *address = &addresses[handle];
        if (kind == 'f') {
            board_free(&allocator, *address);
            *address = 0;
            puts(allocator.stop == BOARD_GOES_ON ? "-" : stops[allocator.stop]);
            continue;
        }
        if ((kind != 'm' && kind != 'r') || scanf("%" SCNu32, &size) != 1) return USAGE;
        uint32_t got = kind == 'm' ? board_malloc(&allocator, size) : board_realloc(&allocator, *address, size);
        if (allocator.stop != BOARD_GOES_ON)
            puts(stops[allocator.stop]);
        else if (got < BOARD_HEAP_START)
            printf("f%" PRIu32 "\n", got - BOARD_FAST_START);
        else
            printf("%" PRIu32 "\n", unit_number(got));
        *address = got;
    }
    printf("end %" PRIu32 " %" PRIu32 " %d\n", allocator.free_bytes, unit_number(allocator.cursor),
           allocator.size_was_cut);
    free(units);
    free(addresses);
    return 0;
}
