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

struct pull_wish {
	const char *ref;
	const char *platform; /* "linux/arm64"; NULL: the default */
};

/* One worker for each platform that is wished for, all at once; the store shares what they have in
 * common. parallel: images that each of them fetches at once; 0: no limit. wishes: borrowed for the
 * call. policy: "always" or "missing". A worker that cannot start is told by done; never NULL. */
struct pull *pull_start(struct supervisor *sv, const struct pull_wish *wishes, size_t count,
			const char *policy, size_t parallel, const struct pull_handler *handler);
/* The workers are told to end; done comes with ERR_CANCELLED. */
void pull_cancel(struct pull *pull);
