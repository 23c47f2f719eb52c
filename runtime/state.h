/* runtime/state - ROOT/ID/state.json, and the status asked of the kernel.
 *
 * The folder (0711) holds state.json (0600, replaced atomically), config.json, lock, and exec.fifo
 * between create and start. The status is never stored. Reads take no lock.
 */
#pragma once
#include <json-c/json.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/cleanup.h"
#include "base/err.h"
#include "base/process.h"
#include "runtime/cgroup.h"
#include "runtime/config.h"

enum status {
	STATUS_CREATING,
	STATUS_CREATED,
	STATUS_RUNNING,
	STATUS_PAUSED,
	STATUS_STOPPED,
	STATUS_COUNT
};

struct state {
	char *root; /* ROOT */
	char *id;
	int dir_fd; /* ROOT/ID */
	struct process_id init;
	char *bundle, *rootfs;
	uint64_t created_unix_ns;
	char *owner;
	struct json_object *annotations; /* object or NULL */
	struct json_object *cgroup_json; /* what cgroup_from_json takes, or NULL */
	struct cgroup *cgroup;           /* NULL when none */
	bool shares_pid_namespace;       /* init's end does not end the others */
};

/* 1..1024 of A-Z a-z 0-9 _ + . -, neither "." nor "..". */
int state_check_id(const char *id, struct err *err);
/* Makes ROOT (0700) and ROOT/ID; ERR_EXISTS when the id is taken. Returns the folder's fd. */
int state_make_folder(const char *root, const char *id, struct err *err);
/* ERR_NOT_FOUND: "container ID does not exist". */
struct state *state_read(const char *root, const char *id, struct err *err);
/* For an id whose create crashed before the first record: everything but dir_fd and id may be
 * empty. */
struct state *state_read_torn(const char *root, const char *id, struct err *err);
int state_write(const struct state *state, struct err *err);
/* Removes ROOT/ID, last act of delete. */
int state_remove(const char *root, const char *id, struct err *err);
void state_free(struct state *state);
AUTO_TYPE(state, state_free);

enum status state_status(struct state *state);
const char *status_name(enum status status);
/* The copy of config.json that create took. */
struct config *state_config(const struct state *state, struct err *err);
/* The OCI state with our additions (rootfs, created, owner), to be put. pid is 0 when stopped. */
struct json_object *state_to_oci(const struct state *state, enum status status);
/* Ids below ROOT, sorted; *out and its texts to be freed. A missing root: none. */
int state_list(const char *root, char ***out, size_t *out_count, struct err *err);
