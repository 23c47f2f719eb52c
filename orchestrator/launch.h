/* orchestrator/launch - a monitor: started, spoken to, until its container runs (docs/monitor.md).
 *
 * Every call blocks until the monitor has answered: for the pool. The conversation can be cut from
 * the loop by launch_cut, then the waiting call returns ERR_CANCELLED. Memory: plain data, the
 * caller's.
 */
#pragma once
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/err.h"
#include "base/process.h"
#include "orchestrator/nursery.h"

struct launch {
	/* set by the caller */
	int runtime_fd; /* our stack-runtime, opened once; run through /proc/self/fd */
	const char
		*container; /* its ID: an argument of the monitor, for people and for launch_find */
	int config_fd, monitor_fd; /* bundle files, borrowed */
	struct nursery *nursery;   /* bears it; borrowed; NULL: it is spawned */
	int log_fd;                /* stderr of the monitor */
	int trace_fd;              /* Chrome-trace lines of its stages go there; -1: none */
	/* results */
	struct process_id monitor, init;
	int monitor_pidfd; /* the caller's from launch_start on; -1 before */
	int pair_fd;
	bool netns_made;
	int route_fd, netfilter_fd, dns_udp_fd, dns_tcp_fd, upstream_fd,
		upstream_tcp_fd; /* -1 none; launch_close_sockets */
	int code;                /* 125..127 of a "failed" */
};

void launch_init(struct launch *launch);
/* Spawns and waits for "prepared". */
int launch_start(struct launch *launch, bool wants_sockets, struct err *err);
/* Waits for "created". */
int launch_await_created(struct launch *launch, struct err *err);
/* Says the text (release_word) and waits for "running". Failures: the monitor's text, launch->code
 * set. */
int launch_release(struct launch *launch, const char *text, struct err *err);
/* Ends a conversation before release: the monitor undoes everything and ends; waits for that. */
void launch_abort(struct launch *launch);
/* A pidfd of the monitor that was launched for the container, by whomever; -1: none lives. */
int launch_find(const char *container);
void launch_close_sockets(struct launch *launch);
/* From another thread: the waiting call returns soon. */
void launch_cut(struct launch *launch);
