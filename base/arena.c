/* base/arena - memory that dies together.
 *
 * Owns: a chain of blocks, each twice the one before up to a limit; big requests get their own
 * block. May not touch: what is stored in it.
 */
#include "base/arena.h"

#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"

#define BLOCK_FIRST_BYTES 4096u
#define BLOCK_MAX_BYTES   (1u << 20)

struct block {
	struct block *next;
	max_align_t data[];
};

struct arena {
	struct block *blocks;
	char *at;    /* next free byte of the newest block */
	size_t left; /* free bytes there */
	size_t block_bytes, total_bytes;
};

struct arena *arena_new(void)
{
	struct arena *arena = xcalloc(1, sizeof(*arena));

	arena->block_bytes = BLOCK_FIRST_BYTES;
	return arena;
}

void arena_free(struct arena *arena)
{
	struct block *block = arena ? arena->blocks : NULL;

	while (block) {
		struct block *next = block->next;

		free(block);
		block = next;
	}
	free(arena);
}

static struct block *block_add(struct arena *arena, size_t data_bytes)
{
	struct block *block = xrealloc(NULL, 1, sizeof(*block) + data_bytes);

	block->next = arena->blocks;
	arena->blocks = block;
	arena->total_bytes += data_bytes;
	return block;
}

static void *alloc_raw(struct arena *arena, size_t size)
{
	size_t align = sizeof(max_align_t);
	size_t need = ((size ? size : 1) + align - 1) / align * align;
	void *out;

	if (need < size)
		return xrealloc(NULL, SIZE_MAX, SIZE_MAX); /* ends the process */
	if (need > arena->left && need > arena->block_bytes / 4)
		return block_add(arena, need)->data;
	if (need > arena->left) {
		arena->at = (char *)block_add(arena, arena->block_bytes)->data;
		arena->left = arena->block_bytes;
		if (arena->block_bytes < BLOCK_MAX_BYTES)
			arena->block_bytes *= 2;
	}
	out = arena->at;
	arena->at += need;
	arena->left -= need;
	return out;
}

void *arena_alloc(struct arena *arena, size_t size)
{
	return memset(alloc_raw(arena, size), 0, size);
}

char *arena_strndup(struct arena *arena, const char *text, size_t len)
{
	char *copy = alloc_raw(arena, len + 1);

	if (len)
		memcpy(copy, text, len);
	copy[len] = '\0';
	return copy;
}

char *arena_strdup(struct arena *arena, const char *text)
{
	return text ? arena_strndup(arena, text, strlen(text)) : NULL;
}

char *arena_format(struct arena *arena, const char *fmt, ...)
{
	va_list ap, again;
	char *out;
	int len;

	va_start(ap, fmt);
	va_copy(again, ap);
	len = vsnprintf(NULL, 0, fmt, ap);
	va_end(ap);
	out = alloc_raw(arena, (size_t)(len < 0 ? 0 : len) + 1);
	out[0] = '\0';
	vsnprintf(out, (size_t)(len < 0 ? 0 : len) + 1, fmt, again);
	va_end(again);
	return out;
}

void *arena_grow(struct arena *arena, void *array_pointer, size_t *count, size_t item_size)
{
	void **array = array_pointer;
	size_t n = *count;

	if ((n & (n - 1)) == 0) {
		void *bigger = alloc_raw(arena, (n ? 2 * n : 1) * item_size);

		if (n)
			memcpy(bigger, *array, n * item_size);
		*array = bigger;
	}
	*count = n + 1;
	return memset((char *)*array + n * item_size, 0, item_size);
}

size_t arena_bytes(const struct arena *arena)
{
	return arena->total_bytes;
}
