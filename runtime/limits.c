/* runtime/limits - rlimits, OOM score, scheduler, I/O priority, affinity, personality, memory
 * policy, sysctl and names.
 *
 * Owns: these calls and their messages. May not touch: ids and capabilities (privileges), cgroups.
 */
#include "runtime/limits.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/ioprio.h>
#include <linux/openat2.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/personality.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/num.h"
#include "base/text.h"

/* A file of the kernel's own /proc: no other mount on the way, no link out of it. */
static int open_proc(int proc_fd, const char *path)
{
	struct open_how how = { .flags = O_WRONLY | O_CLOEXEC,
				.resolve =
					RESOLVE_BENEATH | RESOLVE_NO_XDEV | RESOLVE_NO_MAGICLINKS };

	return (int)syscall(SYS_openat2, proc_fd, path, &how, sizeof(how));
}

int limits_sysctl(int proc_fd, const struct config_pairs *sysctl, struct err *err)
{
	for (size_t i = 0; i < sysctl->count; i++) {
		const struct config_pair *pair = &sysctl->at[i];
		bool slashes = strcspn(pair->key, "/") < strcspn(pair->key, ".");
		char path[160];
		AUTO(fd) int fd = -1;

		snprintf(path, sizeof(path), "sys/%s", pair->key);
		for (char *c = path + 4; *c && !slashes; c++)
			*c = *c == '.' ? '/' : *c == '/' ? '.' : *c;
		fd = open_proc(proc_fd, path);
		if (fd < 0 || write(fd, pair->value, strlen(pair->value)) < 0)
			return err_sys(err, errno, "sysctl %s = %.60s", pair->key, pair->value);
	}
	return 0;
}

int limits_names(const struct config *config, struct err *err)
{
	if (config->hostname && config->hostname[0] &&
	    sethostname(config->hostname, strlen(config->hostname)) < 0)
		return err_sys(err, errno, "set hostname %s", config->hostname);
	if (config->domainname && config->domainname[0] &&
	    setdomainname(config->domainname, strlen(config->domainname)) < 0)
		return err_sys(err, errno, "set domainname %s", config->domainname);
	return 0;
}

/* "0-3,5": false when it is no such list. */
static bool parse_list(const char *list, unsigned long *bits, size_t bit_count, bool *out_any)
{
	struct slice rest = SLICE(list), part, low, high;
	struct err ignored = ERR_NONE;

	*out_any = false;
	while (slice_next(&rest, ',', &part)) {
		uint64_t from, to;

		part = slice_trim(part);
		if (!part.len)
			continue;
		slice_split(part, '-', &low, &high);
		if (num_parse_u64("number", low.at, low.len, 0, bit_count - 1, &from, &ignored) < 0)
			return false;
		to = from;
		if (high.len && num_parse_u64("number", high.at, high.len, from, bit_count - 1, &to,
					      &ignored) < 0)
			return false;
		for (uint64_t n = from; n <= to; n++)
			bits[n / (8 * sizeof(long))] |= 1ul << (n % (8 * sizeof(long)));
		*out_any = true;
	}
	return true;
}

int limits_affinity(pid_t pid, const char *what, const char *list, struct err *err)
{
	unsigned long bits[1024 / sizeof(long)] = { 0 };
	bool any;

	if (!list || !list[0])
		return 0;
	if (!parse_list(list, bits, 8 * sizeof(bits), &any) || !any)
		return err_set(err, ERR_INVALID, "%s: \"%.60s\" is no list of cpus", what, list);
	if (syscall(SYS_sched_setaffinity, pid, sizeof(bits), bits) < 0)
		return err_sys(err, errno, "%s: %s", what, list);
	return 0;
}

void limits_affinity_reset(void)
{
	unsigned long bits[1024 / sizeof(long)];

	memset(bits, 0xff, sizeof(bits));
	syscall(SYS_sched_setaffinity, 0, sizeof(bits), bits);
}

static int apply_rlimits(const struct config_process *process, struct err *err)
{
	for (size_t i = 0; i < process->rlimit_count; i++) {
		const struct config_rlimit *limit = &process->rlimits[i];
		struct rlimit value = { limit->soft, limit->hard };

		if (setrlimit((__rlimit_resource_t)limit->resource, &value) < 0)
			return err_sys(err, errno, "set %s to %llu:%llu", limit->name,
				       (unsigned long long)limit->soft,
				       (unsigned long long)limit->hard);
	}
	return 0;
}

static int apply_oom(const struct config_process *process, int proc_fd, bool rootless,
		     struct err *err)
{
	AUTO(fd) int fd = -1;
	char text[16];

	if (!process->oom_score_adj.set)
		return 0;
	snprintf(text, sizeof(text), "%d", (int)process->oom_score_adj.value);
	fd = open_proc(proc_fd, "self/oom_score_adj");
	if (fd >= 0 && write(fd, text, strlen(text)) > 0)
		return 0;
	if (rootless && (errno == EACCES || errno == EPERM))
		return 0;
	return err_sys(err, errno, "set oom_score_adj to %s", text);
}

struct sched_attr_v0 {
	uint32_t size, policy;
	uint64_t flags;
	int32_t nice;
	uint32_t priority;
	uint64_t runtime, deadline, period;
};

static int apply_scheduler(const struct config_scheduler *s, struct err *err)
{
	struct sched_attr_v0 attr = { .size = sizeof(attr),
				      .policy = s->policy,
				      .flags = s->flags,
				      .nice = s->nice,
				      .priority = s->priority,
				      .runtime = s->runtime,
				      .deadline = s->deadline,
				      .period = s->period };

	if (s->set && syscall(SYS_sched_setattr, 0, &attr, 0) < 0)
		return err_sys(err, errno, "process.scheduler");
	return 0;
}

static unsigned count_bits(const unsigned long *bits, size_t words)
{
	unsigned count = 0;

	for (size_t i = 0; i < words; i++)
		count += (unsigned)__builtin_popcountl(bits[i]);
	return count;
}

static int apply_memory_policy(const struct config *config, struct err *err)
{
	unsigned long bits[1024 / sizeof(long)] = { 0 };
	bool any;

	if (!config || !config->has_memory_policy)
		return 0;
	if (!parse_list(config->memory_policy_nodes, bits, 8 * sizeof(bits), &any))
		return err_set(err, ERR_INVALID,
			       "linux.memoryPolicy.nodes: invalid memory policy node: %.60s",
			       config->memory_policy_nodes);
	if (any && (config->memory_policy_mode & 0xff) == 0) /* MPOL_DEFAULT */
		return err_set(err, ERR_INVALID,
			       "linux.memoryPolicy: mode requires 0 nodes but got %u",
			       count_bits(bits, sizeof(bits) / sizeof(bits[0])));
	if (syscall(SYS_set_mempolicy, config->memory_policy_mode, any ? bits : NULL,
		    any ? 1024ul : 0ul) < 0)
		return err_sys(err, errno, "linux.memoryPolicy");
	return 0;
}

int limits_apply(const struct config *config, const struct config_process *process, int proc_fd,
		 bool rootless, struct err *err)
{
	if (apply_oom(process, proc_fd, rootless, err) < 0 ||
	    apply_scheduler(&process->scheduler, err) < 0 || apply_memory_policy(config, err) < 0)
		return -1;
	if (process->io_class.set &&
	    syscall(SYS_ioprio_set, IOPRIO_WHO_PROCESS, 0,
		    IOPRIO_PRIO_VALUE((unsigned)process->io_class.value,
				      (unsigned)process->io_priority.value)) < 0)
		return err_sys(err, errno, "process.ioPriority");
	if (config && config->personality.set &&
	    personality((unsigned long)config->personality.value) < 0)
		return err_sys(err, errno, "linux.personality");
	umask(process->umask.set ? (mode_t)process->umask.value : 0022);
	return apply_rlimits(process, err);
}
