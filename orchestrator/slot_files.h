/* orchestrator/slot_files - the files of one life: config.json and monitor.json (in memory, by
 * descriptor), hosts, resolv.conf, hostname (below /run). Blocks (disk): for the pool. */
#pragma once
#include "base/arena.h"
#include "base/err.h"
#include "images/config.h"
#include "images/snapshot.h"
#include "images/user.h"
#include "orchestrator/slot.h"
#include "orchestrator/storage.h"

struct slot_paths {
	const char *container_dir, *names_dir, *run_dir, *netns;
};

struct slot_files_spec {
	const struct slot *slot;
	const struct service *service;
	const struct image_config *image;
	const struct image_user *user;
	const struct snapshot *snapshot;
	const struct storage *storage;
	bool want_sockets;
	struct arena *arena;
};

/* Writes everything; the two descriptors are open for reading from the start, the caller's. */
int slot_files_write(const struct slot_files_spec *spec, struct slot_paths *out_paths,
		     int *out_config_fd, int *out_monitor_fd, struct err *err);
