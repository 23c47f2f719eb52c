/* runtime/cgroup_v1 - linux.resources as files of the v1 controllers.
 *
 * Owns: which field goes to which file, the order of memory and cpu writes. May not touch: v2,
 * membership.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "runtime/cgroup_internal.h"

#define PUT_INT(controller, file, field)                                                           \
	do {                                                                                       \
		if ((field).set && limit_put(w, controller, file, "%" PRId64, (field).value) < 0)  \
			return -1;                                                                 \
	} while (0)

static int set_limit(struct limit_writer *w, int64_t limit)
{
	int failed = limit_try(w, "memory", "memory.limit_in_bytes", "%" PRId64, limit);
	const char *folder = cgroup_folder(w->cgroup, "memory");

	if (failed == EBUSY)
		return err_set(w->err, ERR_BUSY,
			       "memory.limit_in_bytes: unable to set memory limit to %" PRId64
			       " (current usage: %" PRIu64 ", peak usage: %" PRIu64 ")",
			       limit, cgroup_file_u64(folder, "memory.usage_in_bytes", 0),
			       cgroup_file_u64(folder, "memory.max_usage_in_bytes", 0));
	return failed ? limit_fail(w, failed, "memory", "memory.limit_in_bytes", "") : 0;
}

static int set_swap(struct limit_writer *w, int64_t swap)
{
	const char *folder = cgroup_folder(w->cgroup, "memory");

	if (folder && !cgroup_has_file(folder, "memory.memsw.limit_in_bytes")) {
		if (swap < 0)
			return 0;
		cgroup_warn(w->cgroup,
			    "memory.swap is not limited: this kernel does not account for it");
		return 0;
	}
	return limit_put(w, "memory", "memory.memsw.limit_in_bytes", "%" PRId64, swap);
}

static int check_usage(struct limit_writer *w, const struct config_resources *r)
{
	uint64_t usage =
		cgroup_file_u64(cgroup_folder(w->cgroup, "memory"), "memory.usage_in_bytes", 0);

	if (r->memory_check_before_update.value && r->memory_limit.value > 0 &&
	    usage > (uint64_t)r->memory_limit.value)
		return err_set(w->err, ERR_BUSY,
			       "rejecting memory limit %" PRId64 ": the usage is %" PRIu64
			       " already",
			       r->memory_limit.value, usage);
	return 0;
}

static int set_memory(struct limit_writer *w, const struct config_resources *r)
{
	int64_t limit = r->memory_limit.value, swap = r->memory_swap.value;
	uint64_t old_swap;

	if (check_usage(w, r) < 0)
		return -1;
	if (limit == -1 && !r->memory_swap.set)
		swap = -1; /* unlimited memory means unlimited swap */
	if (limit && swap) {
		old_swap = cgroup_file_u64(cgroup_folder(w->cgroup, "memory"),
					   "memory.memsw.limit_in_bytes", 0);
		if (swap < 0 || (uint64_t)swap > old_swap) {
			if (set_swap(w, swap) < 0 || set_limit(w, limit) < 0)
				return -1;
		} else if (set_limit(w, limit) < 0 || set_swap(w, swap) < 0) {
			return -1;
		}
	} else if ((limit && set_limit(w, limit) < 0) || (swap && set_swap(w, swap) < 0)) {
		return -1;
	}
	if (r->memory_kernel.set || r->memory_kernel_tcp.set)
		cgroup_warn(w->cgroup, "kernel memory limits have no effect");
	if (r->memory_reservation.value)
		PUT_INT("memory", "memory.soft_limit_in_bytes", r->memory_reservation);
	PUT_INT("memory", "memory.swappiness", r->memory_swappiness);
	if (r->memory_disable_oom.value)
		return limit_put(w, "memory", "memory.oom_control", "1");
	return 0;
}

/* Burst must fit the quota at every moment: before a larger quota fails, so after it. */
static int set_burst(struct limit_writer *w, const struct config_int *burst, bool *pending)
{
	if (!*pending)
		return 0;
	*pending = limit_try(w, "cpu", "cpu.cfs_burst_us", "%" PRId64, burst->value) != 0;
	return 0;
}

static int set_quota(struct limit_writer *w, const struct config_resources *r)
{
	bool burst_pending = r->cpu_burst.set;
	int failed = 0;

	set_burst(w, &r->cpu_burst, &burst_pending);
	if (r->cpu_period.value)
		failed = limit_try(w, "cpu", "cpu.cfs_period_us", "%" PRId64, r->cpu_period.value);
	if (failed && (failed != EINVAL || !r->cpu_quota.value))
		return limit_fail(w, failed, "cpu", "cpu.cfs_period_us", "");
	if (r->cpu_quota.value)
		PUT_INT("cpu", "cpu.cfs_quota_us", r->cpu_quota);
	if (failed)
		PUT_INT("cpu", "cpu.cfs_period_us", r->cpu_period);
	if (burst_pending)
		PUT_INT("cpu", "cpu.cfs_burst_us", r->cpu_burst);
	return 0;
}

/* The runtime must fit the period at every moment: which goes first depends on what was there. */
static int set_realtime(struct limit_writer *w, const struct config_resources *r)
{
	int failed = 0;

	if (r->cpu_rt_period.value)
		failed =
			limit_try(w, "cpu", "cpu.rt_period_us", "%" PRId64, r->cpu_rt_period.value);
	if (failed && (failed != EINVAL || !r->cpu_rt_runtime.value))
		return limit_fail(w, failed, "cpu", "cpu.rt_period_us", "");
	if (r->cpu_rt_runtime.value)
		PUT_INT("cpu", "cpu.rt_runtime_us", r->cpu_rt_runtime);
	if (failed)
		PUT_INT("cpu", "cpu.rt_period_us", r->cpu_rt_period);
	return 0;
}

static int set_cpu(struct limit_writer *w, const struct config_resources *r)
{
	if (r->cpu_idle.set)
		PUT_INT("cpu", "cpu.idle", r->cpu_idle);
	if (r->cpu_shares.value && r->cpu_idle.value != 1) {
		const char *folder = cgroup_folder(w->cgroup, "cpu");
		uint64_t got;

		PUT_INT("cpu", "cpu.shares", r->cpu_shares);
		got = cgroup_file_u64(folder, "cpu.shares", 0);
		if ((uint64_t)r->cpu_shares.value > got)
			return err_set(w->err, ERR_INVALID,
				       "the maximum allowed cpu-shares is %" PRIu64, got);
		if ((uint64_t)r->cpu_shares.value < got)
			return err_set(w->err, ERR_INVALID,
				       "the minimum allowed cpu-shares is %" PRIu64, got);
	}
	if (set_realtime(w, r) < 0 || set_quota(w, r) < 0)
		return -1;
	if (r->cpus && r->cpus[0] && limit_put(w, "cpuset", "cpuset.cpus", "%s", r->cpus) < 0)
		return -1;
	return r->mems && r->mems[0] ? limit_put(w, "cpuset", "cpuset.mems", "%s", r->mems) : 0;
}

static int set_blkio(struct limit_writer *w, const struct config_resources *r)
{
	static const char *const files[THROTTLE_COUNT] = {
		[READ_BPS] = "blkio.throttle.read_bps_device",
		[WRITE_BPS] = "blkio.throttle.write_bps_device",
		[READ_IOPS] = "blkio.throttle.read_iops_device",
		[WRITE_IOPS] = "blkio.throttle.write_iops_device",
	};
	const char *folder = cgroup_folder(w->cgroup, "blkio");
	bool bfq = folder && cgroup_has_file(folder, "blkio.bfq.weight");

	if (r->blkio_weight.value)
		PUT_INT("blkio", bfq ? "blkio.bfq.weight" : "blkio.weight", r->blkio_weight);
	for (size_t i = 0; i < r->blkio_weight_device.count; i++) {
		const struct config_throttle *t = &r->blkio_weight_device.at[i];

		if (limit_put(w, "blkio", bfq ? "blkio.bfq.weight_device" : "blkio.weight_device",
			      "%" PRId64 ":%" PRId64 " %" PRIu64, t->major, t->minor, t->rate) < 0)
			return -1;
	}
	for (int kind = 0; kind < THROTTLE_COUNT; kind++)
		for (size_t i = 0; i < r->throttle[kind].count; i++) {
			const struct config_throttle *t = &r->throttle[kind].at[i];

			if (limit_put(w, "blkio", files[kind], "%" PRId64 ":%" PRId64 " %" PRIu64,
				      t->major, t->minor, t->rate) < 0)
				return -1;
		}
	return 0;
}

static int set_pids(struct limit_writer *w, const struct config_resources *r)
{
	if (!r->pids_limit.set)
		return 0;
	if (r->pids_limit.value < 0)
		return limit_put(w, "pids", "pids.max", "max");
	return limit_put(w, "pids", "pids.max", "%" PRId64,
			 r->pids_limit.value ? r->pids_limit.value : 1);
}

static int set_rest(struct limit_writer *w, const struct config_resources *r)
{
	char file[80];

	for (size_t i = 0; i < r->hugepage_count; i++) {
		snprintf(file, sizeof(file), "hugetlb.%.30s.limit_in_bytes", r->hugepages[i].size);
		if (limit_put(w, "hugetlb", file, "%" PRIu64, r->hugepages[i].limit) < 0)
			return -1;
		snprintf(file, sizeof(file), "hugetlb.%.30s.rsvd.limit_in_bytes",
			 r->hugepages[i].size);
		limit_try(w, "hugetlb", file, "%" PRIu64, r->hugepages[i].limit);
	}
	PUT_INT("net_cls", "net_cls.classid", r->net_class_id);
	for (size_t i = 0; i < r->net_priorities.count; i++)
		if (limit_put(w, "net_prio", "net_prio.ifpriomap", "%s %s",
			      r->net_priorities.at[i].key, r->net_priorities.at[i].value) < 0)
			return -1;
	for (size_t i = 0; i < r->rdma_count; i++) {
		const struct config_rdma *rdma = &r->rdma[i];

		if (rdma->handles.set && limit_put(w, "rdma", "rdma.max", "%s hca_handle=%" PRId64,
						   rdma->device, rdma->handles.value) < 0)
			return -1;
		if (rdma->objects.set && limit_put(w, "rdma", "rdma.max", "%s hca_object=%" PRId64,
						   rdma->device, rdma->objects.value) < 0)
			return -1;
	}
	return 0;
}

int cgroup_v1_set(struct limit_writer *w, const struct config_resources *r)
{
	if (r->unified.count)
		return err_set(w->err, ERR_UNSUPPORTED,
			       "invalid configuration: linux.resources.unified: needs cgroup v2, "
			       "this host has v1");
	if ((!w->update || r->device_count) && !w->cgroup->rootless && cgroup_v1_devices(w, r) < 0)
		return -1;
	if (set_memory(w, r) < 0 || set_cpu(w, r) < 0 || set_pids(w, r) < 0 || set_blkio(w, r) < 0)
		return -1;
	return set_rest(w, r);
}
