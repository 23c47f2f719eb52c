/* orchestrator/pull - images fetched by a worker process (`stack image pull --progress json`), its
 * lines read on the loop. */
#pragma once
#include <stdbool.h>

#include "base/err.h"
#include "orchestrator/supervisor.h"

struct pull;

struct pull_handler {
	/* One line of the worker (orchestrator/transfer.h); borrowed. */
	void (*progress)(void *ctx, struct json_object *line);
	/* The end; the pull is gone afterwards. */
	void (*done)(void *ctx, const struct err *err);
	void *ctx;
};

/* refs: borrowed for the call. policy: "always" or "missing". NULL with *err when the worker cannot
 * start. */
struct pull *pull_start(struct supervisor *sv, const char *const *refs, size_t count,
			const char *policy, const struct pull_handler *handler, struct err *err);
/* The worker is told to end; done comes with ERR_CANCELLED. */
void pull_cancel(struct pull *pull);
