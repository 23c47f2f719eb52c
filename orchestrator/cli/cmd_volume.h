/* orchestrator/cli/cmd_volume - the group `volume`: what its rooms share. */
#pragma once
#include <stdbool.h>
#include <stdint.h>

#include "orchestrator/cli/cli.h"
#include "volumes/store.h"

/* The store of the command's roots; NULL with *err. */
struct volume_store *volume_command_store(struct cli *cli, struct err *err);
/* Removes what nothing uses, names on stdout, bytes added to *out_bytes. filters: label= words,
 * NULL-terminated. */
int volume_prune(struct cli *cli, const struct volume_store *store, bool all,
		 const char *const *filters, uint64_t *out_bytes, struct err *err);

/* cmd_volume_move */
extern const struct option_row volume_export_options[], volume_import_options[],
	volume_restore_options[], volume_hold_options[];
extern const struct command volume_snapshot_commands[];
command_run volume_export_command, volume_import_command, volume_clone_command,
	volume_snapshot_command, volume_restore_command;
