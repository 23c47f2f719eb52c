/* images/ring - a bounded queue of bytes between threads.
 *
 * Owns: the buffer and its lock. May not touch: anything else.
 */
#include "images/ring.h"

#include <assert.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"

#define PAGE_BYTES 4096u

struct reader {
	pthread_cond_t more;
	uint64_t taken; /* total */
	size_t wants;   /* it waits for that many */
};

struct ring {
	pthread_mutex_t mutex;
	pthread_cond_t room;
	uint8_t *bytes;
	size_t size;
	uint64_t put; /* total */
	struct reader readers[RING_READERS_MAX];
	unsigned reader_count;
	bool is_closed, is_whole, gave_up, starved;
};

struct ring *ring_new(size_t room, unsigned readers)
{
	struct ring *ring = xcalloc(1, sizeof(*ring));

	assert(readers > 0 && readers <= RING_READERS_MAX);
	pthread_mutex_init(&ring->mutex, NULL);
	pthread_cond_init(&ring->room, NULL);
	ring->reader_count = readers;
	for (unsigned i = 0; i < readers; i++)
		pthread_cond_init(&ring->readers[i].more, NULL);
	ring->size = room;
	/* Not xcalloc: untouched pages stay absent. By pages: it may be written with O_DIRECT. */
	ring->bytes = aligned_alloc(PAGE_BYTES, (room + PAGE_BYTES - 1) / PAGE_BYTES * PAGE_BYTES);
	if (!ring->bytes)
		abort();
	return ring;
}

void ring_free(struct ring *ring)
{
	if (!ring)
		return;
	for (unsigned i = 0; i < ring->reader_count; i++)
		pthread_cond_destroy(&ring->readers[i].more);
	pthread_cond_destroy(&ring->room);
	pthread_mutex_destroy(&ring->mutex);
	free(ring->bytes);
	free(ring);
}

/* What every reader has taken. */
static size_t free_room(const struct ring *ring)
{
	uint64_t taken = ring->readers[0].taken;

	for (unsigned i = 1; i < ring->reader_count; i++)
		if (ring->readers[i].taken < taken)
			taken = ring->readers[i].taken;
	return ring->size - (size_t)(ring->put - taken);
}

static size_t waiting_for(const struct ring *ring, const struct reader *reader)
{
	return (size_t)(ring->put - reader->taken);
}

static void wake_readers(struct ring *ring)
{
	for (unsigned i = 0; i < ring->reader_count; i++)
		pthread_cond_signal(&ring->readers[i].more);
}

/* Readers leave the free part alone, so the copy needs no lock. */
static void copy_in(struct ring *ring, const uint8_t *data, size_t len)
{
	size_t at = (size_t)(ring->put % ring->size), straight = ring->size - at;

	if (len <= straight) {
		memcpy(ring->bytes + at, data, len);
	} else {
		memcpy(ring->bytes + at, data, straight);
		memcpy(ring->bytes, data + straight, len - straight);
	}
}

static void note_put(struct ring *ring, size_t len)
{
	ring->put += len;
	for (unsigned i = 0; i < ring->reader_count; i++) {
		struct reader *reader = &ring->readers[i];

		if (reader->wants && waiting_for(ring, reader) >= reader->wants)
			pthread_cond_signal(&reader->more);
	}
}

size_t ring_room(struct ring *ring, uint8_t **out)
{
	size_t at, len;

	pthread_mutex_lock(&ring->mutex);
	while (free_room(ring) == 0 && !ring->gave_up)
		pthread_cond_wait(&ring->room, &ring->mutex);
	at = (size_t)(ring->put % ring->size);
	len = ring->gave_up ? 0 : free_room(ring);
	pthread_mutex_unlock(&ring->mutex);
	*out = ring->bytes + at;
	return len < ring->size - at ? len : ring->size - at;
}

void ring_add(struct ring *ring, size_t len)
{
	pthread_mutex_lock(&ring->mutex);
	note_put(ring, len);
	pthread_mutex_unlock(&ring->mutex);
}

bool ring_put(struct ring *ring, const void *data, size_t len)
{
	const uint8_t *at = data;
	uint8_t *room;
	size_t n;

	while (len > 0) {
		n = ring_room(ring, &room);
		if (n == 0)
			return false;
		n = n < len ? n : len;
		memcpy(room, at, n);
		ring_add(ring, n);
		at += n;
		len -= n;
	}
	return true;
}

int ring_try_put(struct ring *ring, const void *data, size_t len)
{
	int rc = -1;

	pthread_mutex_lock(&ring->mutex);
	if (!ring->gave_up) {
		rc = free_room(ring) >= len;
		ring->starved |= rc == 0;
	}
	pthread_mutex_unlock(&ring->mutex);
	if (rc != 1)
		return rc;
	copy_in(ring, data, len);
	pthread_mutex_lock(&ring->mutex);
	note_put(ring, len);
	pthread_mutex_unlock(&ring->mutex);
	return 1;
}

void ring_close(struct ring *ring, bool whole)
{
	pthread_mutex_lock(&ring->mutex);
	if (!ring->is_closed) {
		ring->is_closed = true;
		ring->is_whole = whole;
	}
	wake_readers(ring);
	pthread_mutex_unlock(&ring->mutex);
}

size_t ring_peek(struct ring *ring, unsigned number, size_t least, const uint8_t **out)
{
	struct reader *reader = &ring->readers[number];
	size_t at, len;

	pthread_mutex_lock(&ring->mutex);
	reader->wants = least;
	while (waiting_for(ring, reader) < least && !ring->is_closed && !ring->gave_up)
		pthread_cond_wait(&reader->more, &ring->mutex);
	reader->wants = 0;
	at = (size_t)(reader->taken % ring->size);
	len = ring->gave_up ? 0 : waiting_for(ring, reader);
	pthread_mutex_unlock(&ring->mutex);
	*out = ring->bytes + at;
	return len < ring->size - at ? len : ring->size - at;
}

bool ring_take(struct ring *ring, unsigned number, size_t len)
{
	bool starved = false;

	pthread_mutex_lock(&ring->mutex);
	ring->readers[number].taken += len;
	/* Not for every few bytes: half a ring of room, or all of it. */
	if (free_room(ring) >= ring->size / 2) {
		starved = ring->starved;
		ring->starved = false;
		pthread_cond_signal(&ring->room);
	}
	pthread_mutex_unlock(&ring->mutex);
	return starved;
}

bool ring_is_whole(struct ring *ring)
{
	bool whole;

	pthread_mutex_lock(&ring->mutex);
	whole = ring->is_closed && ring->is_whole && !ring->gave_up;
	pthread_mutex_unlock(&ring->mutex);
	return whole;
}

void ring_give_up(struct ring *ring)
{
	pthread_mutex_lock(&ring->mutex);
	ring->gave_up = true;
	pthread_cond_signal(&ring->room);
	wake_readers(ring);
	pthread_mutex_unlock(&ring->mutex);
}
