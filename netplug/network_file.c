/* netplug/network_file - the form of networks/NAME.json.
 *
 * Owns: the keys of the file, the folder and its lock. May not touch: which addresses are chosen.
 * Blocks: disk, flock.
 */
#include "netplug/network_file.h"

#include <ctype.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "base/json.h"

#define FOLDER       "networks"
#define LOCK         ".lock"
#define FILE_MAX     (16u << 20)
#define NAME_MAX_LEN 200

static const char *const drivers[] = {
	[NETWORK_BRIDGE] = "bridge", [NETWORK_MACVLAN] = "macvlan", [NETWORK_IPVLAN] = "ipvlan"
};

int network_file_lock(const struct netplug *np, int *out_dir_fd, int *out_lock_fd, struct err *err)
{
	AUTO(fd) int dir = file_open_dir(np->state_fd, FOLDER, true, err);
	int lock = dir < 0 ? -1 : file_lock(dir, LOCK, true, err);

	if (lock < 0)
		return -1;
	*out_dir_fd = TAKE_FD(dir);
	*out_lock_fd = lock;
	return 0;
}

int network_file_dir(const struct netplug *np, struct err *err)
{
	return file_open_dir(np->state_fd, FOLDER, false, err);
}

int network_file_check_name(const char *name, struct err *err)
{
	size_t len = strlen(name);
	bool good = len && len <= NAME_MAX_LEN && isalnum((unsigned char)name[0]);

	for (size_t i = 0; good && i < len; i++)
		good = isalnum((unsigned char)name[i]) || strchr("_.-", name[i]);
	if (good)
		return 0;
	return err_set(err, ERR_INVALID,
		       "network name \"%.60s\": letters, digits, _ . - are allowed, the first a "
		       "letter or digit",
		       name);
}

/* ---- definition */

static void add_pairs(struct json_object *object, const char *key,
		      const struct network_pairs *pairs)
{
	struct json_object *members = json_add_object(object, key);

	for (size_t i = 0; i < pairs->count; i++)
		json_add_text(members, pairs->items[i].key,
			      pairs->items[i].value ? pairs->items[i].value : "");
}

/* A prefix or an address in the form that all spellings share. */
static void add_normal(struct json_object *object, const char *key, const char *text)
{
	struct prefix p;
	struct err ignored;
	char normal[ADDRESS_TEXT];

	if (!text)
		return;
	if (strchr(text, '/') && prefix_parse(key, text, &p, &ignored) == 0) {
		p = prefix_network(&p);
		text = prefix_text(&p, normal);
	} else if (!strchr(text, '/') && address_parse(key, text, &p.addr, &ignored) == 0) {
		text = address_text(&p.addr, normal);
	}
	json_add_text(object, key, text);
}

struct json_object *network_file_spec(const struct network_spec *spec)
{
	struct json_object *object = json_object_new_object();
	struct json_object *subnets;

	json_add_text(object, "driver", spec->driver ? spec->driver : "bridge");
	json_add_bool(object, "internal", spec->internal);
	json_add_bool(object, "attachable", spec->attachable);
	json_add_bool(object, "ipv4", !spec->no_ipv4);
	json_add_bool(object, "ipv6", spec->ipv6);
	subnets = json_add_array(object, "subnets");
	for (size_t i = 0; i < spec->subnet_count; i++) {
		struct json_object *subnet = json_object_new_object();

		add_normal(subnet, "subnet", spec->subnets[i].subnet);
		add_normal(subnet, "ip_range", spec->subnets[i].ip_range);
		add_normal(subnet, "gateway", spec->subnets[i].gateway);
		add_pairs(subnet, "aux", &spec->subnets[i].aux);
		json_object_array_add(subnets, subnet);
	}
	add_pairs(object, "options", &spec->options);
	add_pairs(object, "labels", &spec->labels);
	add_pairs(object, "ipam_options", &spec->ipam_options);
	return object;
}

/* ---- record to JSON */

static void add_address(struct json_object *object, const char *key, const struct address *address)
{
	char text[ADDRESS_TEXT];

	if (address_is_set(address))
		json_add_text(object, key, address_text(address, text));
}

static void add_prefix(struct json_object *object, const char *key, const struct address *address,
		       uint8_t len)
{
	struct prefix p = { .addr = *address, .len = len };
	char text[ADDRESS_TEXT];

	if (address_is_set(address))
		json_add_text(object, key, prefix_text(&p, text));
}

static void add_subnet(struct json_object *list, const struct network_subnet *subnet)
{
	struct json_object *object = json_object_new_object();

	add_prefix(object, "subnet", &subnet->subnet.addr, subnet->subnet.len);
	add_prefix(object, "ip_range", &subnet->dynamic.addr, subnet->dynamic.len);
	add_address(object, "gateway", &subnet->gateway);
	add_address(object, "last", &subnet->last_given);
	if (subnet->is_worn)
		json_add_bool(object, "worn", true);
	add_pairs(object, "aux", &subnet->aux);
	json_object_array_add(list, object);
}

static void add_lease(struct json_object *leases, const struct network_lease *lease)
{
	struct json_object *object = json_add_object(leases, lease->slot);
	char mac[MAC_TEXT];

	add_prefix(object, "v4", &lease->v4, lease->v4_len);
	add_prefix(object, "v6", &lease->v6, lease->v6_len);
	json_add_text(object, "mac", mac_text(lease->mac, mac));
	json_add_int(object, "since", (int64_t)lease->since_us);
	if (lease->fixed4)
		json_add_bool(object, "fixed4", true);
	if (lease->fixed6)
		json_add_bool(object, "fixed6", true);
	if (lease->is_inherited)
		json_add_bool(object, "inherited", true);
}

int network_file_write(int dir_fd, const struct network_record *network, bool sync, struct err *err)
{
	AUTO(json) struct json_object *object = json_object_new_object();
	struct json_object *list, *spec;
	struct err ignored = ERR_NONE;
	char name[NAME_MAX_LEN + 8];

	json_add_int(object, "version", 1);
	json_add_text(object, "name", network->name);
	json_add_text(object, "project", network->project);
	json_add_text(object, "id", network->id);
	json_add_text(object, "created", network->created);
	json_add_text(object, "bridge", network->bridge);
	json_add_int(object, "mtu", network->mtu);
	json_add_bool(object, "ipv4", network->ipv4);
	json_add_bool(object, "ipv6", network->ipv6);
	spec = json_parse("definition", network->spec_text, strlen(network->spec_text), &ignored);
	json_object_object_add(object, "spec", spec);
	list = json_add_array(object, "subnets");
	for (size_t i = 0; i < network->subnet_count; i++)
		add_subnet(list, &network->subnets[i]);
	list = json_add_object(object, "leases");
	for (size_t i = 0; i < network->lease_count; i++)
		add_lease(list, &network->leases[i]);
	snprintf(name, sizeof(name), "%s.json", network->name);
	return json_write_file(dir_fd, name, object, sync ? JSON_SYNC : 0, err);
}

/* ---- JSON to record */

static int read_address(const struct json_object *object, const char *key, struct address *out,
			struct err *err)
{
	const char *text = json_text_or(object, key, NULL);

	return text ? address_parse(key, text, out, err) : 0;
}

static int read_prefix(const struct json_object *object, const char *key, struct prefix *out,
		       struct err *err)
{
	const char *text = json_text_or(object, key, NULL);

	return text ? prefix_parse(key, text, out, err) : 0;
}

static void read_pairs(struct arena *arena, const struct json_object *object, const char *key,
		       struct network_pairs *out)
{
	struct json_object *members = json_object_at(object, key);

	if (!members)
		return;
	json_each(members, name, value) {
		struct network_pair *pair =
			arena_grow(arena, &out->items, &out->count, sizeof(*pair));

		pair->key = arena_strdup(arena, name);
		pair->value = arena_strdup(arena, value ? json_object_get_string(value) : "");
	}
}

static int read_subnet(struct arena *arena, struct json_object *object,
		       struct network_record *network, struct err *err)
{
	struct network_subnet *subnet =
		arena_grow(arena, &network->subnets, &network->subnet_count, sizeof(*subnet));

	if (!json_text_or(object, "subnet", NULL))
		return err_set(err, ERR_INVALID, "subnets: one has no subnet");
	if (read_prefix(object, "subnet", &subnet->subnet, err) < 0 ||
	    read_prefix(object, "ip_range", &subnet->dynamic, err) < 0 ||
	    read_address(object, "gateway", &subnet->gateway, err) < 0 ||
	    read_address(object, "last", &subnet->last_given, err) < 0)
		return -1;
	subnet->is_worn = json_bool_or(object, "worn", false);
	read_pairs(arena, object, "aux", &subnet->aux);
	return 0;
}

static int read_lease(struct arena *arena, const char *slot, const struct json_object *object,
		      struct network_record *network, struct err *err)
{
	struct network_lease *lease =
		arena_grow(arena, &network->leases, &network->lease_count, sizeof(*lease));
	struct prefix v4 = { .len = 0 }, v6 = { .len = 0 };
	const char *mac;

	lease->slot = arena_strdup(arena, slot);
	if (read_prefix(object, "v4", &v4, err) < 0 || read_prefix(object, "v6", &v6, err) < 0 ||
	    json_need_text(object, slot, "mac", &mac, err) < 0 ||
	    mac_parse(mac, lease->mac, err) < 0)
		return -1;
	lease->v4 = v4.addr;
	lease->v4_len = v4.len;
	lease->v6 = v6.addr;
	lease->v6_len = v6.len;
	lease->since_us = (uint64_t)json_int_or(object, "since", 0);
	lease->fixed4 = json_bool_or(object, "fixed4", false);
	lease->fixed6 = json_bool_or(object, "fixed6", false);
	lease->is_inherited = json_bool_or(object, "inherited", false);
	return 0;
}

static int read_spec(struct arena *arena, struct json_object *object,
		     struct network_record *network, struct err *err)
{
	struct json_object *spec = json_object_at(object, "spec");
	const char *driver;

	if (!spec)
		return err_set(err, ERR_INVALID, "spec: is missing");
	network->spec_text =
		arena_strdup(arena, json_object_to_json_string_ext(spec, JSON_C_TO_STRING_PLAIN));
	driver = json_text_or(spec, "driver", "bridge");
	for (unsigned i = 0; i < sizeof(drivers) / sizeof(drivers[0]); i++)
		if (strcmp(drivers[i], driver) == 0)
			network->driver = (enum network_driver)i;
	network->internal = json_bool_or(spec, "internal", false);
	network->attachable = json_bool_or(spec, "attachable", false);
	read_pairs(arena, spec, "options", &network->driver_opts);
	read_pairs(arena, spec, "labels", &network->labels);
	read_pairs(arena, spec, "ipam_options", &network->ipam_options);
	return network_options_read(arena, &network->driver_opts, &network->options, NULL, err);
}

static int read_record(struct arena *arena, struct json_object *object,
		       struct network_record *network, struct err *err)
{
	struct json_object *list;

	if (json_int_or(object, "version", 0) > 1)
		return err_set(err, ERR_UNSUPPORTED, "written by a newer version");
	network->name = arena_strdup(arena, json_text_or(object, "name", ""));
	network->project = arena_strdup(arena, json_text_or(object, "project", ""));
	network->id = arena_strdup(arena, json_text_or(object, "id", ""));
	network->created = arena_strdup(arena, json_text_or(object, "created", ""));
	snprintf(network->bridge, sizeof(network->bridge), "%s",
		 json_text_or(object, "bridge", ""));
	network->mtu = (unsigned)json_int_or(object, "mtu", 0);
	network->ipv4 = json_bool_or(object, "ipv4", true);
	network->ipv6 = json_bool_or(object, "ipv6", false);
	if (read_spec(arena, object, network, err) < 0)
		return -1;
	list = json_array_at(object, "subnets");
	for (size_t i = 0; i < json_array_count(list); i++)
		if (read_subnet(arena, json_object_array_get_idx(list, i), network, err) < 0)
			return -1;
	list = json_object_at(object, "leases");
	if (!list)
		return 0;
	json_each(list, slot, value) {
		if (read_lease(arena, slot, value, network, err) < 0)
			return -1;
	}
	return 0;
}

/* Renamed into place, its bytes not on disk before the power went: nobody was told of it yet. */
static bool is_torn(int dir_fd, const char *file)
{
	struct stat st;

	return fstatat(dir_fd, file, &st, AT_SYMLINK_NOFOLLOW) == 0 && st.st_size == 0;
}

int network_file_read(int dir_fd, struct arena *arena, const char *name,
		      struct network_record **out, struct err *err)
{
	AUTO(json) struct json_object *object = NULL;
	struct network_record *network = arena_alloc(arena, sizeof(*network));
	struct err local = ERR_NONE;
	char file[NAME_MAX_LEN + 8];

	if (network_file_check_name(name, err) < 0)
		return -1;
	snprintf(file, sizeof(file), "%s.json", name);
	object = is_torn(dir_fd, file) ? NULL : json_read_file(dir_fd, file, FILE_MAX, &local);
	if (!object && (local.code == ERR_NOT_FOUND || local.code == ERR_OK))
		return err_set(err, ERR_NOT_FOUND, "no network %s", name);
	/* Its name becomes a path when it is written again. */
	if (object && strcmp(json_text_or(object, "name", ""), name) != 0)
		err_set(&local, ERR_INVALID, "%s is damaged: it has another name", file);
	if (local.code || read_record(arena, object, network, &local) < 0) {
		*err = local;
		return err_wrap(err, "network %s", name);
	}
	*out = network;
	return 0;
}
