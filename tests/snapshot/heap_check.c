/* Of build/snapshot/heap.c: every block is where no other is and keeps what was written, whatever is asked in what order,
 * also when the room is full. Takes a seed; ends with 0, or says what is wrong. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "heap.h"

void *cni_malloc(size_t size);
void *cni_calloc(size_t count, size_t size);
void *cni_realloc(void *block, size_t size);
void cni_free(void *block);

#define BLOCKS 3000
#define STEPS 300000

static unsigned char *blocks[BLOCKS];
static size_t sizes[BLOCKS];
static uint64_t state;

static uint64_t
dice(uint64_t sides)
{
    state = state * 6364136223846793005u + 1442695040888963407u;
    return (state >> 33) % sides;
}

static size_t
some_size(void)
{
    static const size_t edges[] = {0, 1, 31, 32, 33, 1023, 1024, 1025, 1280, 1281, 2048, 2049, 65536, 65537};
    return dice(4) ? dice(2000) : dice(8) ? edges[dice(sizeof edges / sizeof *edges)] : dice(300000);
}

static void
fill(int n)
{
    memset(blocks[n], n & 0xff, sizes[n]);
}

static void
must(int is_so, const char *what)
{
    if (!is_so) {
        printf("%s\n", what);
        exit(1);
    }
}

/* In words, since valgrind pays for each read. */
static int
is_all(const unsigned char *bytes, size_t size, int wanted)
{
    uint64_t word, differs = 0, pattern = 0x0101010101010101u * (uint64_t)wanted;
    for (; size >= sizeof word; size -= sizeof word, bytes += sizeof word) {
        memcpy(&word, bytes, sizeof word);
        differs |= word ^ pattern;
    }
    for (; size; size--, bytes++) {
        differs |= (uint64_t)(*bytes ^ wanted);
    }
    return !differs;
}

static void
look(int n)
{
    must((uintptr_t)blocks[n] % 16 == 0, "a block is not aligned");
    must(is_all(blocks[n], sizes[n], n & 0xff), "somebody else wrote into a block");
}

static void
step(int n)
{
    if (!blocks[n]) {
        size_t size = some_size();
        int zero = (int)dice(2);
        blocks[n] = zero ? cni_calloc(dice(2) ? size : 1, size > 1000 ? 1 : size) : NULL;
        if (!blocks[n]) {
            blocks[n] = cni_malloc(size);
            zero = 0;
        }
        must(blocks[n] != NULL, "no memory");
        sizes[n] = zero ? 0 : size;     /* of calloc's product only the first byte is looked at */
        must(!zero || !size || !*blocks[n], "calloc gave no zeros");
        fill(n);
    }
    else if (dice(2)) {
        look(n);
        size_t size = some_size();
        unsigned char *moved = cni_realloc(blocks[n], size);
        must(moved != NULL, "no memory");
        must(is_all(moved, size < sizes[n] ? size : sizes[n], n & 0xff), "realloc lost something");
        blocks[n] = moved;
        sizes[n] = size;
        fill(n);
    }
    else {
        look(n);
        cni_free(blocks[n]);
        blocks[n] = NULL;
    }
}

int
main(int argc, char **argv)
{
    state = argc > 1 ? strtoull(argv[1], NULL, 10) : 1;
    for (int i = 0; i < STEPS; i++) {
        step((int)dice(BLOCKS));
        if (i == STEPS / 2) {
            heap_close(65536);          /* from here on as in a call */
        }
        if (i % 50000 == 0) {
            char *arena = heap_arena(NULL, 1 << 20);
            must(arena && (uintptr_t)arena % 4096 == 0, "no arena");
            memset(arena, 0xee, 1 << 20);
            if (dice(2)) {
                heap_arena_free(NULL, arena, 1 << 20);
            }
        }
    }
    for (int n = 0; n < BLOCKS; n++) {
        if (blocks[n]) {
            look(n);
            cni_free(blocks[n]);
        }
    }
    must(cni_malloc(SIZE_MAX / 2) == NULL && cni_calloc(SIZE_MAX / 2, 3) == NULL, "it has what nobody has");
    cni_free(NULL);
    must(heap_blocks() <= heap_end() && heap_end() <= HEAP_ROOM, "the sums are wrong");
    return 0;
}
