/* orchestrator/adopt_net - the network half of start-up: what the slots of the records have in
 * books, kernel and netd. Before the loop runs; blocks. */
#pragma once
#include "base/err.h"
#include "orchestrator/supervisor.h"

/* Every slot with a service gets its slot_net again; what was lost is made. sv->model is there. */
int adopt_networks(struct supervisor *sv, struct err *err);
