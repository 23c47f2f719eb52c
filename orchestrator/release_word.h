/* orchestrator/release_word - what a monitor is told when the container may begin. Pure. */
#pragma once
#include "base/arena.h"
#include "base/err.h"
#include "orchestrator/network.h"

/* {"op":"release","sysctl":{...}} in the arena; net NULL: no links of its own. NULL with INVALID
 * where com.docker.network.endpoint.sysctls is no "net.X.Y.IFNAME.Z=VALUE,...". */
const char *release_word(struct arena *arena, const struct slot_net *net, struct err *err);
