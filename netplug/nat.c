/* netplug/nat - the table `inet stack`: its elements.
 *
 * Owns: which elements a network and a published port are, their owners' comments, transactions,
 * comparison. May not touch: the rules (netplug/nat_table), links, other tables. Blocks: until the
 * kernel has answered.
 */
#include "netplug/nat.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/crash.h"
#include "base/text.h"
#include "netplug/nat_batch.h"
#include "netplug/nat_table.h"
#include "netplug/nft_dump.h"
#include "netplug/ports.h"

struct nat_batch *nat_batch_new(void)
{
	return xcalloc(1, sizeof(struct nat_batch));
}

void nat_batch_free(struct nat_batch *batch)
{
	if (!batch)
		return;
	free(batch->items);
	free(batch);
}

struct nft_element *nat_new_item(struct nat_batch *batch, enum nat_set set, bool removes,
				 const char *owner, const char *name)
{
	struct item *item = xgrow(&batch->items, &batch->count, sizeof(*item));

	item->set = set;
	item->removes = removes;
	snprintf(item->owner, sizeof(item->owner), "%s", owner);
	snprintf(item->name, sizeof(item->name), "%s", name ? name : "");
	return &item->element;
}

static void put_range(struct nft_element *element, const struct prefix *subnet)
{
	struct prefix network = prefix_network(subnet);
	struct address last = prefix_last(subnet);

	nft_key_put(element->key, &element->key_len, network.addr.bytes,
		    address_size(&network.addr));
	nft_key_put(element->key_end, &element->key_end_len, last.bytes, address_size(&last));
}

static void put_link(struct nft_element *element, const char *name)
{
	nft_key_put_name(element->key, &element->key_len, name);
	if (element->key_end_len)
		nft_key_put_name(element->key_end, &element->key_end_len, name);
}

static void put_link_item(struct nat_batch *batch, enum nat_set set, bool removes,
			  const char *owner, const char *first, const char *second)
{
	struct nft_element *element = nat_new_item(batch, set, removes, owner, NULL);

	put_link(element, first);
	if (second)
		put_link(element, second);
}

static void put_subnet(struct nat_batch *batch, const struct network_record *network,
		       const struct prefix *subnet, bool removes, const char *owner)
{
	bool six = subnet->addr.family == AF_INET6;
	enum network_gateway_mode mode = six ? network->options.mode6 : network->options.mode4;
	const struct address *source = six ? &network->options.snat6 : &network->options.snat4;
	struct nft_element *element;

	element = nat_new_item(batch, six ? NAT_HAIR6 : NAT_HAIR4, removes, owner, NULL);
	put_range(element, subnet);
	put_range(element, subnet);
	element = nat_new_item(batch, six ? NAT_INSIDE6 : NAT_INSIDE4, removes, owner, NULL);
	put_range(element, subnet);
	put_link(element, network->bridge);
	if (network->internal || network->options.no_masquerade || mode == GATEWAY_ROUTED ||
	    mode == GATEWAY_ISOLATED)
		return;
	if (address_is_set(source)) {
		element = nat_new_item(batch, six ? NAT_SNAT6 : NAT_SNAT4, removes, owner, NULL);
		put_range(element, subnet);
		put_link(element, network->bridge);
		nft_key_put(element->data, &element->data_len, source->bytes, address_size(source));
		return;
	}
	element = nat_new_item(batch, six ? NAT_MASQ6 : NAT_MASQ4, removes, owner, NULL);
	put_range(element, subnet);
	put_link(element, network->bridge);
}

static void put_trusted(struct nat_batch *batch, const struct network_record *network, bool removes,
			const char *owner)
{
	struct slice rest, part;

	if (!network->options.trusted_links)
		return;
	rest = SLICE(network->options.trusted_links);
	while (slice_next(&rest, ':', &part)) {
		char name[16];

		snprintf(name, sizeof(name), "%.*s", SLICE_ARG(part));
		if (*name)
			put_link_item(batch, NAT_SAME, removes, owner, name, network->bridge);
	}
}

static void put_network(struct nat_batch *batch, const struct network_record *network, bool removes)
{
	char owner[OWNER_MAX];

	if (network->driver != NETWORK_BRIDGE)
		return;
	snprintf(owner, sizeof(owner), "%s//%s", network->project, network->name);
	put_link_item(batch, NAT_BRIDGES, removes, owner, network->bridge, NULL);
	put_link_item(batch, NAT_SAME, removes, owner, network->bridge, network->bridge);
	if (network->internal)
		put_link_item(batch, NAT_INTERNAL, removes, owner, network->bridge, NULL);
	if (network->options.mode4 == GATEWAY_NAT_UNPROTECTED && !network->internal)
		put_link_item(batch, NAT_OPEN4, removes, owner, network->bridge, NULL);
	if (network->options.mode6 == GATEWAY_NAT_UNPROTECTED && !network->internal)
		put_link_item(batch, NAT_OPEN6, removes, owner, network->bridge, NULL);
	put_trusted(batch, network, removes, owner);
	for (size_t i = 0; i < network->subnet_count; i++)
		put_subnet(batch, network, &network->subnets[i].subnet, removes, owner);
}

void nat_add_network(struct nat_batch *batch, const struct network_record *network)
{
	put_network(batch, network, false);
}

void nat_del_network(struct nat_batch *batch, const struct network_record *network)
{
	put_network(batch, network, true);
}

static void put_port(struct nat_batch *batch, const struct nat_port *port, bool removes)
{
	bool six = port->target.family == AF_INET6;
	bool any = !address_is_set(&port->address) || address_is_any(&port->address);
	uint16_t number = htons(port->port), target = htons(port->target_port);
	enum nat_set set = six ? (any ? NAT_ANY6 : NAT_PUB6) : (any ? NAT_ANY4 : NAT_PUB4);
	struct nft_element *element;
	char name[40];

	snprintf(name, sizeof(name), "port %u/%s", port->port, ports_protocol_name(port->protocol));
	if (port->routed) {
		element = nat_new_item(batch, six ? NAT_DIRECT6 : NAT_DIRECT4, removes, port->owner,
				       name);
		nft_key_put(element->key, &element->key_len, port->target.bytes,
			    address_size(&port->target));
		nft_key_put(element->key, &element->key_len, &port->protocol, 1);
		nft_key_put(element->key, &element->key_len, &target, sizeof(target));
		return;
	}
	element = nat_new_item(batch, set, removes, port->owner, name);
	nft_key_put(element->key, &element->key_len, &port->protocol, 1);
	if (!any)
		nft_key_put(element->key, &element->key_len, port->address.bytes,
			    address_size(&port->address));
	nft_key_put(element->key, &element->key_len, &number, sizeof(number));
	nft_key_put(element->data, &element->data_len, port->target.bytes,
		    address_size(&port->target));
	nft_key_put(element->data, &element->data_len, &target, sizeof(target));
}

void nat_add_port(struct nat_batch *batch, const struct nat_port *port)
{
	put_port(batch, port, false);
}

void nat_del_port(struct nat_batch *batch, const struct nat_port *port)
{
	put_port(batch, port, true);
}

void nat_move_port(struct nat_batch *batch, const struct nat_port *from, const struct nat_port *to)
{
	put_port(batch, from, true);
	put_port(batch, to, false);
}

void nat_close_link(struct nat_batch *batch, int family, const char *link)
{
	put_link_item(batch, family == AF_INET6 ? NAT_CLOSED6 : NAT_CLOSED4, false, NAT_HOST_OWNER,
		      link, NULL);
}

void nat_write_item(struct nft *nft, struct item *item)
{
	item->element.comment = item->owner;
	if (item->removes)
		nft_del_element(nft, NFPROTO_INET, NAT_TABLE, nat_table_set(item->set)->name,
				&item->element, NFT_MAY_MISS);
	else
		nft_add_element(nft, NFPROTO_INET, NAT_TABLE, nat_table_set(item->set)->name,
				&item->element, 0, item->name);
}

bool nat_same_key(const struct nft_element *a, const struct nft_element *b)
{
	return a->key_len == b->key_len && memcmp(a->key, b->key, a->key_len) == 0 &&
	       a->key_end_len == b->key_end_len &&
	       memcmp(a->key_end, b->key_end, a->key_end_len) == 0;
}

struct search {
	const struct item *item;
	char owner[OWNER_MAX];
};

static int find_holder(const struct nft_element *element, void *ctx)
{
	struct search *search = ctx;

	if (nat_same_key(element, &search->item->element))
		snprintf(search->owner, sizeof(search->owner), "%s", element->comment);
	return 0;
}

/* Which element of the batch the kernel refused with EEXIST, and who holds it. */
static int name_holder(struct nft *nft, const struct nat_batch *batch, struct err *err)
{
	for (size_t i = 0; i < batch->count; i++) {
		struct search search = { .item = &batch->items[i] };
		struct err ignored = ERR_NONE;

		if (batch->items[i].removes || !batch->items[i].name[0])
			continue;
		nft_dump_elements(nft, NFPROTO_INET, NAT_TABLE,
				  nat_table_set(batch->items[i].set)->name, find_holder, &search,
				  &ignored);
		if (search.owner[0] && strcmp(search.owner, batch->items[i].owner) != 0)
			return err_set(err, ERR_EXISTS, "%s is published by %s already",
				       batch->items[i].name, search.owner);
	}
	return -1;
}

/* Sends the items with the skeleton in front when it is missing; another process may make or remove
 * the skeleton between the look and the act, then again. */
static int commit_items(struct nft *nft, struct nat_batch *batch, struct err *err)
{
	for (int i = 0; i < TRIES; i++) {
		struct err local = ERR_NONE;
		int there = nat_table_there(nft, err), error = 0;

		if (there < 0)
			return -1;
		if (!there)
			nat_table_write(nft);
		for (size_t k = 0; k < batch->count; k++)
			nat_write_item(nft, &batch->items[k]);
		if (nft_commit(nft, 0, &error, NULL, &local) == 0)
			return 0;
		*err = local;
		if (error == EEXIST && there)
			return name_holder(nft, batch, err);
		if (error != EEXIST && error != ENOENT)
			return -1;
	}
	return -1;
}

static bool only_removes(const struct nat_batch *batch)
{
	for (size_t i = 0; i < batch->count; i++)
		if (!batch->items[i].removes)
			return false;
	return true;
}

int nat_commit(struct nft *nft, struct nat_batch *batch, struct err *err)
{
	int result = 0;

	/* Nothing can be taken from a table that is not there. */
	if (only_removes(batch)) {
		int there = nat_table_there(nft, err);

		if (there <= 0 || batch->count == 0) {
			batch->count = 0;
			return there < 0 ? -1 : 0;
		}
	}
	result = commit_items(nft, batch, err);
	crash_point("netplug", "rules-written");
	free(batch->items);
	batch->items = NULL;
	batch->count = 0;
	return result;
}

int nat_watch_open(struct err *err)
{
	return nft_watch_open(err);
}

static int judge(const char *table, const char *what, void *ctx)
{
	bool *lost = ctx;

	/* Elements and rules of ours, or a whole table: somebody flushed, or rewrote the rules that
	 * ours must live beside. */
	if (strcmp(table, NAT_TABLE) == 0 || strcmp(what, "table") == 0)
		*lost = true;
	return 0;
}

int nat_watch_read(int fd, bool *out_lost, struct err *err)
{
	*out_lost = false;
	return nft_watch_read(fd, judge, out_lost, err);
}
