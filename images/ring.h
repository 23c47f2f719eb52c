/* images/ring - a bounded queue of bytes between two threads: one puts, one takes. For images/layer
 * only. */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct ring;

/* room: bytes it holds. Never NULL. */
struct ring *ring_new(size_t room);
void ring_free(struct ring *ring);

/* Puts all, waiting for room. false: the taker has given up. */
bool ring_put(struct ring *ring, const void *data, size_t len);
/* Puts all or nothing without a wait. 1 done, 0 no room, -1 the taker has given up. */
int ring_try_put(struct ring *ring, const void *data, size_t len);
/* The putter is through; whole=false: what came is not all, the taker is to give up. */
void ring_close(struct ring *ring, bool whole);

/* Waits until `least` bytes are there or the putter is through; returns a piece in one stretch (0:
 * at the end). *out stays valid until ring_take. */
size_t ring_peek(struct ring *ring, size_t least, const uint8_t **out);
/* Gives len bytes of room back; true when the putter had found no room before. */
bool ring_take(struct ring *ring, size_t len);
/* At the end: whether the putter said that it is whole. */
bool ring_is_whole(struct ring *ring);
/* The taker gives up; the putter's calls fail from now on. */
void ring_give_up(struct ring *ring);
