/* runtime/attach_replay - the last 16 KiB of output, in frames, for clients that come late. Pure.
 */
#pragma once
#include <stddef.h>

struct attach_replay {
	char *frames; /* NULL until the first output */
	size_t len;
	size_t last; /* where the youngest frame begins */
};

/* Remembers output of a stream (1 or 2), forgetting the oldest frames. */
void attach_replay_add(struct attach_replay *replay, int stream, const char *bytes, size_t n);
/* Hands the last `lines` lines (-1: everything) to send, frame by frame, oldest first. An
 * unfinished line at the end counts as one. */
void attach_replay_send(const struct attach_replay *replay, int lines,
			void (*send)(void *ctx, const char *header, const char *bytes, size_t n),
			void *ctx);
void attach_replay_free(struct attach_replay *replay);
