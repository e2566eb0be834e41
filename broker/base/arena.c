#include "base/arena.h"

#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/arena_map.h"

enum {
    PAGE_BYTES = 4096, /* of the allocator; the kernel's divides the arena */
    SLOT_ALIGN_BYTES = 16,
    SLOT_MAX_BYTES = 2048, /* larger takes whole pages */
    SLOTS_MAX_COUNT = PAGE_BYTES / 32,
    MASK_WORDS = SLOTS_MAX_COUNT / 64,
    ARENA_MAX_BYTES = 64 * 1024 * 1024, /* far past any sane memlock limit */
};

/* Slot sizes; a value and its canary take the first that holds them. Steps are
 * small where values are many: keys and tokens are 20 to 200 bytes. */
static const uint16_t CLASS_BYTES[] = {
    32,  48,  64,  80,  96,  112, 128, 144,  160,  192,  224,
    256, 320, 384, 448, 512, 672, 816, 1024, 1360, 2048,
};

enum {
    CLASS_COUNT = AG_COUNT(CLASS_BYTES)
};

enum page_use {
    PAGE_FREE = 0,
    PAGE_SLOTS,
    PAGE_RUN,      /* first page of a run */
    PAGE_RUN_REST, /* the others */
};

/* Lists of pages with a free slot, by index; -1 ends them. */
struct page {
    uint64_t taken[MASK_WORDS];
    int32_t next;
    int32_t prev;
    uint32_t run_count; /* pages of the run, in its first */
    uint16_t slots_taken;
    uint8_t class_index;
    uint8_t use; /* enum page_use */
};

static struct {
    pthread_mutex_t lock;
    enum secret_backing backing;
    uint8_t *base;
    const uint8_t *mark; /* 1, and 0 in a child; may be NULL */
    size_t page_count;
    struct page *pages;
    size_t used_bytes;
    size_t low_hint; /* no page below it is free */
    int32_t partial[CLASS_COUNT];
    uint8_t class_of[SLOT_MAX_BYTES / SLOT_ALIGN_BYTES + 1];
    bool forked_hook;
} arena = {.lock = PTHREAD_MUTEX_INITIALIZER};

/* The block is not mapped in a child: it starts without an arena. */
static void
after_fork(void)
{
    fork_mark_unmap(arena.mark);
    free(arena.pages);
    arena.mark = NULL;
    arena.pages = NULL;
    arena.base = NULL;
    arena.page_count = 0;
    arena.used_bytes = 0;
    arena.backing = SECRET_BACKING_NONE;
    (void)pthread_mutex_init(&arena.lock, NULL);
}

/* fork() runs after_fork() by itself; a bare clone(2) is noticed by the mark,
 * here, when the child first asks for something. */
static bool
is_open(void)
{
    if (arena.base != NULL && arena.mark != NULL && *arena.mark == 0) {
        after_fork();
    }
    return arena.base != NULL;
}

enum ag_err
arena_open(size_t bytes)
{
    size_t kernel_page = (size_t)sysconf(_SC_PAGESIZE);
    struct page *pages;
    enum ag_err err;

    if (is_open()) {
        return err_why(AG_EINVAL, "the locked arena is open already");
    }
    if (bytes == 0 || bytes > ARENA_MAX_BYTES || bytes % kernel_page != 0) {
        return err_why(AG_EINVAL, "the locked arena can't be of %zu bytes",
                       bytes);
    }
    pages = calloc(bytes / PAGE_BYTES, sizeof(*pages));
    if (pages == NULL) {
        return AG_ENOMEM;
    }
    err = arena_map(bytes, &arena.base, &arena.backing);
    if (err != AG_OK) {
        free(pages);
        return err;
    }
    if (!arena.forked_hook) {
        arena.forked_hook = pthread_atfork(NULL, NULL, after_fork) == 0;
    }
    for (size_t i = 0; i < CLASS_COUNT; i++) {
        arena.partial[i] = -1;
    }
    for (size_t i = 0, c = 0; i < sizeof(arena.class_of); i++) {
        c += i * SLOT_ALIGN_BYTES > CLASS_BYTES[c] ? 1 : 0;
        arena.class_of[i] = (uint8_t)c;
    }
    arena.mark = fork_mark_map();
    arena.pages = pages;
    arena.page_count = bytes / PAGE_BYTES;
    arena.used_bytes = 0;
    arena.low_hint = 0;
    return AG_OK;
}

void
arena_close(void)
{
    if (!is_open()) {
        return;
    }
    AG_ASSERT(arena.used_bytes == 0); /* and so all of it is zero */
    arena_unmap(arena.base, arena_size_bytes());
    after_fork();
}

enum secret_backing
arena_backing(void)
{
    return is_open() ? arena.backing : SECRET_BACKING_NONE;
}

size_t
arena_size_bytes(void)
{
    return arena.page_count * PAGE_BYTES;
}

size_t
arena_used_bytes(void)
{
    size_t used;

    (void)pthread_mutex_lock(&arena.lock);
    used = arena.used_bytes;
    (void)pthread_mutex_unlock(&arena.lock);
    return used;
}

/* The list of its class's pages that have a free slot. */
static void
partial_push(size_t index)
{
    struct page *page = &arena.pages[index];
    int32_t *head = &arena.partial[page->class_index];

    page->prev = -1;
    page->next = *head;
    if (*head >= 0) {
        arena.pages[*head].prev = (int32_t)index;
    }
    *head = (int32_t)index;
}

static void
partial_drop(size_t index)
{
    struct page *page = &arena.pages[index];

    if (page->prev >= 0) {
        arena.pages[page->prev].next = page->next;
    } else {
        arena.partial[page->class_index] = page->next;
    }
    if (page->next >= 0) {
        arena.pages[page->next].prev = page->prev;
    }
}

static void
page_release(size_t index)
{
    arena.pages[index].use = PAGE_FREE;
    if (index < arena.low_hint) {
        arena.low_hint = index;
    }
}

/* Each class keeps one empty page, so that a value that comes and goes doesn't
 * search for a page each time; they are given up when pages run out. */
static bool
release_spare_pages(void)
{
    bool any = false;

    for (size_t c = 0; c < CLASS_COUNT; c++) {
        int32_t next = -1;

        for (int32_t i = arena.partial[c]; i >= 0; i = next) {
            next = arena.pages[i].next;
            if (arena.pages[i].slots_taken == 0) {
                partial_drop((size_t)i);
                page_release((size_t)i);
                any = true;
            }
        }
    }
    return any;
}

/* Slots grow from the low end and runs from the high end. */
static bool
find_low_page(size_t *ret)
{
    for (size_t i = arena.low_hint; i < arena.page_count; i++) {
        if (arena.pages[i].use == PAGE_FREE) {
            arena.low_hint = i;
            *ret = i;
            return true;
        }
    }
    arena.low_hint = arena.page_count;
    return false;
}

static bool
find_run(size_t count, size_t *ret)
{
    size_t have = 0;

    for (size_t i = arena.page_count; i-- > 0;) {
        have = arena.pages[i].use == PAGE_FREE ? have + 1 : 0;
        if (have == count) {
            *ret = i;
            return true;
        }
    }
    return false;
}

static uint8_t *
take_slot(size_t class_index)
{
    size_t slot_bytes = CLASS_BYTES[class_index];
    size_t slots = PAGE_BYTES / slot_bytes;
    size_t index = (size_t)arena.partial[class_index];
    struct page *page;
    size_t word = 0;
    size_t bit;

    if (arena.partial[class_index] < 0) {
        if (!find_low_page(&index)) {
            return NULL;
        }
        arena.pages[index] = (struct page){.use = PAGE_SLOTS,
                                           .class_index = (uint8_t)class_index};
        partial_push(index);
    }
    page = &arena.pages[index];
    while (page->taken[word] == UINT64_MAX) {
        word++;
    }
    bit = (size_t)__builtin_ctzll(~page->taken[word]);
    page->taken[word] |= UINT64_C(1) << bit;
    page->slots_taken++;
    if (page->slots_taken == slots) {
        partial_drop(index);
    }
    arena.used_bytes += slot_bytes;
    return arena.base + index * PAGE_BYTES + (word * 64 + bit) * slot_bytes;
}

static uint8_t *
take_run(size_t len)
{
    size_t count = (len + PAGE_BYTES - 1) / PAGE_BYTES;
    size_t index;

    if (!find_run(count, &index)) {
        return NULL;
    }
    for (size_t i = 0; i < count; i++) {
        arena.pages[index + i] = (struct page){.use = PAGE_RUN_REST};
    }
    arena.pages[index].use = PAGE_RUN;
    arena.pages[index].run_count = (uint32_t)count;
    arena.used_bytes += count * PAGE_BYTES;
    return arena.base + index * PAGE_BYTES;
}

static uint8_t *
take_any(size_t len)
{
    size_t step = (len + SLOT_ALIGN_BYTES - 1) / SLOT_ALIGN_BYTES;

    return len <= SLOT_MAX_BYTES ? take_slot(arena.class_of[step])
                                 : take_run(len);
}

enum ag_err
arena_take(size_t len, uint8_t **ret)
{
    uint8_t *got = NULL;

    AG_ASSERT(len > 0 && len <= ARENA_MAX_BYTES);
    if (!is_open()) {
        return err_why(AG_EMEMLOCK, "the locked arena for secrets is not open");
    }
    (void)pthread_mutex_lock(&arena.lock);
    got = take_any(len);
    if (got == NULL && release_spare_pages()) {
        got = take_any(len);
    }
    (void)pthread_mutex_unlock(&arena.lock);
    if (got == NULL) {
        return err_why(AG_EMEMLOCK,
                       "the %zu KiB of locked memory for secrets are in use",
                       arena_size_bytes() / 1024);
    }
    *ret = got;
    return AG_OK;
}

static void
give_slot(size_t index, size_t offset)
{
    struct page *page = &arena.pages[index];
    size_t slot_bytes = CLASS_BYTES[page->class_index];
    size_t slot = offset / slot_bytes;
    uint64_t bit = UINT64_C(1) << (slot % 64);

    AG_ASSERT(offset % slot_bytes == 0 && (page->taken[slot / 64] & bit) != 0);
    if (page->slots_taken == PAGE_BYTES / slot_bytes) {
        partial_push(index);
    }
    page->taken[slot / 64] &= ~bit;
    page->slots_taken--;
    arena.used_bytes -= slot_bytes;
    if (page->slots_taken == 0 && (page->prev >= 0 || page->next >= 0)) {
        partial_drop(index); /* another page of the class has room */
        page_release(index);
    }
}

void
arena_give(const uint8_t *ptr)
{
    size_t offset = (size_t)(ptr - arena.base);
    size_t index = offset / PAGE_BYTES;
    struct page *page = &arena.pages[index];

    AG_ASSERT(arena.base != NULL && index < arena.page_count);
    (void)pthread_mutex_lock(&arena.lock);
    if (page->use == PAGE_SLOTS) {
        give_slot(index, offset % PAGE_BYTES);
    } else {
        size_t count = page->run_count;

        AG_ASSERT(page->use == PAGE_RUN && offset % PAGE_BYTES == 0);
        for (size_t i = 0; i < count; i++) {
            page_release(index + i);
        }
        arena.used_bytes -= count * PAGE_BYTES;
    }
    (void)pthread_mutex_unlock(&arena.lock);
}
