/* runtime/verb_table - the commands of stack-runtime and the flags that each takes.
 *
 * Owns: the table alone. May not touch: what the commands do.
 */
#include "runtime/verbs.h"

#define FLAG(member) offsetof(struct flags, member)

/* clang-format off */
#define CREATE_FLAGS \
	{ "bundle", 'b', OPTION_TEXT, FLAG(bundle), "DIR  folder with config.json" }, \
	{ "console-socket", 0, OPTION_TEXT, FLAG(console_socket), "PATH  socket that is given the terminal" }, \
	{ "pidfd-socket", 0, OPTION_TEXT, FLAG(pidfd_socket), "PATH  socket that is given the pidfd" }, \
	{ "pid-file", 0, OPTION_TEXT, FLAG(pid_file), "PATH  file for the pid" }, \
	{ "no-pivot", 0, OPTION_BOOL, FLAG(no_pivot), "do not use pivot_root" }, \
	{ "no-new-keyring", 0, OPTION_BOOL, FLAG(no_new_keyring), "keep the session keyring" }, \
	{ "preserve-fds", 0, OPTION_COUNT, FLAG(preserve_fds), "N  pass N more descriptors" }

static const struct option_row create_options[] = { CREATE_FLAGS, { 0 } };
static const struct option_row run_options[] = {
	CREATE_FLAGS,
	{ "detach", 'd', OPTION_BOOL, FLAG(detach), "return after the start" },
	{ "keep", 0, OPTION_BOOL, FLAG(keep), "do not delete the container at its end" },
	{ "no-subreaper", 0, OPTION_BOOL, FLAG(no_subreaper), "do not reap orphans" }, { 0 },
};
static const struct option_row exec_options[] = {
	{ "process", 'p', OPTION_TEXT, FLAG(process), "FILE  process settings as JSON" },
	{ "cwd", 0, OPTION_TEXT, FLAG(cwd), "DIR  working directory" },
	{ "env", 'e', OPTION_TEXTS, FLAG(env), "NAME=VALUE" },
	{ "tty", 't', OPTION_BOOL, FLAG(tty), "allocate a terminal" },
	{ "user", 'u', OPTION_TEXT, FLAG(user), "UID[:GID]" },
	{ "additional-gids", 'g', OPTION_TEXTS, FLAG(gids), "GID" },
	{ "detach", 'd', OPTION_BOOL, FLAG(detach), "return after the start" },
	{ "pid-file", 0, OPTION_TEXT, FLAG(pid_file), "PATH  file for the pid" },
	{ "console-socket", 0, OPTION_TEXT, FLAG(console_socket), "PATH  socket that is given the terminal" },
	{ "pidfd-socket", 0, OPTION_TEXT, FLAG(pidfd_socket), "PATH  socket that is given the pidfd" },
	{ "process-label", 0, OPTION_TEXT, FLAG(process_label), "LABEL  SELinux label" },
	{ "apparmor", 0, OPTION_TEXT, FLAG(apparmor), "NAME  AppArmor profile" },
	{ "no-new-privs", 0, OPTION_BOOL, FLAG(no_new_privs), "set no_new_privs" },
	{ "cap", 'c', OPTION_TEXTS, FLAG(caps), "NAME  add a capability" },
	{ "preserve-fds", 0, OPTION_COUNT, FLAG(preserve_fds), "N  pass N more descriptors" },
	{ "cgroup", 0, OPTION_TEXTS, FLAG(cgroups), "[CTRL:]PATH  below the container's" },
	{ "ignore-paused", 0, OPTION_BOOL, FLAG(ignore_paused), "also in a paused container" },
	{ "no-subreaper", 0, OPTION_BOOL, FLAG(no_subreaper), "do not reap orphans" }, { 0 },
};
static const struct option_row kill_options[] = {
	{ "all", 'a', OPTION_BOOL, FLAG(all), "to every process of the container" }, { 0 },
};
static const struct option_row delete_options[] = {
	{ "force", 'f', OPTION_BOOL, FLAG(force), "kill what still runs" }, { 0 },
};
static const struct option_row list_options[] = {
	{ "format", 'f', OPTION_TEXT, FLAG(format), "table|json" },
	{ "quiet", 'q', OPTION_BOOL, FLAG(quiet), "ids only" }, { 0 },
};
static const struct option_row ps_options[] = {
	{ "format", 'f', OPTION_TEXT, FLAG(format), "table|json" }, { 0 },
};
static const struct option_row events_options[] = {
	{ "stats", 0, OPTION_BOOL, FLAG(stats), "once, then end" },
	{ "interval", 0, OPTION_TEXT, FLAG(interval), "TIME  between two lines (5s)" }, { 0 },
};
static const struct option_row update_options[] = {
	{ "resources", 'r', OPTION_TEXT, FLAG(resources), "FILE  resources as JSON, - for stdin" },
	{ "blkio-weight", 0, OPTION_TEXT, FLAG(blkio_weight), "N" },
	{ "cpu-period", 0, OPTION_TEXT, FLAG(cpu_period), "US" },
	{ "cpu-quota", 0, OPTION_TEXT, FLAG(cpu_quota), "US" },
	{ "cpu-burst", 0, OPTION_TEXT, FLAG(cpu_burst), "US" },
	{ "cpu-share", 0, OPTION_TEXT, FLAG(cpu_shares), "N" },
	{ "cpu-rt-period", 0, OPTION_TEXT, FLAG(cpu_rt_period), "US" },
	{ "cpu-rt-runtime", 0, OPTION_TEXT, FLAG(cpu_rt_runtime), "US" },
	{ "cpu-idle", 0, OPTION_TEXT, FLAG(cpu_idle), "0|1" },
	{ "cpuset-cpus", 0, OPTION_TEXT, FLAG(cpuset_cpus), "LIST" },
	{ "cpuset-mems", 0, OPTION_TEXT, FLAG(cpuset_mems), "LIST" },
	{ "memory", 0, OPTION_TEXT, FLAG(memory), "BYTES" },
	{ "memory-reservation", 0, OPTION_TEXT, FLAG(memory_reservation), "BYTES" },
	{ "memory-swap", 0, OPTION_TEXT, FLAG(memory_swap), "BYTES  memory and swap together" },
	{ "pids-limit", 0, OPTION_TEXT, FLAG(pids_limit), "N" },
	{ "kernel-memory", 0, OPTION_TEXT, FLAG(kernel_memory), "BYTES  no effect" },
	{ "kernel-memory-tcp", 0, OPTION_TEXT, FLAG(kernel_memory_tcp), "BYTES  no effect" },
	{ "l3-cache-schema", 0, OPTION_TEXT, FLAG(l3_cache_schema), "TEXT  not supported" },
	{ "mem-bw-schema", 0, OPTION_TEXT, FLAG(mem_bw_schema), "TEXT  not supported" }, { 0 },
};
static const struct option_row spec_options[] = {
	{ "bundle", 'b', OPTION_TEXT, FLAG(bundle), "DIR  where config.json is written" },
	{ "rootless", 0, OPTION_BOOL, FLAG(rootless), "for a user without rights" }, { 0 },
};
static const struct option_row no_options[] = { { 0 } };

const struct verb verb_table[] = {
	{ "create", verb_create, create_options, 1, 0, false, "ID", "set a container up; its program waits" },
	{ "start", verb_start, no_options, 1, 0, false, "ID", "execute the program of a created container" },
	{ "run", verb_run, run_options, 1, 0, false, "ID", "create, start, wait and delete" },
	{ "exec", verb_exec, exec_options, 1, 4096, true, "ID [COMMAND [ARG ...]]", "execute another program in a container" },
	{ "kill", verb_kill, kill_options, 1, 2, false, "ID [SIGNAL]", "send a signal (SIGTERM) to a container" },
	{ "delete", verb_delete, delete_options, 1, 0, false, "ID", "remove what is left of a container" },
	{ "state", verb_state, no_options, 1, 0, false, "ID", "print the state of a container" },
	{ "list", verb_list, list_options, 0, 0, false, "", "list containers" },
	{ "ps", verb_ps, ps_options, 1, 64, true, "ID [PS OPTIONS]", "list the processes of a container" },
	{ "pause", verb_pause, no_options, 1, 0, false, "ID", "freeze all processes of a container" },
	{ "resume", verb_resume, no_options, 1, 0, false, "ID", "thaw them again" },
	{ "update", verb_update, update_options, 1, 0, false, "ID", "change the limits of a container" },
	{ "events", verb_events, events_options, 1, 0, false, "ID", "print statistics and events" },
	{ "spec", verb_spec, spec_options, 0, 0, false, "", "write an example config.json" },
	{ "features", verb_features, no_options, 0, 0, false, "", "print what this build can do" },
	{ "checkpoint", verb_checkpoint, no_options, 1, 0, false, "ID", "not supported" },
	{ "restore", verb_checkpoint, no_options, 1, 0, false, "ID", "not supported" },
	{ 0 },
};
/* clang-format on */
