/* orchestrator/desired - what the user wants of a project over reboots: up, stopped or down, and
 * which services were stopped by hand. A small file, which the change
 * syncs (change_sync). */
#pragma once
#include <stdbool.h>

#include "base/arena.h"
#include "base/err.h"
#include "orchestrator/plan.h"
#include "orchestrator/roots.h"
#include "specs/model_values.h"

/* Writes what follows from an operation: up and start of all: "up"; stop of all: "stopped";
 * services named: they join or leave the list. Nothing changes: nothing is written. */
int desired_write(const struct project_dirs *dirs, const struct plan_options *options,
		  const char *op, struct err *err);
/* *out_state: "up", "stopped", "down" (no file: "down"). */
int desired_read(const struct project_dirs *dirs, struct arena *arena, const char **out_state,
		 struct texts *out_stopped, struct err *err);
