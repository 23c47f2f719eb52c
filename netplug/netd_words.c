/* netplug/netd_words - what the supervisor can say to stack-netd: one table of words.
 *
 * Owns: the reading of requests, the sockets that are held. May not touch: conversations
 * (netd_talk), packets. docs/netd.md tells every word.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/cleanup.h"
#include "base/json.h"
#include "netplug/netd_request.h"
#include "netplug/relay.h"
#include "netplug/zone_index.h"

#define PAGE_BYTES 48000 /* a list's page: well below MESSAGE_MAX */

static const char *const stat_names[] = { "queries", "answered",  "forwarded", "merged",
					  "refused", "timed_out", "dropped",   "relayed" };
_Static_assert(sizeof(stat_names) / sizeof(*stat_names) == STAT_COUNT, "a counter has no name");

static const char *const socket_names[] = { "udp", "tcp", "upstream", "upstream_tcp" };

static void slot_fds(const struct slot *slot, int fds[4])
{
	fds[0] = slot->udp.fd;
	fds[1] = slot->tcp.fd;
	fds[2] = slot->upstream.fd;
	fds[3] = slot->upstream_tcp_fd;
}

static struct hold *hold_find(struct netd *netd, const char *key)
{
	struct hold *hold;

	TAILQ_FOREACH(hold, &netd->holds, next)
	if (strcmp(hold->key, key) == 0)
		return hold;
	return NULL;
}

static int need_key(const struct request *request, const char *what, const char *name,
		    const char **out, struct err *err)
{
	if (json_need_text(request->in, what, name, out, err) < 0)
		return -1;
	if (!**out || strlen(*out) >= NETD_KEY_MAX)
		return err_set(err, ERR_INVALID, "%s: %s must have 1 to %d bytes", what, name,
			       NETD_KEY_MAX - 1);
	return 0;
}

static int read_servers(struct json_object *array, struct server_list *out, struct err *err)
{
	struct endpoint_address loop;

	*out = (struct server_list){ 0 };
	core_address("127.0.0.11", DNS_PORT, &loop, err);
	for (size_t i = 0; i < json_array_count(array); i++) {
		const char *text = json_object_get_string(json_object_array_get_idx(array, i));
		struct endpoint_address *server = &out->servers[out->count];

		if (out->count == NETD_SERVERS_MAX)
			break;
		if (core_address(text ? text : "", DNS_PORT, server, err) < 0)
			return err_wrap(err, "server");
		out->count += !core_same_address(server, &loop);
	}
	return 0;
}

static void write_servers(struct json_object *object, const char *key,
			  const struct server_list *servers)
{
	struct json_object *array = json_add_array(object, key);
	char text[80];

	for (size_t i = 0; i < servers->count; i++)
		json_push_text(array, core_address_text(&servers->servers[i], text));
}

static size_t count_slots(const struct netd *netd)
{
	const struct slot *slot;
	size_t n = 0;

	TAILQ_FOREACH(slot, &netd->slots, next)
	n++;
	return n;
}

static int op_hello(struct netd *netd, struct request *request, struct err *err)
{
	struct conversation *other, *next;
	const struct hold *hold;
	const struct relay *relay;
	size_t holds = 0, relays = 0;

	(void)err;
	for (other = TAILQ_FIRST(&netd->conversations); other; other = next) {
		next = TAILQ_NEXT(other, next);
		if (other == request->from)
			continue;
		TAILQ_REMOVE(&netd->conversations, other, next);
		core_unwatch(netd, &other->io);
		core_bury(netd, other);
	}
	TAILQ_FOREACH(hold, &netd->holds, next)
	holds++;
	TAILQ_FOREACH(relay, &netd->relays, next)
	relays++;
	json_add_int(request->out, "version", NETD_VERSION);
	json_add_text(request->out, "project", netd->project);
	json_add_int(request->out, "pid", getpid());
	json_add_int(request->out, "zone", netd->zone ? (int64_t)zone_index_serial(netd->zone) : 0);
	json_add_int(request->out, "slots", (int64_t)count_slots(netd));
	json_add_int(request->out, "holds", (int64_t)holds);
	json_add_int(request->out, "relays", (int64_t)relays);
	return 0;
}

static int op_zone(struct netd *netd, struct request *request, struct err *err)
{
	struct zone_index *zone;
	struct slot *slot;

	if (request->fd_count != 1)
		return err_set(err, ERR_INVALID, "zone: one descriptor is needed");
	zone = zone_index_load(request->fds[0], err);
	if (!zone)
		return -1;
	zone_index_free(netd->zone);
	netd->zone = zone;
	TAILQ_FOREACH(slot, &netd->slots, next)
	slot->asker = zone_index_asker(zone, slot->name);
	return 0;
}

static int op_slot(struct netd *netd, struct request *request, struct err *err)
{
	struct json_object *names = json_array_at(request->in, "sockets");
	int fds[4] = { -1, -1, -1, -1 };
	struct server_list servers;
	const char *name;

	if (need_key(request, "slot", "slot", &name, err) < 0 ||
	    read_servers(json_array_at(request->in, "servers"), &servers, err) < 0)
		return -1;
	if (json_array_count(names) != request->fd_count)
		return err_set(err, ERR_INVALID, "slot %s: %zu sockets are named, %zu came", name,
			       json_array_count(names), request->fd_count);
	for (size_t i = 0; i < request->fd_count; i++) {
		const char *word = json_object_get_string(json_object_array_get_idx(names, i));

		for (size_t k = 0; k < 4; k++)
			if (word && strcmp(word, socket_names[k]) == 0 && fds[k] < 0)
				fds[k] = TAKE_FD(request->fds[i]);
	}
	return slot_add(netd, name, fds, &servers,
			json_bool_or(request->in, "internal_only", false), err);
}

static int op_drop(struct netd *netd, struct request *request, struct err *err)
{
	const char *name;
	struct slot *slot;

	if (need_key(request, "drop", "slot", &name, err) < 0)
		return -1;
	slot = slot_find(netd, name);
	if (slot)
		slot_drop(netd, slot);
	return 0;
}

/* The texts of the member `keys`, checked; the array is borrowed. */
static int need_keys(const struct request *request, struct json_object **out, struct err *err)
{
	*out = json_array_at(request->in, "keys");
	for (size_t i = 0; i < json_array_count(*out); i++) {
		struct json_object *item = json_object_array_get_idx(*out, i);

		if (!json_object_is_type(item, json_type_string) ||
		    json_object_get_string_len(item) >= NETD_KEY_MAX)
			return err_set(err, ERR_INVALID, "keys: texts below %d bytes are needed",
				       NETD_KEY_MAX);
	}
	return 0;
}

static void hold_drop(struct netd *netd, struct hold *hold)
{
	TAILQ_REMOVE(&netd->holds, hold, next);
	close(hold->fd);
	free(hold);
}

static int op_hold(struct netd *netd, struct request *request, struct err *err)
{
	struct json_object *keys;

	if (need_keys(request, &keys, err) < 0)
		return -1;
	if (json_array_count(keys) != request->fd_count)
		return err_set(err, ERR_INVALID, "hold: %zu keys, but %zu descriptors",
			       json_array_count(keys), request->fd_count);
	for (size_t i = 0; i < request->fd_count; i++) {
		const char *key = json_object_get_string(json_object_array_get_idx(keys, i));
		struct hold *old = hold_find(netd, key), *hold = xcalloc(1, sizeof(*hold));

		snprintf(hold->key, sizeof(hold->key), "%s", key);
		hold->fd = TAKE_FD(request->fds[i]);
		TAILQ_INSERT_TAIL(&netd->holds, hold, next);
		if (old)
			hold_drop(netd, old);
	}
	return 0;
}

static int op_unhold(struct netd *netd, struct request *request, struct err *err)
{
	struct json_object *keys;

	if (need_keys(request, &keys, err) < 0)
		return -1;
	for (size_t i = 0; i < json_array_count(keys); i++) {
		struct hold *hold =
			hold_find(netd, json_object_get_string(json_object_array_get_idx(keys, i)));

		if (hold)
			hold_drop(netd, hold);
	}
	return 0;
}

static int op_relay(struct netd *netd, struct request *request, struct err *err)
{
	struct endpoint_address target;
	const char *key, *address;
	int64_t port;

	if (need_key(request, "relay", "key", &key, err) < 0 ||
	    json_need_text(request->in, "relay", "address", &address, err) < 0 ||
	    json_need_int(request->in, "relay", "port", &port, err) < 0)
		return -1;
	if (port < 1 || port > 65535 || request->fd_count > 1)
		return err_set(err, ERR_INVALID, "relay %s: port %lld, %zu descriptors", key,
			       (long long)port, request->fd_count);
	if (core_address(address, (uint16_t)port, &target, err) < 0)
		return err_wrap(err, "relay %s", key);
	return relay_add(netd, key, request->fd_count ? TAKE_FD(request->fds[0]) : -1, &target,
			 err);
}

static int op_unrelay(struct netd *netd, struct request *request, struct err *err)
{
	struct json_object *keys;

	if (need_keys(request, &keys, err) < 0)
		return -1;
	for (size_t i = 0; i < json_array_count(keys); i++) {
		struct relay *relay = relay_find(
			netd, json_object_get_string(json_object_array_get_idx(keys, i)));

		if (relay)
			relay_drop(netd, relay);
	}
	return 0;
}

static int op_upstreams(struct netd *netd, struct request *request, struct err *err)
{
	struct server_list servers;

	if (read_servers(json_array_at(request->in, "servers"), &servers, err) < 0)
		return -1;
	netd->upstreams = servers;
	return 0;
}

static void describe_slot(const struct slot *slot, struct json_object *array)
{
	struct json_object *item = json_object_new_object(), *sockets;
	int fds[4];

	slot_fds(slot, fds);
	json_add_text(item, "slot", slot->name);
	sockets = json_add_array(item, "sockets");
	for (size_t i = 0; i < 4; i++)
		if (fds[i] >= 0)
			json_push_text(sockets, socket_names[i]);
	write_servers(item, "servers", &slot->servers);
	json_add_bool(item, "internal_only", slot->internal_only);
	json_add_bool(item, "known", slot->asker >= 0);
	json_object_array_add(array, item);
}

static void describe_relay(const struct relay *relay, struct json_object *array)
{
	struct json_object *item = json_object_new_object();
	char text[80];

	json_add_text(item, "key", relay->key);
	json_add_text(item, "address", core_address_text(&relay->target, text));
	json_add_int(item, "port", ntohs(relay->target.at.in4.sin_port)); /* in6: the same place */
	json_object_array_add(array, item);
}

/* One page: entries from number `from` on; `next` is the number to go on with, absent on the last
 * page. */
static int op_list(struct netd *netd, struct request *request, struct err *err)
{
	int64_t from = json_int_or(request->in, "from", 0), at = 0, used = 0;
	struct json_object *slots = json_add_array(request->out, "slots");
	struct json_object *holds = json_add_array(request->out, "holds");
	struct json_object *relays = json_add_array(request->out, "relays");
	const struct slot *slot;
	const struct hold *hold;
	const struct relay *relay;

	(void)err;
	/* No entry is longer than its parts' limits: 96 bytes of key, 8 servers of 50. */
	TAILQ_FOREACH(slot, &netd->slots, next)
	if (at++ >= from && used < PAGE_BYTES)
		describe_slot(slot, slots), used += 700, from = at;
	TAILQ_FOREACH(hold, &netd->holds, next)
	if (at++ >= from && used < PAGE_BYTES)
		json_push_text(holds, hold->key), used += NETD_KEY_MAX + 8, from = at;
	TAILQ_FOREACH(relay, &netd->relays, next)
	if (at++ >= from && used < PAGE_BYTES)
		describe_relay(relay, relays), used += 256, from = at;
	if (from < at)
		json_add_int(request->out, "next", from);
	write_servers(request->out, "upstreams", &netd->upstreams);
	json_add_int(request->out, "zone", netd->zone ? (int64_t)zone_index_serial(netd->zone) : 0);
	return 0;
}

/* Duplicates of the sockets of one slot, or of one key. */
static int op_give(struct netd *netd, struct request *request, struct err *err)
{
	const char *slot_name = json_text_or(request->in, "slot", NULL);
	const char *key = json_text_or(request->in, "key", "");
	const struct slot *slot = slot_name ? slot_find(netd, slot_name) : NULL;
	const struct hold *hold = slot_name ? NULL : hold_find(netd, key);
	const struct relay *relay = slot_name || hold ? NULL : relay_find(netd, key);
	struct json_object *sockets;
	int fds[4];

	if (!slot && !hold && !relay)
		return err_set(err, ERR_NOT_FOUND, "%s is not held", slot_name ? slot_name : key);
	if (!slot) {
		request->answer_fds[request->answer_fd_count++] = hold ? hold->fd : relay->io.fd;
		return 0;
	}
	slot_fds(slot, fds);
	sockets = json_add_array(request->out, "sockets");
	for (size_t i = 0; i < 4; i++)
		if (fds[i] >= 0) {
			json_push_text(sockets, socket_names[i]);
			request->answer_fds[request->answer_fd_count++] = fds[i];
		}
	write_servers(request->out, "servers", &slot->servers);
	json_add_bool(request->out, "internal_only", slot->internal_only);
	return 0;
}

static int op_stats(struct netd *netd, struct request *request, struct err *err)
{
	struct json_object *stats = json_add_object(request->out, "stats");

	(void)err;
	for (size_t i = 0; i < STAT_COUNT; i++)
		json_add_int(stats, stat_names[i], (int64_t)netd->stats[i]);
	json_add_int(stats, "outstanding", (int64_t)netd->pending_count);
	json_add_int(stats, "connections", (int64_t)netd->pair_count);
	return 0;
}

/* A successor has our sockets, or duplicates of them: nothing new is taken, what is on its way goes
 * on. */
static int op_retire(struct netd *netd, struct request *request, struct err *err)
{
	struct relay *relay;
	struct hold *hold;
	struct slot *slot;

	(void)request;
	(void)err;
	netd->is_retired = true;
	core_unwatch(netd, &netd->listener);
	TAILQ_FOREACH(slot, &netd->slots, next)
	{
		core_mute(netd, &slot->udp); /* answers still leave from it */
		core_mute(netd, &slot->tcp);
	}
	while ((relay = TAILQ_FIRST(&netd->relays)) != NULL)
		relay_drop(netd, relay);
	while ((hold = TAILQ_FIRST(&netd->holds)) != NULL)
		hold_drop(netd, hold);
	return 0;
}

static int op_end(struct netd *netd, struct request *request, struct err *err)
{
	(void)request;
	(void)err;
	netd->is_ended = true;
	return 0;
}

static const struct word {
	const char *name;
	int (*serve)(struct netd *netd, struct request *request, struct err *err);
} words[] = {
  /* clang-format off */
	{ "hello",     op_hello },
	{ "zone",      op_zone },
	{ "slot",      op_slot },
	{ "drop",      op_drop },
	{ "hold",      op_hold },
	{ "unhold",    op_unhold },
	{ "relay",     op_relay },
	{ "unrelay",   op_unrelay },
	{ "upstreams", op_upstreams },
	{ "list",      op_list },
	{ "give",      op_give },
	{ "stats",     op_stats },
	{ "retire",    op_retire },
	{ "end",       op_end },
  /* clang-format on */
};

int words_serve(struct netd *netd, struct request *request, struct err *err)
{
	const char *op = json_text_or(request->in, "op", "");

	for (size_t i = 0; i < sizeof(words) / sizeof(*words); i++)
		if (strcmp(words[i].name, op) == 0)
			return words[i].serve(netd, request, err);
	return err_set(err, ERR_UNSUPPORTED, "\"%.40s\" is no word of this version", op);
}
