/* orchestrator/bundle_monitor - monitor.json: what the parent of one life is told
 * (docs/monitor.md).
 *
 * Owns: paths and descriptors of one life. May not touch: config.json, log options (bundle_log).
 */
#include <string.h>

#include "base/cleanup.h"
#include "base/json.h"
#include "orchestrator/bundle.h"
#include "orchestrator/bundle_log.h"

#define MONITOR_VERSION 1

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
	if (spec->is_passing)
		json_add_bool(rootfs, "volatile", true);
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
		json_add_text(monitor, "bundle",
			      spec->run_dir); /* the runtime's copy of config.json */
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
	if (bundle_add_log(monitor, spec->service, record, err) < 0)
		return NULL;
	json_add_bool(monitor, "stdin_open", spec->service && spec->service->stdin_open);
	json_add_text(monitor, "runtime", spec->runtime);
	return TAKE(monitor);
}
