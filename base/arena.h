/* base/arena - memory that dies together: the parsed file, the model, the plan.
 *
 * One thread at a time. Nothing is freed on its own; arena_free takes everything. Never NULL: when
 * memory is out the process ends (base/alloc).
 */
#pragma once
#include <stddef.h>

#include "base/cleanup.h"

struct arena;

struct arena *arena_new(void);
void arena_free(struct arena *arena); /* NULL is fine */
AUTO_TYPE(arena, arena_free);

/* Zeroed, aligned for any type. */
void *arena_alloc(struct arena *arena, size_t size);
/* Copies with a final NUL; arena_strdup(a, NULL) is NULL. */
char *arena_strdup(struct arena *arena, const char *text);
char *arena_strndup(struct arena *arena, const char *text, size_t len);
char *arena_format(struct arena *arena, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* Grows an array of *count items by one zeroed item, as xgrow does; the old array stays behind in
 * the arena, at most as large as the new one. */
void *arena_grow(struct arena *arena, void *array_pointer, size_t *count, size_t item_size);
/* Bytes that the arena holds from the heap: for limits on hostile input. */
size_t arena_bytes(const struct arena *arena);
