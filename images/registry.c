/* images/registry - settings of registries: mirrors, insecure hosts, certificates, proxies.
 *
 * Owns: config.json's registry keys, registries.json, the search through certs.d.
 * May not touch: credentials, the network, other keys of config.json.
 */
#include "images/registry.h"

#include <arpa/inet.h>
#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "base/alloc.h"
#include "base/file.h"
#include "base/json.h"
#include "base/num.h"
#include "base/text.h"
#include "images/ref.h"

#define CONFIG_MAX_BYTES (1u << 20)
#define CERT_MAX_BYTES   (4u << 20)
#define URL_MAX          8192

struct texts {
	char **items;
	size_t count;
};

/* One host of registries.json (or docker.io with registry-mirrors). */
struct host_rule {
	char *domain;
	struct texts mirrors;
	bool no_mirror_tags;
};

struct registry_settings {
	struct texts insecure;
	struct host_rule *rules;
	size_t rule_count;
	struct registry_endpoint **endpoints;
	size_t endpoint_count;
	unsigned max_downloads;
	char *http_proxy, *https_proxy, *no_proxy;
};

static void push_text(struct texts *texts, const char *text)
{
	*(char **)xgrow(&texts->items, &texts->count, sizeof(*texts->items)) = xstrdup(text);
}

static void free_texts(struct texts *texts)
{
	for (size_t i = 0; i < texts->count; i++)
		free(texts->items[i]);
	free(texts->items);
}

void registry_settings_free(struct registry_settings *settings)
{
	if (!settings)
		return;
	for (size_t i = 0; i < settings->rule_count; i++) {
		free(settings->rules[i].domain);
		free_texts(&settings->rules[i].mirrors);
	}
	for (size_t i = 0; i < settings->endpoint_count; i++) {
		struct registry_endpoint *endpoint = settings->endpoints[i];

		free(endpoint->host);
		free(endpoint->prefix);
		free((void *)(uintptr_t)endpoint->tls.ca_bundle);
		free((void *)(uintptr_t)endpoint->tls.cert_path);
		free((void *)(uintptr_t)endpoint->tls.key_path);
		free(endpoint);
	}
	free(settings->endpoints);
	free(settings->rules);
	free_texts(&settings->insecure);
	free(settings->http_proxy);
	free(settings->https_proxy);
	free(settings->no_proxy);
	free(settings);
}

/* ---- reading ---- */

static int read_texts(struct json_object *from, const char *file, const char *key,
		      struct texts *out, struct err *err)
{
	struct json_object *list = NULL;

	if (!json_object_object_get_ex(from, key, &list) || !list)
		return 0;
	if (!json_object_is_type(list, json_type_array))
		return err_set(err, ERR_INVALID, "%s: %s: must be a list of texts", file, key);
	for (size_t i = 0; i < json_array_count(list); i++) {
		struct json_object *item = json_object_array_get_idx(list, i);

		if (!json_object_is_type(item, json_type_string))
			return err_set(err, ERR_INVALID, "%s: %s: must be a list of texts", file,
				       key);
		push_text(out, json_object_get_string(item));
	}
	return 0;
}

static struct host_rule *add_rule(struct registry_settings *settings, const char *domain)
{
	struct host_rule *rule =
		xgrow(&settings->rules, &settings->rule_count, sizeof(*settings->rules));

	rule->domain = xstrdup(domain);
	return rule;
}

static int check_mirrors(const struct host_rule *rule, const char *file, struct err *err)
{
	char host[REF_NAME_MAX + 1];
	bool is_tls;

	for (size_t i = 0; i < rule->mirrors.count; i++)
		if (!registry_url_host(rule->mirrors.items[i], &is_tls, host, sizeof(host)))
			return err_set(err, ERR_INVALID,
				       "%s: mirror \"%.80s\": must be http(s)://HOST[:PORT]", file,
				       rule->mirrors.items[i]);
	return 0;
}

static int read_config(struct registry_settings *settings, struct json_object *root,
		       const char *file, struct err *err)
{
	struct json_object *images = json_object_at(root, "images");
	struct host_rule *docker = add_rule(settings, "docker.io");
	int64_t max = json_int_or(images, "max_downloads", 3);

	if (read_texts(root, file, "insecure-registries", &settings->insecure, err) < 0 ||
	    read_texts(root, file, "registry-mirrors", &docker->mirrors, err) < 0 ||
	    check_mirrors(docker, file, err) < 0)
		return -1;
	if (max < 1 || max > 16)
		return err_set(err, ERR_INVALID, "%s: images.max_downloads: must be 1..16", file);
	settings->max_downloads = (unsigned)max;
	return 0;
}

static int read_registries(struct registry_settings *settings, struct json_object *root,
			   const char *file, struct err *err)
{
	struct json_object *hosts = json_object_at(root, "registries");

	if (!hosts)
		return 0;
	json_each(hosts, domain, from) {
		struct host_rule *rule;

		if (!json_object_is_type(from, json_type_object))
			return err_set(err, ERR_INVALID, "%s: registries.%s: must be an object",
				       file, domain);
		rule = add_rule(settings, domain);
		if (read_texts(from, file, "mirrors", &rule->mirrors, err) < 0 ||
		    check_mirrors(rule, file, err) < 0)
			return -1;
		rule->no_mirror_tags = !json_bool_or(from, "mirror_tags", true);
		if (json_bool_or(from, "insecure", false))
			push_text(&settings->insecure, domain);
	}
	return 0;
}

/* NULL with err->code ERR_OK when the file is not there. */
static struct json_object *read_optional(const char *path, struct err *err)
{
	struct json_object *root = json_read_file(AT_FDCWD, path, CONFIG_MAX_BYTES, err);

	if (!root && err->code == ERR_NOT_FOUND)
		*err = ERR_NONE;
	if (root && !json_object_is_type(root, json_type_object)) {
		json_object_put(root);
		err_set(err, ERR_INVALID, "%s: must be a JSON object", path);
		return NULL;
	}
	return root;
}

static char *variable(const char *lower, const char *upper)
{
	const char *value = getenv(lower);

	if (!value || !*value)
		value = getenv(upper);
	return value && *value ? xstrdup(value) : NULL;
}

static void read_proxies(struct registry_settings *settings)
{
	char *no_proxy = variable("no_proxy", "NO_PROXY");

	settings->http_proxy = variable("http_proxy", "HTTP_PROXY");
	settings->https_proxy = variable("https_proxy", "HTTPS_PROXY");
	settings->no_proxy = xformat("%s%slocalhost,127.0.0.0/8,::1", no_proxy ? no_proxy : "",
				     no_proxy ? "," : "");
	if (no_proxy && strcmp(no_proxy, "*") == 0)
		strcpy(settings->no_proxy, "*");
	free(no_proxy);
}

struct registry_settings *registry_settings_load(const char *config_path, struct err *err)
{
	AUTO(registry_settings) struct registry_settings *settings = xcalloc(1, sizeof(*settings));
	AUTO(json) struct json_object *config = NULL;
	AUTO(json) struct json_object *registries = NULL;
	AUTO(free) char *beside = NULL;
	const char *slash;

	if (!config_path || !*config_path)
		config_path = getenv("STACK_CONFIG");
	if (!config_path || !*config_path)
		config_path = "/etc/stack/config.json";
	slash = strrchr(config_path, '/');
	beside = xformat("%.*sregistries.json", slash ? (int)(slash - config_path) + 1 : 0,
			 config_path);
	config = read_optional(config_path, err);
	if (!config && err->code)
		return NULL;
	registries = read_optional(beside, err);
	if ((!registries && err->code) || read_config(settings, config, config_path, err) < 0 ||
	    (registries && read_registries(settings, registries, beside, err) < 0))
		return NULL;
	read_proxies(settings);
	return TAKE(settings);
}

/* ---- hosts ---- */

/* "[::1]:5000" and "127.0.0.1:80" to the bare host. */
static void bare_host(const char *host, char *out, size_t size)
{
	const char *end = host[0] == '[' ? strchr(host, ']') : strrchr(host, ':');
	size_t skip = host[0] == '[' ? 1 : 0;

	snprintf(out, size, "%.*s", end ? (int)((size_t)(end - host) - skip) : (int)strlen(host),
		 host + skip);
}

static bool in_cidr(const char *host, const char *cidr)
{
	unsigned char have[16], want[16];
	char net[64];
	struct slice address, bits_text;
	struct err ignored = ERR_NONE;
	uint64_t bits;
	int family = strchr(host, ':') ? AF_INET6 : AF_INET;

	if (!slice_split(SLICE(cidr), '/', &address, &bits_text) || address.len >= sizeof(net) ||
	    num_parse_u64("bits", bits_text.at, bits_text.len, 0, family == AF_INET ? 32 : 128,
			  &bits, &ignored) < 0)
		return false;
	snprintf(net, sizeof(net), "%.*s", SLICE_ARG(address));
	if (inet_pton(family, host, have) != 1 || inet_pton(family, net, want) != 1)
		return false;
	for (size_t i = 0; i < bits; i++)
		if ((have[i / 8] ^ want[i / 8]) & (0x80 >> (i % 8)))
			return false;
	return true;
}

static bool is_loopback(const char *bare)
{
	return strcasecmp(bare, "localhost") == 0 || strcmp(bare, "::1") == 0 ||
	       in_cidr(bare, "127.0.0.0/8");
}

bool registry_is_insecure(const struct registry_settings *settings, const char *host)
{
	char bare[REF_NAME_MAX + 1];

	bare_host(host, bare, sizeof(bare));
	if (is_loopback(bare))
		return true;
	for (size_t i = 0; i < settings->insecure.count; i++) {
		const char *entry = settings->insecure.items[i];

		if (strcasecmp(entry, host) == 0 || strcasecmp(entry, bare) == 0 ||
		    in_cidr(bare, entry))
			return true;
	}
	return false;
}

bool registry_url_host(const char *url, bool *out_is_tls, char *out_host, size_t size)
{
	size_t scheme_len = strncasecmp(url, "https://", 8) == 0  ? 8
			    : strncasecmp(url, "http://", 7) == 0 ? 7
								  : 0;
	const char *host = url + scheme_len;
	size_t len = strcspn(host, "/?#");

	if (scheme_len == 0 || len == 0 || len >= size || strlen(url) > URL_MAX ||
	    memchr(host, '@', len))
		return false;
	for (const char *c = url; *c; c++)
		if (*c <= 0x20 || *c == 0x7f)
			return false;
	*out_is_tls = scheme_len == 8;
	snprintf(out_host, size, "%.*s", (int)len, host);
	return true;
}

unsigned registry_max_downloads(const struct registry_settings *settings)
{
	return settings->max_downloads;
}

const char *registry_proxy(const struct registry_settings *settings, bool is_tls)
{
	return is_tls ? settings->https_proxy : settings->http_proxy;
}

const char *registry_no_proxy(const struct registry_settings *settings)
{
	return settings->no_proxy;
}

/* ---- certificates ---- */

static int add_ca(struct registry_endpoint *endpoint, int dir_fd, const char *path, struct err *err)
{
	AUTO(free) char *text = NULL;
	char *joined;
	size_t len;

	if (file_read(dir_fd, path, CERT_MAX_BYTES, &text, &len, err) < 0)
		return -1;
	joined = xformat("%s%s\n", endpoint->tls.ca_bundle ? endpoint->tls.ca_bundle : "", text);
	free((void *)(uintptr_t)endpoint->tls.ca_bundle);
	endpoint->tls.ca_bundle = joined;
	endpoint->tls.ca_bundle_len = strlen(joined);
	return 0;
}

static int add_pair(struct registry_endpoint *endpoint, int dir_fd, const char *dir,
		    const char *name, struct err *err)
{
	size_t stem = strlen(name) - strlen(".cert");
	AUTO(free) char *key = xformat("%.*s.key", (int)stem, name);

	if (faccessat(dir_fd, key, R_OK, 0) < 0)
		return err_set(err, ERR_INVALID, "%s/%s: the key %s is missing beside it", dir,
			       name, key);
	free((void *)(uintptr_t)endpoint->tls.cert_path);
	free((void *)(uintptr_t)endpoint->tls.key_path);
	endpoint->tls.cert_path = xformat("%s/%s", dir, name);
	endpoint->tls.key_path = xformat("%s/%s", dir, key);
	return 0;
}

static int read_cert_dir(struct registry_endpoint *endpoint, const char *dir, struct err *err)
{
	struct dirent **names = NULL;
	int count = scandir(dir, &names, NULL, alphasort), result = 0;
	AUTO(fd) int dir_fd = count < 0 ? -1 : open(dir, O_DIRECTORY | O_CLOEXEC);

	for (int i = 0; i < count; i++) {
		const char *name = names[i]->d_name;

		if (result == 0 && text_ends(name, ".crt"))
			result = add_ca(endpoint, dir_fd, name, err);
		else if (result == 0 && text_ends(name, ".cert"))
			result = add_pair(endpoint, dir_fd, dir, name, err);
		free(names[i]);
	}
	free(names);
	return result < 0 ? err_wrap(err, "%s", dir) : 0;
}

static int read_certs(struct registry_endpoint *endpoint, struct err *err)
{
	const char *const roots[] = { getenv("STACK_CERTS_DIR"), "/etc/stack/certs.d",
				      "/etc/docker/certs.d", "/etc/containers/certs.d" };
	const char *system_file = getenv("SSL_CERT_FILE");

	for (size_t i = 0; i < sizeof(roots) / sizeof(roots[0]); i++) {
		AUTO(free) char *dir = roots[i] ? xformat("%s/%s", roots[i], endpoint->host) : NULL;

		if (dir && read_cert_dir(endpoint, dir, err) < 0)
			return -1;
		if (endpoint->tls.ca_bundle || endpoint->tls.cert_path)
			break;
	}
	/* A bundle given as text takes the place of SSL_CERT_FILE, so that one goes in, too. */
	if (endpoint->tls.ca_bundle && system_file && *system_file)
		return add_ca(endpoint, AT_FDCWD, system_file, err);
	return 0;
}

/* ---- endpoints ---- */

static struct registry_endpoint *find_endpoint(struct registry_settings *settings, const char *host,
					       const char *prefix, bool is_mirror)
{
	for (size_t i = 0; i < settings->endpoint_count; i++) {
		struct registry_endpoint *endpoint = settings->endpoints[i];

		if (strcasecmp(endpoint->host, host) == 0 &&
		    strcmp(endpoint->prefix, prefix) == 0 && endpoint->is_mirror == is_mirror)
			return endpoint;
	}
	return NULL;
}

static struct registry_endpoint *make_endpoint(struct registry_settings *settings, const char *host,
					       const char *prefix, bool is_mirror, struct err *err)
{
	struct registry_endpoint *endpoint = find_endpoint(settings, host, prefix, is_mirror);

	if (endpoint)
		return endpoint;
	endpoint = xcalloc(1, sizeof(*endpoint));
	*(struct registry_endpoint **)xgrow(&settings->endpoints, &settings->endpoint_count,
					    sizeof(*settings->endpoints)) = endpoint;
	endpoint->host = xstrdup(host);
	endpoint->prefix = xstrdup(prefix);
	endpoint->is_mirror = is_mirror;
	endpoint->allows_http = registry_is_insecure(settings, host);
	if (read_certs(endpoint, err) < 0)
		return NULL;
	endpoint->tls.no_verify = endpoint->allows_http && !endpoint->tls.ca_bundle;
	return endpoint;
}

struct registry_endpoint *registry_endpoint_of(struct registry_settings *settings, const char *host,
					       struct err *err)
{
	return make_endpoint(settings, host, "", false, err);
}

static int add_mirrors(struct registry_settings *settings, const struct host_rule *rule,
		       struct registry_endpoint ***list, size_t *count, struct err *err)
{
	for (size_t i = 0; i < rule->mirrors.count; i++) {
		AUTO(free) char *prefix = NULL;
		struct registry_endpoint *endpoint;
		const char *url = rule->mirrors.items[i];
		char host[REF_NAME_MAX + 1];
		bool is_tls;
		size_t len;

		if (!registry_url_host(url, &is_tls, host, sizeof(host)))
			continue;
		prefix = xstrdup(strstr(url, "://") + 3 + strlen(host));
		len = strlen(prefix);
		while (len && prefix[len - 1] == '/')
			prefix[--len] = '\0';
		endpoint = make_endpoint(settings, host, prefix, true, err);
		if (!endpoint)
			return -1;
		if (!is_tls)
			endpoint->is_http = endpoint->has_answered = endpoint->allows_http = true;
		*(struct registry_endpoint **)xgrow(list, count, sizeof(**list)) = endpoint;
	}
	return 0;
}

int registry_endpoints(struct registry_settings *settings, const char *domain, unsigned flags,
		       struct registry_endpoint ***out, size_t *out_count, struct err *err)
{
	struct registry_endpoint **list = NULL, *origin;
	size_t count = 0;

	for (size_t i = 0; i < settings->rule_count && !(flags & REGISTRY_ORIGIN_ONLY); i++) {
		const struct host_rule *rule = &settings->rules[i];

		if (strcasecmp(rule->domain, domain) != 0 ||
		    (rule->no_mirror_tags && flags & REGISTRY_BY_TAG))
			continue;
		if (add_mirrors(settings, rule, &list, &count, err) < 0) {
			free(list);
			return -1;
		}
	}
	origin = make_endpoint(settings, ref_api_host(domain), "", false, err);
	if (!origin) {
		free(list);
		return -1;
	}
	*(struct registry_endpoint **)xgrow(&list, &count, sizeof(*list)) = origin;
	*out = list;
	*out_count = count;
	return 0;
}
