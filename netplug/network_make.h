/* netplug/network_make - a new network's record: subnets, gateway, the bridge's name, MTU.
 *
 * Of netplug/network, which holds the lock meanwhile and writes the record down.
 */
#pragma once
#include "netplug/network.h"

/* The record of a definition, in the arena, with free subnets where it names none. Nothing is
 * written, no link is made. Errors: as network_ensure. Blocks: disk, one dump each of the host's
 * links, addresses and routes. */
int network_make(const struct netplug *np, struct arena *arena, const struct network_spec *spec,
		 struct network_record **out, struct err *err);
