/* orchestrator/run_request - what a `run` asks for: the service as the command line changed it. */
#pragma once
#include <json-c/json.h>

#include "orchestrator/change.h"

/* Reads member "run" of a request into change->run: a model of its own beside change->model, in
 * which the service is as wanted, once, without restarts, probes and replicas. The change plans
 * what the service depends on, unless PLAN_NO_DEPS. ERR_NOT_FOUND: no such service; ERR_INVALID. */
int run_read(struct change *change, const struct json_object *message, struct err *err);

/* The model of a one-off container: base with the service as `run` says (docs/control.md), seq 0.
 * The record of such a container keeps `run` in its info, so that whoever adopts it finds it again.
 * ERR_NOT_FOUND, ERR_INVALID. */
struct model *run_model(const struct model *base, const char *name, struct json_object *run,
			struct err *err);
