/* orchestrator/cli/top - the processes of a container as `ps -ef` shows them, read from /proc. */
#pragma once
#include "orchestrator/cli/output.h"
#include "orchestrator/records.h"

/* A row per process whose pid namespace is that of the container's init: SERVICE # UID PID ... */
void top_rows(struct table *table, const struct record *record);
