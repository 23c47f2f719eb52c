/* orchestrator/build_names - hosts, resolv.conf and hostname of one RUN.
 *
 * Owns: which name servers a RUN asks. May not touch: the form of the files
 * (netplug/hosts_files).
 */
#include "orchestrator/build_names.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "base/alloc.h"
#include "base/arena.h"
#include "base/file.h"
#include "netplug/hosts_files.h"

static char *read_text(const char *path)
{
	struct err ignored = ERR_NONE;
	char *text = NULL;

	return file_read(AT_FDCWD, path, HOSTS_MAX_BYTES, &text, NULL, &ignored) < 0 ? xstrdup("")
										     : text;
}

/* Servers on the host's loopback cannot be reached from the bridge: a host whose resolver is
 * systemd's tells the real ones in a file of its own. Nothing usable: an empty file. */
static char *resolv_of_bridge(const struct settings *settings)
{
	static const char *const files[] = { "/etc/resolv.conf",
					     "/run/systemd/resolve/resolv.conf" };
	char *text = NULL;

	for (size_t i = 0; i < 2 && !text; i++) {
		AUTO(free) char *host_text = read_text(files[i]);
		struct resolv_conf *host = resolv_parse(host_text);
		struct resolv_spec spec = { .mode = RESOLV_BRIDGE,
					    .host = host,
					    .dns = settings->dns.items,
					    .dns_count = settings->dns.count,
					    .search = settings->dns_search.items,
					    .search_count = settings->dns_search.count,
					    .options = settings->dns_opts.items,
					    .option_count = settings->dns_opts.count };
		struct err ignored = ERR_NONE;

		text = resolv_text(&spec, &ignored);
		resolv_free(host);
	}
	return text ? text : xstrdup("");
}

static char *resolv_for(const struct settings *settings, enum build_net_kind kind)
{
	return kind == BUILD_NET_HOST      ? read_text("/etc/resolv.conf")
	       : kind == BUILD_NET_DEFAULT ? resolv_of_bridge(settings)
					   : xstrdup("");
}

/* The settings' word on host-gateway, else the bridge. */
static const char *host_gateway(const struct build_names *names)
{
	const char *set = settings_host_gateway(names->settings, AF_INET);

	if (set)
		return set;
	return names->lane && *names->lane->gateway ? names->lane->gateway : "127.0.0.1";
}

static char *hosts_for(const struct build_names *names, struct arena *arena)
{
	size_t count = names->extra_hosts ? names->extra_hosts->count : 0;
	struct hosts_entry *extra = arena_alloc(arena, (count + 1) * sizeof(*extra));
	const char *address = names->lane ? names->lane->address : "";
	AUTO(free) char *host_text = names->kind == BUILD_NET_HOST ? read_text("/etc/hosts") : NULL;
	struct hosts_spec spec = { .hostname = names->hostname,
				   .addresses = &address,
				   .address_count = *address ? 1 : 0,
				   .extra = extra,
				   .host_text = host_text };

	for (size_t i = 0; i < count; i++) {
		const char *text = names->extra_hosts->items[i];
		const char *sign = strchr(text, '=');
		const char *to = sign ? sign + 1 : NULL;

		if (!sign)
			continue;
		if (strcmp(to, "host-gateway") == 0)
			to = host_gateway(names);
		extra[spec.extra_count++] =
			(struct hosts_entry){ arena_strndup(arena, text, (size_t)(sign - text)),
					      to };
	}
	return hosts_text(&spec);
}

int build_names_write(const struct build_names *names, int dir_fd, struct err *err)
{
	AUTO(arena) struct arena *arena = arena_new();
	AUTO(free) char *hosts = hosts_for(names, arena);
	AUTO(free) char *resolv = resolv_for(names->settings, names->kind);
	AUTO(free) char *hostname = hostname_text(names->hostname);

	if (hosts_file_write(dir_fd, "hosts", hosts, err) < 0 ||
	    hosts_file_write(dir_fd, "resolv.conf", resolv, err) < 0)
		return -1;
	return hosts_file_write(dir_fd, "hostname", hostname, err);
}
