/* runtime/cgroup_v2 - linux.resources as files of cgroup v2.
 *
 * Owns: turning controllers on, conversions from v1's units. May not touch: v1, device programs
 * (cgroup_v2_devices).
 */
#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/alloc.h"
#include "base/text.h"
#include "runtime/cgroup_internal.h"

/* 2..262144 to 1..10000 with 1024 at 100: 10^((l*l + 125*l)/612 - 7/34), l = log2(shares). */
uint64_t cgroup_weight_of_shares(uint64_t shares)
{
	double l;

	if (!shares)
		return 0;
	if (shares <= 2)
		return 1;
	if (shares >= 262144)
		return 10000;
	l = log2((double)shares);
	return (uint64_t)ceil(pow(10.0, (l * l + 125.0 * l) / 612.0 - 7.0 / 34.0));
}

uint64_t cgroup_weight_of_blkio(uint64_t weight)
{
	return 1 + (weight - 10) * 9999 / 990;
}

static void enable_all(const char *folder)
{
	char controllers[512], word[80], *save = NULL;

	if (!cgroup_file_read(folder, "cgroup.controllers", controllers, sizeof(controllers)))
		return;
	for (char *name = strtok_r(controllers, " ", &save); name;
	     name = strtok_r(NULL, " ", &save)) {
		snprintf(word, sizeof(word), "+%.70s", name);
		cgroup_file_write(folder, "cgroup.subtree_control", word);
	}
}

int cgroup_v2_make(struct cgroup *cgroup, struct hierarchy *hierarchy, struct err *err)
{
	AUTO(free) char *path = xstrdup(hierarchy->folder);
	char type[64];

	for (char *slash = path + strlen(hierarchy->mount); slash; slash = strchr(slash + 1, '/')) {
		*slash = '\0';
		enable_all(path);
		*slash = '/';
		char *next = strchr(slash + 1, '/');
		if (next)
			*next = '\0';
		if (mkdir(path, 0755) == 0)
			hierarchy->made |= !next;
		else if (errno != EEXIST)
			return cgroup->rootless ? 0 : err_sys(err, errno, "make cgroup %s", path);
		if (next)
			*next = '/';
	}
	if (cgroup_file_read(hierarchy->folder, "cgroup.type", type, sizeof(type)) &&
	    strcmp(type, "domain") != 0 && strcmp(type, "domain threaded") != 0)
		return err_set(err, ERR_UNSUPPORTED,
			       "cgroup %s is \"%s\": a container needs a domain of its own",
			       hierarchy->folder, type);
	return 0;
}

static int put_max(struct limit_writer *w, const char *file, int64_t value)
{
	return value < 0 ? limit_put(w, "memory", file, "max")
			 : limit_put(w, "memory", file, "%" PRId64, value);
}

static int set_memory(struct limit_writer *w, const struct config_resources *r)
{
	int64_t limit = r->memory_limit.value, swap = r->memory_swap.value;
	const char *folder = cgroup_folder(w->cgroup, "memory");

	if (r->memory_swappiness.set)
		return err_set(w->err, ERR_UNSUPPORTED,
			       "linux.resources.memory.swappiness: cgroup v2 has none");
	if (r->memory_check_before_update.value && limit > 0 &&
	    cgroup_file_u64(folder, "memory.current", 0) > (uint64_t)limit)
		return err_set(w->err, ERR_BUSY,
			       "rejecting memory limit %" PRId64 ": the usage is above it already",
			       limit);
	if (limit == -1 && !r->memory_swap.set)
		swap = -1;
	if (swap && (cgroup_has_file(folder, "memory.swap.max") || swap > 0) &&
	    !(swap < 0 && !limit) &&
	    put_max(w, "memory.swap.max", swap < 0 ? -1 : swap - limit) < 0)
		return -1;
	if (swap < 0 && !limit && cgroup_has_file(folder, "memory.swap.max") &&
	    put_max(w, "memory.swap.max", -1) < 0)
		return -1;
	if (limit && put_max(w, "memory.max", limit) < 0)
		return -1;
	return r->memory_reservation.value ? put_max(w, "memory.low", r->memory_reservation.value)
					   : 0;
}

static int set_cpu_max(struct limit_writer *w, const struct config_resources *r)
{
	bool burst = r->cpu_burst.set;
	char quota[32] = "max", old[64];

	if (burst)
		burst = limit_try(w, "cpu", "cpu.max.burst", "%" PRId64, r->cpu_burst.value) != 0;
	if (r->cpu_quota.value || r->cpu_period.value) {
		if (r->cpu_quota.value > 0) {
			snprintf(quota, sizeof(quota), "%" PRId64, r->cpu_quota.value);
		} else if (!r->cpu_quota.value && cgroup_file_read(cgroup_folder(w->cgroup, "cpu"),
								   "cpu.max", old, sizeof(old))) {
			old[strcspn(old, " ")] = '\0'; /* a new period keeps the quota */
			snprintf(quota, sizeof(quota), "%.30s", old);
		}
		if (r->cpu_period.value ? limit_put(w, "cpu", "cpu.max", "%s %" PRId64, quota,
						    r->cpu_period.value) < 0
					: limit_put(w, "cpu", "cpu.max", "%s", quota) < 0)
			return -1;
	}
	return burst ? limit_put(w, "cpu", "cpu.max.burst", "%" PRId64, r->cpu_burst.value) : 0;
}

static int set_cpu(struct limit_writer *w, const struct config_resources *r)
{
	if (r->cpu_rt_period.value || r->cpu_rt_runtime.value)
		return err_set(w->err, ERR_UNSUPPORTED,
			       "linux.resources.cpu: real-time limits do not exist in cgroup v2");
	if (r->cpu_idle.set && limit_put(w, "cpu", "cpu.idle", "%" PRId64, r->cpu_idle.value) < 0)
		return -1;
	if (r->cpu_shares.value && r->cpu_idle.value != 1 &&
	    limit_put(w, "cpu", "cpu.weight", "%" PRIu64,
		      cgroup_weight_of_shares((uint64_t)r->cpu_shares.value)) < 0)
		return -1;
	if (set_cpu_max(w, r) < 0)
		return -1;
	if (r->cpus && r->cpus[0] && limit_put(w, "cpuset", "cpuset.cpus", "%s", r->cpus) < 0)
		return -1;
	return r->mems && r->mems[0] ? limit_put(w, "cpuset", "cpuset.mems", "%s", r->mems) : 0;
}

static int set_io(struct limit_writer *w, const struct config_resources *r)
{
	static const char *const keys[THROTTLE_COUNT] = {
		[READ_BPS] = "rbps",
		[WRITE_BPS] = "wbps",
		[READ_IOPS] = "riops",
		[WRITE_IOPS] = "wiops",
	};
	const char *folder = cgroup_folder(w->cgroup, "io");
	bool bfq = cgroup_has_file(folder, "io.bfq.weight");
	uint64_t weight = (uint64_t)r->blkio_weight.value;

	if (weight &&
	    (bfq ? limit_put(w, "io", "io.bfq.weight", "%" PRIu64, weight)
		 : limit_put(w, "io", "io.weight", "%" PRIu64, cgroup_weight_of_blkio(weight))) < 0)
		return -1;
	for (size_t i = 0; i < r->blkio_weight_device.count; i++) {
		const struct config_throttle *t = &r->blkio_weight_device.at[i];

		if (limit_put(w, "io", "io.bfq.weight", "%" PRId64 ":%" PRId64 " %" PRIu64,
			      t->major, t->minor, t->rate) < 0)
			return -1;
	}
	for (int kind = 0; kind < THROTTLE_COUNT; kind++)
		for (size_t i = 0; i < r->throttle[kind].count; i++) {
			const struct config_throttle *t = &r->throttle[kind].at[i];

			if (limit_put(w, "io", "io.max", "%" PRId64 ":%" PRId64 " %s=%" PRIu64,
				      t->major, t->minor, keys[kind], t->rate) < 0)
				return -1;
		}
	return 0;
}

static int set_rest(struct limit_writer *w, const struct config_resources *r)
{
	char file[80];

	if (r->pids_limit.set &&
	    (r->pids_limit.value < 0
		     ? limit_put(w, "pids", "pids.max", "max")
		     : limit_put(w, "pids", "pids.max", "%" PRId64,
				 r->pids_limit.value ? r->pids_limit.value : 1)) < 0)
		return -1;
	for (size_t i = 0; i < r->hugepage_count; i++) {
		snprintf(file, sizeof(file), "hugetlb.%.30s.max", r->hugepages[i].size);
		if (limit_put(w, "hugetlb", file, "%" PRIu64, r->hugepages[i].limit) < 0)
			return -1;
		snprintf(file, sizeof(file), "hugetlb.%.30s.rsvd.max", r->hugepages[i].size);
		limit_try(w, "hugetlb", file, "%" PRIu64, r->hugepages[i].limit);
	}
	for (size_t i = 0; i < r->rdma_count; i++) {
		const struct config_rdma *d = &r->rdma[i];

		if (d->handles.set && limit_put(w, "rdma", "rdma.max", "%s hca_handle=%" PRId64,
						d->device, d->handles.value) < 0)
			return -1;
		if (d->objects.set && limit_put(w, "rdma", "rdma.max", "%s hca_object=%" PRId64,
						d->device, d->objects.value) < 0)
			return -1;
	}
	if (r->net_class_id.set || r->net_priorities.count)
		return err_set(w->err, ERR_UNSUPPORTED,
			       "linux.resources.network: cgroup v2 has no such controller");
	return 0;
}

static int set_unified(struct limit_writer *w, const struct config_resources *r)
{
	for (size_t i = 0; i < r->unified.count; i++) {
		const struct config_pair *pair = &r->unified.at[i];
		char controllers[512];
		AUTO(free) char *copy = xstrdup(pair->value);
		char *save = NULL;
		size_t len = strcspn(pair->key, ".");

		cgroup_file_read(w->cgroup->at[0].folder, "cgroup.controllers", controllers,
				 sizeof(controllers));
		for (char *line = strtok_r(copy, "\n", &save); line;
		     line = strtok_r(NULL, "\n", &save))
			if (limit_put(w, "unified", pair->key, "%s", line) < 0) {
				if (!cgroup_has_file(w->cgroup->at[0].folder, pair->key))
					return err_set(w->err, ERR_UNSUPPORTED,
						       "unified resource \"%.60s\" can't be set: "
						       "controller \"%.*s\" not available",
						       pair->key, (int)len, pair->key);
				return -1;
			}
	}
	return 0;
}

int cgroup_v2_set(struct limit_writer *w, const struct config_resources *r)
{
	if ((!w->update || r->device_count) && !w->cgroup->rootless &&
	    cgroup_v2_devices(w->cgroup, r, w->update, w->err) < 0)
		return -1;
	if (set_memory(w, r) < 0 || set_cpu(w, r) < 0 || set_io(w, r) < 0 || set_rest(w, r) < 0)
		return -1;
	return set_unified(w, r);
}
