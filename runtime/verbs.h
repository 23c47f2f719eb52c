/* runtime/verbs - the commands of stack-runtime: one function each. */
#pragma once
#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"
#include "runtime/options.h"
#include "runtime/state.h"

/* What the global flags say. */
struct runtime {
	const char *root;
	bool root_given; /* --root: then a missing one is an error for list */
	const char *log_path;
	const char *log_format; /* text, json */
	const char *log_level;
	const char *rootless_word; /* true, false, auto */
	const char *cgroup_manager;
	bool debug, systemd_cgroup, version, help;
	bool rootless;
	unsigned given_fds; /* descriptors 3, 4, ... that were open when we started, without a hole
			     */
	int log_fd;
};

/* Every verb's flags in one place; a verb's table names those that it takes. */
struct flags {
	const char *bundle, *console_socket, *pidfd_socket, *pid_file;
	bool no_pivot, no_new_keyring, detach, keep, no_subreaper;
	unsigned preserve_fds;
	/* exec */
	const char *process, *cwd, *user, *process_label, *apparmor;
	struct option_texts env, gids, caps, cgroups;
	bool tty, no_new_privs, ignore_paused;
	/* kill, delete, list, ps, events, update, spec */
	bool all, force, quiet, stats, rootless;
	const char *format, *interval, *resources;
	const char *blkio_weight, *cpu_period, *cpu_quota, *cpu_burst, *cpu_shares;
	const char *cpu_rt_period, *cpu_rt_runtime, *cpu_idle, *cpuset_cpus, *cpuset_mems;
	const char *memory, *memory_reservation, *memory_swap, *pids_limit;
	const char *kernel_memory, *kernel_memory_tcp;
	const char *l3_cache_schema, *mem_bw_schema;
};

struct verb {
	const char *name;
	/* The exit status; a failure is told by *err and status -1. */
	int (*run)(struct runtime *runtime, struct flags *flags, const char **args, size_t count,
		   struct err *err);
	const struct option_row *options;
	size_t min_args, max_args; /* positionals; max 0: as min */
	bool stop_early;
	const char *usage, *help;
};

extern const struct verb verb_table[];

int verb_create(struct runtime *, struct flags *, const char **, size_t, struct err *);
int verb_run(struct runtime *, struct flags *, const char **, size_t, struct err *);
int verb_start(struct runtime *, struct flags *, const char **, size_t, struct err *);
int verb_exec(struct runtime *, struct flags *, const char **, size_t, struct err *);
int verb_kill(struct runtime *, struct flags *, const char **, size_t, struct err *);
int verb_delete(struct runtime *, struct flags *, const char **, size_t, struct err *);
int verb_pause(struct runtime *, struct flags *, const char **, size_t, struct err *);
int verb_resume(struct runtime *, struct flags *, const char **, size_t, struct err *);
int verb_state(struct runtime *, struct flags *, const char **, size_t, struct err *);
int verb_list(struct runtime *, struct flags *, const char **, size_t, struct err *);
int verb_ps(struct runtime *, struct flags *, const char **, size_t, struct err *);
int verb_events(struct runtime *, struct flags *, const char **, size_t, struct err *);
int verb_update(struct runtime *, struct flags *, const char **, size_t, struct err *);
int verb_spec(struct runtime *, struct flags *, const char **, size_t, struct err *);
int verb_features(struct runtime *, struct flags *, const char **, size_t, struct err *);
int verb_checkpoint(struct runtime *, struct flags *, const char **, size_t, struct err *);
/* runtime/monitor: the container's own parent. */
int monitor_main(int argc, char **argv);

/* A line of the log: level "error", "warning", "info", "debug". */
void runtime_log(const struct runtime *runtime, const char *level, const char *text);
/* As a warn callback; context is the struct runtime. */
void runtime_warn(void *context, const char *text);
void runtime_debug(void *context, const char *text);
/* The container, or *err "container does not exist" wrapped with its id. */
struct state *runtime_state(const struct runtime *runtime, const char *id, struct err *err);
/* Writes a pid file by a temporary name. path may be NULL. */
int runtime_write_pid(const char *path, pid_t pid, struct err *err);
