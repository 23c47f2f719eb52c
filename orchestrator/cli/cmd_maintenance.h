/* orchestrator/cli/cmd_maintenance - the image store of the command, and what `system prune` takes
 * from here. */
#pragma once
#include <stdint.h>

#include "images/maintain.h"
#include "images/store.h"
#include "orchestrator/cli/cli.h"

/* The store of the command's roots; NULL with *err. */
struct store *image_command_store(struct cli *cli, struct err *err);
/* Removes, what went on stdout, bytes added to *out_bytes. */
int image_prune(struct cli *cli, const struct prune_options *how, uint64_t *out_bytes,
		struct err *err);
