/* orchestrator/slot_start_inner - a start on its way, for slot_start.c and slot_launch.c alone. */
#pragma once
#include "orchestrator/flow.h"
#include "orchestrator/launch.h"
#include "orchestrator/slot.h"
#include "orchestrator/slot_files.h"
#include "orchestrator/storage.h"

struct start_job {
	struct flow flow;
	struct slot *slot;
	const struct supervisor *sv;
	struct arena *arena;
	const struct service *service;
	const struct snapshot *snapshot; /* of the cache, as the two below */
	const struct image_config *image;
	const struct image_user *user;
	struct storage_env env;
	struct storage storage;
	struct launch launch;
	const char *release_word; /* in the arena */
	struct slot_paths paths;
	int slot_fd;
	bool needs_names; /* netd lacks this slot's sockets */
	bool verifies;    /* the namespace was adopted and is looked at first */
	bool waits_for_go;
	bool launched;
	struct err hook_err; /* of post_start */
	volatile bool cut;
};

/* Stages of the table in slot_start.c, in the pool. */
int start_renew_network(void *data, struct err *err);
int start_launch_monitor(void *data, struct err *err);
int start_end_monitor(void *data, struct err *err);
int start_attach_network(void *data, struct err *err);
int start_await_created(void *data, struct err *err);
