/* orchestrator/change_connect - one container joins or leaves a network. Read the table first.
 *
 * Owns: the order of these steps, their way back. May not touch: which networks count
 * (connections), links and books (network).
 */
#include "orchestrator/change_connect.h"

#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/json.h"
#include "orchestrator/change_net.h"
#include "orchestrator/connections.h"
#include "orchestrator/reattach.h"
#include "orchestrator/rewire.h"
#include "orchestrator/settings.h"
#include "orchestrator/slot.h"
#include "orchestrator/slot_names.h"

static void read_texts(struct arena *arena, const struct json_object *array, struct texts *out)
{
	out->count = json_array_count(array);
	out->items = arena_alloc(arena, (out->count + 1) * sizeof(char *));
	for (size_t i = 0; i < out->count; i++)
		out->items[i] = arena_strdup(arena, json_array_text(array, i));
}

static void read_options(struct arena *arena, struct json_object *options, struct attachment *wish)
{
	if (!options)
		return;
	wish->driver_opts.items = arena_alloc(
		arena, ((size_t)json_object_object_length(options) + 1) * sizeof(struct pair));
	json_each(options, name, value) {
		struct pair *pair = &wish->driver_opts.items[wish->driver_opts.count++];

		pair->name = arena_strdup(arena, name);
		pair->value = arena_strdup(arena, value ? json_object_get_string(value) : "");
	}
}

void connect_read(struct change *change, const struct json_object *message, bool disconnects)
{
	struct connect_request *connect = arena_alloc(change->arena, sizeof(*connect));
	struct attachment *wish = &connect->wish;

	connect->disconnects = disconnects;
	connect->container = arena_strdup(change->arena, json_text_or(message, "container", ""));
	wish->network = arena_strdup(change->arena, json_text_or(message, "network", ""));
	wish->ipv4_address = arena_strdup(change->arena, json_text_or(message, "ip4", NULL));
	wish->ipv6_address = arena_strdup(change->arena, json_text_or(message, "ip6", NULL));
	wish->gw_priority =
		(struct opt_number){ (double)json_int_or(message, "gw_priority", 0), true };
	read_texts(change->arena, json_array_at(message, "aliases"), &wish->aliases);
	read_texts(change->arena, json_array_at(message, "link_local"), &wish->link_local_ips);
	read_options(change->arena, json_object_at(message, "driver_opts"), wish);
	change->connect = connect;
}

static int claim(void *data, struct err *err)
{
	struct change *change = data;
	struct connect_request *connect = change->connect;
	const struct project *project = change->model->project;
	const struct service *service, *now;
	struct slot *slot = slot_by_container(change->sv, connect->container);
	int status;

	service = slot ? slot_service(slot) : NULL;
	if (!service || !slot->net)
		return err_set(err, ERR_NOT_FOUND, "no such container");
	connect->slot = slot;
	connect->former = slot_net_ref(slot->net);
	now = connections_service(change->arena, service, slot->record);
	if (connect->disconnects)
		status = connections_remove(change->arena, project, now, slot->net,
					    connect->wish.network, &connect->service, err);
	else
		status = connections_add(change->arena, project, now, slot->net, &connect->wish,
					 &connect->service, err);
	if (status < 0)
		return err_wrap(err, "container %s", slot->record->name);
	net_claim_slot(change, slot, connect->service, slot->oneoff == NULL);
	return 0;
}

static int forget(void *data, struct err *err)
{
	struct change *change = data;

	slot_net_free(change->connect->former);
	change->connect->former = NULL;
	return net_unclaim(data, err);
}

static int unprepare(void *data, struct err *err)
{
	struct change *change = data;

	return net_unprepare(change->sv->net, change->net_wants, change->net_want_count, err);
}

/* ---- links of what runs ---- */

static int wire_as(struct change *change, const struct slot_net *from, struct slot_net *to,
		   struct err *err)
{
	const struct slot *slot = change->connect->slot;
	const struct texts *dns =
		settings_or(&change->connect->service->dns, &change->sv->settings->dns);
	struct reattach one = { .name = slot->name,
				.container = slot->record->id,
				.net = to,
				.servers = dns->items,
				.server_count = dns->count };
	struct slot_names names = { .sv = change->sv,
				    .service = change->connect->service,
				    .net = to,
				    .slot_name = slot->name,
				    .container = slot->record->id,
				    .arena = change->arena };

	return reattach_changed(change->sv, &one, from, err) < 0
		       ? -1
		       : slot_names_change(&names, from, err);
}

static int wire(void *data, struct err *err)
{
	struct change *change = data;
	struct connect_request *connect = change->connect;

	if (!slot_is_live(connect->slot) || connect->former->stale)
		return 0;
	connect->wired = true;
	return wire_as(change, connect->former, change->net_wants[0].out_net, err);
}

static int unwire(void *data, struct err *err)
{
	struct change *change = data;
	struct connect_request *connect = change->connect;

	return connect->wired ? wire_as(change, change->net_wants[0].out_net, connect->former, err)
			      : 0;
}

/* Addresses on networks that were left are free again. What does not run keeps its mark: nobody
 * else remembers them. */
static int release(void *data, struct err *err)
{
	struct change *change = data;
	struct record *record = change->connect->slot->record;
	struct err ignored = ERR_NONE;

	if (!change->connect->wired)
		return 0;
	if (net_release_left(change->sv->net, change->connect->former, change->net_wants[0].out_net,
			     err) < 0)
		return -1;
	rewire_done(record);
	record_save(change->sv->dirs->containers_fd, record, &ignored); /* else it is done twice */
	return 0;
}

/* Before the link: a successor completes what the record says. */
static int save(void *data, struct err *err)
{
	struct change *change = data;
	struct connect_request *connect = change->connect;

	connect->former_info = arena_strdup(change->arena, connect->slot->record->info);
	connections_save(connect->slot->record, connect->service, change->net_wants[0].out_net);
	rewire_note(connect->slot->record, connect->former, change->net_wants[0].out_net);
	return record_save(change->sv->dirs->containers_fd, connect->slot->record, err);
}

static int unsave(void *data, struct err *err)
{
	struct change *change = data;
	struct record *record = change->connect->slot->record;

	if (!change->connect->former_info)
		return 0;
	free(record->info);
	record->info = xstrdup(change->connect->former_info);
	return record_save(change->sv->dirs->containers_fd, record, err);
}

static int settle(void *data, struct err *err)
{
	struct change *change = data;
	struct connect_request *connect = change->connect;

	net_settle(change, err);
	if (connect->wired) {
		slot_net_free(connect->slot->net->stale);
		connect->slot->net->stale = NULL;
	}
	slot_net_free(connect->former);
	connect->former = NULL;
	slot_event(connect->slot, connect->disconnects ? "disconnect" : "connect",
		   connect->wish.network);
	return 0;
}

/* clang-format off */
const struct stage connect_stages[] = {
	/* name              where    run            undo           timeout_ms */
	{ "claim-slots",     ON_LOOP, claim,         forget,        0 },
	{ "prepare-network", IN_POOL, net_batch,     unprepare,     0 },
	{ "save-record",     IN_POOL, save,          unsave,        0 },
	{ "wire-links",      IN_POOL, wire,          unwire,        0 },
	{ "release-lease",   IN_POOL, release,       NULL,          0 },
	{ "settle-network",  ON_LOOP, settle,        NULL,          0 },
	{ NULL,              ON_LOOP, NULL,          NULL,          0 },
};
/* clang-format on */
