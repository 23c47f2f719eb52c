/* orchestrator/adopt - start-up is recovery: records and kernel become slots, what was cut off is
 * finished or undone. Before the loop runs; blocks. */
#pragma once
#include "base/err.h"
#include "orchestrator/supervisor.h"

/* Slots from records: what runs is watched, what ended unseen goes through policy, what was half
 * made is cleared. sv->model is loaded. */
int adopt_project(struct supervisor *sv, struct err *err);
