/* runtime/config - config.json (OCI runtime-spec 1.3) as structs.
 *
 * config_parse reads the whole document and refuses every contradiction that can be seen without
 * touching the system; the message names the field ("config.json: process.cwd: must be an absolute
 * path"). Unknown members are ignored, as the specification asks. Texts and arrays live in the
 * config's arena. Blocks: never. Thread-safe: yes.
 */
#pragma once
#include <json-c/json.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/arena.h"
#include "base/cleanup.h"
#include "base/err.h"

#define CONFIG_MAX_BYTES (16u << 20)

/* A number that may be absent. */
struct config_int {
	bool set;
	int64_t value;
};

/* NULL-terminated, so that it can be an argv; count does not include the NULL. */
struct config_texts {
	const char **at;
	size_t count;
};

struct config_pair {
	const char *key, *value;
};

struct config_pairs {
	struct config_pair *at;
	size_t count;
};

struct config_id_map {
	uint32_t inside, outside, size; /* containerID, hostID, size */
};

struct config_id_maps {
	struct config_id_map *at;
	size_t count;
};

struct config_mount {
	const char *destination; /* absolute, as written otherwise */
	const char *type;        /* "" when absent */
	const char
		*source; /* "" when absent; a relative one is made absolute by the bundle at use */
	struct config_texts options;
	struct config_id_maps uid_maps, gid_maps;
};

struct config_rlimit {
	int resource; /* RLIMIT_* */
	const char *name;
	uint64_t soft, hard;
};

struct config_caps {
	uint64_t bounding, effective, inheritable, permitted, ambient; /* bit = capability number */
	struct config_texts unknown; /* names that we do not know */
};

struct config_scheduler {
	bool set;
	uint32_t policy; /* SCHED_* */
	uint64_t flags;
	int32_t nice;
	uint32_t priority;
	uint64_t runtime, deadline, period;
};

struct config_process {
	bool terminal;
	unsigned console_height, console_width;
	uint32_t uid, gid;
	struct config_int umask;
	uint32_t *additional_gids;
	size_t additional_gid_count;
	struct config_texts args;
	struct config_texts env;
	const char *cwd;
	bool has_caps; /* a capabilities object was there */
	struct config_caps caps;
	struct config_rlimit *rlimits;
	size_t rlimit_count;
	bool no_new_privileges;
	const char *apparmor_profile, *selinux_label; /* NULL when absent or empty */
	struct config_int oom_score_adj;
	struct config_scheduler scheduler;
	struct config_int io_class, io_priority; /* IOPRIO_CLASS_*, 0..7 */
	const char *cpu_affinity_initial, *cpu_affinity_final;
};

enum hook_kind {
	HOOK_PRESTART,
	HOOK_CREATE_RUNTIME,
	HOOK_CREATE_CONTAINER,
	HOOK_START_CONTAINER,
	HOOK_POSTSTART,
	HOOK_POSTSTOP,
	HOOK_KIND_COUNT
};

struct config_hook {
	const char *path;
	struct config_texts args, env;
	unsigned timeout_s; /* 0: none */
};

struct config_hooks {
	struct config_hook *at;
	size_t count;
};

struct config_namespace {
	int flag;         /* CLONE_NEW* */
	const char *type; /* "pid", "network", ... */
	const char *path; /* NULL: a new one */
};

struct config_device {
	char type; /* c b u p */
	const char *path;
	int64_t major, minor;
	struct config_int mode, uid, gid;
};

struct config_device_rule {
	bool allow;
	char type;            /* a b c */
	int64_t major, minor; /* -1: all */
	unsigned access;      /* DEVICE_* */
};

#define DEVICE_MKNOD 1u /* as in BPF_DEVCG_ACC_* */
#define DEVICE_READ  2u
#define DEVICE_WRITE 4u

struct config_throttle {
	int64_t major, minor;
	uint64_t rate;
};

struct config_throttles {
	struct config_throttle *at;
	size_t count;
};

enum throttle_kind { READ_BPS, WRITE_BPS, READ_IOPS, WRITE_IOPS, THROTTLE_COUNT };

struct config_hugepage {
	const char *size;
	uint64_t limit;
};

struct config_rdma {
	const char *device;
	struct config_int handles, objects;
};

/* linux.resources; also what `update` is given. */
struct config_resources {
	struct config_device_rule *devices;
	size_t device_count;
	struct config_int memory_limit, memory_reservation, memory_swap, memory_kernel,
		memory_kernel_tcp;
	struct config_int memory_swappiness;
	struct config_int memory_disable_oom, memory_check_before_update; /* 0, 1 */
	struct config_int cpu_shares, cpu_quota, cpu_period, cpu_burst, cpu_idle;
	struct config_int cpu_rt_runtime, cpu_rt_period;
	const char *cpus, *mems;
	struct config_int pids_limit;
	struct config_int blkio_weight;
	struct config_throttles blkio_weight_device;
	struct config_throttles throttle[THROTTLE_COUNT];
	struct config_hugepage *hugepages;
	size_t hugepage_count;
	struct config_rdma *rdma;
	size_t rdma_count;
	struct config_int net_class_id;
	struct config_pairs net_priorities; /* interface, decimal number */
	struct config_pairs unified;
};

struct config_syscall_arg {
	unsigned index, op; /* op: enum scmp_compare */
	uint64_t value, value_two;
};

struct config_syscall {
	struct config_texts names;
	uint32_t action; /* SCMP_ACT_* */
	struct config_syscall_arg *args;
	size_t arg_count;
};

struct config_seccomp {
	bool set;
	uint32_t default_action;
	int64_t default_errno; /* -1: absent */
	struct config_texts architectures, flags;
	const char *listener_path, *listener_metadata;
	struct config_syscall *syscalls;
	size_t syscall_count;
	bool notifies; /* some action is SCMP_ACT_NOTIFY */
};

struct config_time_offset {
	bool set;
	int64_t secs;
	uint32_t nanosecs;
};

struct config_net_device {
	const char *host_name, *name;
};

struct config {
	struct arena *arena;
	struct json_object *json; /* the document */
	const char *oci_version;
	struct config_process *process; /* NULL when absent: then start is refused */
	const char *root_path;          /* as written; NULL without root */
	bool root_readonly;
	const char *hostname, *domainname; /* NULL when absent */
	struct config_mount *mounts;
	size_t mount_count;
	struct config_hooks hooks[HOOK_KIND_COUNT];
	struct config_pairs annotations;

	struct config_namespace *namespaces;
	size_t namespace_count;
	struct config_id_maps uid_maps, gid_maps;
	struct config_time_offset monotonic, boottime;
	struct config_pairs sysctl;
	const char *cgroups_path; /* NULL when absent */
	struct config_resources resources;
	struct config_device *devices;
	size_t device_count;
	struct config_seccomp seccomp;
	struct config_texts masked_paths, readonly_paths;
	unsigned long rootfs_propagation; /* MS_SHARED, MS_SLAVE, MS_PRIVATE, MS_UNBINDABLE, or 0 */
	const char *mount_label;
	struct config_int personality; /* PER_LINUX, PER_LINUX32 */
	bool has_intel_rdt;
	bool has_memory_policy;
	int memory_policy_mode; /* MPOL_* with its MPOL_F_* flags */
	const char *memory_policy_nodes;
	struct config_net_device *net_devices;
	size_t net_device_count;
};

/* Never NULL but with *err. Free with config_free. */
struct config *config_parse(const char *text, size_t len, struct err *err);
/* The same for the text of a --process file: the members of `process` at the top. The result's
 * config has nothing but process (never NULL). */
struct config *config_parse_process(const char *text, size_t len, struct err *err);
/* linux.resources alone (update --resources): resources of the result. */
struct config *config_parse_resources(const char *text, size_t len, struct err *err);
/* bundle/config.json, at most CONFIG_MAX_BYTES; the text as it was read goes to *out_text (to be
 * freed) when out_text is not NULL. Blocks (disk). */
struct config *config_read(const char *bundle, char **out_text, size_t *out_len, struct err *err);
void config_free(struct config *config);
AUTO_TYPE(config, config_free);

/* The entry of that CLONE_NEW* kind; NULL: the host's is kept. */
const struct config_namespace *config_namespace(const struct config *config, int flag);
/* True when a new namespace of that kind is asked for (listed, without a path). */
bool config_is_new(const struct config *config, int flag);
/* The host's id of a container's id by the maps (identity without maps); -1 when unmapped. */
int64_t config_map_id(const struct config_id_maps *maps, uint32_t inside);
