/* runtime/privileges - user, groups, capabilities, no_new_privs of the process that is about to be.
 * Child side.
 *
 * Order: privileges_become drops the bounding set, changes the ids and sets the five sets. Blocks
 * never.
 */
#pragma once
#include <stdbool.h>

#include "base/err.h"
#include "runtime/config.h"

/* setgroups_denied: a user namespace in which groups cannot be set. warn (may be NULL) is told of
 * capabilities that cannot be had. */
int privileges_become(const struct config_process *process, bool setgroups_denied,
		      void (*warn)(void *context, const char *text), void *context,
		      struct err *err);
int privileges_no_new(struct err *err);
