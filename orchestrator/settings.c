/* orchestrator/settings - the settings of the machine: one table of keys over config.json.
 *
 * JSON is read as YAML, of which it is a part: the key tables of specs then tell line, column and
 * near misses. Owns: the keys, their grammar. May not touch: what acts on them.
 */
#include "orchestrator/settings.h"

#include <fcntl.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/file.h"
#include "base/num.h"
#include "specs/checks.h"
#include "specs/decode.h"
#include "specs/shape.h"
#include "specs/yaml.h"

#define SETTINGS_MAX_BYTES (1u << 20)
#define CLOSED             .place_offset = NO_FIELD, .null_offset = NO_FIELD, .extensions_offset = NO_FIELD

static int settle_pool(struct shape *shape, struct node *map, const struct path *path);
static int settle_top(struct shape *shape, struct node *map, const struct path *path);

/* clang-format off */
#define AT(field) offsetof(struct settings_pool, field)
static const struct key pool_rows[] = {
	{ "base", KEY_TEXT, KEY_NEEDED, AT(base), .check = check_subnet, .doc = "A range that is cut" },
	{ "size", KEY_INT, KEY_NEEDED, AT(size), .doc = "A prefix length of each piece" },
};
static const struct table pool_table = {
	.what = "an address pool", TABLE_KEYS(pool_rows), .size = sizeof(struct settings_pool), CLOSED,
	.settle = settle_pool,
};
#undef AT

#define AT(field) offsetof(struct settings, field)
static const struct key network_opts_rows[] = {
	{ "bridge", KEY_OPTIONS, 0, AT(bridge_opts), .doc = "A driver_opts of bridges" },
};
static const struct table network_opts_table = {
	.what = "default-network-opts", TABLE_KEYS(network_opts_rows), .size = sizeof(struct settings), CLOSED,
};
static const struct key images_rows[] = {
	{ "max_downloads", KEY_INT, 0, AT(max_downloads), .has_minimum = true, .minimum = 1,
	  .doc = "A layers at once from one host" },
	{ "snapshotter", KEY_TEXT, 0, AT(snapshotter), .choices = "auto erofs dir", .doc = "A how layers lie" },
	{ "durability", KEY_TEXT, 0, AT(durability), .choices = "full none", .doc = "A none: no waiting for the disk" },
	{ "keep_blobs", KEY_OPT_BOOL, 0, AT(keep_blobs), .doc = "A packed layers are kept" },
	{ "min_free", KEY_INT, 0, AT(min_free), .has_minimum = true, .doc = "A bytes of the disk that stay free" },
	{ "max_layer", KEY_INT, 0, AT(max_layer), .has_minimum = true, .doc = "A largest layer in bytes" },
};
static const struct table images_table = {
	.what = "images", TABLE_KEYS(images_rows), .size = sizeof(struct settings), CLOSED,
};
static const struct key build_rows[] = {
	{ "cache_max", KEY_INT, 0, AT(cache_max), .has_minimum = true, .minimum = 1,
	  .doc = "A bytes of cached steps and cache mounts" },
};
static const struct table build_table_of_settings = {
	.what = "build", TABLE_KEYS(build_rows), .size = sizeof(struct settings), CLOSED,
};
static const struct key network_object_rows[] = {
	{ "dns_ttl", KEY_INT, 0, AT(dns_ttl), .has_minimum = true, .doc = "A seconds that a name may be remembered" },
};
static const struct table network_object_table = {
	.what = "network", TABLE_KEYS(network_object_rows), .size = sizeof(struct settings), CLOSED,
};
static const struct key settings_rows[] = {
	{ "default-address-pools", KEY_OBJECTS, 0, AT(pools), &pool_table, .doc = "A where subnets come from" },
	{ "dns", KEY_TEXTS, 0, AT(dns), .doc = "A name servers" },
	{ "dns-search", KEY_TEXTS, 0, AT(dns_search), .doc = "A search domains" },
	{ "dns-opts", KEY_TEXTS, 0, AT(dns_opts), .doc = "A options of resolv.conf" },
	{ "host-gateway-ips", KEY_TEXTS, 0, AT(host_gateways), .doc = "A what host-gateway means" },
	{ "host-gateway-ip", KEY_TEXT, 0, AT(host_gateway), .check = check_ip, .doc = "A the same, one address" },
	{ "ip", KEY_TEXT, 0, AT(ip), .check = check_ip, .doc = "A address of ports that name none" },
	{ "mtu", KEY_INT, 0, AT(mtu), .has_minimum = true, .minimum = 68, .doc = "A of bridges" },
	{ "default-network-opts", KEY_INLINE, 0, 0, &network_opts_table, .doc = "A driver_opts by driver" },
	{ "log-driver", KEY_TEXT, 0, AT(log_driver), .check = check_log_driver, .doc = "A of services that name none" },
	{ "log-opts", KEY_OPTIONS, 0, AT(log_opts), .doc = "A of services that name none" },
	{ "registry-mirrors", KEY_TEXTS, 0, AT(registry_mirrors), .doc = "A mirrors of docker.io" },
	{ "insecure-registries", KEY_TEXTS, 0, AT(insecure_registries), .doc = "A spoken to without proof" },
	{ "images", KEY_INLINE, 0, 0, &images_table, .doc = "A the image store" },
	{ "build", KEY_INLINE, 0, 0, &build_table_of_settings, .doc = "A builds" },
	{ "network", KEY_INLINE, 0, 0, &network_object_table, .doc = "A networks" },
};
static const struct table settings_table = {
	.what = "the settings", TABLE_KEYS(settings_rows), .size = sizeof(struct settings), CLOSED,
	.settle = settle_top,
};
#undef AT
/* clang-format on */

/* ---- grammar ---- */

static int settle_pool(struct shape *shape, struct node *map, const struct path *path)
{
	const char *base = node_get_text(map, "base"), *size = node_get_text(map, "size");
	struct prefix prefix;
	struct err err = ERR_NONE;
	uint64_t bits;

	if (!base || !size)
		return node_error(
			shape->problems, PROBLEM_MISSING, map, path,
			"a pool needs base and size: {\"base\": \"10.64.0.0/12\", \"size\": 24}");
	if (prefix_parse("base", base, &prefix, &err) < 0 ||
	    num_parse_u64("size", size, strlen(size), prefix.len, address_bits(&prefix.addr) - 1,
			  &bits, &err) < 0)
		return node_error(shape->problems, PROBLEM_VALUE, map, path, "%s", err.msg);
	return 0;
}

/* Each text of a list is an address, with at most one of each family where only_one. */
static int check_addresses(struct shape *shape, const struct node *map, const char *key,
			   bool only_one)
{
	const struct node *list = node_get(map, key);
	unsigned seen = 0;
	int result = 0;

	for (size_t i = 0; list && list->kind == NODE_LIST && i < list->count; i++) {
		const struct node *item = list->members[i].value;
		unsigned family = item->text && strchr(item->text, ':') ? 2 : 1;
		struct err err = ERR_NONE;

		if (!item->text || check_ip(item->text, &err) < 0)
			result = node_error(shape->problems, PROBLEM_VALUE, item,
					    PATH_KEY(NULL, key), "%s",
					    err.code ? err.msg : "want IP addresses");
		else if (only_one && (seen & family))
			result = node_error(shape->problems, PROBLEM_VALUE, item,
					    PATH_KEY(NULL, key),
					    "want at most one address of each family");
		seen |= family;
	}
	return result;
}

static int settle_top(struct shape *shape, struct node *map, const struct path *path)
{
	(void)path;
	return check_addresses(shape, map, "dns", false) |
	       check_addresses(shape, map, "host-gateway-ips", true);
}

/* ---- reading ---- */

static int tell(struct arena *arena, const struct problems *problems, struct err *err)
{
	char *text = arena_strdup(arena, problem_text(arena, &problems->errors[0]));

	text[strcspn(text, "\n")] = '\0'; /* without the line and its caret */
	if (problems->error_count > 1)
		return err_set(err, ERR_INVALID, "%s (and %zu more)", text,
			       problems->error_count - 1);
	return err_set(err, ERR_INVALID, "%s", text);
}

static int read_text(struct settings *settings, const char *text, size_t len, struct err *err)
{
	struct problems problems = { .arena = settings->arena };
	struct shape shape = { .arena = settings->arena, .problems = &problems };
	struct documents documents = { 0 };
	struct node *root;

	if (yaml_parse(settings->arena, settings->path, text, len, &problems, &documents) < 0)
		return tell(settings->arena, &problems, err);
	root = documents.count ? documents.items[0] : NULL;
	if (!root)
		return 0;
	if (root->kind != NODE_MAP || documents.count > 1)
		return err_set(err, ERR_INVALID, "%s:%u:%u: want one JSON object", settings->path,
			       root->place.line, root->place.column);
	if (shape_map(&shape, &settings_table, root, NULL) < 0)
		return tell(settings->arena, &problems, err);
	decode_map(settings->arena, &settings_table, root, settings);
	return 0;
}

static int make_pools(struct settings *settings, struct err *err)
{
	settings->address_pools = arena_alloc(
		settings->arena, (settings->pool_count + 1) * sizeof(*settings->address_pools));
	for (size_t i = 0; i < settings->pool_count; i++) {
		settings->address_pools[i].size = (unsigned)settings->pools[i].size.value;
		if (prefix_parse("base", settings->pools[i].base, &settings->address_pools[i].base,
				 err) < 0)
			return -1;
	}
	return 0;
}

struct settings *settings_load(const char *path, struct err *err)
{
	struct arena *arena = arena_new();
	AUTO(settings) struct settings *settings = arena_alloc(arena, sizeof(*settings));
	AUTO(free) char *text = NULL;
	size_t len = 0;

	settings->arena = arena;
	if (!path || !*path)
		path = getenv("STACK_CONFIG");
	settings->path = arena_strdup(arena, path && *path ? path : SETTINGS_DEFAULT_PATH);
	if (file_read(AT_FDCWD, settings->path, SETTINGS_MAX_BYTES, &text, &len, err) < 0) {
		if (err->code != ERR_NOT_FOUND)
			return NULL;
		*err = ERR_NONE;
		return TAKE(settings);
	}
	if (read_text(settings, arena_strndup(arena, text, len), len, err) < 0 ||
	    make_pools(settings, err) < 0)
		return NULL;
	return TAKE(settings);
}

void settings_free(struct settings *settings)
{
	if (settings)
		arena_free(settings->arena);
}

const char *settings_host_gateway(const struct settings *settings, int family)
{
	for (size_t i = 0; i < settings->host_gateways.count; i++)
		if ((strchr(settings->host_gateways.items[i], ':') ? AF_INET6 : AF_INET) == family)
			return settings->host_gateways.items[i];
	if (settings->host_gateway &&
	    (strchr(settings->host_gateway, ':') ? AF_INET6 : AF_INET) == family)
		return settings->host_gateway;
	return NULL;
}
