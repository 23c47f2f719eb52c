/* runtime/attach_hub - one output to many clients, and their input to one stdin.
 *
 * A hub belongs to one process with its streams: the container's init, or a kept exec session.
 * Never waits for a client: what its socket does not take is kept for it up to ATTACH_BEHIND_MAX
 * bytes, then it is dropped. Input waits for the container: while its stdin is full, clients are
 * not read.
 */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "base/cleanup.h"
#include "base/err.h"
#include "runtime/poller.h"

#define ATTACH_BEHIND_MAX   (1u << 20)
#define ATTACH_CLIENT_COUNT 64
#define ATTACH_REPLAY_BYTES 16384u
#define ATTACH_HEADER_BYTES 8u

struct attach_hub;

struct attach_options {
	bool wants_stdin; /* what the client writes is input */
	bool stdin_eof;   /* its shutdown(SHUT_WR) closes the input */
	bool raw;         /* no frames */
	int replay_lines; /* so many of the last lines first; -1: all that is kept */
};

/* The poller is borrowed and outlives the hub. */
struct attach_hub *attach_hub_new(struct poller *poller);
/* Closes everything at once. */
void attach_hub_free(struct attach_hub *hub);
AUTO_TYPE(attach_hub, attach_hub_free);

/* Where input goes, taken over and made non-blocking: the write end of a pipe, or a duplicate of a
 * pty's master (is_tty: an end of input means nothing there). Without it, input is thrown away. */
void attach_hub_set_stdin(struct attach_hub *hub, int fd, bool is_tty);

/* A new client; returns the other end of its stream socket, the caller's. ERR_BUSY: too many. */
int attach_hub_add(struct attach_hub *hub, const struct attach_options *options, struct err *err);
size_t attach_hub_count(const struct attach_hub *hub);

/* Output to everybody: stream 1 or 2. Never blocks. */
void attach_hub_output(struct attach_hub *hub, int stream, const char *bytes, size_t n);
/* No more output: clients are closed when they have got everything. */
void attach_hub_end(struct attach_hub *hub);
/* After the end: nobody waits for bytes any more. */
bool attach_hub_is_flushed(const struct attach_hub *hub);
