/* images/ring - a bounded queue of bytes between threads: one puts, one or two read, each all of
 * it. For images/layer only. */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define RING_READERS_MAX 2

struct ring;

/* room: bytes it holds. readers: 1 or 2. Never NULL. */
struct ring *ring_new(size_t room, unsigned readers);
void ring_free(struct ring *ring);

/* Puts all, waiting for room. false: a reader has given up. */
bool ring_put(struct ring *ring, const void *data, size_t len);
/* Waits for room and returns a piece of it in one stretch, to be filled (0: a reader has given up);
 * ring_add says how much of it now holds bytes. */
size_t ring_room(struct ring *ring, uint8_t **out);
void ring_add(struct ring *ring, size_t len);
/* Puts all or nothing without a wait. 1 done, 0 no room, -1 a reader has given up. */
int ring_try_put(struct ring *ring, const void *data, size_t len);
/* The putter is through; whole=false: what came is not all, the readers are to give up. */
void ring_close(struct ring *ring, bool whole);

/* Reader `number` (from 0) waits until `least` bytes are there or the putter is through, and gets a
 * piece in one stretch (0: at the end, or a reader has given up). *out stays valid until ring_take.
 */
size_t ring_peek(struct ring *ring, unsigned number, size_t least, const uint8_t **out);
/* The reader is done with len bytes; true when that makes room that the putter had not found. */
bool ring_take(struct ring *ring, unsigned number, size_t len);
/* At the end: whether the putter said that it is whole, and nobody has given up. */
bool ring_is_whole(struct ring *ring);
/* A reader gives up: the putter's calls fail from now on, the other reader is at its end. */
void ring_give_up(struct ring *ring);
