/* orchestrator/change - one change of a project, from a request to its answer: up, create, start,
 * stop, restart, rm, down, scale, run.
 *
 * One at a time; further ones wait in sv->changes. stop and down overtake: what runs is cancelled
 * and walked back. On the loop; the stages that block run in the pool.
 */
#pragma once
#include <stdbool.h>
#include <sys/queue.h>

#include "base/arena.h"
#include "base/err.h"
#include "orchestrator/flow.h"
#include "orchestrator/network.h"
#include "orchestrator/plan.h"
#include "orchestrator/supervisor.h"

#define CHANGE_WAIT        1u  /* up --wait: until healthy or running */
#define CHANGE_OVERTAKES   2u  /* cancels what is being done */
#define CHANGE_REMOVE_ANON 8u  /* rm -v, down -v */
#define CHANGE_TO_DOWN     16u /* the project ends with it */
#define CHANGE_QUIET_PULL  32u
#define CHANGE_DRY_RUN     256u /* answers with the plan */
#define CHANGE_KEEP_WISH   512u /* what the user wants over reboots (desired) stays as it is */
#define CHANGE_KEEP_GOING                                                                          \
	1024u /* one that fails holds nobody back; who must wait is left to policy */
#define CHANGE_END_AFTER  2048u /* the supervisor ends with it */
#define CHANGE_NO_ORPHANS 8192u /* they are not told */
#define CHANGE_CUTS_OFF   4096u /* what it stops comes back with the next restore */

enum action_state { ACTION_WAITING, ACTION_RUNNING, ACTION_DONE, ACTION_FAILED };

/* What `run` wants of its one-off container. Texts in the change's arena. */
struct run_request {
	struct model *model; /* own reference; the service in it is as the command line says */
	const struct service *service; /* of that model */
	const char *name;              /* --name, or NULL */
	bool with_ports, remove, use_aliases, detach;
};

/* What `network connect` and `disconnect` want. Texts in the change's arena. */
struct connect_request {
	const char *container; /* its ID */
	bool disconnects;
	struct attachment wish;        /* network: the real name */
	struct slot *slot;             /* found by the first stage */
	const struct service *service; /* with the networks as they should be */
	struct slot_net *former;       /* own reference */
	const char *former_info;       /* of the record */
	bool wired;
};

struct change {
	TAILQ_ENTRY(change) link;
	struct supervisor *sv;
	struct control_request *request; /* answered at the end; NULL: nobody asked (restore) */
	const char *op;                  /* "up", for texts and events */
	struct arena *arena;
	struct model *model;  /* the one to be in force; own reference */
	struct model *stored; /* in force after it, when that is more than model; own reference */
	bool brings_model;    /* up, create: becomes the one in force */
	struct plan_options options;
	unsigned flags;                  /* CHANGE_* */
	int64_t timeout_us;              /* stop time-out; -1: each service's own */
	int64_t wait_timeout_us;         /* 0: none */
	size_t parallel;                 /* actions at once; 0: no limit */
	const char *pull;                /* always missing never, or NULL: by service */
	struct run_request *run;         /* op run, else NULL */
	struct connect_request *connect; /* op connect or disconnect, else NULL */
	struct pairs pins;               /* images that services are held at (rollback), by name */
	void (*over)(struct change *change,
		     const struct err *err); /* hears of the end, before the answer; or NULL */
	struct err because; /* rollback after this failure: the answer in the end */

	/* while it is applied */
	struct flow flow;
	struct plan_wanted *wanted; /* by service of the model */
	struct seen seen;
	struct plan plan;
	enum action_state *states;
	size_t running;
	LIST_HEAD(settle_list, settle) settles; /* of a rolling update, on their way */
	size_t failed_updates;
	struct model *before; /* in force until then; own reference */
	uint64_t *seqs;       /* models that containers are made from */
	size_t seq_count;
	const char *roll_back; /* service to go back to what it was; NULL: none */
	struct err failure;    /* the first one */
	struct net_want *net_wants;
	size_t net_want_count;
	struct slot **net_slots;     /* of net_wants, same order */
	struct late_sync *late_sync; /* on its way to the disk (change_sync) */
	struct texts notices;        /* collected in the pool, told behind the stage */
	struct texts hints;          /* told already */
	struct slot **gone;          /* slots to be forgotten */
	size_t gone_count;
	struct slot *run_slot;
	uv_timer_t wait_timer;
	bool applying, timer_open, waits_ready, net_dropped;
	void *pull_job;
};

/* Takes over change (xcalloc, with its arena); begins at once or waits for its turn. */
void change_submit(struct change *change);
/* As above, but first of those that wait. */
void change_submit_next(struct change *change);
/* up, create and run make containers; the others take what is there. */
bool change_makes_containers(const struct change *change);
/* One that was not submitted. */
void change_free(struct change *change);
/* Ctrl-C of the client that asked, or an overtaking change: walked back, answered with
 * ERR_CANCELLED. */
void change_cancel(struct change *change);
/* {"kind","name","verb","state"...} to the client of the change, and nothing when there is none. */
void change_progress(struct change *change, const char *kind, const char *name, const char *verb,
		     const char *state, const char *detail);
void change_notice(struct change *change, const char *text);

/* apply.c, apply_walk.c: the actions of change->plan, as wide as the edges allow. */
int apply_begin(void *data, struct err *err);  /* stage: STAGE_WAITS until all are over */
int apply_cancel(void *data, struct err *err); /* its way back: waits until nothing runs */
void apply_look(struct change *change);        /* something changed: start what may start */
/* Whether a condition of depends_on holds: 1 yes, 0 not yet, -1 never (*err says why). */
int apply_condition(struct supervisor *sv, const struct plan_wait *wait, struct err *err);
