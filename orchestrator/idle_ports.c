/* orchestrator/idle_ports - the published ports of a slot while its container sleeps.
 *
 * Owns: whether a placeholder listens. May not touch: when (idle), the rules themselves (network).
 * A placeholder that netd holds is the same socket as ours: what waits in it survives either.
 */
#include "orchestrator/idle_ports.h"

#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/file.h"
#include "netplug/port_socket.h"
#include "orchestrator/idle_table.h"
#include "orchestrator/names_ports.h"
#include "orchestrator/network_inner.h"

#define BACKLOG   128
#define TABLE_MAX (8u << 20)

static uint8_t number_of(const char *protocol)
{
	return strcmp(protocol, "udp") == 0 ? IPPROTO_UDP : IPPROTO_TCP;
}

/* The address that a rule leads to; a relay's own; else the first one that the container has. */
static const char *address_of(const struct slot_net *net, const struct slot_port *port,
			      char text[ADDRESS_TEXT])
{
	bool is_v6 = strchr(port->host_ip, ':') != NULL;

	if (port->relay_to)
		return port->relay_to;
	for (size_t i = 0; i < net->rule_count; i++)
		if (net->rules[i].port == port->host_port &&
		    net->rules[i].protocol == number_of(port->protocol) &&
		    (net->rules[i].target.family == AF_INET6) == is_v6)
			return address_text(&net->rules[i].target, text);
	return net->links[0].ip4[0] ? net->links[0].ip4 : net->links[0].ip6;
}

static void add_ends(struct idle_ports *ports, const struct idle_port *port)
{
	const struct slot_net *net = ports->net;

	for (size_t i = 0; i < net->link_count; i++) {
		const char *const texts[] = { net->links[i].ip4, net->links[i].ip6 };

		for (size_t k = 0; k < 2; k++) {
			struct flow_end end = { .port = port->target, .protocol = port->protocol };
			struct err ignored = ERR_NONE;

			if (!texts[k][0] ||
			    address_parse("ip", texts[k], &end.address, &ignored) < 0)
				continue;
			*(struct flow_end *)arena_grow(ports->arena, &ports->ends,
						       &ports->end_count, sizeof(end)) = end;
		}
	}
}

struct idle_ports *idle_ports_new(struct slot_net *net)
{
	struct idle_ports *ports = xcalloc(1, sizeof(*ports));

	ports->arena = arena_new();
	ports->net = slot_net_ref(net);
	ports->ports = arena_alloc(ports->arena, (net->port_count + 1) * sizeof(*ports->ports));
	for (size_t i = 0; i < net->port_count; i++) {
		struct idle_port *port = &ports->ports[ports->count++];
		char text[ADDRESS_TEXT];

		net_port_key(&net->ports[i], port->key);
		port->relay_to = net->ports[i].relay_to;
		strcpy(port->container, address_of(net, &net->ports[i], text));
		port->host_port = net->ports[i].host_port;
		port->target = net->ports[i].target;
		port->protocol = number_of(net->ports[i].protocol);
		port->fd = -1;
		add_ends(ports, port);
	}
	return ports;
}

static void close_port(struct idle_port *port)
{
	if (port->fd >= 0)
		close(port->fd);
	port->fd = -1;
}

static void deafen(struct idle_port *port)
{
	if (port->fd >= 0 && port->protocol == IPPROTO_TCP)
		port_socket_deafen(port->fd);
	close_port(port);
}

void idle_ports_free(struct idle_ports *ports)
{
	for (size_t i = 0; i < ports->count; i++)
		deafen(&ports->ports[i]);
	flows_free(&ports->seen);
	slot_net_free(ports->net);
	arena_free(ports->arena);
	free(ports);
}

/* ---- to sleep ---- */

static int listen_on(const struct supervisor *sv, struct idle_port *port, struct err *err)
{
	const char *key = port->key;
	struct netd_hold hold = { key, -1 };
	char byte;

	port->fd = names_socket(sv->names, key, err);
	if (port->fd < 0)
		return -1;
	hold.fd = port->fd;
	if (names_unrelay(sv->names, &key, 1, err) < 0 || names_hold(sv->names, &hold, 1, err) < 0)
		return -1;
	if (port->protocol == IPPROTO_TCP && port_socket_listen(port->fd, BACKLOG) < 0)
		return err_sys(err, errno, "listen on %s", key);
	while (port->protocol == IPPROTO_UDP && recv(port->fd, &byte, 1, MSG_DONTWAIT) >= 0)
		; /* strays of the time when the rules were being made */
	return 0;
}

int idle_ports_hold(const struct supervisor *sv, struct idle_ports *ports, struct err *err)
{
	struct err ignored = ERR_NONE;
	bool fresh;
	int status = names_ensure(sv->names, &fresh, err);

	for (size_t i = 0; i < ports->count && status == 0; i++)
		status = listen_on(sv, &ports->ports[i], err);
	if (status == 0)
		status = net_sleep(sv->net, ports->net, true, err);
	if (status < 0)
		idle_ports_give_up(sv, ports, &ignored);
	return status;
}

/* ---- awake again ---- */

static int relay(const struct supervisor *sv, struct idle_port *port, struct err *err)
{
	struct netd_relay relay = {
		.key = port->key, .fd = port->fd, .address = port->container, .port = port->target
	};
	const char *key = port->key;

	if (port->fd < 0 || names_relay(sv->names, &relay, err) < 0)
		return port->fd < 0 ? 0 : -1;
	close_port(port);
	return names_unhold(sv->names, &key, 1, err);
}

int idle_ports_hand(const struct supervisor *sv, struct idle_ports *ports, struct err *err)
{
	struct err ignored = ERR_NONE;
	bool fresh;
	int status = names_ensure(sv->names, &fresh, err);

	for (size_t i = 0; i < ports->count && status == 0; i++)
		status = relay(sv, &ports->ports[i], err);
	return net_sleep(sv->net, ports->net, false, status < 0 ? &ignored : err) < 0 ? -1 : status;
}

int idle_ports_give_up(const struct supervisor *sv, struct idle_ports *ports, struct err *err)
{
	for (size_t i = 0; i < ports->count; i++)
		if (ports->ports[i].relay_to)
			relay(sv, &ports->ports[i], err);
		else
			deafen(&ports->ports[i]);
	return net_sleep(sv->net, ports->net, false, err);
}

/* ---- who is there ---- */

static struct idle_sockets sockets_of(const struct idle_port *port, int pid)
{
	static const char *const tables[2][2] = {
		{"tcp",  "tcp6"},
                { "udp", "udp6"}
	};
	bool is_udp = port->protocol == IPPROTO_UDP;
	struct idle_sockets sockets = { false, false };

	for (size_t i = 0; i < 2; i++) {
		AUTO(free) char *path = xformat("/proc/%d/net/%s", pid, tables[is_udp][i]);
		AUTO(free) char *text = NULL;
		struct err ignored = ERR_NONE;
		size_t len;

		if (file_read(AT_FDCWD, path, TABLE_MAX, &text, &len, &ignored) == 0)
			idle_table_read(text, is_udp, port->target, &sockets);
	}
	return sockets;
}

int idle_ports_look(struct idle_ports *ports, int pid, bool *out_active, struct err *err)
{
	if (flows_look(ports->ends, ports->end_count, &ports->seen, out_active, err) < 0)
		return -1;
	for (size_t i = 0; i < ports->count && !*out_active; i++)
		*out_active = sockets_of(&ports->ports[i], pid).connected;
	return 0;
}

bool idle_ports_served(const struct idle_ports *ports, int pid)
{
	for (size_t i = 0; i < ports->count; i++)
		if (!sockets_of(&ports->ports[i], pid).listening)
			return false;
	return true;
}
