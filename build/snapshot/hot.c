/* A call copies each page of the picture that it writes to, and to count a reference is to write: 3 us a page, most of
 * what a call costs. It touches a tenth of the heap, but everywhere in it; so what calls touch is put together.
 *
 * Each run of the build asks for the same memory in the same order, so a request has a number. In a first run each
 * block is on pages of its own, which nobody may touch once all is imported. Then calls are played: whatever they touch
 * faults, and is written down, with the verbs that wrote to it. In the next runs the requests of these numbers get
 * their memory at the start of the heap, what the same verbs write to side by side. With a wrong number something else
 * would be there: a call would be slower, and no more.
 */
#include <Python.h>
#include <fcntl.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "heap.h"
#include "hot.h"

#define PAGE ((size_t)4096)
#define PAGES ((size_t)1 << 20)         /* of addresses, not of memory */
#define BINS 64
#define MOST ((size_t)1 << 15)          /* of blocks that are touched */
#define DOMAINS 3

static PyMemAllocatorEx real[DOMAINS];
static uint32_t number;                 /* of the last request */

static struct touched {
    uint32_t number, calls, size;       /* calls: a bit for each that wrote to it, 0 = it is only read */
} *list;
static size_t list_size;

static _Noreturn void
give_up(const char *what)
{
    perror(what);
    _exit(1);
}

static void
set_allocators(const PyMemAllocatorEx *ours)
{
    for (int domain = 0; domain < DOMAINS; domain++) {
        PyMemAllocatorEx one = *ours;
        one.ctx = &real[domain];
        PyMem_GetAllocator((PyMemAllocatorDomain)domain, &real[domain]);
        PyMem_SetAllocator((PyMemAllocatorDomain)domain, &one);
    }
}

/* -- the first run: pages of its own for each block ---------------------------------------------------------------- */

static struct block {
    uint32_t number, pages, next;       /* the next free one of as many pages, or 0 */
    uint32_t entry;                     /* in the list, from 1, once it was read */
    uint32_t looked;                    /* since which hot_calls it is read */
    size_t asked, size;                 /* at first, and now */
} *blocks;                              /* by its first page */
static uint32_t *first_page;            /* by page */
static char *room;
static uint32_t used = 1, last_number, free_blocks[BINS];
static uint32_t calls_now, turn;

static void *
mapped(size_t size)
{
    void *found = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (found == MAP_FAILED) {
        give_up("mmap");
    }
    return found;
}

static size_t
page_of(const void *address)
{
    size_t offset = (uintptr_t)address - (uintptr_t)room;
    return offset < PAGES * PAGE ? offset / PAGE : 0;
}

static uint32_t
fresh_pages(size_t count)
{
    if (count > PAGES - used) {
        give_up("hot.c: PAGES is too small");
    }
    uint32_t first = used;
    for (; used < first + count; used++) {
        first_page[used] = first;
    }
    return first;
}

static void *
watch_malloc(void *context, size_t size)
{
    (void)context;
    size_t count = size / PAGE + 1;
    uint32_t first = count < BINS ? free_blocks[count] : 0;
    if (first) {
        free_blocks[count] = blocks[first].next;
    }
    else {
        first = fresh_pages(count);
    }
    blocks[first] = (struct block){.number = ++number, .pages = (uint32_t)count, .asked = size, .size = size};
    return room + first * PAGE;
}

static void *
watch_calloc(void *context, size_t count, size_t size)
{
    if (size && count > PTRDIFF_MAX / size) {
        return NULL;
    }
    return memset(watch_malloc(context, count * size), 0, count * size);
}

static void
watch_free(void *context, void *block)
{
    const PyMemAllocatorEx *below = context;
    size_t first = page_of(block);
    if (!first) {
        below->free(below->ctx, block);
    }
    else if (blocks[first].pages < BINS) {
        blocks[first].next = free_blocks[blocks[first].pages];
        free_blocks[blocks[first].pages] = (uint32_t)first;
    }
}

/* It keeps its number. */
static void *
watch_realloc(void *context, void *block, size_t size)
{
    const PyMemAllocatorEx *below = context;
    if (!block) {
        return watch_malloc(context, size);
    }
    size_t first = page_of(block);
    if (!first) {
        return below->realloc(below->ctx, block, size);
    }
    if (size / PAGE < blocks[first].pages) {
        blocks[first].size = size;
        return block;
    }
    struct block its = blocks[first];
    uint32_t so_far = number;
    void *moved = memcpy(watch_malloc(context, size), block, its.size);
    number = so_far;
    blocks[page_of(moved)].number = its.number;
    blocks[page_of(moved)].asked = its.asked;
    watch_free(context, block);
    return moved;
}

void
hot_watch(void)
{
    room = mapped(PAGES * PAGE);
    blocks = mapped(PAGES * sizeof *blocks);
    first_page = mapped(PAGES * sizeof *first_page);
    list = mapped(MOST * sizeof *list);
    set_allocators(&(PyMemAllocatorEx){
        .malloc = watch_malloc, .calloc = watch_calloc, .realloc = watch_realloc, .free = watch_free});
}

static void
allow(size_t first, int how)
{
    mprotect(room + first * PAGE, blocks[first].pages * PAGE, how);
}

/* A block that is touched may be read from now on; if it was that already, it is to be written, too. */
static void
touch(int signal_number, siginfo_t *told, void *context)
{
    (void)context;
    size_t page = page_of(told->si_addr);
    if (!page || list_size == MOST) {
        signal(signal_number, SIG_DFL);
        return;
    }
    size_t first = first_page[page];
    struct block *block = &blocks[first];
    if (block->number > last_number || block->asked > PAGE) {
        allow(first, PROT_READ | PROT_WRITE);
    }
    else if (block->looked == turn) {
        list[block->entry - 1].calls |= calls_now;
        allow(first, PROT_READ | PROT_WRITE);
    }
    else {
        if (!block->entry) {
            list[list_size++] = (struct touched){block->number, 0, (uint32_t)block->asked};
            block->entry = (uint32_t)list_size;
        }
        block->looked = turn;
        allow(first, PROT_READ);
    }
}

void
hot_until_here(void)
{
    last_number = number;
}

void
hot_calls(uint32_t calls)
{
    struct sigaction action = {.sa_sigaction = touch, .sa_flags = SA_SIGINFO};
    int how = calls ? PROT_NONE : PROT_READ | PROT_WRITE;
    if (sigaction(SIGSEGV, &action, NULL) || mprotect(room, used * PAGE, how)) {
        give_up("mprotect");
    }
    calls_now = calls;
    turn++;
}

static int
by_number(const void *one, const void *other)
{
    const struct touched *a = one, *b = other;
    return (a->number > b->number) - (a->number < b->number);
}

void
hot_tell(const char *path)
{
    FILE *file = fopen(path, "we");
    qsort(list, list_size, sizeof *list, by_number);
    if (!file || fwrite(list, sizeof *list, list_size, file) != list_size || fclose(file)) {
        give_up(path);
    }
}

/* -- the next runs: they have their places ------------------------------------------------------------------------- */

static size_t next, together;
static int is_nested;                   /* pymalloc asks for a large block by PyMem_RawMalloc: that is one request */

/* Those that most calls write to come first; what is only read, last. */
static int
rank_of(uint32_t calls)
{
    return HEAP_RANKS - 1 - (int)(calls & (HEAP_RANKS - 1));
}

static void *
place(size_t size)
{
    if (is_nested || ++number != (next < list_size ? list[next].number : 0)) {
        return NULL;
    }
    together += list[next].size == size;
    return heap_hot(size, rank_of(list[next++].calls));
}

static void *
place_malloc(void *context, size_t size)
{
    const PyMemAllocatorEx *below = context;
    void *block = place(size);
    if (!block) {
        is_nested++;
        block = below->malloc(below->ctx, size);
        is_nested--;
    }
    return block;
}

static void *
place_calloc(void *context, size_t count, size_t size)
{
    const PyMemAllocatorEx *below = context;
    if (size && count > PTRDIFF_MAX / size) {
        return NULL;
    }
    void *block = place(count * size);
    if (block) {
        return memset(block, 0, count * size);
    }
    is_nested++;
    block = below->calloc(below->ctx, count, size);
    is_nested--;
    return block;
}

static void *
place_realloc(void *context, void *block, size_t size)
{
    const PyMemAllocatorEx *below = context;
    if (!block) {
        return place_malloc(context, size);
    }
    is_nested++;
    block = below->realloc(below->ctx, block, size);
    is_nested--;
    return block;
}

static void
place_free(void *context, void *block)
{
    const PyMemAllocatorEx *below = context;
    below->free(below->ctx, block);
}

void
hot_place(const char *path, size_t blocks_size)
{
    size_t sizes[HEAP_RANKS] = {0};
    FILE *file = fopen(path, "re");
    list = mapped(MOST * sizeof *list);
    if (!file) {
        give_up(path);
    }
    list_size = fread(list, sizeof *list, MOST, file);
    fclose(file);
    for (size_t i = 0; i < list_size; i++) {
        sizes[rank_of(list[i].calls)] += heap_hot_size(list[i].size);
    }
    heap_open(sizes, blocks_size);
    set_allocators(&(PyMemAllocatorEx){
        .malloc = place_malloc, .calloc = place_calloc, .realloc = place_realloc, .free = place_free});
}

size_t
hot_end(void)
{
    for (int domain = 0; domain < DOMAINS; domain++) {
        PyMem_SetAllocator((PyMemAllocatorDomain)domain, &real[domain]);
    }
    munmap(list, MOST * sizeof *list);
    list = NULL;
    return together;
}
