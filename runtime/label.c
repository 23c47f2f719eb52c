/* runtime/label - AppArmor profile and SELinux label of the program to come.
 *
 * Owns: the attr files. May not touch: mounts' labels (mounts).
 */
#include "runtime/label.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/cleanup.h"

static int write_attr(int proc_fd, const char *path, const char *text)
{
	struct open_how how = { .flags = O_WRONLY | O_CLOEXEC,
				.resolve =
					RESOLVE_BENEATH | RESOLVE_NO_XDEV | RESOLVE_NO_MAGICLINKS };
	AUTO(fd) int fd = (int)syscall(SYS_openat2, proc_fd, path, &how, sizeof(how));

	return fd < 0 || write(fd, text, strlen(text)) < 0 ? -1 : 0;
}

/* Asked of the kernel and not of the container's /sys. */
static bool has_apparmor(int proc_fd)
{
	return faccessat(proc_fd, "self/attr/apparmor/exec", F_OK, 0) == 0;
}

int label_apply(const struct config_process *process, int proc_fd, struct err *err)
{
	if (process->apparmor_profile) {
		AUTO(free) char *text = xformat("exec %s", process->apparmor_profile);

		if (!has_apparmor(proc_fd))
			return err_set(
				err, ERR_UNSUPPORTED,
				"process.apparmorProfile: apparmor is not enabled on this host");
		if (write_attr(proc_fd, "thread-self/attr/apparmor/exec", text) < 0)
			return err_sys(err, errno, "process.apparmorProfile: %s",
				       process->apparmor_profile);
	}
	if (process->selinux_label && access("/sys/fs/selinux/enforce", F_OK) == 0 &&
	    write_attr(proc_fd, "thread-self/attr/exec", process->selinux_label) < 0)
		return err_sys(err, errno, "process.selinuxLabel: %s", process->selinux_label);
	return 0;
}
