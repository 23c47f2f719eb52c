/* runtime/cgroup_stats - numbers of a cgroup, and its out-of-memory events.
 *
 * Owns: reading of v1's and v2's accounting files, the document of `events --stats`. May not touch:
 * limits.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/inotify.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/file.h"
#include "base/json.h"
#include "base/num.h"
#include "runtime/cgroup_internal.h"

#define V1_UNLIMITED 0x7ffffffffffff000ull

static uint64_t key_of(const char *folder, const char *file, const char *key)
{
	char text[8192];

	return folder && cgroup_file_read(folder, file, text, sizeof(text))
		       ? cgroup_key_u64(text, key, 0)
		       : 0;
}

/* The leading number of a text, 0 without one. */
static uint64_t number_of(const char *text)
{
	struct err ignored = ERR_NONE;
	uint64_t number = 0;

	num_parse_u64("number", text, num_digits(text, strlen(text)), 0, UINT64_MAX, &number,
		      &ignored);
	return number;
}

static uint64_t limit_of(const char *folder, const char *file)
{
	uint64_t limit = cgroup_file_u64(folder, file, UINT64_MAX);

	return limit >= V1_UNLIMITED ? UINT64_MAX : limit;
}

static void read_v1(struct cgroup *cgroup, struct cgroup_stats *out)
{
	const char *cpu = cgroup_folder(cgroup, "cpu"), *acct = cgroup_folder(cgroup, "cpuacct");
	const char *memory = cgroup_folder(cgroup, "memory"), *pids = cgroup_folder(cgroup, "pids");
	uint64_t tick_ns = 1000000000ull / (uint64_t)sysconf(_SC_CLK_TCK), memsw;

	out->cpu_usage_ns = cgroup_file_u64(acct, "cpuacct.usage", 0);
	out->cpu_user_ns = key_of(acct, "cpuacct.stat", "user") * tick_ns;
	out->cpu_kernel_ns = key_of(acct, "cpuacct.stat", "system") * tick_ns;
	out->cpu_periods = key_of(cpu, "cpu.stat", "nr_periods");
	out->cpu_throttled_periods = key_of(cpu, "cpu.stat", "nr_throttled");
	out->cpu_throttled_ns = key_of(cpu, "cpu.stat", "throttled_time");
	out->memory_usage_bytes = cgroup_file_u64(memory, "memory.usage_in_bytes", 0);
	out->memory_max_usage_bytes = cgroup_file_u64(memory, "memory.max_usage_in_bytes", 0);
	out->memory_limit_bytes = limit_of(memory, "memory.limit_in_bytes");
	out->memory_failcnt = cgroup_file_u64(memory, "memory.failcnt", 0);
	out->memory_cache_bytes = key_of(memory, "memory.stat", "cache");
	memsw = cgroup_file_u64(memory, "memory.memsw.usage_in_bytes", 0);
	out->memory_swap_bytes =
		memsw > out->memory_usage_bytes ? memsw - out->memory_usage_bytes : 0;
	out->memory_swap_limit_bytes = limit_of(memory, "memory.memsw.limit_in_bytes");
	out->pids_current = cgroup_file_u64(pids, "pids.current", 0);
	out->pids_limit = cgroup_file_u64(pids, "pids.max", 0);
}

static void read_v2(struct cgroup *cgroup, struct cgroup_stats *out)
{
	const char *folder = cgroup->at[0].folder;

	out->cpu_usage_ns = key_of(folder, "cpu.stat", "usage_usec") * 1000;
	out->cpu_user_ns = key_of(folder, "cpu.stat", "user_usec") * 1000;
	out->cpu_kernel_ns = key_of(folder, "cpu.stat", "system_usec") * 1000;
	out->cpu_periods = key_of(folder, "cpu.stat", "nr_periods");
	out->cpu_throttled_periods = key_of(folder, "cpu.stat", "nr_throttled");
	out->cpu_throttled_ns = key_of(folder, "cpu.stat", "throttled_usec") * 1000;
	out->memory_usage_bytes = cgroup_file_u64(folder, "memory.current", 0);
	out->memory_max_usage_bytes = cgroup_file_u64(folder, "memory.peak", 0);
	out->memory_limit_bytes = cgroup_file_u64(folder, "memory.max", UINT64_MAX);
	out->memory_failcnt = key_of(folder, "memory.events", "max");
	out->memory_cache_bytes = key_of(folder, "memory.stat", "file");
	out->memory_swap_bytes = cgroup_file_u64(folder, "memory.swap.current", 0);
	out->memory_swap_limit_bytes = cgroup_file_u64(folder, "memory.swap.max", UINT64_MAX);
	out->pids_current = cgroup_file_u64(folder, "pids.current", 0);
	out->pids_limit = cgroup_file_u64(folder, "pids.max", 0);
}

static void cgroup_read_stats(struct cgroup *cgroup, struct cgroup_stats *out)
{
	*out = (struct cgroup_stats){ 0 };
	if (cgroup->layout == CGROUP_V2)
		read_v2(cgroup, out);
	else
		read_v1(cgroup, out);
	if (out->pids_limit == UINT64_MAX)
		out->pids_limit = 0;
	out->oom_kills = cgroup_oom_kills(cgroup);
}

static void add_u64(struct json_object *object, const char *key, uint64_t value)
{
	json_object_object_add(object, key, json_object_new_uint64(value));
}

static void add_percpu(const char *folder, struct json_object *usage)
{
	struct json_object *array;
	char text[16384], *save = NULL;

	if (!folder || !cgroup_file_read(folder, "cpuacct.usage_percpu", text, sizeof(text)))
		return;
	array = json_add_array(usage, "percpu");
	for (char *word = strtok_r(text, " ", &save); word; word = strtok_r(NULL, " ", &save)) {
		json_object_array_add(array, json_object_new_uint64(number_of(word)));
	}
}

/* "some avg10=0.00 avg60=0.00 avg300=0.00 total=0" of v2's pressure files. */
static void add_pressure(const char *folder, const char *file, struct json_object *parent)
{
	char text[512], *save = NULL;
	struct json_object *psi = NULL;

	if (!folder || !cgroup_file_read(folder, file, text, sizeof(text)) || !text[0])
		return;
	for (char *line = strtok_r(text, "\n", &save); line; line = strtok_r(NULL, "\n", &save)) {
		struct json_object *row;
		char *words = NULL, *word = strtok_r(line, " ", &words);

		if (!word)
			continue;
		psi = psi ? psi : json_add_object(parent, "psi");
		row = json_add_object(psi, word);
		while ((word = strtok_r(NULL, " ", &words))) {
			char *equals = strchr(word, '=');

			if (!equals)
				continue;
			*equals = '\0';
			json_object_object_add(
				row, word,
				strcmp(word, "total") == 0
					? json_object_new_uint64(number_of(equals + 1))
					: json_object_new_double_s(0, equals + 1));
		}
	}
}

static void add_memory_part(struct json_object *memory, const char *key, uint64_t usage,
			    uint64_t most, uint64_t limit, uint64_t failcnt)
{
	struct json_object *part = json_add_object(memory, key);

	add_u64(part, "limit", limit);
	add_u64(part, "usage", usage);
	add_u64(part, "max", most);
	add_u64(part, "failcnt", failcnt);
}

static void add_raw(const char *folder, struct json_object *memory)
{
	struct json_object *raw = json_add_object(memory, "raw");
	char text[16384], *save = NULL;

	if (!folder || !cgroup_file_read(folder, "memory.stat", text, sizeof(text)))
		return;
	for (char *line = strtok_r(text, "\n", &save); line; line = strtok_r(NULL, "\n", &save)) {
		char *space = strchr(line, ' ');

		if (!space)
			continue;
		*space++ = '\0';
		add_u64(raw, line, number_of(space));
	}
}

/* Lines "8:0 Read 4096" of v1's throttle files. */
static void add_blkio(struct cgroup *cgroup, struct json_object *data)
{
	static const struct {
		const char *key, *file;
	} lists[] = {
		{"ioServiceBytesRecursive", "blkio.throttle.io_service_bytes_recursive"},
		{ "ioServicedRecursive",    "blkio.throttle.io_serviced_recursive"     }
	};
	struct json_object *blkio = json_add_object(data, "blkio");
	const char *folder = cgroup_folder(cgroup, "blkio");

	for (size_t i = 0; folder && i < 2; i++) {
		char text[8192], *save = NULL;
		struct json_object *array = json_add_array(blkio, lists[i].key);

		if (!cgroup_file_read(folder, lists[i].file, text, sizeof(text)))
			continue;
		for (char *line = strtok_r(text, "\n", &save); line;
		     line = strtok_r(NULL, "\n", &save)) {
			char *words = NULL, *device = strtok_r(line, " ", &words);
			char *op = strtok_r(NULL, " ", &words),
			     *value = strtok_r(NULL, " ", &words);
			char *colon = device ? strchr(device, ':') : NULL;
			struct json_object *row;

			if (!colon || !op || !value)
				continue;
			row = json_object_new_object();
			json_add_int(row, "major", (int64_t)number_of(device));
			json_add_int(row, "minor", (int64_t)number_of(colon + 1));
			json_add_text(row, "op", op);
			json_add_int(row, "value", (int64_t)number_of(value));
			json_object_array_add(array, row);
		}
	}
}

struct json_object *cgroup_stats_json(struct cgroup *cgroup)
{
	struct json_object *data = json_object_new_object(), *part, *sub;
	const char *folder = cgroup_folder(cgroup, "memory"), *cpu = cgroup_folder(cgroup, "cpu");
	bool v2 = cgroup->layout == CGROUP_V2;
	struct cgroup_stats stats;

	cgroup_read_stats(cgroup, &stats);
	part = json_add_object(data, "cpu");
	sub = json_add_object(part, "usage");
	add_u64(sub, "total", stats.cpu_usage_ns);
	add_percpu(cgroup_folder(cgroup, "cpuacct"), sub);
	add_u64(sub, "kernel", stats.cpu_kernel_ns);
	add_u64(sub, "user", stats.cpu_user_ns);
	sub = json_add_object(part, "throttling");
	add_u64(sub, "periods", stats.cpu_periods);
	add_u64(sub, "throttledPeriods", stats.cpu_throttled_periods);
	add_u64(sub, "throttledTime", stats.cpu_throttled_ns);
	if (v2)
		add_pressure(cpu, "cpu.pressure", part);
	part = json_add_object(data, "memory");
	add_u64(part, "cache", stats.memory_cache_bytes);
	add_memory_part(part, "usage", stats.memory_usage_bytes, stats.memory_max_usage_bytes,
			stats.memory_limit_bytes, stats.memory_failcnt);
	add_memory_part(part, "swap", stats.memory_swap_bytes, 0, stats.memory_swap_limit_bytes, 0);
	add_memory_part(part, "kernel", cgroup_file_u64(folder, "memory.kmem.usage_in_bytes", 0), 0,
			UINT64_MAX, 0);
	add_memory_part(part, "kernelTCP",
			cgroup_file_u64(folder, "memory.kmem.tcp.usage_in_bytes", 0), 0, UINT64_MAX,
			0);
	add_raw(folder, part);
	if (v2)
		add_pressure(folder, "memory.pressure", part);
	part = json_add_object(data, "pids");
	add_u64(part, "current", stats.pids_current);
	add_u64(part, "limit", stats.pids_limit);
	add_blkio(cgroup, data);
	json_add_object(data, "hugetlb");
	json_add_array(data, "network_interfaces");
	return data;
}

uint64_t cgroup_oom_kills(struct cgroup *cgroup)
{
	const char *folder = cgroup_folder(cgroup, "memory");

	return cgroup->layout == CGROUP_V2 ? key_of(folder, "memory.events", "oom_kill")
					   : key_of(folder, "memory.oom_control", "oom_kill");
}

/* v1: the kernel counts an eventfd up for every time that memory runs out. */
static int oom_eventfd(const char *folder, struct err *err)
{
	AUTO(free) char *path = xformat("%s/memory.oom_control", folder);
	AUTO(fd) int control_fd = open(path, O_RDONLY | O_CLOEXEC);
	AUTO(fd) int fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	char line[40];

	if (control_fd < 0 || fd < 0)
		return err_sys(err, errno, "open %s", path);
	snprintf(line, sizeof(line), "%d %d", fd, control_fd);
	if (cgroup_file_write(folder, "cgroup.event_control", line) < 0)
		return err_sys(err, errno, "write %s/cgroup.event_control", folder);
	return TAKE_FD(fd);
}

int cgroup_oom_fd(struct cgroup *cgroup, struct err *err)
{
	const char *folder = cgroup_folder(cgroup, "memory");
	AUTO(free) char *path = NULL;
	AUTO(fd) int fd = -1;

	if (!folder)
		return err_set(err, ERR_UNSUPPORTED, "the memory controller is not mounted");
	if (cgroup->layout != CGROUP_V2)
		return oom_eventfd(folder, err);
	path = xformat("%s/memory.events", folder);
	fd = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
	if (fd < 0 || inotify_add_watch(fd, path, IN_MODIFY) < 0)
		return err_sys(err, errno, "watch %s", path);
	return TAKE_FD(fd);
}
