/* orchestrator/supervisor - the process behind a project: its context, its life.
 *
 * One per project, chosen by a flock. The context is built once and handed down; rooms that work
 * for it take what they need from it. Everything in it belongs to the loop's thread unless its own
 * header says otherwise.
 */
#pragma once
#include <stdbool.h>
#include <sys/queue.h>
#include <uv.h>

#include "base/err.h"
#include "images/store.h"
#include "orchestrator/control.h"
#include "orchestrator/events.h"
#include "orchestrator/model.h"
#include "orchestrator/names.h"
#include "orchestrator/network.h"
#include "orchestrator/roots.h"
#include "volumes/store.h"

struct slot;
struct change;
struct publisher;
struct repairer;
struct image_cache;
struct schedule;
struct restorer;
struct settings;
struct nursery;

struct supervisor {
	uv_loop_t *loop;
	const struct roots *roots;
	struct project_dirs *dirs;
	const struct settings *settings; /* of the machine, as read at the start */
	struct events *events;
	struct control_server *control;
	struct volume_store *volumes;
	struct store *images;
	struct image_cache *image_cache;
	struct project_net *net;
	struct names *names;
	struct publisher *publisher;
	struct repairer *repairer;
	struct schedule *schedule; /* NULL: none can be kept */
	struct restorer *restorer; /* NULL: nothing was restored so far */
	struct model *model;       /* in force; NULL: never up */
	LIST_HEAD(slot_list, slot) slots;
	TAILQ_HEAD(change_list, change) changes; /* the first one is being applied */
	struct nursery *nursery; /* of the change that is applied; NULL: it starts few */
	int runtime_fd;          /* our stack-runtime, opened once */
	const char *init_path;   /* of stack-init, beside it */
	int log_fd;              /* supervisor.log, also for monitors and netd */
	int trace_fd;            /* Chrome trace of every stage; -1: none */
	const char *program;     /* path of stack itself: workers */
	bool ending;
	bool ends_for_good; /* nobody shall start us again by himself */
	bool had_change;    /* somebody has asked for something */
	uv_timer_t idle_timer;
	int lock_fd;                    /* supervisor.lock */
	struct control_request *reload; /* waits until nothing is on its way */
	struct notify *notify;          /* the service manager, NULL: none */
};

struct supervisor_options {
	const struct roots *roots;
	const char *project;
	const char *program;      /* path of stack */
	const char *runtime_path; /* path of stack-runtime */
	const char *netd_path;    /* path of stack-netd */
	const char *init_path;    /* path of stack-init */
	int ready_fd;          /* closed when requests are taken; one line with an error instead */
	int trace_fd;          /* -1: none */
	int lock_fd;           /* supervisor.lock, held already; 0 or -1: taken here */
	struct notify *notify; /* the service manager that started us, or NULL */
	bool restores;         /* brings back what the machine's end cut off */
};

/* Runs until the project has nothing left to watch. 0: a signal ended it; 1: for good, as nothing
 * is left or a request said so; -1 with *err. ERR_BUSY: another supervisor has the project. */
int supervisor_run(const struct supervisor_options *options, struct err *err);

/* Something ended: when nothing runs, nothing is pending and nobody is connected, the supervisor
 * ends soon. */
void supervisor_look_idle(struct supervisor *sv);

/* Leaves the loop; containers go on. for_good: see supervisor_run. */
void supervisor_end(struct supervisor *sv, bool for_good);
