/* runtime/attach_replay - the last 16 KiB of output, in frames.
 *
 * Owns: the buffer. May not touch: sockets.
 */
#include "runtime/attach_replay.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "runtime/attach_hub.h"

#define JOINED_BYTES 1024

static size_t length_of(const char *header)
{
	const unsigned char *bytes = (const unsigned char *)header;

	return (size_t)bytes[4] << 24 | (size_t)bytes[5] << 16 | (size_t)bytes[6] << 8 | bytes[7];
}

static void set_header(char *header, int stream, size_t n)
{
	const char bytes[ATTACH_HEADER_BYTES] = {
		(char)stream, 0, 0, 0, (char)(n >> 24), (char)(n >> 16), (char)(n >> 8), (char)n
	};

	memcpy(header, bytes, sizeof(bytes));
}

/* Makes room for n bytes more by forgetting the oldest frames. */
static void forget(struct attach_replay *replay, size_t n)
{
	size_t gone = 0;

	while (gone < replay->len && replay->len - gone + n > ATTACH_REPLAY_BYTES)
		gone += ATTACH_HEADER_BYTES + length_of(replay->frames + gone);
	if (gone == 0)
		return;
	memmove(replay->frames, replay->frames + gone, replay->len - gone);
	replay->len -= gone;
	replay->last = replay->last >= gone ? replay->last - gone : 0;
}

void attach_replay_add(struct attach_replay *replay, int stream, const char *bytes, size_t n)
{
	size_t room = ATTACH_REPLAY_BYTES - ATTACH_HEADER_BYTES, old;

	if (n > room) {
		bytes += n - room;
		n = room;
	}
	if (!replay->frames)
		replay->frames = xrealloc(NULL, ATTACH_REPLAY_BYTES, 1);
	forget(replay, ATTACH_HEADER_BYTES + n);
	/* Small pieces of one stream share a frame, or most of the room would go to headers. */
	old = replay->len ? length_of(replay->frames + replay->last) : 0;
	if (replay->len == 0 || replay->frames[replay->last] != stream || old + n > JOINED_BYTES) {
		replay->last = replay->len;
		replay->len += ATTACH_HEADER_BYTES;
		old = 0;
	}
	set_header(replay->frames + replay->last, stream, old + n);
	memcpy(replay->frames + replay->len, bytes, n);
	replay->len += n;
}

/* How many line ends the frames hold, and one more for an unfinished line at the end. */
static int64_t count_lines(const struct attach_replay *replay)
{
	int64_t lines = 0;
	char last = '\n';

	for (size_t at = 0; at < replay->len;) {
		size_t n = length_of(replay->frames + at);

		at += ATTACH_HEADER_BYTES;
		for (size_t i = 0; i < n; i++)
			lines += replay->frames[at + i] == '\n';
		if (n)
			last = replay->frames[at + n - 1];
		at += n;
	}
	return lines + (last != '\n');
}

void attach_replay_send(const struct attach_replay *replay, int lines,
			void (*send)(void *ctx, const char *header, const char *bytes, size_t n),
			void *ctx)
{
	int64_t skip = lines < 0 ? 0 : count_lines(replay) - lines;

	for (size_t at = 0; lines && at < replay->len;) {
		const char *bytes = replay->frames + at + ATTACH_HEADER_BYTES;
		size_t n = length_of(replay->frames + at), from = 0;
		char header[ATTACH_HEADER_BYTES];

		for (; skip > 0 && from < n; from++)
			skip -= bytes[from] == '\n';
		set_header(header, replay->frames[at], n - from);
		if (from < n)
			send(ctx, header, bytes + from, n - from);
		at += ATTACH_HEADER_BYTES + n;
	}
}

void attach_replay_free(struct attach_replay *replay)
{
	free(replay->frames);
	replay->frames = NULL;
}
