/* base/message - a JSON message and descriptors over a SOCK_SEQPACKET unix socket, and sockets in
 * folders.
 *
 * One datagram is one JSON object of at most MESSAGE_MAX bytes with up to MESSAGE_FDS_MAX
 * descriptors (SCM_RIGHTS, close-on-exec at the receiver). Paths of sockets go through the folder's
 * descriptor, as 108 bytes are few. Blocks as the socket does.
 */
#pragma once
#include <json-c/json.h>
#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"

#define MESSAGE_MAX     65536
#define MESSAGE_FDS_MAX 64

/* Sends; fds stay the caller's. -1: ERR_BUSY when the socket is full (non-blocking), else from
 * errno. */
int message_send(int socket_fd, struct json_object *message, const int *fds, size_t fd_count,
		 struct err *err);
/* Sends text that is JSON already. */
int message_send_text(int socket_fd, const char *text, size_t len, const int *fds, size_t fd_count,
		      struct err *err);
/* Receives one. Returns 1 and *out (to be put), 0 at end of the connection, -1 with *err (ERR_BUSY:
 * nothing there, non-blocking). *fd_count is the room in fds before and the number received after;
 * more than fit are closed and the message refused. */
int message_receive(int socket_fd, struct json_object **out, int *fds, size_t *fd_count,
		    struct err *err);

/* type: SOCK_STREAM or SOCK_SEQPACKET; SOCK_CLOEXEC is added, SOCK_NONBLOCK may be. The name must
 * be free (a dead one is replaced when replace is set); mode 0600. Returns the listening fd. */
int message_listen(int dir_fd, const char *name, int type, bool replace, struct err *err);
int message_connect(int dir_fd, const char *name, int type, struct err *err);
/* True when the peer runs as our user (or as root). */
bool message_peer_is_ours(int socket_fd);
