/* netplug/zone - what names mean: the supervisor's description as a file.
 *
 * Owns: the form of the zone file. May not touch: its meaning for an answer (netplug/zone_index).
 */
#include "netplug/zone.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>

#include "base/alloc.h"
#include "base/cleanup.h"
#include "base/file.h"
#include "base/json.h"

static void add_texts(struct json_object *object, const char *key, const char *const *texts,
		      size_t count)
{
	struct json_object *array = count ? json_add_array(object, key) : NULL;

	for (size_t i = 0; i < count; i++)
		json_push_text(array, texts[i]);
}

/* A new object at the end of the array; borrowed. */
static struct json_object *push_object(struct json_object *array)
{
	struct json_object *object = json_object_new_object();

	json_object_array_add(array, object);
	return object;
}

static void add_pair(struct json_object *array, const char *key_a, const char *a, const char *key_b,
		     const char *b)
{
	struct json_object *object = push_object(array);

	json_add_text(object, key_a, a);
	json_add_text(object, key_b, b);
}

static void add_endpoint(struct json_object *array, const struct zone_endpoint *endpoint)
{
	struct json_object *object = push_object(array);
	struct json_object *list = json_add_array(object, "networks");

	json_add_text(object, "slot", endpoint->slot);
	json_add_text(object, "service", endpoint->service);
	json_add_text(object, "container", endpoint->container);
	json_add_text(object, "id", endpoint->short_id);
	json_add_bool(object, "live", endpoint->live);
	if (endpoint->unhealthy)
		json_add_bool(object, "unhealthy", true);
	json_add_text(object, "gateway4", endpoint->gateway4);
	json_add_text(object, "gateway6", endpoint->gateway6);
	for (size_t i = 0; i < endpoint->attachment_count; i++) {
		const struct zone_attachment *at = &endpoint->attachments[i];
		struct json_object *item = push_object(list);

		json_add_text(item, "network", at->network);
		add_texts(item, "addresses", at->addresses, at->address_count);
		add_texts(item, "aliases", at->aliases, at->alias_count);
	}
	list = endpoint->link_count ? json_add_array(object, "links") : NULL;
	for (size_t i = 0; i < endpoint->link_count; i++)
		add_pair(list, "alias", endpoint->links[i].alias, "target",
			 endpoint->links[i].target);
	list = endpoint->host_count ? json_add_array(object, "hosts") : NULL;
	for (size_t i = 0; i < endpoint->host_count; i++)
		add_pair(list, "name", endpoint->hosts[i].name, "address",
			 endpoint->hosts[i].address);
}

char *zone_text(const struct zone *zone, size_t *out_len)
{
	AUTO(json) struct json_object *root = json_object_new_object();
	struct json_object *list;
	const char *text;

	json_add_int(root, "version", 1);
	json_add_text(root, "project", zone->project);
	json_add_int(root, "serial", (int64_t)zone->serial);
	json_add_int(root, "ttl", zone->ttl_seconds);
	if (zone->healthy_only)
		json_add_bool(root, "healthy_only", true);
	list = json_add_array(root, "networks");
	for (size_t i = 0; i < zone->network_count; i++) {
		struct json_object *item = push_object(list);

		json_add_text(item, "name", zone->networks[i].name);
		add_texts(item, "subnets", zone->networks[i].subnets,
			  zone->networks[i].subnet_count);
	}
	list = json_add_array(root, "endpoints");
	for (size_t i = 0; i < zone->endpoint_count; i++)
		add_endpoint(list, &zone->endpoints[i]);
	text = json_object_to_json_string_length(
		root, JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE, out_len);
	return xstrndup(text, *out_len);
}

int zone_write(int dir_fd, const struct zone *zone, struct err *err)
{
	size_t len;
	AUTO(free) char *text = zone_text(zone, &len);
	int fd;

	if (len > ZONE_MAX_BYTES)
		return err_set(err, ERR_NO_SPACE, "zone of %s: %zu bytes are too many",
			       zone->project, len);
	if (file_replace(dir_fd, ZONE_FILE, text, len, err) < 0)
		return err_wrap(err, "zone of %s", zone->project);
	fd = openat(dir_fd, ZONE_FILE, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	return fd < 0 ? err_sys(err, errno, "open the zone of %s", zone->project) : fd;
}
