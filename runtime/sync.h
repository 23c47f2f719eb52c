/* runtime/sync - what the calling runtime and a container's init say to each other before the exec.
 *
 * One SOCK_SEQPACKET pair, one struct a message, at most one descriptor with it. Blocks. Messages
 * without a descriptor are plain writes: the caller ignores SIGPIPE, or wants to die of it.
 */
#pragma once
#include <stdint.h>
#include <sys/types.h>

#include "base/err.h"

enum sync_kind {
	SYNC_GO = 1,     /* R: identity maps are written, the record is too: go on */
	SYNC_NEED_MAPS,  /* I (or its helper): in the new user namespace, waits for its id maps */
	SYNC_NEED_HOOKS, /* I: namespaces are complete; R runs prestart and createRuntime hooks */
	SYNC_MOUNT,      /* I: fd is a detached mount, number its index: R maps its ids */
	SYNC_CONSOLE,    /* I: fd is the pty's master */
	SYNC_LISTENER,   /* I: fd is the seccomp listener */
	SYNC_PIDFD,      /* helper: fd is init's pidfd */
	SYNC_LOG,        /* I: text is a warning */
	SYNC_DEBUG,      /* I: text is what it does, only where the caller wants to know */
	SYNC_READY,      /* I: everything but the exec is done */
	SYNC_ERROR,      /* I: code and text; number is the exit code for an engine */
	SYNC_KIND_COUNT
};

struct sync_message {
	uint16_t kind;
	uint16_t code; /* enum err_code */
	int32_t number;
	char text[sizeof(((struct err *)0)->msg)];
};

int sync_pair(int out_fds[2], struct err *err);
/* text may be NULL, fd -1. -1 with errno (EPIPE: the other side is gone). */
int sync_send(int socket_fd, enum sync_kind kind, int number, const char *text, int fd);
int sync_send_error(int socket_fd, const struct err *err, int exit_code);
/* 1 a message (its descriptor in *out_fd or -1, owned by the caller; out_fd NULL: none
 * is taken), 0 the other side closed, -1
 * with errno. Bytes from the other side are checked. */
int sync_receive(int socket_fd, struct sync_message *out, int *out_fd);
/* Waits for one kind: anything else, or the end, is an error. */
int sync_expect(int socket_fd, enum sync_kind kind, int *out_number, int *out_fd, struct err *err);
