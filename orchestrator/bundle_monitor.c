/* orchestrator/bundle_monitor - monitor.json: what the parent of one life is told
 * (docs/monitor.md).
 *
 * Owns: log options of a service as the monitor wants them. May not touch: config.json.
 */
#include <string.h>

#include "base/cleanup.h"
#include "base/json.h"
#include "orchestrator/bundle.h"
#include "specs/units.h"

#define MONITOR_VERSION 1

static int add_size(struct json_object *log, const char *key, const char *name,
		    const struct pairs *options, struct err *err)
{
	const char *text = pairs_get(options, name);
	uint64_t bytes;

	if (!text)
		return 0;
	if (units_parse_bytes(text, &bytes, err) < 0)
		return err_wrap(err, "logging.options.%s", name);
	json_add_int(log, key, (int64_t)bytes);
	return 0;
}

static int add_log(struct json_object *monitor, const struct service *service, struct err *err)
{
	const struct logging *logging = service ? service->logging : NULL;
	struct json_object *log = json_add_object(monitor, "log");
	const char *text;

	json_add_text(log, "driver", logging && logging->driver ? logging->driver : "json-file");
	if (!logging)
		return 0;
	if (add_size(log, "max_size", "max-size", &logging->options, err) < 0 ||
	    add_size(log, "max_buffer", "max-buffer-size", &logging->options, err) < 0)
		return -1;
	text = pairs_get(&logging->options, "max-file");
	if (text) {
		struct json_object *count = json_parse("max-file", text, strlen(text), err);

		if (!count || !json_object_is_type(count, json_type_int)) {
			json_object_put(count);
			return err_set(err, ERR_INVALID,
				       "logging.options.max-file: \"%s\" is not a whole number",
				       text);
		}
		json_object_object_add(log, "max_file", count);
	}
	text = pairs_get(&logging->options, "compress");
	if (text)
		json_add_bool(log, "compress", strcmp(text, "false") != 0);
	json_add_text(log, "mode", pairs_get(&logging->options, "mode"));
	json_add_text(log, "tag", pairs_get(&logging->options, "tag"));
	return 0;
}

static void add_rootfs(struct json_object *monitor, const struct bundle_monitor *spec)
{
	struct json_object *rootfs = json_add_object(monitor, "rootfs");
	struct json_object *lowers = json_add_array(rootfs, "lowers");
	char path[4096];

	for (size_t i = 0; i < spec->lower_count; i++)
		json_push_text(lowers, spec->lowers[i]);
	snprintf(path, sizeof(path), "%s/upper", spec->state_dir);
	json_add_text(rootfs, "upper", path);
	snprintf(path, sizeof(path), "%s/work", spec->state_dir);
	json_add_text(rootfs, "work", path);
}

struct json_object *bundle_monitor(const struct bundle_monitor *spec, struct err *err)
{
	AUTO(json) struct json_object *monitor = json_object_new_object();
	const struct record *record = spec->record;

	json_add_int(monitor, "version", MONITOR_VERSION);
	json_add_text(monitor, "id", record->id);
	json_add_text(monitor, "name", record->name);
	json_add_text(monitor, "project", spec->project);
	json_add_text(monitor, "service", record->service);
	json_add_int(monitor, "life", (int64_t)record->life);
	json_add_text(monitor, "run_dir", spec->run_dir);
	json_add_text(monitor, "container_dir", spec->state_dir);
	if (!spec->runtime)
		json_add_text(monitor, "bundle", spec->run_dir); /* the runtime's copy of config.json */
	json_add_text(monitor, "slot_dir", spec->slot_dir);
	add_rootfs(monitor, spec);
	if (spec->netns_path) {
		struct json_object *netns = json_add_object(monitor, "netns");
		struct json_object *sockets;

		json_add_text(netns, "path", spec->netns_path);
		json_add_bool(netns, "make", spec->netns_make);
		sockets = json_add_array(monitor, "sockets");
		if (spec->want_sockets) {
			json_push_text(sockets, "route");
			json_push_text(sockets, "netfilter");
			json_push_text(sockets, "dns");
			json_push_text(sockets, "dns-tcp");
		}
	}
	if (add_log(monitor, spec->service, err) < 0)
		return NULL;
	json_add_bool(monitor, "stdin_open", spec->service && spec->service->stdin_open);
	json_add_text(monitor, "runtime", spec->runtime);
	return TAKE(monitor);
}
