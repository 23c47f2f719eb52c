/* orchestrator/network_spec - specs' networks in netplug's words. Pure; used by network alone. */
#pragma once
#include "base/arena.h"
#include "netplug/network.h"
#include "netplug/ports.h"
#include "orchestrator/roots.h"
#include "orchestrator/settings.h"
#include "specs/model.h"

/* All texts borrowed from the model. */
void network_spec_of(struct arena *arena, const struct project *project,
		     const struct network *network, struct network_spec *out);
/* IPPROTO_*; NULL: tcp. */
/* What netplug's books need, with the pools and defaults of the settings. roots, settings,
 * machine_id: borrowed. */
struct netplug network_books(const struct roots *roots, const struct settings *settings,
			     const char *machine_id);

/* Whose interface group the links of a network have: its project, or "network:NAME" when it was
 * made by hand. */
const char *network_group_owner(struct arena *arena, const struct network_record *network);

uint8_t network_protocol(const char *name);
/* The publications of one service for a slot; *out_count wants in the arena. remembered: see
 * net_want. ERR_INVALID names service and port. */
struct slot_port;
int network_ports_of(struct arena *arena, const struct service *service, const char *slot_key,
		     const struct slot_port *remembered, size_t remembered_count,
		     struct port_want **out, size_t *out_count, struct err *err);
/* Attachments in the order in which they become eth0, eth1 ...: higher priority first, then by
 * name. */
const struct attachment **network_order(struct arena *arena, const struct service *service);
/* Index in that order of the attachment that gives the default route, or SIZE_MAX; is_internal
 * tells by attachment. */
size_t network_gateway(const struct attachment *const *order, size_t count,
		       const bool *is_internal);
