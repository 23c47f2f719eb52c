/* orchestrator/network_spec - specs' networks in netplug's words.
 *
 * Owns: the translation. May not touch: books, links.
 */
#include "orchestrator/network_spec.h"

#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

#include "base/num.h"
#include "base/text.h"
#include "orchestrator/network.h"

static struct network_pairs pairs_of(struct arena *arena, const struct pairs *pairs)
{
	struct network_pairs out = { arena_alloc(arena, (pairs->count + 1) * sizeof(*out.items)),
				     pairs->count };

	for (size_t i = 0; i < pairs->count; i++)
		out.items[i] =
			(struct network_pair){ pairs->items[i].name,
					       pairs->items[i].value ? pairs->items[i].value : "" };
	return out;
}

void network_spec_of(struct arena *arena, const struct project *project,
		     const struct network *network, struct network_spec *out)
{
	const struct ipam *ipam = network->ipam;

	*out = (struct network_spec){
		.name = network->name,
		.key = network->key,
		.project = project->name,
		.driver = network->driver,
		.internal = network->internal,
		.attachable = network->attachable,
		.no_ipv4 = network->enable_ipv4.is_set && !network->enable_ipv4.value,
		.ipv6 = network->enable_ipv6.value,
		.options = pairs_of(arena, &network->driver_opts),
		.labels = pairs_of(arena, &network->labels),
	};
	if (!ipam)
		return;
	out->ipam_options = pairs_of(arena, &ipam->options);
	out->subnet_count = ipam->config_count;
	out->subnets = arena_alloc(arena, (ipam->config_count + 1) * sizeof(*out->subnets));
	for (size_t i = 0; i < ipam->config_count; i++)
		out->subnets[i] = (struct network_subnet_spec){
			ipam->config[i].subnet, ipam->config[i].ip_range, ipam->config[i].gateway,
			pairs_of(arena, &ipam->config[i].aux_addresses)
		};
}

struct netplug network_books(const struct roots *roots, const struct settings *settings,
			     const char *machine_id)
{
	struct netplug np = { .state_fd = roots->state_fd,
			      .runtime_fd = roots->run_fd,
			      .machine_id = machine_id,
			      .pools = settings->address_pools,
			      .pool_count = settings->pool_count,
			      .mtu = (unsigned)settings->mtu.value };

	np.bridge_options = pairs_of(settings->arena, &settings->bridge_opts);
	return np;
}

const char *network_group_owner(struct arena *arena, const struct network_record *network)
{
	return network->project && *network->project
		       ? network->project
		       : arena_format(arena, "network:%s", network->name);
}

uint8_t network_protocol(const char *name)
{
	if (name && strcmp(name, "udp") == 0)
		return IPPROTO_UDP;
	if (name && strcmp(name, "sctp") == 0)
		return IPPROTO_SCTP;
	return IPPROTO_TCP;
}

static int published_range(const char *text, struct port_want *want, struct err *err)
{
	struct slice first, last;
	uint64_t low, high;
	bool is_range;

	if (!text || !*text)
		return 0;
	is_range = slice_split(SLICE(text), '-', &first, &last);
	if (num_parse_u64("published port", first.at, first.len, 0, 65535, &low, err) < 0)
		return -1;
	high = low;
	if (is_range &&
	    num_parse_u64("published port", last.at, last.len, low, 65535, &high, err) < 0)
		return -1;
	want->first = (uint16_t)low;
	want->last = (uint16_t)high;
	return 0;
}

static uint16_t remember(const struct slot_port *ports, size_t count, const struct port *port)
{
	for (size_t i = 0; i < count; i++)
		if (ports[i].target == port->target &&
		    strcmp(ports[i].protocol, port->protocol ? port->protocol : "tcp") == 0)
			return ports[i].host_port;
	return 0;
}

int network_ports_of(struct arena *arena, const struct service *service, const char *slot_key,
		     const struct slot_port *remembered, size_t remembered_count,
		     struct port_want **out, size_t *out_count, struct err *err)
{
	struct port_want *wants = arena_alloc(arena, (service->port_count + 1) * sizeof(*wants));
	bool relay = service->stack && service->stack->expose &&
		     strcmp(service->stack->expose, "host-firewall") == 0;

	for (size_t i = 0; i < service->port_count; i++) {
		const struct port *port = &service->ports[i];
		struct port_want *want = &wants[i];

		want->slot = slot_key;
		want->families = PORTS_V4 | PORTS_V6;
		want->target = (uint16_t)port->target;
		want->protocol = network_protocol(port->protocol);
		want->relay = relay;
		want->remembered = remember(remembered, remembered_count, port);
		want->fd4 = want->fd6 = -1;
		if (published_range(port->published, want, err) < 0 ||
		    (port->host_ip && *port->host_ip &&
		     address_parse("host_ip", port->host_ip, &want->host_ip, err) < 0))
			return err_wrap(err, "service %s: ports[%zu]", service->name, i);
		if (address_is_set(&want->host_ip) && address_is_any(&want->host_ip)) {
			want->families = want->host_ip.family == AF_INET ? PORTS_V4 : PORTS_V6;
			want->host_ip = (struct address){ 0 };
		}
	}
	*out = wants;
	*out_count = service->port_count;
	return 0;
}

static int by_priority(const void *a, const void *b)
{
	const struct attachment *left = *(const struct attachment *const *)a;
	const struct attachment *right = *(const struct attachment *const *)b;

	if (left->priority.value > right->priority.value)
		return -1;
	if (left->priority.value < right->priority.value)
		return 1;
	return strcmp(left->network, right->network);
}

const struct attachment **network_order(struct arena *arena, const struct service *service)
{
	const struct attachment **order =
		arena_alloc(arena, (service->network_count + 1) * sizeof(struct attachment *));

	for (size_t i = 0; i < service->network_count; i++)
		order[i] = &service->networks[i];
	if (service->network_count)
		qsort(order, service->network_count, sizeof(*order), by_priority);
	return order;
}

size_t network_gateway(const struct attachment *const *order, size_t count, const bool *is_internal)
{
	size_t best = SIZE_MAX;

	for (size_t i = 0; i < count; i++) {
		if (is_internal[i])
			continue;
		if (best == SIZE_MAX ||
		    order[i]->gw_priority.value > order[best]->gw_priority.value ||
		    (order[i]->gw_priority.value == order[best]->gw_priority.value &&
		     strcmp(order[i]->network, order[best]->network) < 0))
			best = i;
	}
	return best;
}
