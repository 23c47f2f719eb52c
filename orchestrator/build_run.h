/* orchestrator/build_run - one RUN: its root, its bundle, our runtime, its output.
 *
 * Blocks until the program's end (its process namespace ends with it, so nothing of it is left).
 * Any thread; the mount namespace is the builder's own.
 */
#pragma once
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "images/user.h"
#include "orchestrator/build_control.h"
#include "orchestrator/build_names.h"
#include "orchestrator/build_net.h"
#include "orchestrator/build_work.h"
#include "orchestrator/bundle.h"

/* What every RUN of a builder shares; all borrowed. */
struct build_runner {
	const struct build_work *work;
	struct build_control *control;
	struct build_net *net;
	const struct settings *settings;
	int runtime_fd;
};

struct build_run_spec {
	unsigned number;      /* unique in the builder */
	const int *lower_fds; /* the stage so far, top first; borrowed */
	size_t lower_count;
	uint32_t root_mode, root_uid, root_gid;
	int64_t root_mtime_s;
	uint32_t root_mtime_ns;
	const char *const *argv;
	size_t argc;
	const char *const *env; /* "NAME=VALUE" */
	size_t env_count;
	const struct image_user *user;
	const char *cwd, *hostname;
	enum build_net_kind network;
	bool insecure;                /* all rights */
	const struct service *limits; /* shm_size, ulimits, mem_limit, extra_hosts; the rest is not
					 looked at */
	const struct bundle_mount *mounts;
	size_t mount_count;
	/* Whether mounts[i] shows a file. */
	const bool *is_file;
	/* One line, from the caller's thread. */
	void (*output)(void *ctx, const char *stream, const char *text, size_t len);
	void *ctx;
};

struct build_run_result {
	int status;   /* of the program; 128 + signal */
	char *folder; /* name of the step's folder below the work folder; build_run_end */
	int upper_fd; /* what it changed; readable */
};

/* Errors: of the set-up; a program that fails is none (status). On error nothing is left. */
int build_run(const struct build_runner *runner, const struct build_run_spec *spec,
	      struct build_run_result *out, struct err *err);
/* Removes the step's folder. */
void build_run_end(const struct build_runner *runner, struct build_run_result *result);
