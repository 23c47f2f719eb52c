/* runtime/monitor_life - what the monitor's rooms share: one life of one container. Not for others.
 */
#pragma once
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/err.h"
#include "base/process.h"
#include "runtime/attach_hub.h"
#include "runtime/attach_socket.h"
#include "runtime/config.h"
#include "runtime/exec_session.h"
#include "runtime/monitor_log.h"
#include "runtime/monitor_spec.h"
#include "runtime/poller.h"

struct life;

/* Who makes the container: our own rooms in this process, or another OCI runtime as a program. */
struct engine {
	/* From the spec to a waiting init: fills init, console_fd. Failed: nothing is left,
	 * and exit_code says 125, 126 or 127. */
	int (*create)(struct life *life, struct err *err);
	/* Returns when the program was executed; failed: exit_code. */
	int (*start)(struct life *life, struct err *err);
	/* OOM kills in the container's cgroup so far. */
	uint64_t (*oom_kills)(struct life *life);
	/* Signals what is left in the cgroup, after init's end. */
	void (*kill_rest)(struct life *life);
	/* After init's end: cgroup, hooks, state folder. */
	int (*finish)(struct life *life, struct err *err);
	/* From anywhere: kills and takes everything back. */
	void (*undo)(struct life *life);
	/* Gives memory back that only create and start needed. */
	void (*relax)(struct life *life);
};

extern const struct engine engine_own;
extern const struct engine engine_foreign;

/* A stream of the container that we read. */
struct output {
	struct watch watch; /* its fd is ours; -1: at its end */
	struct life *life;
	enum log_stream stream;
};

struct life {
	struct monitor_spec *spec;
	char *root; /* run_dir without its last part: the runtime's --root */
	const struct engine *engine;
	void *engine_state; /* the engine's own */
	char *config_text;  /* until create */
	size_t config_len;
	struct config *config; /* until running: large */
	bool is_terminal;      /* process.terminal */

	struct poller *poller;
	int pair_fd; /* -1: the supervisor is gone */
	struct watch pair_watch;
	int container_dir_fd, slot_dir_fd, run_dir_fd;
	int netns_fd;        /* -1: none of ours */
	int root_mount_fd;   /* until create */
	int layer_mount_fd;  /* the same, held over the container's end; -1: it goes with that */
	int layer_lock_fd;   /* of the writable layer, or -1 */
	int stdio_fds[3];    /* the container's ends, until create; -1: none */
	int stdin_fd;        /* our end, until the hub takes it */
	int console_fd;      /* pty's master; -1 */
	int console_peer_fd; /* its slave, held so that reads end only with init */

	struct process_id init;
	struct output outputs[LOG_STREAM_COUNT];
	struct monitor_log *log;
	struct attach_hub *hub;
	struct exec_sessions *sessions;
	struct attach_host host;
	struct attach_socket *socket;
	struct watch signal_watch;
	struct timer drain_timer, relax_timer;

	bool is_released, is_running;
	bool init_ended, rest_killed, drain_over;
	int wait_status;
	int exit_code; /* of a failure before the program ran */
	bool oom;
	uint64_t started_ns, finished_ns;
	struct err error; /* what exit.json tells */
};

/* A stage: mounts the root's overlay (root_mount_fd). A writable layer that a power cut tore is
 * emptied first. */
int life_layer_mount(void *ctx, struct err *err);
/* The life ends in order: what it wrote counts from now on, whatever happens to the machine later.
 */
void life_layer_end(const struct life *life);

/* monitor_setup: up to "created"; on failure everything is undone. Then from "release" to
 * "running". */
int life_prepare(struct life *life, struct err *err);
int life_start(struct life *life, struct err *err);
/* Takes one word from the pair: 1 release (its sysctls are written), 2 one that we do not know (a
 * newer caller's), 0 the other end is closed, -1 with *err. */
int life_take_word(struct life *life, struct err *err);
/* Says a word on the pair; a closed pair is fine. */
void life_say(struct life *life, struct json_object *word);
/* An object with op set, to be put. */
struct json_object *life_word(const char *op);

/* monitor_loop: from "created" until init has ended and its output is drained. Failed: everything
 * is to be undone (the caller left before the release, the start failed ...). */
int life_watch(struct life *life, struct err *err);

/* monitor_end: tears down what is left, writes exit.json, says the last word. 0 when exit.json is
 * there. */
int life_finish(struct life *life);
