/* orchestrator/network_foreign - who else is on our networks: names of other projects' containers.
 *
 * A lease tells that somebody is there; the zone of his project, which his supervisor writes for
 * his own name server, tells his names and whether he runs. Owns: the reading of others' zones. May
 * not touch: other projects' records.
 */
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#include "base/json.h"
#include "base/text.h"
#include "orchestrator/network_inner.h"

#define ZONES_MAX 64 /* projects on our networks that are looked at */

struct foreign_zone {
	const char *project;
	struct json_object *zone; /* NULL: it has none, nothing of it runs */
};

struct search {
	struct project_net *net;
	struct arena *arena;
	struct foreign_zone zones[ZONES_MAX];
	size_t zone_count;
	struct zone_endpoint *found;
	size_t found_count;
};

static struct json_object *zone_of(struct search *s, struct slice project)
{
	const char *name = arena_strndup(s->arena, project.at, project.len);
	struct err ignored = ERR_NONE;
	struct foreign_zone *zone;

	for (size_t i = 0; i < s->zone_count; i++)
		if (strcmp(s->zones[i].project, name) == 0)
			return s->zones[i].zone;
	if (s->zone_count == ZONES_MAX)
		return NULL;
	zone = &s->zones[s->zone_count++];
	zone->project = name;
	zone->zone = json_read_file(s->net->np.runtime_fd,
				    arena_format(s->arena, "projects/%s/" ZONE_FILE, name),
				    ZONE_MAX_BYTES, &ignored);
	return zone->zone;
}

static struct json_object *member_called(struct json_object *array, const char *key,
					 const char *value)
{
	for (size_t i = 0; i < json_array_count(array); i++) {
		struct json_object *one = json_object_array_get_idx(array, i);

		if (strcmp(json_text_or(one, key, ""), value) == 0)
			return one;
	}
	return NULL;
}

static const char **read_texts(struct arena *arena, struct json_object *array, size_t *out_count)
{
	size_t count = json_array_count(array);
	const char **texts = arena_alloc(arena, (count + 1) * sizeof(char *));

	for (size_t i = 0; i < count; i++)
		texts[i] = arena_strdup(arena, json_array_text(array, i));
	*out_count = count;
	return texts;
}

static void add(struct search *s, struct json_object *endpoint, struct json_object *at,
		const char *network)
{
	struct zone_attachment *attachment = arena_alloc(s->arena, sizeof(*attachment));
	struct zone_endpoint *out =
		arena_grow(s->arena, &s->found, &s->found_count, sizeof(*s->found));

	attachment->network = network;
	attachment->addresses =
		read_texts(s->arena, json_array_at(at, "addresses"), &attachment->address_count);
	attachment->aliases =
		read_texts(s->arena, json_array_at(at, "aliases"), &attachment->alias_count);
	*out = (struct zone_endpoint){
		.service = arena_strdup(s->arena, json_text_or(endpoint, "service", NULL)),
		.container = arena_strdup(s->arena, json_text_or(endpoint, "container", NULL)),
		.short_id = arena_strdup(s->arena, json_text_or(endpoint, "id", NULL)),
		.live = true,
		.unhealthy = json_bool_or(endpoint, "unhealthy", false),
		.attachments = attachment,
		.attachment_count = 1,
	};
}

/* "shop/web/1": the endpoint "web.1" of the zone of shop. */
static void look_at(struct search *s, const char *network, const char *slot)
{
	struct slice project, rest;
	struct json_object *zone, *endpoint, *at;
	char *name;

	if (!slice_split(SLICE(slot), '/', &project, &rest))
		return;
	zone = zone_of(s, project);
	name = arena_strndup(s->arena, rest.at, rest.len);
	if (strchr(name, '/'))
		*strchr(name, '/') = '.';
	endpoint = zone ? member_called(json_array_at(zone, "endpoints"), "slot", name) : NULL;
	at = member_called(json_array_at(endpoint, "networks"), "network", network);
	if (at && json_bool_or(endpoint, "live", false))
		add(s, endpoint, at, network);
}

static bool is_ours(const struct project_net *net, const char *slot)
{
	size_t len = strlen(net->project);

	return strncmp(slot, net->project, len) == 0 && slot[len] == '/';
}

int net_zone_foreign(struct project_net *net, struct arena *arena, struct zone_endpoint **out,
		     size_t *out_count, struct err *err)
{
	struct search s = { .net = net, .arena = arena };
	struct network_record **networks = NULL;
	size_t count = 0;
	int status;

	pthread_mutex_lock(&net->lock);
	status = net_zone_records(net, arena, &networks, &count, err);
	for (size_t i = 0; status == 0 && i < count; i++)
		for (size_t k = 0; k < networks[i]->lease_count; k++)
			if (!is_ours(net, networks[i]->leases[k].slot))
				look_at(&s, networks[i]->name, networks[i]->leases[k].slot);
	pthread_mutex_unlock(&net->lock);
	for (size_t i = 0; i < s.zone_count; i++)
		json_object_put(s.zones[i].zone);
	*out = s.found;
	*out_count = s.found_count;
	return status;
}

void net_tell_others(struct project_net *net)
{
	struct arena *arena = arena_new();
	struct network_record **networks = NULL;
	struct err ignored = ERR_NONE;
	size_t count = 0;

	pthread_mutex_lock(&net->lock);
	if (net_zone_records(net, arena, &networks, &count, &ignored) < 0)
		count = 0;
	for (size_t i = 0; i < count; i++)
		if (net_foreign_holder(net, networks[i]))
			utimensat(net->np.state_fd,
				  arena_format(arena, "networks/%s.json", networks[i]->name), NULL,
				  AT_SYMLINK_NOFOLLOW);
	pthread_mutex_unlock(&net->lock);
	arena_free(arena);
}
