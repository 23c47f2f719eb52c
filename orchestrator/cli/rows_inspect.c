/* orchestrator/cli/rows_inspect - one container in docker's inspect shape.
 *
 * Owns: the names of the fields. May not touch: secrets: environment values are not in records.
 */
#include "orchestrator/cli/rows_inspect.h"

#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "base/json.h"

#define NEVER "0001-01-01T00:00:00Z"

static void add_time(struct json_object *object, const char *key, uint64_t us)
{
	char text[STAMP_TEXT_LEN];

	json_add_text(object, key, us ? stamp_rfc3339(us * 1000, text) : NEVER);
}

static void add_state(struct json_object *row, const struct observed_container *container)
{
	struct json_object *state = json_add_object(row, "State");
	const struct record *record = container->record;

	json_add_text(state, "Status", container->status);
	json_add_bool(state, "Running", container->alive && record->state == RECORD_RUNNING);
	json_add_bool(state, "Paused", record->paused);
	json_add_bool(state, "Restarting", strcmp(container->status, "restarting") == 0);
	json_add_bool(state, "OOMKilled", record->last_exit.oom);
	json_add_bool(state, "Dead", false);
	json_add_int(state, "Pid", container->alive ? record->init.pid : 0);
	json_add_int(state, "ExitCode", container->alive ? 0 : record->last_exit.code);
	json_add_text(state, "Error", container->alive ? "" : record->last_exit.error);
	add_time(state, "StartedAt", record->started_at_us);
	add_time(state, "FinishedAt", record->last_exit.finished_at_us);
	if (record->health != HEALTH_NONE)
		json_add_text(json_add_object(state, "Health"), "Status",
			      health_name(record->health));
}

static void add_config(struct json_object *row, const struct observed_container *container)
{
	struct json_object *config = json_add_object(row, "Config");
	const struct json_object *info = container->info;

	json_add_text(config, "Image", container->record->image_ref);
	json_object_object_add(config, "Labels", json_object_get(json_object_at(info, "labels")));
	json_object_object_add(config, "Cmd", json_object_get(json_array_at(info, "command")));
	json_object_object_add(config, "Entrypoint",
			       json_object_get(json_array_at(info, "entrypoint")));
	json_add_bool(config, "Tty", json_bool_or(info, "tty", false));
	json_add_bool(config, "OpenStdin", json_bool_or(info, "stdin_open", false));
	json_add_text(config, "StopSignal", json_text_or(info, "stop_signal", NULL));
}

static void add_ports(struct json_object *settings, struct json_object *ports)
{
	struct json_object *out = json_add_object(settings, "Ports");

	for (size_t i = 0; i < json_array_count(ports); i++) {
		struct json_object *port = json_object_array_get_idx(ports, i);
		struct json_object *list, *binding = json_object_new_object();
		char key[32], number[16];

		snprintf(key, sizeof(key), "%d/%s", (int)json_int_or(port, "target", 0),
			 json_text_or(port, "protocol", "tcp"));
		snprintf(number, sizeof(number), "%d", (int)json_int_or(port, "host_port", 0));
		list = json_array_at(out, key);
		if (!list)
			list = json_add_array(out, key);
		json_add_text(binding, "HostIp", json_text_or(port, "host_ip", ""));
		json_add_text(binding, "HostPort", number);
		json_object_array_add(list, binding);
	}
}

static void add_networks(struct json_object *row, const struct json_object *info)
{
	struct json_object *settings = json_add_object(row, "NetworkSettings"), *networks;
	struct json_object *links = json_array_at(info, "networks");

	add_ports(settings, json_array_at(info, "ports"));
	networks = json_add_object(settings, "Networks");
	for (size_t i = 0; i < json_array_count(links); i++) {
		struct json_object *link = json_object_array_get_idx(links, i);
		struct json_object *one = json_add_object(networks, json_text_or(link, "name", ""));

		json_add_text(one, "IPAddress", json_text_or(link, "ip4", ""));
		json_add_text(one, "GlobalIPv6Address", json_text_or(link, "ip6", ""));
		json_add_text(one, "MacAddress", json_text_or(link, "mac", ""));
		json_add_text(one, "Gateway", json_text_or(link, "gateway4", ""));
	}
}

/* The members of docker's shape; a volume's content lies below the state root. */
static void add_mounts(struct json_object *row, const struct project_dirs *dirs,
		       struct json_object *mounts)
{
	struct json_object *out = json_add_array(row, "Mounts");

	for (size_t i = 0; i < json_array_count(mounts); i++) {
		struct json_object *mount = json_object_array_get_idx(mounts, i);
		struct json_object *one = json_object_new_object();
		const char *type = json_text_or(mount, "type", "");
		const char *source = json_text_or(mount, "source", "");
		bool is_volume = strcmp(type, "volume") == 0;
		AUTO(free)
		char *data = is_volume && *source
				     ? xformat("%s/volumes/%s/_data", dirs->roots->state, source)
				     : xstrdup(source);

		json_add_text(one, "Type", type);
		if (is_volume)
			json_add_text(one, "Name", source);
		json_add_text(one, "Source", data);
		json_add_text(one, "Destination", json_text_or(mount, "target", ""));
		if (is_volume)
			json_add_text(one, "Driver", "local");
		json_add_text(one, "Mode", "");
		json_add_bool(one, "RW", !json_bool_or(mount, "read_only", false));
		json_add_text(one, "Propagation", strcmp(type, "bind") == 0 ? "rprivate" : "");
		json_object_array_add(out, one);
	}
}

static void add_limits(struct json_object *host, struct json_object *limits)
{
	if (!limits)
		return;
	json_each(limits, name, value)
		json_object_object_add(host, name, json_object_get(value));
}

struct json_object *inspect_container(const struct project_dirs *dirs,
				      const struct observed_container *container)
{
	const struct record *record = container->record;
	struct json_object *row = json_object_new_object(), *host;
	AUTO(free) char *name = xformat("/%s", record->name);
	AUTO(free) char *log = NULL;
	char slot[300];

	log = xformat("%s/slots/%s/log.json", dirs->state,
		      record_slot_name(record, slot, sizeof(slot)));
	json_add_text(row, "Id", record->id);
	add_time(row, "Created", record->created_at_us);
	add_state(row, container);
	json_add_text(row, "Image", record->image_id);
	json_add_text(row, "Name", name);
	json_add_text(row, "LogPath", log);
	json_add_int(row, "RestartCount", record->restarts);
	add_config(row, container);
	host = json_add_object(row, "HostConfig");
	json_add_text(host, "NetworkMode",
		      json_text_or(container->info, "network_mode", "default"));
	json_add_text(json_add_object(host, "RestartPolicy"), "Name",
		      json_text_or(container->info, "restart", "no"));
	add_limits(host, json_object_at(container->info, "limits"));
	add_networks(row, container->info);
	add_mounts(row, dirs, json_array_at(container->info, "mounts"));
	return row;
}
