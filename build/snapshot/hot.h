/* What a call touches of Python's memory is put together: see hot.c. */
#ifndef CNI_HOT_H
#define CNI_HOT_H

#include <stddef.h>
#include <stdint.h>

/* before Python starts: each block is on pages of its own from now on */
void hot_watch(void);
/* what is asked for later will not be in the picture */
void hot_until_here(void);
/* what is touched from now on, these calls touch: a bit for each, below HEAP_RANKS; 0 = it is of no interest */
void hot_calls(uint32_t calls);
/* write down what was touched */
void hot_tell(const char *path);
/* before Python starts, in another run: what is written there is put together */
void hot_place(const char *path, size_t blocks);
/* before the picture is taken: that is all; so many blocks are where they were to be */
size_t hot_end(void);

#endif
