/* runtime/cgroup_v2_devices - the device rules of a v2 cgroup, as an eBPF program.
 *
 * Owns: loading, attaching and replacing it. May not touch: the rules (runtime/device_rules).
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/bpf.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "runtime/cgroup_internal.h"
#include "runtime/device_rules.h"

static long bpf(int command, union bpf_attr *attr)
{
	return syscall(SYS_bpf, command, attr, sizeof(*attr));
}

static int load(const struct bpf_insn *program, size_t count)
{
	static const char license[] = "GPL";
	union bpf_attr attr = { 0 };

	attr.prog_type = BPF_PROG_TYPE_CGROUP_DEVICE;
	attr.insns = (uintptr_t)program;
	attr.insn_cnt = (__u32)count;
	attr.license = (uintptr_t)license;
	return (int)bpf(BPF_PROG_LOAD, &attr);
}

/* The program that is attached already, when it is exactly one: it is replaced in one step. -1:
 * none. */
static int attached(int folder_fd)
{
	__u32 ids[2] = { 0 };
	union bpf_attr attr = { 0 };

	attr.query.target_fd = (__u32)folder_fd;
	attr.query.attach_type = BPF_CGROUP_DEVICE;
	attr.query.prog_ids = (uintptr_t)ids;
	attr.query.prog_cnt = 2;
	if (bpf(BPF_PROG_QUERY, &attr) < 0 || attr.query.prog_cnt != 1)
		return -1;
	memset(&attr, 0, sizeof(attr));
	attr.prog_id = ids[0];
	return (int)bpf(BPF_PROG_GET_FD_BY_ID, &attr);
}

int cgroup_v2_devices(struct cgroup *cgroup, const struct config_resources *resources, bool update,
		      struct err *err)
{
	AUTO(free) struct config_device_rule *rules = NULL;
	AUTO(free) struct bpf_insn *program = NULL;
	size_t rule_count = device_rules_complete(resources, &rules);
	size_t count = device_rules_program(rules, rule_count, &program);
	AUTO(fd) int folder_fd = open(cgroup->at[0].folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	AUTO(fd) int program_fd = load(program, count);
	AUTO(fd) int old_fd = -1;
	union bpf_attr attr = { 0 };

	if (folder_fd < 0)
		return err_sys(err, errno, "open cgroup %s", cgroup->at[0].folder);
	if (program_fd < 0)
		return err_sys(err, errno, "load the device program (linux.resources.devices)");
	if (update)
		old_fd = attached(folder_fd);
	attr.target_fd = (__u32)folder_fd;
	attr.attach_bpf_fd = (__u32)program_fd;
	attr.attach_type = BPF_CGROUP_DEVICE;
	attr.attach_flags = BPF_F_ALLOW_MULTI | (old_fd >= 0 ? BPF_F_REPLACE : 0u);
	if (old_fd >= 0)
		attr.replace_bpf_fd = (__u32)old_fd;
	if (bpf(BPF_PROG_ATTACH, &attr) < 0)
		return err_sys(err, errno, "attach the device program to %s", cgroup->at[0].folder);
	return 0;
}
