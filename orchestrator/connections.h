/* orchestrator/connections - the networks that a slot is really on.
 *
 * Those of the file, but for what `network connect` and `network disconnect` changed: that is kept
 * in the record of the container (info.attached), so it outlives restarts and goes with a recreate.
 * And network_mode: bridge or NAME, which mean one network that the file does not declare. An
 * attachment to such a network has the key "/NAME", which no file can have. Pure but for
 * connections_save, which changes the record in memory; all results in the arena.
 */
#pragma once
#include <stdbool.h>

#include "base/arena.h"
#include "base/err.h"
#include "orchestrator/network.h"
#include "orchestrator/records.h"
#include "specs/model.h"

/* What network_mode: bridge joins: made on first use, gone with its last member; no names. */
#define CONNECTIONS_BRIDGE "bridge"

/* false: the host's namespace or that of another container. */
bool connections_own_namespace(const struct service *service);

/* The service with the networks that count for the container (record NULL: a new one); the service
 * itself when the file says all of it. */
const struct service *connections_service(struct arena *arena, const struct service *service,
					  const struct record *record);
/* The project with the networks "/NAME" of these services as external ones; the project itself when
 * there is none. */
const struct project *connections_project(struct arena *arena, const struct project *project,
					  const struct net_want *wants, size_t count);

/* now: as given by connections_service; net: what the slot has. *out is the service with the wish
 * (whose network is a real name) as its last network, or without the network; interfaces keep their
 * names. Errors: EXISTS (it is on it), NOT_FOUND (it is not), INVALID (it has no network of its
 * own). */
int connections_add(struct arena *arena, const struct project *project, const struct service *now,
		    const struct slot_net *net, const struct attachment *wish,
		    const struct service **out, struct err *err);
int connections_remove(struct arena *arena, const struct project *project,
		       const struct service *now, const struct slot_net *net, const char *network,
		       const struct service **out, struct err *err);
/* The networks of the service become those of the container; `networks` shows what the slot has. */
void connections_save(struct record *record, const struct service *service,
		      const struct slot_net *net);
