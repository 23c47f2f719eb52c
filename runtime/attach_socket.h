/* runtime/attach_socket - monitor.sock: requests of clients, one datagram each way.
 *
 * docs/monitor.md lists the operations. Requests come from our own user or root only; they are the
 * only foreign text that a monitor parses. Never blocks on a client: one that does not take its
 * answers is dropped.
 */
#pragma once
#include <json-c/json.h>
#include <stdbool.h>

#include "base/cleanup.h"
#include "base/err.h"
#include "base/process.h"
#include "runtime/attach_hub.h"
#include "runtime/exec_session.h"
#include "runtime/monitor_log.h"
#include "runtime/monitor_spec.h"
#include "runtime/poller.h"

#define ATTACH_SOCKET_NAME "monitor.sock"

/* What requests act on; everything is borrowed, the owner keeps it up to date. */
struct attach_host {
	struct poller *poller;
	const struct monitor_spec *spec;
	struct attach_hub *hub;
	struct monitor_log *log;
	struct exec_sessions *sessions;
	int netns_fd;   /* the slot's namespace; -1: init's is asked for */
	int console_fd; /* the pty's master; -1: no terminal */
	struct process_id init;
	const char *state; /* "created", "running", "exited" */
	bool has_stdin;
};

struct attach_socket;

/* Listens at dir_fd/monitor.sock (mode 0600). host stays the caller's and outlives the socket. */
struct attach_socket *attach_socket_open(int dir_fd, struct attach_host *host, struct err *err);
/* Tells all who are connected. */
void attach_socket_tell(struct attach_socket *socket, struct json_object *event);
/* Closes all connections; the file is the caller's to remove. */
void attach_socket_close(struct attach_socket *socket);
AUTO_TYPE(attach_socket, attach_socket_close);
