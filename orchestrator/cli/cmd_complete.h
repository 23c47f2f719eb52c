/* orchestrator/cli/cmd_complete - names of this machine for the command line that is being typed.
 * Blocks (disk). */
#pragma once
#include "orchestrator/cli/cli.h"
#include "orchestrator/cli/complete.h"

/* A complete_names; ctx is the struct cli. What cannot be read is not offered. */
void complete_machine_names(void *ctx, enum argument_kind kind, const struct options *so_far,
			    void (*add)(void *add_ctx, const char *name), void *add_ctx);
