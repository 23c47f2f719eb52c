/* orchestrator/profile - what a container may do unless the file says otherwise.
 *
 * Owns: the tables of defaults. May not touch: how they reach the kernel (runtime).
 */
#include "orchestrator/profile.h"

#include <linux/capability.h>
#include <string.h>
#include <strings.h>

#include "base/text.h"

#define BIT(number) (1ull << (number))

/* By number, as in linux/capability.h. */
static const char *const cap_names[] = {
	"CAP_CHOWN",
	"CAP_DAC_OVERRIDE",
	"CAP_DAC_READ_SEARCH",
	"CAP_FOWNER",
	"CAP_FSETID",
	"CAP_KILL",
	"CAP_SETGID",
	"CAP_SETUID",
	"CAP_SETPCAP",
	"CAP_LINUX_IMMUTABLE",
	"CAP_NET_BIND_SERVICE",
	"CAP_NET_BROADCAST",
	"CAP_NET_ADMIN",
	"CAP_NET_RAW",
	"CAP_IPC_LOCK",
	"CAP_IPC_OWNER",
	"CAP_SYS_MODULE",
	"CAP_SYS_RAWIO",
	"CAP_SYS_CHROOT",
	"CAP_SYS_PTRACE",
	"CAP_SYS_PACCT",
	"CAP_SYS_ADMIN",
	"CAP_SYS_BOOT",
	"CAP_SYS_NICE",
	"CAP_SYS_RESOURCE",
	"CAP_SYS_TIME",
	"CAP_SYS_TTY_CONFIG",
	"CAP_MKNOD",
	"CAP_LEASE",
	"CAP_AUDIT_WRITE",
	"CAP_AUDIT_CONTROL",
	"CAP_SETFCAP",
	"CAP_MAC_OVERRIDE",
	"CAP_MAC_ADMIN",
	"CAP_SYSLOG",
	"CAP_WAKE_ALARM",
	"CAP_BLOCK_SUSPEND",
	"CAP_AUDIT_READ",
	"CAP_PERFMON",
	"CAP_BPF",
	"CAP_CHECKPOINT_RESTORE",
	NULL,
};
#define CAP_COUNT (sizeof(cap_names) / sizeof(*cap_names) - 1)

static const cap_set cap_default = BIT(CAP_CHOWN) | BIT(CAP_DAC_OVERRIDE) | BIT(CAP_FSETID) |
				   BIT(CAP_FOWNER) | BIT(CAP_MKNOD) | BIT(CAP_NET_RAW) |
				   BIT(CAP_SETGID) | BIT(CAP_SETUID) | BIT(CAP_SETFCAP) |
				   BIT(CAP_SETPCAP) | BIT(CAP_NET_BIND_SERVICE) |
				   BIT(CAP_SYS_CHROOT) | BIT(CAP_KILL) | BIT(CAP_AUDIT_WRITE);
static const cap_set cap_all = BIT(CAP_COUNT) - 1;

const char *profile_capability_name(unsigned number)
{
	return number < CAP_COUNT ? cap_names[number] : NULL;
}

static int cap_of(const char *key, const char *text, cap_set *out, struct err *err)
{
	const char *name = strncasecmp(text, "CAP_", 4) == 0 ? text + 4 : text, *near;
	char full[64];

	if (strcasecmp(name, "ALL") == 0) {
		*out = cap_all;
		return 0;
	}
	for (unsigned i = 0; i < CAP_COUNT; i++)
		if (strcasecmp(cap_names[i] + 4, name) == 0) {
			*out = BIT(i);
			return 0;
		}
	full[0] = '\0';
	strncat(full, "CAP_", sizeof(full) - 1);
	strncat(full, name, sizeof(full) - 5);
	near = text_near_in(full, cap_names);
	if (near)
		return err_set(err, ERR_INVALID,
			       "%s: unknown capability \"%s\", did you mean \"%s\"?", key, text,
			       near + 4);
	return err_set(err, ERR_INVALID, "%s: unknown capability \"%s\"", key, text);
}

static int collect(const char *key, const struct texts *texts, cap_set *out, bool *out_all,
		   struct err *err)
{
	*out = 0;
	*out_all = false;
	for (size_t i = 0; i < texts->count; i++) {
		cap_set one = 0;

		if (cap_of(key, texts->items[i], &one, err) < 0)
			return -1;
		*out |= one;
		*out_all |= one == cap_all;
	}
	return 0;
}

int profile_capabilities(const struct texts *add, const struct texts *drop, bool privileged,
			 cap_set *out, struct err *err)
{
	cap_set added, dropped;
	bool add_all, drop_all;

	if (collect("cap_add", add, &added, &add_all, err) < 0 ||
	    collect("cap_drop", drop, &dropped, &drop_all, err) < 0)
		return -1;
	if (privileged)
		*out = cap_all;
	else if (drop_all)
		*out = added;
	else
		*out = ((add_all ? cap_all : cap_default) | added) & ~dropped;
	return 0;
}

const char *const profile_masked_paths[] = {
	"/proc/acpi",
	"/proc/asound",
	"/proc/interrupts",
	"/proc/kcore",
	"/proc/keys",
	"/proc/latency_stats",
	"/proc/timer_list",
	"/proc/timer_stats",
	"/proc/sched_debug",
	"/proc/scsi",
	"/sys/firmware",
	"/sys/devices/virtual/powercap",
	NULL,
};

const char *const profile_readonly_paths[] = {
	"/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger", NULL,
};

#define OPTIONS(...)                                                                               \
	(const char *const[])                                                                      \
	{                                                                                          \
		__VA_ARGS__, NULL                                                                  \
	}

/* clang-format off */
const struct profile_mount profile_mounts[] = {
	{ "/proc",          "proc",   "proc",   OPTIONS("nosuid", "noexec", "nodev") },
	{ "/dev",           "tmpfs",  "tmpfs",  OPTIONS("nosuid", "strictatime", "mode=755", "size=65536k") },
	{ "/dev/pts",       "devpts", "devpts", OPTIONS("nosuid", "noexec", "newinstance", "ptmxmode=0666", "mode=0620", "gid=5") },
	{ "/sys",           "sysfs",  "sysfs",  OPTIONS("nosuid", "noexec", "nodev", "ro") },
	{ "/sys/fs/cgroup", "cgroup", "cgroup", OPTIONS("ro", "nosuid", "noexec", "nodev") },
	{ "/dev/mqueue",    "mqueue", "mqueue", OPTIONS("nosuid", "noexec", "nodev") },
	{ NULL, NULL, NULL, NULL },
};

static const struct { const char *name, *full; } rlimits[] = {
	{ "as", "RLIMIT_AS" },                 { "core", "RLIMIT_CORE" },
	{ "cpu", "RLIMIT_CPU" },               { "data", "RLIMIT_DATA" },
	{ "fsize", "RLIMIT_FSIZE" },           { "locks", "RLIMIT_LOCKS" },
	{ "memlock", "RLIMIT_MEMLOCK" },       { "msgqueue", "RLIMIT_MSGQUEUE" },
	{ "nice", "RLIMIT_NICE" },             { "nofile", "RLIMIT_NOFILE" },
	{ "nproc", "RLIMIT_NPROC" },           { "rss", "RLIMIT_RSS" },
	{ "rtprio", "RLIMIT_RTPRIO" },         { "rttime", "RLIMIT_RTTIME" },
	{ "sigpending", "RLIMIT_SIGPENDING" }, { "stack", "RLIMIT_STACK" },
};
/* clang-format on */

const char *profile_rlimit(const char *name)
{
	for (size_t i = 0; i < sizeof(rlimits) / sizeof(*rlimits); i++)
		if (strcmp(rlimits[i].name, name) == 0)
			return rlimits[i].full;
	return NULL;
}
