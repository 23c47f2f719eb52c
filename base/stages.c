/* base/stages - a table of steps that block.
 *
 * Owns: order, direction, crash and failure points, the trace line. May not touch: what a job
 * means.
 */
#include "base/stages.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/crash.h"
#include "base/num.h"
#include "base/stamp.h"

static int trace_fd(void)
{
	const char *text = getenv("STACK_TRACE");
	struct err err = ERR_NONE;
	uint64_t fd;

	if (!text || num_parse_u64("STACK_TRACE", text, strlen(text), 0, 65535, &fd, &err) < 0)
		return -1;
	return (int)fd;
}

static void trace_step(int fd, const char *area, const char *name, uint64_t start_us)
{
	char line[256];
	int len = snprintf(line, sizeof(line),
			   "{\"name\":\"%s\",\"cat\":\"%s\",\"ph\":\"X\",\"ts\":%" PRIu64
			   ",\"dur\":%" PRIu64 ",\"pid\":%d,\"tid\":0},\n",
			   name, area, start_us, stamp_monotonic_us() - start_us, (int)getpid());

	if (len > 0 && len < (int)sizeof(line) && write(fd, line, (size_t)len) < 0)
		return; /* nobody reads the trace any more */
}

int stages_point(const char *area, const char *name, struct err *err)
{
	crash_point(area, name);
#ifdef CRASH_POINTS
	const char *want = getenv("STACK_FAIL_AT");
	size_t n = strlen(area);

	if (want && strncmp(want, area, n) == 0 && want[n] == ':' &&
	    strcmp(want + n + 1, name) == 0)
		return err_set(err, ERR_SYSTEM, "made to fail");
#else
	(void)err;
#endif
	return 0;
}

static void walk_back(const struct step *table, int from, void *job)
{
	for (int i = from; i >= 0; i--)
		if (table[i].undo)
			table[i].undo(job);
}

int stages_run_told(const char *area, const struct step *table, void *job,
		    void (*tell)(void *context, const char *area, const char *name), void *context,
		    struct err *err)
{
	int trace = trace_fd();

	for (int i = 0; table[i].name; i++) {
		uint64_t start_us = trace >= 0 ? stamp_monotonic_us() : 0;

		if (tell)
			tell(context, area, table[i].name);
		if (stages_point(area, table[i].name, err) < 0 ||
		    (table[i].run && table[i].run(job, err) < 0)) {
			err_wrap(err, "%s", table[i].name);
			walk_back(table, i, job);
			return -1;
		}
		if (trace >= 0)
			trace_step(trace, area, table[i].name, start_us);
	}
	return 0;
}

int stages_run(const char *area, const struct step *table, void *job, struct err *err)
{
	return stages_run_told(area, table, job, NULL, NULL, err);
}

void stages_undo(const char *area, const struct step *table, void *job)
{
	int last = -1;

	(void)area;
	while (table[last + 1].name)
		last++;
	walk_back(table, last, job);
}
