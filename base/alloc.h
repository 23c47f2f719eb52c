/* base/alloc - memory for small things: present, or the process ends.
 *
 * Sizes that come from outside are checked by the caller first (ERR_INVALID); what is asked for
 * here is small, and running out of it is no condition that anybody could handle. Thread-safe.
 */
#pragma once
#include <stddef.h>

/* Zeroed memory of count * size bytes, to be freed with free(). Never NULL. */
void *xcalloc(size_t count, size_t size);
/* As realloc; an overflow of count * size ends the process. Never NULL (count * size 0: one byte).
 */
void *xrealloc(void *old, size_t count, size_t size);
/* Copies to be freed with free(). xstrdup(NULL) is NULL. */
char *xstrdup(const char *text);
char *xstrndup(const char *text, size_t len);
/* A composed text to be freed with free(). */
char *xformat(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

/* Grows `array` (of *count items, item_size each) by one zeroed item and returns it. The capacity
 * is the next power of two of the count, so no field is needed for it. */
void *xgrow(void *array_pointer, size_t *count, size_t item_size);
