/* orchestrator/cli/cmd_machine - the machine as a whole: system df, system prune, system info.
 *
 * Owns: their flags, sums and rows. May not touch: what is counted or removed (the rooms of each
 * kind do).
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/json.h"
#include "images/maintain.h"
#include "images/steps.h"
#include "orchestrator/build.h"
#include "orchestrator/cli/cmd_containers.h"
#include "orchestrator/cli/cmd_maintenance.h"
#include "orchestrator/cli/cmd_network.h"
#include "orchestrator/cli/cmd_volume.h"
#include "orchestrator/cli/commands.h"
#include "orchestrator/cli/human.h"
#include "orchestrator/cli/machine.h"
#include "orchestrator/cli/output.h"
#include "orchestrator/cli/view.h"
#include "volumes/rootfs.h"
#include "volumes/volume.h"

/* clang-format off */
const struct option_row df_options[] = {
	OPT_FLAG("verbose", 'v', "Each container, image and volume"),
	OPT_TEXT("format", 0, "table|json|TEMPLATE", "Form of the output"),
	OPT_END,
};
const struct option_row system_prune_options[] = {
	OPT_FLAG("all", 'a', "Every image that no container uses, not only those without a name"),
	OPT_FLAG("volumes", 0, "Anonymous volumes that no container uses, too"),
	OPT_FLAG("force", 'f', "No question"),
	OPT_END,
};
const struct option_row info_options[] = {
	OPT_TEXT("format", 'f', "json|TEMPLATE", "Form of the output"),
	OPT_END,
};
/* clang-format on */

/* ---- df ---- */

static const struct output_column df_columns[] = {
	{"Type",         "TYPE",        0},
        { "TotalCount",  "TOTAL",       0},
        { "Active",      "ACTIVE",      0},
	{ "Size",        "SIZE",        0},
        { "Reclaimable", "RECLAIMABLE", 0},
        { NULL,          NULL,          0},
};

/* One kind of thing, and in `items` its members for -v: Name, Size, Users. */
struct use {
	const char *type;
	uint64_t count, active, bytes, free_bytes;
	struct json_object *items;
};

static void use_item(struct use *use, const char *name, uint64_t bytes, bool is_active,
		     const char *state)
{
	struct json_object *item = json_object_new_object();
	char text[HUMAN_LEN];

	use->count++;
	use->active += is_active;
	use->bytes += bytes;
	use->free_bytes += is_active ? 0 : bytes;
	json_add_text(item, "Name", name);
	json_add_text(item, "Size", human_size(bytes, text));
	json_add_text(item, "State", state);
	json_object_array_add(use->items, item);
}

static int measure_images(struct cli *cli, struct use *use, struct err *err)
{
	AUTO(store) struct store *store = image_command_store(cli, err);
	struct store_use found;

	if (!store || maintain_df(store, &found, err) < 0)
		return -1;
	for (size_t i = 0; i < found.image_count; i++) {
		char id[HUMAN_LEN], state[40];

		snprintf(state, sizeof(state), "%zu containers", found.images[i].user_count);
		use_item(use, human_short_id(found.images[i].id, id), found.images[i].size_bytes,
			 found.images[i].user_count > 0, state);
	}
	use->bytes = found.total_bytes; /* what images share counts once */
	use->free_bytes = found.reclaimable_bytes;
	store_use_free(&found);
	return 0;
}

static int measure_project(void *ctx, const struct view *view, struct err *err)
{
	for (size_t i = 0; i < view->observed->count; i++) {
		const struct observed_container *container = &view->observed->containers[i];
		AUTO(fd)
		int fd = openat(view->dirs->containers_fd, container->record->id,
				O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		struct err gone = ERR_NONE;
		uint64_t bytes = 0;

		if (fd >= 0)
			rootfs_size(fd, &bytes, &gone);
		use_item(ctx, container->record->name, bytes, container->alive, container->status);
	}
	(void)err;
	return 0;
}

static int measure_containers(struct cli *cli, struct use *use, struct err *err)
{
	return view_each(cli, measure_project, use, err);
}

static int measure_volumes(struct cli *cli, struct use *use, struct err *err)
{
	AUTO(volume_store) struct volume_store *store = volume_command_store(cli, err);
	char **names;
	size_t count;

	if (!store || volume_names(store, &names, &count, err) < 0)
		return -1;
	for (size_t i = 0; i < count; i++) {
		AUTO(free) struct volume_user *users = NULL;
		struct err gone = ERR_NONE;
		uint64_t bytes = 0;
		size_t user_count = 0;
		char state[40];

		volume_size(store, names[i], &bytes, &gone);
		volume_store_users(store, names[i], &users, &user_count, &gone);
		snprintf(state, sizeof(state), "%zu containers", user_count);
		use_item(use, names[i], bytes, user_count > 0, state);
	}
	volume_names_free(names, count);
	return 0;
}

/* All of it may go: what a running build uses is spared by the prune. */
static int measure_build_cache(struct cli *cli, struct use *use, struct err *err)
{
	AUTO(store) struct store *store = image_command_store(cli, err);
	struct steps_use cache = { 0 };

	if (!store || steps_df(store, &cache, err) < 0)
		return -1;
	use->count = cache.step_count + cache.folder_count;
	use->bytes = use->free_bytes = cache.bytes;
	return 0;
}

static const struct {
	const char *type;
	int (*measure)(struct cli *cli, struct use *use, struct err *err);
} kinds[] = {
	{"Images",         measure_images     },
	{ "Containers",    measure_containers },
	{ "Local Volumes", measure_volumes    },
	{ "Build Cache",   measure_build_cache},
};

static struct json_object *use_row(const struct use *use)
{
	struct json_object *row = json_object_new_object();
	char size[HUMAN_LEN], text[80];

	json_add_text(row, "Type", use->type);
	snprintf(text, sizeof(text), "%llu", (unsigned long long)use->count);
	json_add_text(row, "TotalCount", text);
	snprintf(text, sizeof(text), "%llu", (unsigned long long)use->active);
	json_add_text(row, "Active", text);
	json_add_text(row, "Size", human_size(use->bytes, size));
	human_size(use->free_bytes, size);
	if (use->bytes)
		snprintf(text, sizeof(text), "%s (%llu%%)", size,
			 (unsigned long long)(use->free_bytes * 100 / use->bytes));
	json_add_text(row, "Reclaimable", use->bytes ? text : size);
	return row;
}

static int print_items(const struct use *use, struct err *err)
{
	static const struct output_column columns[] = {
		{"Name",   "NAME",  0},
		{ "Size",  "SIZE",  0},
		{ "State", "STATE", 0},
		{ NULL,    NULL,    0}
	};
	struct output_view form = { .columns = columns };

	printf("%s:\n\n", use->type);
	if (output_rows(stdout, &form, NULL, use->items, err) < 0)
		return -1;
	puts("");
	return 0;
}

int df_command(struct cli *cli, const struct options *options, struct err *err)
{
	struct output_view form = { .columns = df_columns };
	AUTO(json) struct json_object *rows = json_object_new_array();
	bool verbose = options_flag(options, "verbose");
	int status = 0;

	if (verbose && options_text(options, "format"))
		return err_set(err, ERR_INVALID, "--verbose and --format exclude each other");
	for (size_t i = 0; status == 0 && i < sizeof(kinds) / sizeof(*kinds); i++) {
		struct use use = { .type = kinds[i].type, .items = json_object_new_array() };

		status = kinds[i].measure(cli, &use, err);
		if (status == 0 && verbose)
			status = print_items(&use, err);
		json_object_array_add(rows, use_row(&use));
		json_object_put(use.items);
	}
	if (status < 0 || verbose)
		return status;
	return output_rows(stdout, &form, options_text(options, "format"), rows, err);
}

/* ---- prune ---- */

static int prune_all(struct cli *cli, const struct options *options, uint64_t *bytes,
		     struct err *err)
{
	static const char *const no_filters[] = { NULL };
	struct prune_options images = { .flags = options_flag(options, "all") ? PRUNE_ALL : 0 };
	AUTO(volume_store) struct volume_store *store = NULL;

	if (containers_prune(cli, err) < 0 || network_prune(cli, no_filters, err) < 0)
		return -1;
	if (options_flag(options, "volumes")) {
		store = volume_command_store(cli, err);
		if (!store || volume_prune(cli, store, false, no_filters, bytes, err) < 0)
			return -1;
	}
	if (image_prune(cli, &images, bytes, err) < 0)
		return -1;
	return build_cache_prune(cli->roots, options_text(options_globals(cli->options), "config"),
				 cli->runtime, 0, bytes, err);
}

int system_prune_command(struct cli *cli, const struct options *options, struct err *err)
{
	char text[HUMAN_LEN];
	uint64_t bytes = 0;
	int status;

	if (!options_flag(options, "force")) {
		fprintf(stderr,
			"This removes all stopped containers, networks that no container uses, "
			"%simages%s, and the build cache.\n",
			options_flag(options, "volumes")
				? "anonymous volumes that no container uses, "
				: "",
			options_flag(options, "all") ? " that no container uses"
						     : " without a name");
		if (!cli_ask("Go on?"))
			return 0;
	}
	status = prune_all(cli, options, &bytes, err);
	printf("Total reclaimed space: %s\n", human_size(bytes, text));
	return status;
}

/* ---- info ---- */

/* clang-format off */
static const struct {
	const char *label, *field;
	bool is_bytes;
} info_lines[] = {
	{ "Version", "ServerVersion", false },
	{ "Projects", "Projects", false },
	{ "Containers", "Containers", false },
	{ " Running", "ContainersRunning", false },
	{ " Paused", "ContainersPaused", false },
	{ " Stopped", "ContainersStopped", false },
	{ "Images", "Images", false },
	{ "Volumes", "Volumes", false },
	{ "Networks", "Networks", false },
	{ "Storage", "Driver", false },
	{ "State", "StateRoot", false },
	{ "Run-time state", "RuntimeRoot", false },
	{ "Cgroup version", "CgroupVersion", false },
	{ "Runtimes", "Runtimes", false },
	{ "Firewall", "Firewall", false },
	{ "Settings", "SettingsFile", false },
	{ "Address pools", "AddressPools", false },
	{ "DNS", "DNS", false },
	{ "DNS of services", "ServiceDNS", false },
	{ "DNS time to live", "DNSTTL", false },
	{ "Host gateway", "HostGateways", false },
	{ "Ports without address", "DefaultHostIP", false },
	{ "MTU of bridges", "MTU", false },
	{ "Bridge options", "BridgeOptions", false },
	{ "IPv4 forwarding", "IPv4Forwarding", false },
	{ "IPv6 forwarding", "IPv6Forwarding", false },
	{ "Security options", "SecurityOptions", false },
	{ "Kernel", "KernelVersion", false },
	{ "Operating system", "OperatingSystem", false },
	{ "Architecture", "Architecture", false },
	{ "CPUs", "NCPU", false },
	{ "Memory", "MemTotal", true },
	{ "Name", "Name", false },
};
/* clang-format on */

/* Arrays and objects as words with blanks between them. */
static void print_value(struct json_object *value)
{
	if (json_object_is_type(value, json_type_array)) {
		for (size_t i = 0; i < json_array_count(value); i++)
			printf(" %s", json_object_get_string(json_object_array_get_idx(value, i)));
	} else if (json_object_is_type(value, json_type_object)) {
		json_each(value, name, path) {
			(void)path;
			printf(" %s", name);
		}
	} else {
		printf(" %s", json_object_get_string(value));
	}
}

int info_command(struct cli *cli, const struct options *options, struct err *err)
{
	AUTO(json) struct json_object *array = json_object_new_array();
	struct json_object *info = machine_info(cli, err), *value;
	const char *format = options_text(options, "format");
	char text[HUMAN_LEN];

	if (!info)
		return -1;
	json_object_array_add(array, info);
	if (format && strcmp(format, "json") == 0) {
		output_json_line(stdout, info);
		return 0;
	}
	if (format)
		return output_inspect(stdout, format, array, err);
	for (size_t i = 0; i < sizeof(info_lines) / sizeof(*info_lines); i++) {
		printf("%s:", info_lines[i].label);
		if (info_lines[i].is_bytes)
			printf(" %s",
			       human_size_binary(
				       (uint64_t)json_int_or(info, info_lines[i].field, 0), text));
		else if (json_object_object_get_ex(info, info_lines[i].field, &value))
			print_value(value);
		puts("");
	}
	return 0;
}
