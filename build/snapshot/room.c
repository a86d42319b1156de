/* Alone in its file: the build gives this array a section of its own, the last one of the executable. */
#include "heap.h"

char heap_room[HEAP_ROOM] __attribute__((aligned(16)));         /* as malloc's blocks */
