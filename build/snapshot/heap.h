/* The heap of libpython in the picture: see heap.c. */
#ifndef CNI_HEAP_H
#define CNI_HEAP_H

#include <stddef.h>

/* before anything is asked for: so many bytes are for hot blocks, by rank, so many for all, the rest for arenas */
#define HEAP_RANKS 32                   /* a power of two: every set of five calls (hot.c) */
void heap_open(const size_t hot[HEAP_RANKS], size_t blocks);
/* a block among the hot ones of that rank (hot.c); elsewhere if there is no room */
void *heap_hot(size_t size, int rank);
/* how many bytes such a block takes */
size_t heap_hot_size(size_t size);
/* how many the blocks have taken */
size_t heap_blocks(void);
/* the end of what goes into the picture; once that is taken, of the room for a call */
size_t heap_end(void);
/* something that Python keeps is in libc's heap, so not in the picture */
int heap_overflowed(void);
/* the picture is about to be taken: from now on there are `spare` bytes beyond what is used, then libc's heap */
void heap_close(size_t spare);

/* obmalloc.c cuts arenas into pools aligned to this */
#define HEAP_POOL ((size_t)16 << 10)
void *heap_arena(void *context, size_t size);
void heap_arena_free(void *context, void *arena, size_t size);

/* far more than the build needs; the picture is cut to what is used */
#define HEAP_ROOM ((size_t)64 << 20)
extern char heap_room[HEAP_ROOM];

#endif
