/* orchestrator/profile_seccomp - which system calls a container may make.
 *
 * Owns: the table of calls. May not touch: profiles of the user's own (bundle_seccomp), filters
 * (runtime).
 */
#include "orchestrator/profile_seccomp.h"

#include <errno.h>
#include <linux/capability.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "base/json.h"
#include "base/text.h"

#define BIT(number) (1ull << (number))
#define ALWAYS      (~0ull)
#define ADMIN       BIT(CAP_SYS_ADMIN)
#define NAMESPACES  0x7e020000u /* CLONE_NEWNS NEWCGROUP NEWUTS NEWIPC NEWUSER NEWPID NEWNET */
#define LOW_HALF                                                                                   \
	0xffffffffu /* the kernel reads an int there: what stands above must not matter            \
		     */

struct group {
	uint64_t caps; /* any of them opens it; 0: nobody gets it */
	const char *subject;
	const char *names; /* blanks between */
};

/* clang-format off */
static const struct group groups[] = {
	{ ALWAYS, "open and close", "open openat openat2 creat close close_range dup dup2 dup3 fcntl fcntl64 flock ioctl pipe pipe2" },
	{ ALWAYS, "read and write", "read write readv writev pread64 pwrite64 preadv pwritev preadv2 pwritev2 lseek _llseek sendfile sendfile64 splice tee vmsplice copy_file_range readahead fadvise64 fadvise64_64 arm_fadvise64_64" },
	{ ALWAYS, "sync", "sync syncfs fsync fdatasync sync_file_range sync_file_range2 arm_sync_file_range fallocate truncate truncate64 ftruncate ftruncate64" },
	{ ALWAYS, "look at files", "access faccessat faccessat2 stat stat64 lstat lstat64 fstat fstat64 fstatat64 newfstatat statx statfs statfs64 fstatfs fstatfs64 readlink readlinkat getdents getdents64 readdir getcwd name_to_handle_at cachestat" },
	{ ALWAYS, "change files", "chmod fchmod fchmodat fchmodat2 chown chown32 fchown fchown32 fchownat lchown lchown32 utime utimes utimensat utimensat_time64 futimesat umask mknod mknodat" },
	{ ALWAYS, "names of files", "link linkat symlink symlinkat unlink unlinkat rename renameat renameat2 mkdir mkdirat rmdir chdir fchdir" },
	{ ALWAYS, "attributes", "getxattr lgetxattr fgetxattr setxattr lsetxattr fsetxattr listxattr llistxattr flistxattr removexattr lremovexattr fremovexattr" },
	{ ALWAYS, "wait for files", "poll ppoll ppoll_time64 select _newselect pselect6 pselect6_time64 epoll_create epoll_create1 epoll_ctl epoll_wait epoll_pwait epoll_pwait2 eventfd eventfd2 inotify_init inotify_init1 inotify_add_watch inotify_rm_watch fanotify_mark" },
	{ ALWAYS, "asynchronous files", "io_setup io_destroy io_submit io_cancel io_getevents io_pgetevents io_pgetevents_time64" },
	{ ALWAYS, "memory", "brk mmap mmap2 munmap mremap mprotect madvise mincore msync mlock mlock2 mlockall munlock munlockall remap_file_pages memfd_create memfd_secret membarrier pkey_alloc pkey_free pkey_mprotect map_shadow_stack" },
	{ ALWAYS, "processes", "fork vfork execve execveat exit exit_group wait4 waitid waitpid getpid getppid gettid getpgid getpgrp setpgid getsid setsid prctl arch_prctl set_tid_address ptrace restart_syscall pause rseq pidfd_open pidfd_send_signal process_mrelease" },
	{ ALWAYS, "threads", "futex futex_time64 futex_waitv futex_wait futex_wake futex_requeue set_robust_list get_robust_list set_thread_area get_thread_area set_tls get_tls modify_ldt swapcontext" },
	{ ALWAYS, "signals", "kill tkill tgkill rt_sigaction rt_sigpending rt_sigprocmask rt_sigqueueinfo rt_sigreturn rt_sigsuspend rt_sigtimedwait rt_sigtimedwait_time64 rt_tgsigqueueinfo sigaction sigaltstack signal signalfd signalfd4 sigpending sigprocmask sigreturn sigsuspend" },
	{ ALWAYS, "scheduling", "sched_yield sched_get_priority_max sched_get_priority_min sched_getaffinity sched_setaffinity sched_getattr sched_setattr sched_getparam sched_setparam sched_getscheduler sched_setscheduler sched_rr_get_interval sched_rr_get_interval_time64 getpriority setpriority nice ioprio_get ioprio_set getcpu" },
	{ ALWAYS, "clocks and timers", "time times gettimeofday clock_getres clock_getres_time64 clock_gettime clock_gettime64 clock_nanosleep clock_nanosleep_time64 nanosleep alarm getitimer setitimer timer_create timer_delete timer_getoverrun timer_gettime timer_gettime64 timer_settime timer_settime64 timerfd timerfd_create timerfd_gettime timerfd_gettime64 timerfd_settime timerfd_settime64" },
	{ ALWAYS, "reading the clock's drift; the kernel asks for the right to set it", "adjtimex clock_adjtime clock_adjtime64" },
	{ ALWAYS, "users and groups", "getuid getuid32 geteuid geteuid32 getgid getgid32 getegid getegid32 getresuid getresuid32 getresgid getresgid32 getgroups getgroups32 setuid setuid32 setgid setgid32 setreuid setreuid32 setregid setregid32 setresuid setresuid32 setresgid setresgid32 setfsuid setfsuid32 setfsgid setfsgid32 setgroups setgroups32 capget capset" },
	{ ALWAYS, "limits and figures", "getrlimit ugetrlimit setrlimit prlimit64 getrusage sysinfo uname getrandom" },
	{ ALWAYS, "sockets", "socketcall socketpair bind listen accept accept4 connect shutdown getsockname getpeername getsockopt setsockopt send sendto sendmsg sendmmsg recv recvfrom recvmsg recvmmsg recvmmsg_time64" },
	{ ALWAYS, "System V and POSIX queues", "ipc msgctl msgget msgrcv msgsnd semctl semget semop semtimedop semtimedop_time64 shmat shmctl shmdt shmget mq_open mq_unlink mq_notify mq_getsetattr mq_timedreceive mq_timedreceive_time64 mq_timedsend mq_timedsend_time64" },
	{ ALWAYS, "fewer rights", "seccomp landlock_create_ruleset landlock_add_rule landlock_restrict_self" },
	{ ALWAYS, "caches of some processors", "breakpoint cachectl cacheflush riscv_flush_icache s390_guarded_storage s390_pci_mmio_read s390_pci_mmio_write s390_runtime_instr" },

	{ ADMIN, "mounts", "mount umount umount2 pivot_root mount_setattr move_mount open_tree fsopen fsconfig fsmount fspick" },
	{ ADMIN, "namespaces", "unshare setns clone clone3 sethostname setdomainname" },
	{ ADMIN, "the whole machine's", "fanotify_init lookup_dcookie quotactl quotactl_fd" },
	{ ADMIN | BIT(CAP_BPF), "programs in the kernel", "bpf" },
	{ ADMIN | BIT(CAP_PERFMON), "counters", "perf_event_open" },
	{ ADMIN | BIT(CAP_SYSLOG), "the kernel's log", "syslog" },
	{ BIT(CAP_SYS_PTRACE), "other processes' memory and files", "kcmp process_vm_readv process_vm_writev pidfd_getfd process_madvise" },
	{ BIT(CAP_SYS_CHROOT), "another root", "chroot" },
	{ BIT(CAP_DAC_READ_SEARCH), "files past their folders", "open_by_handle_at" },
	{ BIT(CAP_SYS_RAWIO), "ports of the processor", "iopl ioperm" },
	{ BIT(CAP_SYS_BOOT), "restart", "reboot" },
	{ BIT(CAP_SYS_NICE), "where memory lies", "mbind get_mempolicy set_mempolicy set_mempolicy_home_node" },
	{ BIT(CAP_SYS_MODULE), "modules", "init_module finit_module delete_module" },
	{ BIT(CAP_SYS_TIME), "the clock", "settimeofday stime clock_settime clock_settime64" },
	{ BIT(CAP_SYS_PACCT), "accounting", "acct" },
	{ BIT(CAP_SYS_TTY_CONFIG), "terminals of all", "vhangup" },

	{ 0, "keys know no namespace", "add_key keyctl request_key" },
	{ 0, "rings make calls that no filter sees", "io_uring_setup io_uring_enter io_uring_register" },
	{ 0, "faults in user space help to win races in the kernel", "userfaultfd" },
	{ 0, "another kernel, another swap", "kexec_load kexec_file_load swapon swapoff" },
	{ 0, "moves other processes' memory", "migrate_pages move_pages" },
	{ 0, "obsolete, and had faults", "_sysctl sysfs ustat uselib nfsservctl bdflush vm86 vm86old sgetmask ssetmask" },
	{ 0, "replaced long ago", "oldstat oldlstat oldfstat olduname oldolduname epoll_ctl_old epoll_wait_old" },
	{ 0, "never there, or gone", "afs_syscall break create_module ftime get_kernel_syms getpmsg gtty idle lock mpx prof profil putpmsg query_module security stty tuxcall ulimit vserver" },
	{ 0, "hardware of other machines", "multiplexer pciconfig_iobase pciconfig_read pciconfig_write rtas s390_sthyi spu_create spu_run subpage_prot switch_endian sys_debug_setcontext sysmips usr26 usr32" },
	{ 0, "a call in disguise", "syscall" },
};

/* Calls that hang on an argument: allowed when one row of theirs holds. */
static const struct rule {
	const char *name;
	unsigned index;
	const char *op;
	uint64_t value, value_two;
	uint64_t unless; /* with one of these capabilities the group above has opened all of it */
} rules[] = {
	{ "clone",       0, "SCMP_CMP_MASKED_EQ", NAMESPACES, 0,          ADMIN },
	{ "personality", 0, "SCMP_CMP_MASKED_EQ", LOW_HALF,   0,          0 }, /* PER_LINUX */
	{ "personality", 0, "SCMP_CMP_MASKED_EQ", LOW_HALF,   0x8,        0 }, /* PER_LINUX32 */
	{ "personality", 0, "SCMP_CMP_MASKED_EQ", LOW_HALF,   0x20000,    0 }, /* UNAME26 */
	{ "personality", 0, "SCMP_CMP_MASKED_EQ", LOW_HALF,   0x20008,    0 },
	{ "personality", 0, "SCMP_CMP_MASKED_EQ", LOW_HALF,   0xffffffff, 0 }, /* asks */
	/* All families but AF_ALG (38) and AF_VSOCK (40), which know no namespace. Below 38 the upper half is 0.
	 * The 32-bit socketcall is past these rules: its arguments lie in memory, and libseccomp opens it with socket. */
	{ "socket",      0, "SCMP_CMP_LT",        38,         0,          0 },
	{ "socket",      0, "SCMP_CMP_EQ",        39,         0,          0 },
	{ "socket",      0, "SCMP_CMP_EQ",        41,         0,          0 },
	{ "socket",      0, "SCMP_CMP_EQ",        42,         0,          0 },
	{ "socket",      0, "SCMP_CMP_EQ",        43,         0,          0 },
	{ "socket",      0, "SCMP_CMP_EQ",        44,         0,          0 },
	{ "socket",      0, "SCMP_CMP_EQ",        45,         0,          0 },
};

static const char *const architectures[] = {
#if defined(__x86_64__)
	"SCMP_ARCH_X86_64", "SCMP_ARCH_X86", "SCMP_ARCH_X32",
#elif defined(__aarch64__)
	"SCMP_ARCH_AARCH64", "SCMP_ARCH_ARM",
#else
	"SCMP_ARCH_NATIVE",
#endif
};
/* clang-format on */

#define LEN(array) (sizeof(array) / sizeof((array)[0]))

static struct json_object *push_rule(struct json_object *syscalls, const char *action)
{
	struct json_object *entry = json_object_new_object();

	json_object_array_add(syscalls, entry);
	json_add_text(entry, "action", action);
	return entry;
}

/* The names of all groups that hold, as a JSON array: most of a container's config.json. To be
 * freed. */
static char *allowed_names(cap_set caps)
{
	char *text = NULL;
	size_t size;
	FILE *out = open_memstream(&text, &size);
	const char *between = "[\"";

	for (size_t i = 0; i < LEN(groups); i++) {
		struct slice rest = SLICE(groups[i].names), name;

		if (groups[i].caps != ALWAYS && !(groups[i].caps & caps))
			continue;
		while (slice_next(&rest, ' ', &name)) {
			fputs(between, out);
			fwrite(name.at, 1, name.len, out);
			between = "\",\"";
		}
	}
	fputs(between[0] == '[' ? "[]" : "\"]", out);
	fclose(out);
	return text;
}

/* As text: hundreds of objects for one array are made, printed and freed again for each container.
 */
static void add_allowed(struct json_object *syscalls, cap_set caps)
{
	struct json_object *names = json_add_array(push_rule(syscalls, "SCMP_ACT_ALLOW"), "names");

	json_object_set_serializer(names, json_object_userdata_to_json_string, allowed_names(caps),
				   json_object_free_userdata);
}

static void add_rule(struct json_object *syscalls, const struct rule *rule)
{
	struct json_object *entry = push_rule(syscalls, "SCMP_ACT_ALLOW");
	struct json_object *arg = json_object_new_object();

	json_push_text(json_add_array(entry, "names"), rule->name);
	json_object_array_add(json_add_array(entry, "args"), arg);
	json_add_int(arg, "index", rule->index);
	json_add_int(arg, "value", (int64_t)rule->value);
	json_add_int(arg, "valueTwo", (int64_t)rule->value_two);
	json_add_text(arg, "op", rule->op);
}

static void add_clone3(struct json_object *syscalls)
{
	struct json_object *entry = push_rule(syscalls, "SCMP_ACT_ERRNO");

	json_add_int(entry, "errnoRet", ENOSYS);
	json_push_text(json_add_array(entry, "names"), "clone3");
}

static void profile_seccomp_add_architectures(struct json_object *seccomp)
{
	struct json_object *array = json_add_array(seccomp, "architectures");

	for (size_t i = 0; i < LEN(architectures); i++)
		json_push_text(array, architectures[i]);
}

struct json_object *profile_seccomp(cap_set caps)
{
	struct json_object *seccomp = json_object_new_object(), *syscalls;

	json_add_text(seccomp, "defaultAction", "SCMP_ACT_ERRNO");
	json_add_int(seccomp, "defaultErrnoRet", EPERM);
	profile_seccomp_add_architectures(seccomp);
	syscalls = json_add_array(seccomp, "syscalls");
	add_allowed(syscalls, caps);
	for (size_t i = 0; i < LEN(rules); i++)
		if (!(rules[i].unless & caps))
			add_rule(syscalls, &rules[i]);
	if (!(caps & ADMIN))
		add_clone3(syscalls);
	return seccomp;
}

enum seccomp_answer profile_seccomp_answer(const char *name, cap_set caps)
{
	enum seccomp_answer answer = SECCOMP_UNKNOWN;

	for (size_t i = 0; i < LEN(groups); i++) {
		struct slice rest = SLICE(groups[i].names), word;

		while (slice_next(&rest, ' ', &word)) {
			if (!slice_is(word, name))
				continue;
			if (groups[i].caps == ALWAYS || groups[i].caps & caps)
				return SECCOMP_ALLOWED;
			answer = SECCOMP_REFUSED;
		}
	}
	for (size_t i = 0; i < LEN(rules); i++)
		if (strcmp(rules[i].name, name) == 0)
			return SECCOMP_DEPENDS;
	return answer;
}
