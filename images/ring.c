/* images/ring - a bounded queue of bytes between two threads.
 *
 * Owns: the buffer and its lock. May not touch: anything else.
 */
#include "images/ring.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"

struct ring {
	pthread_mutex_t mutex;
	pthread_cond_t more, room;
	uint8_t *bytes;
	size_t size;
	uint64_t put, taken; /* totals */
	size_t wants;        /* the taker waits for that many */
	bool is_closed, is_whole, gave_up, starved;
};

struct ring *ring_new(size_t room)
{
	struct ring *ring = xcalloc(1, sizeof(*ring));

	pthread_mutex_init(&ring->mutex, NULL);
	pthread_cond_init(&ring->more, NULL);
	pthread_cond_init(&ring->room, NULL);
	ring->size = room;
	ring->bytes = malloc(room); /* not xcalloc: untouched pages stay absent */
	if (!ring->bytes)
		abort();
	return ring;
}

void ring_free(struct ring *ring)
{
	if (!ring)
		return;
	pthread_cond_destroy(&ring->room);
	pthread_cond_destroy(&ring->more);
	pthread_mutex_destroy(&ring->mutex);
	free(ring->bytes);
	free(ring);
}

static size_t free_room(const struct ring *ring)
{
	return ring->size - (size_t)(ring->put - ring->taken);
}

/* The taker leaves the free part alone, so the copy needs no lock. */
static size_t copy_in(struct ring *ring, const uint8_t *data, size_t len)
{
	size_t at = (size_t)(ring->put % ring->size), straight = ring->size - at;

	if (len <= straight) {
		memcpy(ring->bytes + at, data, len);
	} else {
		memcpy(ring->bytes + at, data, straight);
		memcpy(ring->bytes, data + straight, len - straight);
	}
	return len;
}

static void note_put(struct ring *ring, size_t len)
{
	ring->put += len;
	if (ring->wants && ring->put - ring->taken >= ring->wants)
		pthread_cond_signal(&ring->more);
}

bool ring_put(struct ring *ring, const void *data, size_t len)
{
	const uint8_t *at = data;

	pthread_mutex_lock(&ring->mutex);
	while (len > 0) {
		size_t n;

		while (free_room(ring) == 0 && !ring->gave_up)
			pthread_cond_wait(&ring->room, &ring->mutex);
		if (ring->gave_up)
			break;
		n = free_room(ring) < len ? free_room(ring) : len;
		pthread_mutex_unlock(&ring->mutex);
		copy_in(ring, at, n);
		pthread_mutex_lock(&ring->mutex);
		note_put(ring, n);
		at += n;
		len -= n;
	}
	pthread_mutex_unlock(&ring->mutex);
	return len == 0;
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
	pthread_cond_signal(&ring->more);
	pthread_mutex_unlock(&ring->mutex);
}

size_t ring_peek(struct ring *ring, size_t least, const uint8_t **out)
{
	size_t at, len;

	pthread_mutex_lock(&ring->mutex);
	ring->wants = least;
	while (ring->put - ring->taken < least && !ring->is_closed)
		pthread_cond_wait(&ring->more, &ring->mutex);
	ring->wants = 0;
	at = (size_t)(ring->taken % ring->size);
	len = (size_t)(ring->put - ring->taken);
	pthread_mutex_unlock(&ring->mutex);
	*out = ring->bytes + at;
	return len < ring->size - at ? len : ring->size - at;
}

bool ring_take(struct ring *ring, size_t len)
{
	bool starved = false;

	pthread_mutex_lock(&ring->mutex);
	ring->taken += len;
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
	whole = ring->is_closed && ring->is_whole;
	pthread_mutex_unlock(&ring->mutex);
	return whole;
}

void ring_give_up(struct ring *ring)
{
	pthread_mutex_lock(&ring->mutex);
	ring->gave_up = true;
	pthread_cond_signal(&ring->room);
	pthread_mutex_unlock(&ring->mutex);
}
