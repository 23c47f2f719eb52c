/* orchestrator/network_gather - what the slots of a change ask for: addresses and host ports.
 *
 * Owns: the wishes, from the file's words. May not touch: books (network_prepare asks them), the
 * kernel.
 */
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "orchestrator/network_inner.h"
#include "orchestrator/network_spec.h"

static int gather_lease(struct batch *b, struct net_want *want, const struct attachment *attachment,
			const char *mac, struct err *err)
{
	struct lease_want *lease;
	const char *mac_wish = attachment->mac_address ? attachment->mac_address : mac;
	size_t at = 0;

	while (at < b->project->network_count &&
	       strcmp(b->project->networks[at].key, attachment->network) != 0)
		at++;
	if (at == b->project->network_count && want->adopts)
		return 0;
	if (at == b->project->network_count)
		return err_set(err, ERR_NOT_FOUND, "service %s: network %s is not declared",
			       want->service->name, attachment->network);
	if (net_ensure_network(b, at, want->adopts, err) < 0) {
		if (!want->adopts || err->code != ERR_NOT_FOUND)
			return -1;
		*err = ERR_NONE; /* it has gone meanwhile */
		return 0;
	}
	lease = arena_grow(b->arena, &b->leases, &b->lease_count, sizeof(*lease));
	lease->network = b->networks[at]->name;
	lease->slot = want->out_net->key;
	if ((attachment->ipv4_address &&
	     address_parse("ipv4_address", attachment->ipv4_address, &lease->v4, err) < 0) ||
	    (attachment->ipv6_address &&
	     address_parse("ipv6_address", attachment->ipv6_address, &lease->v6, err) < 0))
		return err_wrap(err, "service %s: networks.%s", want->service->name,
				attachment->network);
	if (mac_wish) {
		uint8_t *bytes = arena_alloc(b->arena, 6);

		if (mac_parse(mac_wish, bytes, err) < 0)
			return err_wrap(err, "service %s: mac_address", want->service->name);
		lease->mac = bytes;
	}
	return 0;
}

static bool is_wanted(const struct batch *b, const struct service *service)
{
	for (size_t i = 0; i < b->want_count; i++)
		if (strcmp(b->wants[i].service->name, service->name) == 0)
			return true;
	return false;
}

/* Addresses that the file gives to services which do not start now: nobody else gets them, whoever
 * is first. */
static void set_aside(struct batch *b, const struct service *service,
		      const struct attachment *attachment)
{
	struct lease_want aside = { .aside_only = true };
	struct err ignored = ERR_NONE;
	size_t at = 0;

	while (at < b->project->network_count &&
	       strcmp(b->project->networks[at].key, attachment->network) != 0)
		at++;
	if (at == b->project->network_count || !b->networks[at] ||
	    (!attachment->ipv4_address && !attachment->ipv6_address))
		return;
	if (attachment->ipv4_address)
		address_parse("ipv4_address", attachment->ipv4_address, &aside.v4, &ignored);
	if (attachment->ipv6_address)
		address_parse("ipv6_address", attachment->ipv6_address, &aside.v6, &ignored);
	aside.network = b->networks[at]->name;
	aside.slot = arena_format(b->arena, "%s/%s/1", b->net->project, service->name);
	*(struct lease_want *)arena_grow(b->arena, &b->leases, &b->lease_count, sizeof(aside)) =
		aside;
}

static void gather_aside(struct batch *b)
{
	for (size_t i = 0; i < b->project->service_count; i++) {
		const struct service *service = &b->project->services[i];

		if (is_wanted(b, service))
			continue;
		for (size_t n = 0; n < service->network_count; n++)
			set_aside(b, service, &service->networks[n]);
	}
}

/* ---- ports */

/* netd has the socket of the port that the want will get first. */
static bool is_held(const struct batch *b, const struct port_want *want)
{
	struct slot_port port = { .protocol = ports_protocol_name(want->protocol) };
	char text[ADDRESS_TEXT], key[NET_KEY_MAX];

	port.host_ip = address_is_set(&want->host_ip) ? address_text(&want->host_ip, text)
		       : want->families & PORTS_V4    ? "0.0.0.0"
						      : "::";
	port.host_port = want->remembered && (!want->first || (want->remembered >= want->first &&
							       want->remembered <= want->last))
				 ? want->remembered
				 : want->first;
	return texts_has(b->held, net_port_key(&port, key));
}

/* Of ports that name no address: the network's option, else the machine's setting, else all. */
static struct address default_binding(const struct batch *b, const struct network_record *gateway)
{
	struct address address = gateway->options.host_binding;
	struct err ignored = ERR_NONE;

	if (!address_is_set(&address) && b->net->settings->ip &&
	    address_parse("ip", b->net->settings->ip, &address, &ignored) < 0)
		return (struct address){ 0 };
	return address;
}

static int gather_ports(struct batch *b, struct net_want *want, struct err *err)
{
	const struct network_record *gateway = net_gateway_record(b, want->service, AF_INET);
	const struct slot_net *former = want->former;
	struct port_want *ports;
	size_t count;

	if (!want->with_ports || !want->service->port_count || !want->service->network_count)
		return 0;
	if (!gateway)
		gateway = net_gateway_record(b, want->service, AF_INET6);
	if (!gateway || gateway->driver != NETWORK_BRIDGE) {
		net_add_notice(
			b, arena_format(b->arena, "service %s: its ports are not published, as %s",
					want->service->name,
					gateway ? "containers of macvlan and ipvlan networks have "
						  "addresses of "
						  "their own"
						: "all its networks are internal"));
		return 0;
	}
	if (network_ports_of(b->arena, want->service, want->out_net->key,
			     former ? former->ports : NULL, former ? former->port_count : 0, &ports,
			     &count, err) < 0)
		return -1;
	for (size_t p = 0; p < count; p++) {
		if (!want->service->ports[p].host_ip || !*want->service->ports[p].host_ip)
			ports[p].host_ip = default_binding(b, gateway);
		if (address_is_set(&ports[p].host_ip) && address_is_any(&ports[p].host_ip)) {
			ports[p].families =
				ports[p].host_ip.family == AF_INET ? PORTS_V4 : PORTS_V6;
			ports[p].host_ip = (struct address){ 0 };
		}
		ports[p].held = is_held(b, &ports[p]);
		*(struct port_want *)arena_grow(b->arena, &b->ports, &b->port_count,
						sizeof(*ports)) = ports[p];
	}
	return 0;
}

int net_gather(struct batch *b, struct err *err)
{
	for (size_t i = 0; i < b->want_count; i++) {
		struct net_want *want = &b->wants[i];
		const struct attachment **order = network_order(b->arena, want->service);

		for (size_t n = 0; n < want->service->network_count; n++)
			if (gather_lease(b, want, order[n],
					 n == 0 ? want->service->mac_address : NULL, err) < 0)
				return -1;
		if (gather_ports(b, want, err) < 0)
			return -1;
	}
	gather_aside(b);
	return 0;
}
