/* orchestrator/bundle - a service, an image and what was prepared for it become config.json and
 * monitor.json.
 *
 * Pure: values in, JSON out. Source: OCI runtime-spec 1.2 config; docker's defaults;
 * docs/monitor.md.
 */
#pragma once
#include <json-c/json.h>
#include <stdbool.h>
#include <stddef.h>

#include "base/arena.h"
#include "base/err.h"
#include "images/config.h"
#include "images/user.h"
#include "orchestrator/records.h"
#include "specs/model.h"

#define BUNDLE_RANGES_MAX 5

/* One entry of config.json's mounts, from what volumes/ made ready. */
struct bundle_mount {
	const char *destination, *type, *source;
	const char *options; /* comma-separated */
	bool is_read_only;
	/* idmapped: ranges as in volumes/bind; 0: not */
	struct bundle_id_range {
		uint32_t container, host, size;
	} uid_map[BUNDLE_RANGES_MAX], gid_map[BUNDLE_RANGES_MAX];
	size_t uid_map_count, gid_map_count;
};

struct bundle_spec {
	const struct project *project;
	const struct service *service;
	const struct image_config *image;
	const struct image_user *user;
	const char *id;   /* of the container */
	const char *slot; /* "web.1" */
	const char *hostname;
	const char *slot_dir;   /* holds hosts, resolv.conf, hostname; NULL: they are not bound */
	const char *netns_path; /* NULL: the host's network */
	bool shares_netns;     /* the namespace belongs to another slot or nobody: no net sysctls */
	const char *init_path; /* of stack-init, for services with init: true */
	const char *ipc_path,
		*pid_path; /* of another container's namespaces; NULL: see service->ipc, ->pid */
	const struct bundle_mount *mounts;
	size_t mount_count;
};

/* config.json, to be put. ERR_INVALID names service and key. */
struct json_object *bundle_config(struct arena *arena, const struct bundle_spec *spec,
				  struct err *err);

/* The command line as ps shows it ("\"sh -c 'echo hi'\""), in the arena; argv as bundle_config
 * chose it. */
const char *bundle_command_text(struct arena *arena, const struct bundle_spec *spec);

struct bundle_monitor {
	const char *project, *state_dir /* containers/ID */, *slot_dir, *run_dir;
	const struct record *record;
	const struct service *service; /* logging, stdin_open; NULL: json-file defaults */
	const char *const *lowers;     /* top first */
	size_t lower_count;
	const char *netns_path; /* to be joined; NULL: what config.json says */
	bool netns_make, want_sockets;
	bool is_passing;     /* removed at its end: its layer is never synced */
	const char *runtime; /* path of another runtime; NULL: ours */
};
/* monitor.json, to be put. */
struct json_object *bundle_monitor(const struct bundle_monitor *spec, struct err *err);
