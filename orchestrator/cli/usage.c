/* orchestrator/cli/usage - what a running container uses now.
 *
 * Owns: where each figure stands in cgroup v1 and v2. May not touch: anything: it only reads.
 */
#include "orchestrator/cli/usage.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sysinfo.h>

#include "base/alloc.h"
#include "base/cleanup.h"
#include "base/file.h"
#include "base/num.h"
#include "base/stamp.h"
#include "base/text.h"

#define FILE_MAX    (1u << 20)
#define CGROUP_ROOT "/sys/fs/cgroup"

/* ---- texts ---- */

static uint64_t number(struct slice text)
{
	struct err ignored = ERR_NONE;
	uint64_t value = 0;

	text.len = num_digits(text.at, text.len);
	return text.len && num_parse_u64("figure", text.at, text.len, 0, UINT64_MAX, &value,
					 &ignored) == 0
		       ? value
		       : 0;
}

/* Next word of a line; blanks in a row count as one. */
static bool word(struct slice *line, struct slice *out)
{
	*line = slice_trim(*line);
	return line->len && slice_next(line, ' ', out);
}

uint64_t usage_key(const char *text, const char *key)
{
	struct slice rest = SLICE(text), line, name;

	while (slice_next(&rest, '\n', &line))
		if (word(&line, &name) && slice_is(name, key))
			return number(slice_trim(line));
	return 0;
}

static uint64_t assigned(struct slice part, const char *key)
{
	struct slice left, right;

	return slice_split(part, '=', &left, &right) && slice_is(left, key) ? number(right) : 0;
}

void usage_io(const char *text, uint64_t *out_read, uint64_t *out_write)
{
	struct slice rest = SLICE(text), line, device, part;

	*out_read = *out_write = 0;
	while (slice_next(&rest, '\n', &line)) {
		if (!word(&line, &device))
			continue;
		while (word(&line, &part)) {
			*out_read += assigned(part, "rbytes");
			*out_write += assigned(part, "wbytes");
			if (slice_is(part, "Read"))
				*out_read += number(slice_trim(line));
			if (slice_is(part, "Write"))
				*out_write += number(slice_trim(line));
		}
	}
}

void usage_net(const char *text, uint64_t *out_received, uint64_t *out_sent)
{
	enum { RECEIVED = 0, SENT = 8 }; /* columns behind the name */
	struct slice rest = SLICE(text), line, name, figures, part;

	*out_received = *out_sent = 0;
	while (slice_next(&rest, '\n', &line)) {
		if (!slice_split(line, ':', &name, &figures) || slice_is(slice_trim(name), "lo"))
			continue;
		for (int column = 0; word(&figures, &part); column++) {
			if (column == RECEIVED)
				*out_received += number(part);
			if (column == SENT)
				*out_sent += number(part);
		}
	}
}

/* ---- files ---- */

/* Never NULL; "" when it cannot be read. To be freed. */
static char *read_text(const char *path)
{
	struct err ignored = ERR_NONE;
	char *text = NULL;
	size_t len;

	return file_read(AT_FDCWD, path, FILE_MAX, &text, &len, &ignored) < 0 ? xstrdup("") : text;
}

/* A file of the process's cgroup; controller "" is v2. NULL: no such hierarchy. */
static char *group_file(const char *groups, const char *controller, const char *name)
{
	struct slice rest = SLICE(groups), line, id, names, one;

	while (slice_next(&rest, '\n', &line)) {
		AUTO(free) char *path = NULL;

		if (!slice_next(&line, ':', &id) || !slice_next(&line, ':', &names))
			continue;
		if (!*controller && !names.len) {
			path = xformat(CGROUP_ROOT "%.*s/%s", SLICE_ARG(line), name);
			if (access(path, R_OK) == 0)
				return read_text(path);
			free(path);
			path = xformat(CGROUP_ROOT "/unified%.*s/%s", SLICE_ARG(line), name);
			return access(path, R_OK) == 0 ? read_text(path) : NULL;
		}
		while (*controller && slice_next(&names, ',', &one))
			if (slice_is(one, controller)) {
				path = xformat(CGROUP_ROOT "/%s%.*s/%s", controller,
					       SLICE_ARG(line), name);
				return access(path, R_OK) == 0 ? read_text(path) : NULL;
			}
	}
	return NULL;
}

/* The first of the two that is there: v2's file, else v1's. Never NULL. */
static char *either(const char *groups, const char *v2, const char *controller, const char *v1)
{
	char *text = group_file(groups, "", v2);

	if (!text)
		text = group_file(groups, controller, v1);
	return text ? text : xstrdup("");
}

static uint64_t either_number(const char *groups, const char *v2, const char *controller,
			      const char *v1)
{
	AUTO(free) char *text = either(groups, v2, controller, v1);

	return number(SLICE(text));
}

static uint64_t host_memory(void)
{
	struct sysinfo info;

	return sysinfo(&info) == 0 ? (uint64_t)info.totalram * info.mem_unit : 0;
}

static void read_memory(const char *groups, struct usage *out)
{
	AUTO(free) char *stat = either(groups, "memory.stat", "memory", "memory.stat");
	uint64_t host = host_memory();
	uint64_t cache = usage_key(stat, "total_inactive_file");

	if (!cache)
		cache = usage_key(stat, "inactive_file");
	out->memory_bytes =
		either_number(groups, "memory.current", "memory", "memory.usage_in_bytes");
	out->memory_bytes -= cache < out->memory_bytes ? cache : 0;
	out->memory_max_bytes =
		either_number(groups, "memory.max", "memory", "memory.limit_in_bytes");
	if (!out->memory_max_bytes || out->memory_max_bytes > host)
		out->memory_max_bytes = host;
}

static void read_cpu(const char *groups, struct usage *out)
{
	AUTO(free) char *old = group_file(groups, "cpuacct", "cpuacct.usage");
	AUTO(free) char *stat = old ? NULL : group_file(groups, "", "cpu.stat");

	out->cpu_ns = old ? number(SLICE(old)) : stat ? usage_key(stat, "usage_usec") * 1000 : 0;
	out->at_us = stamp_monotonic_us();
}

void usage_read(pid_t init, struct usage *out)
{
	AUTO(free) char *path = xformat("/proc/%d/cgroup", (int)init);
	AUTO(free) char *groups = read_text(path);
	AUTO(free) char *net_path = xformat("/proc/%d/net/dev", (int)init);
	AUTO(free) char *net = read_text(net_path);
	AUTO(free)
	char *io = either(groups, "io.stat", "blkio", "blkio.throttle.io_service_bytes_recursive");

	*out = (struct usage){ 0 };
	read_cpu(groups, out);
	read_memory(groups, out);
	out->tasks = either_number(groups, "pids.current", "pids", "pids.current");
	usage_io(io, &out->read_bytes, &out->write_bytes);
	usage_net(net, &out->received_bytes, &out->sent_bytes);
}

double usage_cpu_percent(const struct usage *before, const struct usage *now)
{
	uint64_t wall_us = now->at_us - before->at_us;

	if (now->cpu_ns <= before->cpu_ns || now->at_us <= before->at_us)
		return 0;
	return (double)(now->cpu_ns - before->cpu_ns) / 10.0 / (double)wall_us;
}
