/*
 * Memory: what `configure` allocates lies at the bottom of the heap for good; what a hook allocates, and what the gateway
 * hands it, lies above and is given up as a whole when the hook has answered. Exchanges' states come from blocks of their own.
 */
#include "internal.h"

extern unsigned char __heap_base;
#define PAGE 65536u
#define ALIGNMENT 16u

/* The stretches of memory that are the heap's: between them lie pages with states. */
#define MAX_STRETCHES 32
static struct {
    uintptr_t start, end;
} stretches[MAX_STRETCHES];
static size_t stretch_count;

/* Up to where memory is taken: in which stretch, and where in it. */
typedef struct {
    size_t stretch;
    uintptr_t top;
} level;
static level now, kept;
static bool has_answered;

static void out_of_memory(void) {
    tg_log(TG_LOG_ERROR, TG("out of memory"));
    __builtin_trap();
}

/* Adds pages at the end of memory, and says where they begin. */
static uintptr_t grow(size_t size) {
    size_t count = (size + PAGE - 1) / PAGE;
    size_t before = __builtin_wasm_memory_grow(0, count);
    if (before == (size_t)-1) out_of_memory();
    return before * PAGE;
}

static uintptr_t start_of(size_t stretch) { return stretch == now.stretch ? now.top : stretches[stretch].start; }

/* Makes the last stretch longer, or makes another one behind it. */
static void add_room(size_t size) {
    uintptr_t end = __builtin_wasm_memory_size(0) * PAGE;
    size_t last = stretch_count - 1;
    if (stretch_count && stretches[last].end == end) {
        grow(start_of(last) + size - end);
    } else if (stretch_count == MAX_STRETCHES) {
        out_of_memory();
    } else {
        last = stretch_count++;
        stretches[last].start = end;
        grow(size);
    }
    stretches[last].end = __builtin_wasm_memory_size(0) * PAGE;
}

static void begin(void) {
    uintptr_t base = ((uintptr_t)&__heap_base + ALIGNMENT - 1) & ~(uintptr_t)(ALIGNMENT - 1);
    stretches[0].start = base;
    stretches[0].end = __builtin_wasm_memory_size(0) * PAGE;
    stretch_count = 1;
    now.top = base;
}

void *tg_take_memory(size_t size) {
    if (!stretch_count) begin();
    tg_begin_hook();
    if (size > SIZE_MAX / 2) out_of_memory();
    size = (size + ALIGNMENT - 1) & ~(size_t)(ALIGNMENT - 1);
    for (size_t stretch = now.stretch;; stretch++) {
        if (stretch == stretch_count) stretch = stretch_count - 1, add_room(size);
        uintptr_t at = start_of(stretch);
        if (stretches[stretch].end - at < size) continue;
        now = (level){ stretch, at + size };
        return (void *)at;
    }
}

void *tg_allocate(size_t size) { return memset(tg_take_memory(size ? size : 1), 0, size ? size : 1); }

void tg_keep_memory(void) {
    if (!stretch_count) begin();
    kept = now;
}

void tg_begin_hook(void) {
    if (has_answered) now = kept;
    has_answered = false;
}

void tg_end_hook(void) { has_answered = true; }

/* How the gateway asks for room for what it hands over. */
__attribute__((export_name("cabi_realloc"))) void *tg_realloc(void *old, size_t had, size_t alignment, size_t size) {
    (void)alignment;
    void *at = tg_take_memory(size);
    if (old) memcpy(at, old, had < size ? had : size);
    return at;
}

/* The states of exchanges: a table by the exchange's number, and blocks of which those that are free are linked. They outlast
 * hooks, so they lie in pages of their own, twice as many each time. */
static void **states;
static size_t state_count, state_pages = 1;
static void *free_states;

static void more_states(size_t size) {
    size_t block = (size + ALIGNMENT - 1) & ~(size_t)(ALIGNMENT - 1);
    size_t room = block > state_pages * PAGE ? block : state_pages * PAGE;
    uintptr_t at = grow(room);
    for (size_t offset = 0; offset + block <= room; offset += block) tg_free_state((void *)(at + offset));
    state_pages *= 2;
}

/* Makes the table larger; the one before is not used again. */
static void more_numbers(uint32_t exchange) {
    size_t count = PAGE / sizeof(void *);
    while (count <= exchange) count *= 2;
    void **table = (void **)grow(count * sizeof(void *));
    memcpy(table, states, state_count * sizeof(void *));
    states = table;
    state_count = count;
}

void *tg_state_of(uint32_t exchange, size_t size) {
    if (exchange >= state_count) more_numbers(exchange);
    if (!states[exchange]) {
        if (!free_states) more_states(size);
        void *state = free_states;
        free_states = *(void **)state;
        states[exchange] = memset(state, 0, size);
    }
    return states[exchange];
}
void *tg_end_state(uint32_t exchange) {
    if (exchange >= state_count) return NULL;
    void *state = states[exchange];
    states[exchange] = NULL;
    return state;
}

void tg_free_state(void *state) {
    *(void **)state = free_states;
    free_states = state;
}
