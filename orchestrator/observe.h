/* orchestrator/observe - what is there of a project, read by anybody: records, ends, who is alive.
 * Blocks (disk). */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "base/cleanup.h"
#include "base/err.h"
#include "orchestrator/model.h"
#include "orchestrator/records.h"
#include "orchestrator/roots.h"

struct observed_container {
	struct record *record;
	bool alive;         /* its monitor runs */
	const char *status; /* docker's word: created running paused restarting exited removing */
	struct json_object *info;
};

/* x-stack.idle: it is stopped, and a connection starts it. */
bool observed_is_asleep(const struct observed_container *container);

struct observed {
	struct observed_container *containers; /* by service and slot */
	size_t count;
	struct model *model; /* in force; NULL: none */
};

/* Everything of one project. NULL with *err. */
struct observed *observe_project(const struct project_dirs *dirs, struct err *err);
void observed_free(struct observed *observed);
AUTO_TYPE(observed, observed_free);

/* The model (active or not) or a container knows the service. */
bool observed_has_service(const struct observed *observed, const char *service);
/* The container of a service: index as --index says (0: the lowest that runs, else the lowest).
 * NULL: none. */
const struct observed_container *observed_find(const struct observed *observed, const char *service,
					       unsigned index);
/* The pid of the living supervisor, 0: none. */
pid_t observe_supervisor(const struct project_dirs *dirs);
