/* orchestrator/cli/hold - who uses a volume stands still while it is copied: --pause, --stop.
 * Blocks. */
#pragma once
#include "orchestrator/cli/cli.h"
#include "volumes/store.h"

struct hold;

#define HOLD_PAUSE 1u /* the command has --pause */
#define HOLD_STOP  2u /* ... and --stop */

/* Either of them was given. */
bool hold_is_asked(const struct options *options, unsigned ways);
/* Freezes or stops the services whose containers run with the volume, as --pause or --stop of the
 * command say; without either, or without users, nothing. NULL with *err; what was held before the
 * error goes on. */
struct hold *hold_begin(struct cli *cli, const struct options *options, unsigned ways,
			const struct volume_store *store, const char *volume, struct err *err);
/* Lets them go on; the first failure is told as a warning. */
void hold_end(struct hold *hold);
AUTO_TYPE(hold, hold_end);
