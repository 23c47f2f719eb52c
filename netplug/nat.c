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
#include "netplug/nat_table.h"
#include "netplug/nft_dump.h"
#include "netplug/ports.h"

#define OWNER_MAX 128 /* nft's limit of a comment, with its NUL */
#define TRIES     32  /* looks and acts that another writer may come between */

struct item {
	enum nat_set set;
	bool removes;
	struct nft_element element; /* its comment is owner */
	char owner[OWNER_MAX];
	char name[40]; /* for errors: "port 8080/tcp" */
};

struct nat_batch {
	struct item *items;
	size_t count;
};

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

static struct nft_element *new_item(struct nat_batch *batch, enum nat_set set, bool removes,
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
	struct nft_element *element = new_item(batch, set, removes, owner, NULL);

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

	element = new_item(batch, six ? NAT_HAIR6 : NAT_HAIR4, removes, owner, NULL);
	put_range(element, subnet);
	put_range(element, subnet);
	element = new_item(batch, six ? NAT_INSIDE6 : NAT_INSIDE4, removes, owner, NULL);
	put_range(element, subnet);
	put_link(element, network->bridge);
	if (network->internal || network->options.no_masquerade || mode == GATEWAY_ROUTED ||
	    mode == GATEWAY_ISOLATED)
		return;
	if (address_is_set(source)) {
		element = new_item(batch, six ? NAT_SNAT6 : NAT_SNAT4, removes, owner, NULL);
		put_range(element, subnet);
		put_link(element, network->bridge);
		nft_key_put(element->data, &element->data_len, source->bytes, address_size(source));
		return;
	}
	element = new_item(batch, six ? NAT_MASQ6 : NAT_MASQ4, removes, owner, NULL);
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
		element = new_item(batch, six ? NAT_DIRECT6 : NAT_DIRECT4, removes, port->owner,
				   name);
		nft_key_put(element->key, &element->key_len, port->target.bytes,
			    address_size(&port->target));
		nft_key_put(element->key, &element->key_len, &port->protocol, 1);
		nft_key_put(element->key, &element->key_len, &target, sizeof(target));
		return;
	}
	element = new_item(batch, set, removes, port->owner, name);
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

static void write_item(struct nft *nft, struct item *item)
{
	item->element.comment = item->owner;
	if (item->removes)
		nft_del_element(nft, NFPROTO_INET, NAT_TABLE, nat_table_set(item->set)->name,
				&item->element, NFT_MAY_MISS);
	else
		nft_add_element(nft, NFPROTO_INET, NAT_TABLE, nat_table_set(item->set)->name,
				&item->element, 0, item->name);
}

static bool same_key(const struct nft_element *a, const struct nft_element *b)
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

	if (same_key(element, &search->item->element))
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
			write_item(nft, &batch->items[k]);
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

/* Whose elements are meant: of some owners, of a project, or (both NULL) of everybody but the host.
 */
struct whose {
	const char *project;
	const char *const *owners;
	size_t owner_count;
	const char *const *kept; /* networks of the project that stay */
	size_t kept_count;
};

static bool is_meant(const struct whose *whose, const char *comment)
{
	size_t len = whose->project ? strlen(whose->project) : 0;

	for (size_t i = 0; i < whose->owner_count; i++)
		if (strncmp(comment, whose->owners[i], OWNER_MAX - 1) == 0)
			return true;
	if (whose->owner_count)
		return false;
	if (!whose->project)
		return comment[0] && strcmp(comment, NAT_HOST_OWNER) != 0;
	if (strncmp(comment, whose->project, len) != 0 || comment[len] != '/')
		return false;
	for (size_t i = 0; i < whose->kept_count; i++)
		if (comment[len + 1] == '/' && strcmp(comment + len + 2, whose->kept[i]) == 0)
			return false;
	return true;
}

struct harvest {
	struct nft *nft;
	enum nat_set set;
	const struct whose *whose;
	struct nat_batch *out;
	size_t others;
};

static int sort_out(const struct nft_element *element, void *ctx)
{
	struct harvest *harvest = ctx;
	struct nft_element *copy;

	if (!is_meant(harvest->whose, element->comment)) {
		harvest->others += strcmp(element->comment, NAT_HOST_OWNER) != 0;
		return 0;
	}
	copy = new_item(harvest->out, harvest->set, true, element->comment, NULL);
	*copy = *element;
	return 0;
}

static int collect(struct harvest *harvest, struct err *err)
{
	for (enum nat_set set = 0; set < NAT_SET_COUNT; set++) {
		harvest->set = set;
		if (nft_dump_elements(harvest->nft, NFPROTO_INET, NAT_TABLE,
				      nat_table_set(set)->name, sort_out, harvest, err) < 0)
			return -1;
	}
	return 0;
}

/* One look and one transaction, which holds only if nobody wrote in between. */
static int remove_once(struct nft *nft, const struct whose *whose, struct err *err)
{
	AUTO(nat_batch) struct nat_batch *found = nat_batch_new();
	struct harvest harvest = { .nft = nft, .whose = whose, .out = found };
	uint32_t generation;

	if (nft_generation(nft, &generation, err) < 0 || collect(&harvest, err) < 0)
		return -1;
	if (!harvest.others)
		nft_del_table(nft, NFPROTO_INET, NAT_TABLE, NFT_MAY_MISS);
	else
		for (size_t i = 0; i < found->count; i++)
			write_item(nft, &found->items[i]);
	return nft_commit(nft, generation, NULL, NULL, err);
}

static int remove_some(struct nft *nft, const struct whose *whose, struct err *err)
{
	int there = nat_table_there(nft, err);

	if (there <= 0)
		return there;
	for (int i = 0; i < TRIES; i++) {
		struct err local = ERR_NONE;

		if (remove_once(nft, whose, &local) == 0) {
			crash_point("netplug", "rules-removed");
			return 0;
		}
		*err = local;
		if (local.code != ERR_BUSY)
			break;
	}
	return -1;
}

int nat_remove_project(struct nft *nft, const char *project, struct err *err)
{
	return remove_some(nft, &(struct whose){ .project = project }, err);
}

int nat_remove_project_except(struct nft *nft, const char *project, const char *const *networks,
			      size_t count, struct err *err)
{
	return remove_some(
		nft, &(struct whose){ .project = project, .kept = networks, .kept_count = count },
		err);
}

int nat_remove_owner(struct nft *nft, const char *owner, struct err *err)
{
	return nat_remove_owners(nft, &owner, 1, err);
}

int nat_remove_owners(struct nft *nft, const char *const *owners, size_t count, struct err *err)
{
	if (!count)
		return 0;
	return remove_some(nft, &(struct whose){ .owners = owners, .owner_count = count }, err);
}

static char *field_text(enum nft_type type, const uint8_t *bytes, char *out, size_t size)
{
	struct address address = { .family = type == NFT_T_IPV6 ? AF_INET6 : AF_INET };
	char text[ADDRESS_TEXT];
	uint16_t port;

	if (type == NFT_T_IPV4 || type == NFT_T_IPV6) {
		memcpy(address.bytes, bytes, address_size(&address));
		snprintf(out, size, "%s", address_text(&address, text));
	} else if (type == NFT_T_PORT) {
		memcpy(&port, bytes, sizeof(port));
		snprintf(out, size, "%u", ntohs(port));
	} else if (type == NFT_T_PROTO) {
		snprintf(out, size, "%s", ports_protocol_name(bytes[0]));
	} else {
		snprintf(out, size, "%.16s", (const char *)bytes);
	}
	return out;
}

/* "tcp . 8080", "10.1.0.0-10.1.0.255 . sbabc". */
static const char *key_text(struct arena *arena, const enum nft_type *types, const uint8_t *bytes,
			    const uint8_t *end)
{
	static const size_t room[] = { 0, 4, 16, 4, 4, 16 };
	char text[256] = "", one[64], last[64];
	size_t at = 0, used = 0;

	for (size_t i = 0; i < NFT_FIELDS && types[i] != NFT_T_NONE; i++) {
		field_text(types[i], bytes + at, one, sizeof(one));
		if (end)
			field_text(types[i], end + at, last, sizeof(last));
		used += (size_t)snprintf(text + used, sizeof(text) - used, "%s%s%s%s",
					 i ? " . " : "", one,
					 end && strcmp(one, last) != 0 ? "-" : "",
					 end && strcmp(one, last) != 0 ? last : "");
		at += room[types[i]];
	}
	return arena_strdup(arena, text);
}

int nat_list(struct nft *nft, struct arena *arena, const char *project, struct nat_element **out,
	     size_t *out_count, struct err *err)
{
	AUTO(nat_batch) struct nat_batch *found = nat_batch_new();
	struct whose whose = { .project = project };
	struct harvest harvest = { .nft = nft, .whose = &whose, .out = found };

	*out = NULL;
	*out_count = 0;
	if (collect(&harvest, err) < 0)
		return -1;
	for (size_t i = 0; i < found->count; i++) {
		const struct item *item = &found->items[i];
		const struct nft_set *set = nat_table_set(item->set);
		struct nat_element *row = arena_grow(arena, out, out_count, sizeof(*row));

		row->set = set->name;
		row->owner = arena_strdup(arena, item->owner);
		row->key = key_text(arena, set->key, item->element.key,
				    item->element.key_end_len ? item->element.key_end : NULL);
		row->value = item->element.data_len
				     ? key_text(arena, set->data, item->element.data, NULL)
				     : "";
	}
	return 0;
}

static bool same_item(const struct item *a, const struct item *b)
{
	return a->set == b->set && same_key(&a->element, &b->element) &&
	       a->element.data_len == b->element.data_len &&
	       memcmp(a->element.data, b->element.data, a->element.data_len) == 0;
}

static bool has_item(const struct nat_batch *batch, const struct item *item, bool removes)
{
	for (size_t i = 0; i < batch->count; i++)
		if (batch->items[i].removes == removes && same_item(&batch->items[i], item))
			return true;
	return false;
}

int nat_reconcile(struct nft *nft, const char *project, const struct nat_batch *batch, bool repair,
		  size_t *out_missing, size_t *out_extra, struct err *err)
{
	AUTO(nat_batch) struct nat_batch *found = nat_batch_new();
	AUTO(nat_batch) struct nat_batch *change = nat_batch_new();
	struct whose whose = { .project = project };
	struct harvest harvest = { .nft = nft, .whose = &whose, .out = found };
	bool damaged = false;
	int there = nat_table_there(nft, err);

	*out_missing = *out_extra = 0;
	if (there < 0 || (there && nat_table_damaged(nft, &damaged, err) < 0) ||
	    collect(&harvest, err) < 0)
		return -1;
	for (size_t i = 0; i < found->count; i++)
		if (!has_item(batch, &found->items[i], false)) {
			++*out_extra;
			*(struct item *)xgrow(&change->items, &change->count, sizeof(struct item)) =
				found->items[i];
		}
	for (size_t i = 0; i < batch->count; i++)
		if (!batch->items[i].removes && !has_item(found, &batch->items[i], true)) {
			++*out_missing;
			*(struct item *)xgrow(&change->items, &change->count, sizeof(struct item)) =
				batch->items[i];
		}
	*out_missing += damaged;
	if (!repair)
		return 0;
	if (damaged) {
		nat_table_rewrite(nft);
		if (nft_commit(nft, 0, NULL, NULL, err) < 0)
			return -1;
	}
	return change->count ? nat_commit(nft, change, err) : 0;
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
