/* orchestrator/change_ready - `up --wait`: until everything that was started is healthy, or runs.
 */
#pragma once
#include "orchestrator/change.h"

int ready_begin(void *change, struct err *err); /* stage */
void ready_look(struct change *change);         /* a slot changed */
