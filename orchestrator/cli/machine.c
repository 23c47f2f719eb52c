/* orchestrator/cli/machine - what this machine is.
 *
 * Owns: the fields of `info`. May not touch: anything: it only reads.
 */
#include "orchestrator/cli/machine.h"

#include <fcntl.h>
#include <linux/magic.h>
#include <stdio.h>
#include <string.h>
#include <sys/statfs.h>
#include <sys/sysinfo.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/file.h"
#include "base/json.h"
#include "base/text.h"
#include "netplug/network.h"
#include "netplug/zone.h"
#include "orchestrator/cli/cmd_maintenance.h"
#include "orchestrator/cli/cmd_volume.h"
#include "orchestrator/cli/view.h"
#include "orchestrator/settings.h"
#include "volumes/volume.h"

#define TEXT_MAX 65536u

static const char *cgroup_version(void)
{
	struct statfs fs;

	if (statfs("/sys/fs/cgroup", &fs) < 0)
		return "none";
	if (fs.f_type == CGROUP2_SUPER_MAGIC)
		return "2";
	return access("/sys/fs/cgroup/unified/cgroup.procs", F_OK) == 0 ? "1 (hybrid)" : "1";
}

/* Values of lines that begin with the word: `PRETTY_NAME="..."` with '=', `nameserver ...` with '
 * '. */
static void add_values(struct json_object *out, const char *path, const char *word, char separator)
{
	struct err ignored = ERR_NONE;
	AUTO(free) char *text = NULL;
	struct slice rest, line, key, value;
	size_t len;

	if (file_read(AT_FDCWD, path, TEXT_MAX, &text, &len, &ignored) < 0)
		return;
	rest = SLICE(text);
	while (slice_next(&rest, '\n', &line)) {
		AUTO(free) char *copy = NULL;

		if (!slice_split(line, separator, &key, &value) || !slice_is(key, word))
			continue;
		value = slice_trim(value);
		if (value.len >= 2 && value.at[0] == '"')
			value = (struct slice){ value.at + 1, value.len - 2 };
		copy = xstrndup(value.at, value.len);
		json_push_text(out, copy);
	}
}

static void add_system(struct json_object *info)
{
	struct json_object *names = json_object_new_array();
	struct sysinfo memory;
	struct utsname system;

	add_values(names, "/etc/os-release", "PRETTY_NAME", '=');
	uname(&system);
	json_add_text(info, "ServerVersion", STACK_VERSION);
	json_add_text(info, "KernelVersion", system.release);
	json_add_text(info, "OperatingSystem",
		      json_array_count(names)
			      ? json_object_get_string(json_object_array_get_idx(names, 0))
			      : system.sysname);
	json_add_text(info, "Architecture", system.machine);
	json_add_text(info, "Name", system.nodename);
	json_add_int(info, "NCPU", sysconf(_SC_NPROCESSORS_ONLN));
	json_add_int(info, "MemTotal",
		     sysinfo(&memory) == 0 ? (int64_t)memory.totalram * (int64_t)memory.mem_unit
					   : 0);
	json_add_text(info, "CgroupVersion", cgroup_version());
	json_object_put(names);
}

static void add_security(struct json_object *info)
{
	static const struct {
		const char *path, *option;
	} options[] = {
		{"/proc/sys/kernel/seccomp/actions_avail", "seccomp" },
		{ "/sys/kernel/security/apparmor",         "apparmor"},
		{ "/sys/fs/selinux/enforce",               "selinux" },
		{ "/proc/self/ns/user",                    "userns"  },
	};
	struct json_object *list = json_add_array(info, "SecurityOptions");

	for (size_t i = 0; i < sizeof(options) / sizeof(*options); i++)
		if (access(options[i].path, F_OK) == 0)
			json_push_text(list, options[i].option);
}

struct counts {
	int64_t projects, containers, running, paused;
};

static int count_project(void *ctx, const struct view *view, struct err *err)
{
	struct counts *counts = ctx;

	(void)err;
	counts->projects++;
	for (size_t i = 0; i < view->observed->count; i++) {
		const struct observed_container *container = &view->observed->containers[i];

		counts->containers++;
		counts->paused += strcmp(container->status, "paused") == 0;
		counts->running += container->alive && !container->record->paused;
	}
	return 0;
}

static int add_counts(struct cli *cli, struct json_object *info, struct store *store,
		      struct err *err)
{
	AUTO(volume_store) struct volume_store *volumes = volume_command_store(cli, err);
	struct netplug np = { .state_fd = cli->roots->state_fd,
			      .runtime_fd = cli->roots->run_fd,
			      .machine_id = "" };
	struct counts counts = { 0 };
	struct image_record **images;
	struct network_record **networks;
	size_t image_count, volume_count, network_count;
	char **names;

	if (!volumes || view_each(cli, count_project, &counts, err) < 0 ||
	    store_list(store, &images, &image_count, err) < 0)
		return -1;
	image_records_free(images, image_count);
	if (volume_names(volumes, &names, &volume_count, err) < 0 ||
	    network_list(&np, cli->arena, NULL, &networks, &network_count, err) < 0)
		return -1;
	volume_names_free(names, volume_count);
	json_add_int(info, "Projects", counts.projects);
	json_add_int(info, "Containers", counts.containers);
	json_add_int(info, "ContainersRunning", counts.running);
	json_add_int(info, "ContainersPaused", counts.paused);
	json_add_int(info, "ContainersStopped", counts.containers - counts.running - counts.paused);
	json_add_int(info, "Images", (int64_t)image_count);
	json_add_int(info, "Volumes", (int64_t)volume_count);
	json_add_int(info, "Networks", (int64_t)network_count);
	return 0;
}

static void add_pools(struct cli *cli, struct json_object *info)
{
	struct json_object *objects = json_add_array(info, "DefaultAddressPools");
	struct json_object *texts = json_add_array(info, "AddressPools");
	const struct address_pool *pools = cli->settings->address_pools;
	size_t count = cli->settings->pool_count;

	if (!count)
		pools = ipam_default_pools(&count);
	for (size_t i = 0; i < count; i++) {
		struct json_object *pool = json_object_new_object();
		char base[ADDRESS_TEXT];

		prefix_text(&pools[i].base, base);
		json_add_text(pool, "Base", base);
		json_add_int(pool, "Size", pools[i].size);
		json_object_array_add(objects, pool);
		json_push_text(texts, arena_format(cli->arena, "%s (/%u)", base, pools[i].size));
	}
}

static void add_texts(struct json_object *info, const char *key, const struct texts *texts)
{
	struct json_object *list = json_add_array(info, key);

	for (size_t i = 0; i < texts->count; i++)
		json_push_text(list, texts->items[i]);
}

/* 1: a switch of the kernel that is on. */
static bool is_on(const char *path)
{
	AUTO(fd) int fd = open(path, O_RDONLY | O_CLOEXEC);
	char value = '0';

	return fd >= 0 && read(fd, &value, 1) == 1 && value != '0';
}

/* What the machine's settings make of networks, with what counts where they say nothing. */
static void add_network(struct cli *cli, struct json_object *info)
{
	const struct settings *settings = cli->settings;
	struct json_object *options;

	json_add_text(info, "SettingsFile",
		      access(settings->path, F_OK) == 0
			      ? settings->path
			      : arena_format(cli->arena, "%s (absent)", settings->path));
	add_pools(cli, info);
	add_values(json_add_array(info, "DNS"), "/etc/resolv.conf", "nameserver", ' ');
	add_texts(info, "ServiceDNS", &settings->dns);
	json_add_int(info, "DNSTTL",
		     settings->dns_ttl.is_set ? settings->dns_ttl.value : ZONE_TTL_SECONDS);
	add_texts(info, "HostGateways", &settings->host_gateways);
	json_add_text(info, "DefaultHostIP", settings->ip ? settings->ip : "0.0.0.0, [::]");
	json_add_text(info, "MTU",
		      settings->mtu.is_set
			      ? arena_format(cli->arena, "%lld", (long long)settings->mtu.value)
			      : "of the uplink");
	options = json_add_object(info, "BridgeOptions");
	for (size_t i = 0; i < settings->bridge_opts.count; i++)
		json_add_text(options, settings->bridge_opts.items[i].name,
			      settings->bridge_opts.items[i].value);
	json_add_bool(info, "IPv4Forwarding", is_on("/proc/sys/net/ipv4/ip_forward"));
	json_add_bool(info, "IPv6Forwarding", is_on("/proc/sys/net/ipv6/conf/all/forwarding"));
}

struct json_object *machine_info(struct cli *cli, struct err *err)
{
	AUTO(store) struct store *store = image_command_store(cli, err);
	AUTO(json) struct json_object *info = json_object_new_object();

	if (!store || cli_settings(cli, err) < 0 || add_counts(cli, info, store, err) < 0)
		return NULL;
	add_system(info);
	json_add_text(info, "Driver",
		      store_backend(store) == STORE_EROFS ? "overlay over EROFS"
							  : "overlay over folders");
	json_add_text(info, "StateRoot", cli->roots->state);
	json_add_text(info, "RuntimeRoot", cli->roots->run);
	json_add_text(json_add_object(info, "Runtimes"), "stack-runtime", cli->runtime);
	json_add_text(info, "Firewall", "nftables, table inet stack");
	add_security(info);
	add_network(cli, info);
	return TAKE(info);
}
