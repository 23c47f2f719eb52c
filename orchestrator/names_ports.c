/* orchestrator/names_ports - the sockets of published ports on their way to netd and out of it.
 *
 * Owns: whether a socket is held or relayed. May not touch: which ports there are (network).
 */
#include "orchestrator/names_ports.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/cleanup.h"

int names_ports_held(struct names *names, struct arena *arena, struct texts *out_held,
		     bool *out_fresh, struct err *err)
{
	return names_ensure(names, out_fresh, err) < 0 ? -1
						       : names_held(names, arena, out_held, err);
}

/* A socket that netd has is only held when it was not a relay until now: it comes back and is given
 * anew. */
static int relay(struct names *names, const struct net_hold *hold, struct err *err)
{
	struct netd_relay relay = { .key = hold->key,
				    .fd = hold->fd,
				    .address = hold->relay_to,
				    .port = hold->relay_port };
	const char *key = hold->key;
	struct err first = ERR_NONE;
	AUTO(fd) int fd = -1;

	if (names_relay(names, &relay, &first) == 0)
		return 0;
	fd = hold->fd < 0 ? names_socket(names, key, err) : -1;
	if (fd < 0) {
		*err = first;
		return -1;
	}
	relay.fd = fd;
	return names_unhold(names, &key, 1, err) < 0 ? -1 : names_relay(names, &relay, err);
}

int names_ports_give(struct names *names, struct net_hold *holds, size_t count, struct err *err)
{
	AUTO(free) struct netd_hold *list = xcalloc(count + 1, sizeof(*list));
	size_t plain = 0;
	int status = 0;

	for (size_t i = 0; i < count; i++)
		if (!holds[i].relay_to)
			list[plain++] = (struct netd_hold){ holds[i].key, holds[i].fd };
		else if (status == 0)
			status = relay(names, &holds[i], err);
	if (status == 0)
		status = names_hold(names, list, plain, err);
	for (size_t i = 0; i < count; i++)
		if (holds[i].fd >= 0)
			close(holds[i].fd);
	return status;
}

int names_ports_drop(struct names *names, const struct texts *keys, struct err *err)
{
	int held = names_unhold(names, keys->items, keys->count, err);

	return names_unrelay(names, keys->items, keys->count, err) < 0 ? -1 : held;
}

int names_ports_drop_slot(struct names *names, const struct slot_net *net, struct err *err)
{
	struct arena *arena = arena_new();
	struct texts keys = { NULL, 0 };
	int status;

	for (size_t i = 0; i < net->port_count; i++)
		*(const char **)arena_grow(arena, &keys.items, &keys.count, sizeof(char *)) =
			arena_format(arena, "%s %s %u", net->ports[i].protocol,
				     net->ports[i].host_ip, net->ports[i].host_port);
	status = names_ports_drop(names, &keys, err);
	arena_free(arena);
	return status;
}
