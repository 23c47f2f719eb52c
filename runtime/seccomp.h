/* runtime/seccomp - a profile as a filter program: compiled by the parent, loaded by the child.
 *
 * Compiling needs libseccomp and up to a millisecond; programs are kept in a folder by the hash of
 * profile, kernel and libseccomp version, when one is given.
 */
#pragma once
#include <json-c/json.h>
#include <linux/filter.h>
#include <stddef.h>
#include <sys/types.h>

#include "base/err.h"
#include "runtime/config.h"

struct seccomp_program {
	struct sock_filter *at; /* to be freed */
	size_t count;
	unsigned flags; /* SECCOMP_FILTER_FLAG_* */
};

/* cache_dir_fd -1: no cache. warn (may be NULL) is told of names that libseccomp does not know
 * (debug). */
int filter_compile(const struct config_seccomp *config, int cache_dir_fd,
		   struct seccomp_program *out, struct err *err);
/* Loads it for this thread. Returns the listener's descriptor, or 0 without one; -1 with *err.
 * Needs no_new_privs or CAP_SYS_ADMIN. */
int filter_load(const struct seccomp_program *program, struct err *err);
/* Sends the listener to the agent at `path` with the container's process state. */
int filter_send_listener(const char *path, const char *metadata, int listener_fd, pid_t pid,
			 struct json_object *state, struct err *err);
