/* netplug/nat_found - the elements that the kernel has: found by their owners, listed, compared,
 * taken away.
 *
 * Owns: whose an element is, comparison with a batch. May not touch: what a network or a port needs
 * (nat). Blocks: until the kernel has answered.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/crash.h"
#include "base/text.h"
#include "netplug/nat_batch.h"
#include "netplug/nft_dump.h"
#include "netplug/ports.h"

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
	copy = nat_new_item(harvest->out, harvest->set, true, element->comment, NULL);
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
			nat_write_item(nft, &found->items[i]);
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
	return a->set == b->set && nat_same_key(&a->element, &b->element) &&
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
