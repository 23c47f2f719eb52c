/* runtime/create - the parent's side of create: from a config to an init that waits.
 *
 * For a process with one thread. Call order of a monitor:
 *
 *	create_container(&spec, &container, &err)   cgroup, namespaces, mounts; init waits
 *	  container->init, ->pidfd, ->console_fd    for the records; links are wired now
 *	create_start(container, &err)               returns when the program is executed, or says
 *why not wait on container->pidfd, waitid(P_PIDFD) the caller is init's parent and reaper
 *	create_delete(container, &err)              after init's end: cgroup, poststop hooks, state
 *folder container_free(container)
 *
 * A failed create_container leaves nothing. create_undo at any time kills and takes everything
 *back. What the command line's other verbs (state, exec, kill, pause ...) need is in
 *ROOT/ID/state.json, so they work on containers made by a monitor. Blocks (kernel, hooks).
 */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/cleanup.h"
#include "base/err.h"
#include "base/process.h"
#include "runtime/cgroup.h"
#include "runtime/config.h"

#define CREATE_NO_PIVOT       1u /* chroot over MS_MOVE instead of pivot_root */
#define CREATE_NO_NEW_KEYRING 2u
#define CREATE_BY_FIFO                                                                             \
	4u /* init waits for ROOT/ID/exec.fifo (the CLI's create); else for the socket */
#define CREATE_ROOTLESS       8u
#define CREATE_SYSTEMD_CGROUP 16u
#define CREATE_PLAIN_LINES    64u /* the terminal adds no carriage returns */
#define CREATE_NO_CGROUP      32u /* --cgroup-manager=disabled */

struct create_spec {
	const struct config *config; /* borrowed; must outlive the container */
	const char *config_text;     /* what is stored as ROOT/ID/config.json; NULL: printed from
					config->json */
	size_t config_len;
	const char *id;
	const char *state_root; /* ROOT; made when missing (0700) */
	const char *bundle;     /* absolute */
	/* The root: a detached mount made by the caller (base/mount mount_overlay), consumed in
	 * every case; the child moves it into its own mount namespace, so nothing is attached in
	 * the caller's. -1: config's root.path, relative to the bundle. */
	int root_mount_fd;
	/* Descriptors that become 0, 1, 2 (borrowed); -1: /dev/null for 0, else the caller's own.
	 * Not used when process.terminal is set: then init makes a pty in the container. */
	int stdio_fds[3];
	/* A network namespace to join in place of what config says; -1: config's. Borrowed. */
	int netns_fd;
	/* Descriptors (borrowed) that become 3, 4, ... in the container. */
	const int *extra_fds;
	size_t extra_fd_count;
	/* Descriptors 3 .. 3+preserve_fds-1 of the caller are kept as they are (not with
	 * extra_fds). */
	unsigned preserve_fds;
	unsigned listen_fds; /* so many of them are LISTEN_FDS: sets LISTEN_PID=1 in the environment
			      */
	unsigned flags;
	/* One line for a person: it went on otherwise than asked. NULL: dropped. */
	void (*warn)(void *context, const char *text);
	void *warn_context;
	/* For who looks for a fault: what is done, in words. NULL: dropped. */
	void (*debug)(void *context, const char *text); /* with warn_context */
};

struct container {
	char *id;
	struct process_id init; /* in the caller's pid namespace; the caller's child */
	int pidfd;              /* owned */
	int console_fd;         /* the pty's master, owned; -1 without terminal. TAKE_FD is fine */
	struct cgroup *cgroup;  /* owned; NULL with CREATE_NO_CGROUP */
	/* After a failed create_container or create_start: what an engine shows, 127 program not
	 * found, 126 not executable, 125 other set-up failures. */
	int exit_code;

	/* Not for callers. */
	struct create_job *job;
};

/* Returns 0 and *out, or -1 with *err and nothing left behind ("stage mounts: mount proc on /proc:
 * ..."; the caller wraps it with the id). *out_exit_code (may be NULL) as container.exit_code.
 * ERR_EXISTS: the id is taken. */
int create_container(struct create_spec *spec, struct container **out, int *out_exit_code,
		     struct err *err);
/* Releases init (startContainer hooks, execve) and waits until the program runs; then the poststart
 * hooks. -1: *err and container->exit_code; init has ended and is to be reaped; create_undo comes
 * next. */
int create_start(struct container *container, struct err *err);
/* Takes back everything, from whatever point: kills init, all of the cgroup, removes cgroup and
 * state folder. Reaps init when it still is the caller's child. */
void create_undo(struct container *container);
/* The end of a life after init has ended: rest of the cgroup killed and removed, poststop hooks,
 * state folder removed. The first failure is reported, the rest is done nevertheless. */
int create_delete(struct container *container, struct err *err);
/* Closes descriptors; the container itself stays as it is. */
void container_free(struct container *container);
AUTO_TYPE(container, container_free);
