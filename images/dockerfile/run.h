/* images/dockerfile/run - RUN: what is started, with which environment, mounts and key.
 *
 * Pure; results live in the report's arena. The running itself is the orchestrator's.
 */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "images/dockerfile/configure.h"
#include "images/dockerfile/mount.h"

struct df_run_mount {
	struct df_mount mount;
	const char *options; /* as expanded: for the key */
	const char *target;  /* absolute; NULL: secret with env= alone, ssh (then the caller's) */
	const char *content; /* for the caller to set before df_run_key: df_copy_tree_key of what a
				bind (or a cache with from=) shows; NULL else */
	struct df_place place;
};

struct df_run {
	const char **argv; /* NULL-terminated. A heredoc that begins with "#!": argv[0] is script's
			      path */
	size_t argc;
	/* A heredoc script with "#!": to be bind-mounted, read-only and executable, at script_path,
	 * which is a mount point for df_capture. NULL: none. */
	const char *script, *script_path;
	size_t script_len;
	const char **env; /* NULL-terminated "NAME=VALUE", proxies and PATH included */
	size_t env_count;
	const char **key_env; /* without proxies */
	size_t key_env_count;
	const char *user, *cwd, *network, *security; /* network: "default", "none" or "host";
							security: "sandbox" or "insecure" */
	struct df_run_mount *mounts;
	size_t mount_count;
	const char *created_by; /* "RUN /bin/sh -c make", with "|1 ARG=value" in front of it as
				   docker has it */
};

/* network: the build's default (--network), NULL: "default". Errors: INVALID at the place. */
int df_run_read(struct df_state *state, const struct df_instr *instr, const char *network,
		struct df_run *out, struct err *err);
/* The key on top of the state's; the mounts' contents are set before. */
void df_run_key(const struct df_state *state, const struct df_run *run, char out[DF_KEY_SIZE]);
