/* runtime/cgroup_internal - what the cgroup rooms share: the handle's fields, writes with a way
 * back. */
#pragma once
#include <stdbool.h>
#include <stddef.h>

#include "runtime/cgroup.h"

#define HIERARCHY_MAX 32

struct hierarchy {
	char *name;   /* "cpu,cpuacct", "systemd", "" for cgroup2 */
	char *mount;  /* /sys/fs/cgroup/cpu,cpuacct */
	char *folder; /* below it, the container's */
	bool is_v2;
	bool made; /* by this handle */
};

struct cgroup {
	enum cgroup_layout layout;
	char *path;
	struct hierarchy at[HIERARCHY_MAX];
	size_t count;
	bool systemd, rootless;
	char *slice, *scope;            /* systemd driver */
	struct config_pairs properties; /* org.systemd.property.*: borrowed, only while making */
	int clone_fd;
	int holder_pidfd; /* the process that keeps a new scope, or -1 */
	void (*warn)(void *context, const char *text);
	void *warn_context;
};

/* "/a/./b/../c" to "/a/c"; never above the root. To be freed. */
char *cgroup_clean_path(const char *path);
struct hierarchy *cgroup_hierarchy(const struct cgroup *cgroup, const char *controller);
void cgroup_warn(const struct cgroup *cgroup, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));

/* Short files of one folder. read: the text without its final newline, "" on failure; true when it
 * was read. write: -1 with errno. */
bool cgroup_file_read(const char *folder, const char *file, char *out, size_t size);
int cgroup_file_write(const char *folder, const char *file, const char *text);
int cgroup_file_open(const char *folder, const char *file, int flags); /* the caller's; O_CLOEXEC */
uint64_t cgroup_file_u64(const char *folder, const char *file,
			 uint64_t fallback); /* "max": UINT64_MAX */
/* The number behind `key ` in a flat keyed file; fallback when absent. */
uint64_t cgroup_key_u64(const char *text, const char *key, uint64_t fallback);
bool cgroup_has_file(const char *folder, const char *file);

/* Writes of limits that can be put back. */
struct limit_writer {
	struct cgroup *cgroup;
	bool update; /* remembers old values */
	struct limit_change {
		char *folder, *file, *old;
	} * changes;
	size_t count;
	struct err *err;
};

/* Writes the text to the controller's file; ERR_UNSUPPORTED when the controller is not there. */
int limit_put(struct limit_writer *writer, const char *controller, const char *file,
	      const char *fmt, ...) __attribute__((format(printf, 4, 5)));
/* As limit_put, but tells errno by its return: 0, or a positive errno without *err. */
int limit_try(struct limit_writer *writer, const char *controller, const char *file,
	      const char *fmt, ...) __attribute__((format(printf, 4, 5)));
int limit_fail(struct limit_writer *writer, int errno_value, const char *controller,
	       const char *file, const char *text);

int cgroup_v1_set(struct limit_writer *writer, const struct config_resources *resources);
int cgroup_v2_set(struct limit_writer *writer, const struct config_resources *resources);
/* Turns the controllers on from the root down to the parent of the folder, and makes it. */
int cgroup_v2_make(struct cgroup *cgroup, struct hierarchy *hierarchy, struct err *err);
int cgroup_v2_devices(struct cgroup *cgroup, const struct config_resources *resources, bool update,
		      struct err *err);
int cgroup_v1_devices(struct limit_writer *writer, const struct config_resources *resources);
/* 1..10000 of cpu.shares; io.weight of blkio.weight. */
uint64_t cgroup_weight_of_shares(uint64_t shares);
uint64_t cgroup_weight_of_blkio(uint64_t weight);

/* runtime/cgroup_systemd: slice and scope from SLICE:PREFIX:NAME; the path below the mounts. */
int cgroup_systemd_plan(struct cgroup *cgroup, const char *path, const char *id, struct err *err);
/* Starts the scope with a holder in it, limits as properties; a slice has no processes of its own.
 * The holder counts as a process of the container until it is released. Block. */
int cgroup_systemd_start(struct cgroup *cgroup, const struct config_resources *resources,
			 struct err *err);
void cgroup_systemd_release(struct cgroup *cgroup);
int cgroup_systemd_update(struct cgroup *cgroup, const struct config_resources *resources,
			  struct err *err);
/* Ends what is in the unit and forgets it; no error when systemd or the unit is gone. */
void cgroup_systemd_stop(struct cgroup *cgroup);
