/* orchestrator/change_run - `run`: a one-off container beside the service's own. */
#pragma once
#include "orchestrator/change.h"

/* Before the change is submitted: makes the slot that will hold the container. */
void run_prepare(struct change *change);
int run_begin(void *change,
	      struct err *err); /* stage: create, start up to the hold, tell the client */
int run_cancel(void *change, struct err *err);
void run_look(struct change *change, struct slot *slot);
/* {"container": ID, "name": ...} for `run -d`. */
void run_add_result(const struct change *change, struct json_object *result);
