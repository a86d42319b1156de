/* All memory that libpython asks for before the picture is taken comes out of one array, so that the picture has it at
 * the same addresses. The build renames malloc, calloc, realloc and free in libpython's objects to those below; libc
 * and its own heap do not know of them and are not in the picture.
 *
 * Blocks are at the start of the room, first those that hot.c puts together. Behind them are the arenas of pymalloc, a
 * megabyte each: what the last one has not handed out is 0, and the file ends there. While the picture is made, free
 * blocks that touch are joined, and the first that is large enough is cut to size: what imports leave would be in the
 * file. In a call a free block waits in the bin of its size for the next one who wants that size; a call takes the
 * spare bytes behind the arenas, then goes on with libc's malloc.
 *
 * There are no locks: `sriov` has one thread (posix_spawn's child runs in our memory, but allocates nothing).
 */
#include <limits.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "heap.h"

#define HEAD 16                         /* in front of a block: how large both are; keeps malloc's alignment */
#define LEAST (2 * HEAD)                /* the smallest block, with its head */

/* A call's first arena is next to the picture, so that obmalloc.c's tree of arenas needs no leaf for it, 128 KB. Where
 * most of the last one is left, that is the first one: two would be a megabyte for nothing, and RLIMIT_AS counts it.
 */
#define ARENA ((size_t)1 << 20)         /* ARENA_SIZE there */

/* Sizes: steps of 32 up to 1 KB, then four in each power of two: 1280, 1536, 1792, 2048, 2560 ... */
#define FINE 32
#define FINE_BINS 32
#define BINS (FINE_BINS + 1 + 4 * 20)

static size_t used, limit = HEAP_ROOM / 2;      /* of all blocks; in a call, of what is spare */
static size_t arenas = HEAP_ROOM / 2;           /* the end of the last one */
static size_t next_arena;                       /* where a call's first one is, 0 = it has it */
static struct {
    size_t used, limit;
} rooms[HEAP_RANKS];                            /* of the hot blocks */
static int is_closed, has_overflowed;
static void *bins[BINS];                        /* in a call */
static struct hole {
    size_t size;
    struct hole *next;
} *holes;                                       /* before, by address */

static int
bin_of(size_t size)
{
    if (size <= FINE * FINE_BINS) {
        return size ? (int)((size + FINE - 1) / FINE) : 1;
    }
    int shift = 61 - __builtin_clzl(size - 1);  /* (size - 1) >> shift is 4, 5, 6 or 7 */
    return FINE_BINS + 1 + (shift - 8) * 4 + (int)((size - 1) >> shift) - 4;
}

static size_t
bin_size(int bin)
{
    if (bin <= FINE_BINS) {
        return (size_t)bin * FINE;
    }
    bin -= FINE_BINS + 1;
    return (size_t)(bin % 4 + 5) << (bin / 4 + 8);
}

/* of a block with its head: as much as was asked for, or as the bin has, which gives it to whoever wants less */
static size_t
whole_size(size_t size)
{
    if (is_closed) {
        return HEAD + bin_size(bin_of(size));
    }
    return size > HEAD ? HEAD + (size + HEAD - 1) / HEAD * HEAD : LEAST;
}

/* In a call the executable ends at the limit, and libc's heap begins somewhere behind it: within HEAP_ROOM, one time in
 * three. */
static int
is_ours(const void *block)
{
    return (uintptr_t)block - (uintptr_t)heap_room < (is_closed ? limit : HEAP_ROOM);
}

static size_t *
size_before(void *block)
{
    return (size_t *)((char *)block - HEAD);
}

static void *
take(size_t size)
{
    if (size > limit - used) {
        has_overflowed = !is_closed;
        return NULL;
    }
    used += size;
    return heap_room + used - size;
}

/* -- while the picture is made ------------------------------------------------------------------------------------- */

static void *
take_hole(size_t size)
{
    for (struct hole **at = &holes; *at; at = &(*at)->next) {
        struct hole *found = *at;
        if (found->size == size) {
            *at = found->next;
            return found;
        }
        if (found->size >= size + LEAST) {      /* its end, so that the list need not change */
            found->size -= size;
            return (char *)found + found->size;
        }
    }
    return NULL;
}

static void
join(struct hole *one, struct hole *next)
{
    one->next = next;
    if (next && (char *)one + one->size == (char *)next) {
        one->size += next->size;
        one->next = next->next;
    }
}

static void
give_hole(void *start, size_t size)
{
    struct hole *fresh = start, *before = NULL, *after = holes;
    while (after && after < fresh) {
        before = after;
        after = after->next;
    }
    fresh->size = size;
    join(fresh, after);
    if (before) {
        join(before, fresh);
    }
    else {
        holes = fresh;
    }
}

/* -- the picture --------------------------------------------------------------------------------------------------- */

void
heap_open(const size_t hot[HEAP_RANKS], size_t blocks)
{
    for (int rank = 0; rank < HEAP_RANKS; rank++) {
        rooms[rank].used = used;
        used += hot[rank];
        rooms[rank].limit = used;
    }
    if (blocks) {
        limit = arenas = blocks;
    }
}

size_t
heap_blocks(void)
{
    return used;
}

size_t
heap_end(void)
{
    return is_closed ? limit : arenas;
}

int
heap_overflowed(void)
{
    return has_overflowed;
}

void
heap_close(size_t spare)
{
    is_closed = 1;                      /* the holes stay: a call that took one of these would copy its page */
    size_t left = 0;
    while (left < ARENA && !heap_room[arenas - left - 1]) {
        left++;
    }
    used = arenas;
    if (left < ARENA / 2) {
        next_arena = arenas + (-(uintptr_t)(heap_room + arenas) & (HEAP_POOL - 1));
        used = next_arena + ARENA;
    }
    limit = spare < HEAP_ROOM - used ? used + spare : HEAP_ROOM;
}

/* -- what libpython calls instead of malloc and the others --------------------------------------------------------- */

void *cni_malloc(size_t size);
void *cni_calloc(size_t count, size_t size);
void *cni_realloc(void *block, size_t size);
void cni_free(void *block);

void *
cni_malloc(size_t size)
{
    if (size >= HEAP_ROOM) {
        return malloc(size);
    }
    int bin = bin_of(size);
    void *block = bins[bin];
    if (block) {
        bins[bin] = *(void **)block;
        return block;
    }
    size_t whole = whole_size(size);
    char *fresh = is_closed ? NULL : take_hole(whole);
    if (!fresh && !(fresh = take(whole))) {
        return malloc(size);
    }
    *(size_t *)(void *)fresh = whole - HEAD;
    return fresh + HEAD;
}

size_t
heap_hot_size(size_t size)
{
    return whole_size(size);
}

void *
heap_hot(size_t size, int rank)
{
    size_t whole = heap_hot_size(size);
    if (whole > rooms[rank].limit - rooms[rank].used) {
        return cni_malloc(size);
    }
    char *fresh = heap_room + rooms[rank].used;
    rooms[rank].used += whole;
    *(size_t *)(void *)fresh = whole - HEAD;
    return fresh + HEAD;
}

void
cni_free(void *block)
{
    if (!is_ours(block)) {
        free(block);
        return;
    }
    size_t size = *size_before(block);
    if (!is_closed) {
        give_hole(size_before(block), HEAD + size);
        return;
    }
    int bin = bin_of(size);
    if (bin_size(bin) > size && !--bin) {
        return;                         /* of the picture, and smaller than the smallest bin */
    }
    *(void **)block = bins[bin];
    bins[bin] = block;
}

void *
cni_calloc(size_t count, size_t size)
{
    if (size && count > PTRDIFF_MAX / size) {
        return NULL;
    }
    void *block = cni_malloc(count * size);
    return block ? memset(block, 0, count * size) : NULL;
}

void *
cni_realloc(void *block, size_t size)
{
    if (!block) {
        return cni_malloc(size);
    }
    if (!is_ours(block)) {
        return realloc(block, size ? size : 1);
    }
    size_t old = *size_before(block);
    if (size <= old && size > old / 4) {
        return block;
    }
    void *moved = cni_malloc(size);
    if (moved) {
        memcpy(moved, block, size < old ? size : old);
        cni_free(block);
    }
    return moved;
}

/* -- and instead of mmap: arenas of pymalloc, and the stack of Python's frames ------------------------------------- */

void *
heap_arena(void *context, size_t size)
{
    (void)context;
    if (!is_closed) {
        arenas += -(uintptr_t)(heap_room + arenas) & (HEAP_POOL - 1);
        if (size <= HEAP_ROOM - arenas) {
            arenas += size;
            return heap_room + arenas - size;
        }
        has_overflowed = 1;
    }
    else if (next_arena && size == ARENA) {
        char *first = heap_room + next_arena;
        next_arena = 0;
        return first;
    }
    void *arena = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    return arena == MAP_FAILED ? NULL : arena;
}

void
heap_arena_free(void *context, void *arena, size_t size)
{
    (void)context;
    if (!is_ours(arena)) {
        munmap(arena, size);
    }
}
