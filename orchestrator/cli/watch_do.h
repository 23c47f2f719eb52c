/* orchestrator/cli/watch_do - what `watch` does about changes: sync, restart, rebuild, exec.
 * Blocks. */
#pragma once
#include <stdbool.h>
#include <stddef.h>

#include "orchestrator/cli/cli.h"
#include "orchestrator/cli/watch_rules.h"

#define WATCH_PRUNE 1u /* after a rebuild: images of the project without a name go */
#define WATCH_QUIET 2u /* no output of builds */
#define WATCH_SYNC  4u /* the first look: files alone, nothing is restarted */

struct watch_change {
	size_t item; /* of the rules */
	char *path;
	bool gone;
};

struct watch_batch {
	struct watch_change *changes;
	size_t count;
};

/* Adds a change once for each rule that takes it; a later one of the same path counts. */
void watch_batch_add(struct watch_batch *batch, const struct watch_rules *rules, const char *path,
		     bool gone);
void watch_batch_clear(struct watch_batch *batch);

/* Service by service: a rebuild makes the rest needless; else files are synced, then it is
 * restarted or a command runs in it. Failures are told on stderr and do not end the watch. */
void watch_do(struct cli *cli, const struct project *project, const struct watch_rules *rules,
	      const struct watch_batch *batch, unsigned flags);
