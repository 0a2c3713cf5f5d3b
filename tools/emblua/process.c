/* emblua as a child process: the board's Lua behind frames on standard input and output.
 *
 * A frame is a type byte, a length (4 bytes, big-endian) and that many bytes.
 *
 *   to this process                            from this process
 *   L text      lines from the prompt          O bytes     output of the running text
 *   R name      run a stored program           D           done
 *   Q           'q' was typed (ignored         I           incomplete, the prompt wants another line
 *               unless something runs)         S           syntax error
 *   P text      the program asked for          G name      asks for a stored program, while something runs
 *   N           there is no such program       Z           the board has stopped for good; the process ends
 *   C text      a command of command mode      B           the board restarts; the process ends
 *   H reset     asks for heap figures;         H figures   4 numbers in decimal (struct board_heap)
 *               "1" starts a new peak
 *
 *   emblua HARDWARE SOFTWARE FIRMWARE CORE MHZ [--loose-heap] [--bytecode] [--memory-trace FILE]
 *
 * --bytecode has load and run_program take bytecode, as the board does: only for hosts that are trusted.
 *
 * --memory-trace (real memory only) writes each request for memory, a line each: "m SIZE ADDRESS", "r SIZE ADDRESS
 * OLD_ADDRESS", "f ADDRESS", and a line "# WORDS" for each frame that comes.
 */
#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "board.h"
#ifdef BOARD_MEMORY_REAL
#include "host.h"
#include "ldebug.h"
#include "lopcodes.h"
#include "lstate.h"
#endif

enum { STOPPED = 3, PROTOCOL_ERROR = 4, HOST_GONE = 5, HOOK_EVERY = 1000, OUTPUT_SIZE = 4096, FRAME_HEADER = 5 };

struct frame {
    char type;
    size_t length;
    char *bytes; /* from malloc, with a NUL after the last byte */
};

static char output[OUTPUT_SIZE];
static size_t output_length;
static int interruptions;

/* ---- frames ---------------------------------------------------------------------------------------------- */

static void write_all(const char *bytes, size_t length) {
    while (length) {
        ssize_t written = write(STDOUT_FILENO, bytes, length);
        if (written < 0 && errno == EINTR) continue;
        if (written <= 0) _exit(HOST_GONE);
        bytes += written;
        length -= (size_t)written;
    }
}

static void send_frame(char type, const char *bytes, size_t length) {
    char header[FRAME_HEADER] = {type, (char)(length >> 24), (char)(length >> 16), (char)(length >> 8), (char)length};
    write_all(header, sizeof header);
    write_all(bytes, length);
}

static void flush_output(void) {
    if (output_length) send_frame('O', output, output_length);
    output_length = 0;
}

/* Output first, so that the host sees things in the order in which they happened. */
static void send_after_output(char type, const char *bytes, size_t length) {
    flush_output();
    send_frame(type, bytes, length);
}

static void read_all(char *bytes, size_t length) {
    while (length) {
        ssize_t got = read(STDIN_FILENO, bytes, length);
        if (got < 0 && errno == EINTR) continue;
        if (got <= 0) _exit(HOST_GONE);
        bytes += got;
        length -= (size_t)got;
    }
}

static struct frame read_frame(void) {
    unsigned char header[FRAME_HEADER];
    read_all((char *)header, sizeof header);
    struct frame frame = {(char)header[0], 0, NULL};
    for (int i = 1; i < FRAME_HEADER; i++) frame.length = frame.length << 8 | header[i];
    frame.bytes = malloc(frame.length + 1);
    if (!frame.bytes) _exit(PROTOCOL_ERROR);
    read_all(frame.bytes, frame.length);
    frame.bytes[frame.length] = '\0';
    return frame;
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
        if (output_length == OUTPUT_SIZE || output[output_length - 1] == '\r') flush_output(); /* lines end in LF CR */
    }
}

int target_interrupted(void) {
    struct pollfd input = {STDIN_FILENO, POLLIN, 0};
    while (poll(&input, 1, 0) > 0) {
        struct frame frame = read_frame();
        free(frame.bytes);
        if (frame.type != 'Q') _exit(PROTOCOL_ERROR); /* the host sends nothing else while something runs */
        interruptions++;
    }
    if (!interruptions) return 0;
    interruptions--;
    return 1;
}

_Noreturn void target_stop(void) {
    send_after_output('Z', "", 0);
    _exit(STOPPED);
}

_Noreturn void target_reboot(void) {
    send_after_output('B', "", 0);
    _exit(0);
}

const char *target_find_program(const char *name, size_t *length) {
    send_after_output('G', name, strlen(name));
    for (;;) {
        struct frame frame = read_frame();
        if (frame.type == 'P') {
            *length = frame.length;
            return frame.bytes;
        }
        free(frame.bytes);
        if (frame.type == 'N') return NULL;
        if (frame.type != 'Q') _exit(PROTOCOL_ERROR);
        interruptions++;
    }
}

void target_release_program(const char *text) { free((char *)text); }

void *target_memory(uint32_t address, size_t size) {
    /* At the board's own addresses, "table: 80001C30" is printed as there. */
    void *wanted = sizeof(void *) == 4 ? (void *)(uintptr_t)address : NULL;
    void *memory = mmap(wanted, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    return memory == MAP_FAILED ? NULL : memory;
}

#ifdef BOARD_MEMORY_REAL
/* In lvm.c for luaG_traceexec, which stands between any two VM instructions while a hook is set. A stock hook makes
 * room on Lua's stack before it is called, which may ask for memory; the board's test for 'q' does not. */
int board_traceexec(lua_State *L, const Instruction *pc) {
    static int left = HOOK_EVERY;
    CallInfo *ci = L->ci;
    ci->u.l.savedpc = pc + 1; /* error messages find their line by this */
    if (--left) return 1;
    left = HOOK_EVERY;
    if (!isIT(*pc)) L->top.p = ci->top.p;
    board_q_hook(L, NULL);
    return 1; /* and again at the next one */
}
#endif

/* ---- main loop ---------------------------------------------------------------------------------------------- */

static void send_heap_figures(int new_peak) {
    struct board_heap heap;
    char text[64];
    board_heap_figures(&heap);
    if (new_peak) board_heap_reset_peak();
    int length = snprintf(text, sizeof text, "%u %u %u %u", heap.bytes, heap.bytes_peak, heap.units, heap.units_peak);
    send_frame('H', text, (size_t)length);
}

static FILE *trace;

static void write_trace(char kind, uint32_t old_address, uint32_t size, uint32_t address) {
    switch (kind) {
        case 'm': fprintf(trace, "m %" PRIu32 " %" PRIx32 "\n", size, address); break;
        case 'r': fprintf(trace, "r %" PRIu32 " %" PRIx32 " %" PRIx32 "\n", size, address, old_address); break;
        default: fprintf(trace, "f %" PRIx32 "\n", address); break;
    }
    fflush(trace); /* the host may end this process at any time */
}

static void start_trace(const char *path) {
    trace = fopen(path, "w");
    if (trace) board_memory_trace = write_trace;
}

static int status;

/* Takes one frame after the other, until the host says something that makes no sense. */
static void serve(lua_State *L) {
    for (;;) {
        static const char answers[] = {[BOARD_RAN] = 'D', [BOARD_INCOMPLETE] = 'I', [BOARD_SYNTAX] = 'S'};
        struct frame frame = read_frame();
        if (trace) fprintf(trace, "# %c %.*s\n", frame.type, (int)strcspn(frame.bytes, "\n"), frame.bytes);
        interruptions = 0; /* a 'q' that came after the end stops nothing */
        switch (frame.type) {
            case 'L': send_after_output(answers[board_submit(L, frame.bytes, frame.length)], "", 0); break;
            case 'R':
                board_run_program(L, frame.bytes);
                send_after_output('D', "", 0);
                break;
            case 'H': send_heap_figures(frame.bytes[0] == '1'); break;
            case 'C': board_command(frame.bytes, frame.length); break;
            case 'Q': break;
            default: status = PROTOCOL_ERROR;
        }
        free(frame.bytes);
        if (status) return;
    }
}

int main(int argc, char **argv) {
    if (argc < 6) {
        fprintf(stderr, "usage: emblua HARDWARE SOFTWARE FIRMWARE CORE MHZ [--loose-heap] [--bytecode] [--memory-trace FILE]\n");
        return 2;
    }
    for (int i = 6; i < argc; i++) {
        if (strcmp(argv[i], "--loose-heap") == 0) board_strict_heap = 0;
        if (strcmp(argv[i], "--bytecode") == 0) board_takes_bytecode = 1;
        if (strcmp(argv[i], "--memory-trace") == 0 && i + 1 < argc) start_trace(argv[++i]);
    }
    struct board_identity identity = {argv[1], argv[2], argv[3], atoi(argv[4]), atoi(argv[5])};
    board_session(&identity, LUA_MASKCOUNT, HOOK_EVERY, serve);
    return status;
}
