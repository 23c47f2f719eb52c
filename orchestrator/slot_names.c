/* orchestrator/slot_names - hosts, resolv.conf and hostname of a slot.
 *
 * Owns: RUN/projects/NAME/slots/SLOT, what is in these files. May not touch: their form
 * (netplug/hosts_files), who mounts them (bundle).
 */
#include "orchestrator/slot_names.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/file.h"
#include "base/log.h"
#include "base/tree.h"
#include "netplug/hosts_files.h"
#include "orchestrator/settings.h"

#define FILE_MAX_BYTES (1u << 20)

static bool is_host_network(const struct service *service)
{
	return service->network_mode && strcmp(service->network_mode, "host") == 0;
}

static char *read_host_file(const char *path)
{
	struct err ignored = ERR_NONE;
	char *text = NULL;

	if (file_read(AT_FDCWD, path, FILE_MAX_BYTES, &text, NULL, &ignored) < 0)
		text = calloc(1, 1);
	return text;
}

static size_t extra_hosts(const struct slot_names *names, struct hosts_entry **out)
{
	const struct texts *texts = &names->service->extra_hosts;
	const struct slot_net *net = names->net;
	size_t count = 0;

	*out = arena_alloc(names->arena, (2 * texts->count + 1) * sizeof(**out));
	for (size_t i = 0; i < texts->count; i++) {
		const char *sign = strchr(texts->items[i], '=');
		const char *addresses[2] = { sign ? sign + 1 : NULL, NULL };
		const char *name;

		if (!sign)
			continue;
		name = arena_strndup(names->arena, texts->items[i],
				     (size_t)(sign - texts->items[i]));
		if (strcmp(addresses[0], "host-gateway") == 0) {
			addresses[0] = net && net->host4[0] ? net->host4 : NULL;
			addresses[1] = net && net->host6[0] ? net->host6 : NULL;
			if (!addresses[0] && !addresses[1])
				addresses[0] = "127.0.0.1"; /* the host's own network */
		}
		for (size_t k = 0; k < 2; k++)
			if (addresses[k])
				(*out)[count++] = (struct hosts_entry){ name, addresses[k] };
	}
	return count;
}

static char *text_of_hosts(const struct slot_names *names)
{
	const struct slot_net *net = names->net;
	AUTO(free)
	char *host_text = is_host_network(names->service) ? read_host_file("/etc/hosts") : NULL;
	const char **addresses =
		arena_alloc(names->arena, (2 * (net ? net->link_count : 0) + 1) * sizeof(char *));
	struct hosts_entry *extra;
	struct hosts_spec hosts = { .hostname = slot_names_hostname(names),
				    .domainname = names->service->domainname,
				    .addresses = addresses,
				    .extra_count = extra_hosts(names, &extra),
				    .host_text = host_text };

	hosts.extra = extra;
	for (size_t i = 0; net && i < net->link_count; i++) {
		if (net->links[i].ip4[0])
			addresses[hosts.address_count++] = net->links[i].ip4;
		if (net->links[i].ip6[0])
			addresses[hosts.address_count++] = net->links[i].ip6;
	}
	return hosts_text(&hosts);
}

static char *text_of_resolv(const struct slot_names *names, struct err *err)
{
	AUTO(free) char *host_text = read_host_file("/etc/resolv.conf");
	struct resolv_conf *host = resolv_parse(host_text);
	bool ours = names->net && names->net->link_count;
	const struct settings *settings = names->sv->settings;
	const struct texts none = { 0 };
	const struct texts *search =
		settings_or(&names->service->dns_search, ours ? &settings->dns_search : &none);
	const struct texts *options =
		settings_or(&names->service->dns_opt, ours ? &settings->dns_opts : &none);
	struct resolv_spec resolv = {
		.mode = ours ? RESOLV_OURS : RESOLV_HOST,
		.host = host,
		.dns = names->service->dns.items,
		.dns_count = names->service->dns.count,
		.search = search->items,
		.search_count = search->count,
		.options = options->items,
		.option_count = options->count,
	};
	char *text = resolv_text(&resolv, err);

	resolv_free(host);
	return text;
}

/* In RUN/projects/NAME/slots/SLOT: every start writes them anew. */
static int open_folder(const struct slot_names *names, struct err *err)
{
	AUTO(fd)
	int slots_fd = file_open_dir(names->sv->dirs->run_fd, SLOT_NAMES_FOLDER, true, err);

	return slots_fd < 0 ? -1 : file_open_dir(slots_fd, names->slot_name, true, err);
}

const char *slot_names_hostname(const struct slot_names *names)
{
	if (names->service->hostname)
		return names->service->hostname;
	if (is_host_network(names->service)) {
		char *name = arena_alloc(names->arena, 256);

		gethostname(name, 255);
		return name;
	}
	return arena_strndup(names->arena, names->container, 12);
}

int slot_names_write(const struct slot_names *names, struct err *err)
{
	AUTO(free) char *hosts = text_of_hosts(names);
	AUTO(free) char *resolv = text_of_resolv(names, err);
	AUTO(free) char *hostname = hostname_text(slot_names_hostname(names));
	AUTO(fd) int dir_fd = resolv ? open_folder(names, err) : -1;

	if (dir_fd < 0 || hosts_file_write(dir_fd, "hosts", hosts, err) < 0 ||
	    hosts_file_write(dir_fd, "resolv.conf", resolv, err) < 0)
		return -1;
	return hosts_file_write(dir_fd, "hostname", hostname, err);
}

int slot_names_change(const struct slot_names *names, const struct slot_net *former,
		      struct err *err)
{
	struct slot_names before = *names;
	AUTO(free) char *hosts = text_of_hosts(names);
	AUTO(free) char *resolv = text_of_resolv(names, err);
	AUTO(free) char *old_hosts = NULL;
	AUTO(free) char *old_resolv = NULL;
	AUTO(fd) int dir_fd = -1;
	bool ignored;

	before.net = former;
	old_hosts = text_of_hosts(&before);
	old_resolv = resolv ? text_of_resolv(&before, err) : NULL;
	dir_fd = old_resolv ? open_folder(names, err) : -1;
	if (dir_fd < 0 || hosts_file_change(dir_fd, "hosts", old_hosts, hosts, err) < 0)
		return -1;
	return hosts_file_update(dir_fd, "resolv.conf", old_resolv, resolv, &ignored, err);
}

void slot_names_remove(const struct supervisor *sv, const char *slot_name)
{
	AUTO(free) char *path = xformat(SLOT_NAMES_FOLDER "/%s", slot_name);
	struct err err = ERR_NONE;

	if (tree_remove(sv->dirs->run_fd, path, &err) < 0)
		log_warn("slot-files-left", KV_S("slot", slot_name), KV_S("error", err.msg));
	unlinkat(sv->dirs->run_fd, SLOT_NAMES_FOLDER, AT_REMOVEDIR); /* the last one does it */
}
