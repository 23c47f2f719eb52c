/* orchestrator/cli/container_diff - what a container changed in its file system. Blocks (disk). */
#pragma once
#include <stdio.h>

#include "orchestrator/cli/cli.h"
#include "orchestrator/records.h"

/* A line for each path of its writable layer, sorted: "A /new", "C /changed", "D /removed". */
int container_diff_print(struct cli *cli, const struct project_dirs *dirs,
			 const struct record *record, FILE *out, struct err *err);
