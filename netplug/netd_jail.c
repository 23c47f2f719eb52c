/* netplug/netd_jail - stack-netd gives up every right: empty root, no capabilities, another user,
 * few calls.
 *
 * Owns: the list of system calls that netd needs. May not touch: sockets. An attacker who takes the
 * process over by a packet has its sockets and no file, no process, no new right.
 */
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/audit.h>
#include <linux/capability.h>
#include <linux/filter.h>
#include <linux/mount.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <stddef.h>
#include <stdio.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/mount.h"
#include "netplug/netd_core.h"

#define NOBODY 65534u

#if defined(__SANITIZE_ADDRESS__) /* the sanitizer's own calls are not in the list */
#elif defined(__x86_64__)
#define OUR_ARCH AUDIT_ARCH_X86_64
#elif defined(__aarch64__)
#define OUR_ARCH AUDIT_ARCH_AARCH64
#elif defined(__riscv)
#define OUR_ARCH AUDIT_ARCH_RISCV64
#endif

#ifdef OUR_ARCH
/* Everything else is EPERM. */
static const int calls[] = {
	SYS_read,           SYS_write,       SYS_writev,          SYS_close,  SYS_lseek,
	SYS_recvfrom,       SYS_recvmsg,     SYS_recvmmsg,        SYS_sendto, SYS_sendmsg,
	SYS_sendmmsg,       SYS_accept4,     SYS_connect,         SYS_listen, SYS_shutdown,
	SYS_getsockopt,     SYS_setsockopt,  SYS_getsockname,     SYS_splice, SYS_pipe2,
	SYS_epoll_ctl,      SYS_epoll_pwait, SYS_fcntl,           SYS_fstat,  SYS_newfstatat,
	SYS_mmap,           SYS_munmap,      SYS_mremap,          SYS_brk,    SYS_madvise,
	SYS_futex,          SYS_getrandom,   SYS_clock_gettime,   SYS_exit,   SYS_exit_group,
	SYS_rt_sigreturn,   SYS_getpid,      SYS_restart_syscall, SYS_gettid, SYS_tgkill,
	SYS_rt_sigprocmask,
#ifdef SYS_epoll_wait
	SYS_epoll_wait,
#endif
};

static int filter_calls(struct err *err)
{
	enum { CALLS = sizeof(calls) / sizeof(*calls) };
	struct sock_filter code[CALLS + 16];
	unsigned short n = 0;

	code[n++] = (struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS,
						 offsetof(struct seccomp_data, arch));
	code[n++] = (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, OUR_ARCH, 1, 0);
	code[n++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS);
	code[n++] = (struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS,
						 offsetof(struct seccomp_data, nr));
	for (size_t i = 0; i < CALLS; i++) /* to the last statement, which allows */
		code[n++] =
			(struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (unsigned)calls[i],
						     (unsigned char)(CALLS - i + 4), 0);
	/* socket: of IPv4 and IPv6 alone */
	code[n++] = (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_socket, 0, 3);
	code[n++] = (struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS,
						 offsetof(struct seccomp_data, args));
	code[n++] = (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, AF_INET, 2, 0);
	code[n++] = (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, AF_INET6, 1, 0);
	code[n++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EPERM);
	code[n++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW);
	if (prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER,
		  &(struct sock_fprog){ .len = n, .filter = code }) < 0)
		return err_sys(err, errno, "seccomp filter");
	return 0;
}
#else
static int filter_calls(struct err *err)
{
	(void)err;
	return 0; /* no filter is known for this machine; the other walls stand */
}
#endif

/* A mount namespace of our own that holds one empty read-only tmpfs; the host's mounts are not even
 * pinned. */
static int empty_root(struct err *err)
{
	const struct mount_option small[] = {
		{"size",  "4k"  },
                { "mode", "0555"}
	};
	AUTO(fd) int root = -1;

	if (unshare(CLONE_NEWNS) < 0)
		return err_sys(err, errno, "own mount namespace");
	if (mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0)
		return err_sys(err, errno, "private mounts");
	root = mount_new(
		"tmpfs", "stack-netd", small, 2,
		MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOEXEC | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV, err);
	if (root < 0)
		return -1;
	if (mount_attach_at(root, AT_FDCWD, "/proc", err) < 0)
		return -1;
	if (fchdir(root) < 0 || syscall(SYS_pivot_root, ".", ".") < 0 ||
	    umount2(".", MNT_DETACH) < 0 || chdir("/") < 0)
		return err_sys(err, errno, "empty root");
	return 0;
}

static int drop_capabilities(struct err *err)
{
	struct __user_cap_header_struct header = { .version = _LINUX_CAPABILITY_VERSION_3 };
	const struct __user_cap_data_struct none[2] = { { 0 } };

	if (syscall(SYS_capset, &header, none) < 0)
		return err_sys(err, errno, "give up capabilities");
	return 0;
}

static int become_nobody(struct err *err)
{
	for (int capability = 0; prctl(PR_CAPBSET_DROP, capability, 0, 0, 0) == 0; capability++)
		;
	if (setgroups(0, NULL) < 0 || setresgid(NOBODY, NOBODY, NOBODY) < 0 ||
	    setresuid(NOBODY, NOBODY, NOBODY) < 0)
		return err_sys(err, errno, "become another user");
	return 0;
}

/* Our own user keeps its number in the new user namespace: by it we know who talks to us. */
static bool enter_userns(void)
{
	uid_t uid = geteuid();
	char map[64];
	int len = snprintf(map, sizeof(map), "%u %u 1\n", uid, uid);
	AUTO(fd) int fd = -1;

	if (unshare(CLONE_NEWUSER) < 0)
		return false;
	fd = open("/proc/self/uid_map", O_WRONLY | O_CLOEXEC);
	return fd >= 0 && write(fd, map, (size_t)len) == len;
}

int jail_enter(struct err *err)
{
	bool is_root = geteuid() == 0;

	/* Without root a user namespace gives the right to empty the root; where even that is not
	 * allowed, the other walls stand. */
	if ((is_root || enter_userns()) && empty_root(err) < 0)
		return -1;
	if (is_root && become_nobody(err) < 0)
		return -1;
	if (drop_capabilities(err) < 0)
		return -1;
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 || prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) < 0)
		return err_sys(err, errno, "no new rights");
	return filter_calls(err);
}
