/* netplug/attach_inside - the half of an attachment that happens inside the container's namespace.
 * Blocks (kernel): a dump and one batch a container.
 */
#pragma once
#include <stdbool.h>

#include "netplug/attach.h"

/* lo up, settings and addresses of each interface, links up, routes, the resolver's redirect.
 * Adding what is there already is fine. ERR_NOT_FOUND: an interface is not there. */
int attach_inside_set_up(const struct attach_job *job, struct err *err);
/* Messages that make a macvlan or ipvlan link are begun on the host's conversation by
 * netplug/attach; this takes such a link away from inside. */
int attach_inside_delete(const struct attach_job *job, const char *name, struct err *err);
