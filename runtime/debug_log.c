/* runtime/debug_log - what create, run and exec are doing, in words.
 *
 * Owns: the way of a line from either side, the form of the mask. May not touch: where the log is
 * (main), levels.
 */
#include "runtime/debug_log.h"

#include <sched.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "runtime/namespaces.h"
#include "runtime/sync.h"

#define MASK_BYTES 128 /* 1024 CPUs */

void debug_log_say(const struct debug_log *log, const char *format, ...)
{
	char text[sizeof(((struct sync_message *)0)->text)];
	va_list args;

	if (!log || !log->say)
		return;
	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	if (!log->sync_fd)
		log->say(log->context, text);
	else if (*log->sync_fd >= 0)
		sync_send(*log->sync_fd, SYNC_DEBUG, 0, text, -1);
}

void debug_log_stage(void *log, const char *area, const char *name)
{
	const struct debug_log *mine = log;

	debug_log_say(mine, "%s %s: stage %s", mine->sync_fd ? "init:" : "runtime:", area, name);
}

void debug_log_namespaces(const struct debug_log *log, const char *what, unsigned long flags)
{
	char names[64];
	size_t len = 0;

	for (size_t i = 0; i < NAMESPACE_COUNT; i++)
		if (flags & (unsigned long)namespace_table[i].flag)
			len += (size_t)snprintf(names + len, sizeof(names) - len, "%s%s",
						len ? ", " : "", namespace_table[i].file);
	if (len)
		debug_log_say(log, "%s: %s", what, names);
}

void debug_log_affinity(const struct debug_log *log, const char *what)
{
	unsigned char bits[MASK_BYTES] = { 0 };
	char mask[2 * MASK_BYTES + 1];
	size_t len = 0;
	long n;

	if (!log || !log->say)
		return;
	n = syscall(SYS_sched_getaffinity, 0, sizeof(bits), bits);
	for (long i = n - 1; i >= 0; i--) {
		if (!len && !bits[i])
			continue;
		snprintf(mask + len, sizeof(mask) - len, len ? "%02x" : "%x", bits[i]);
		len = strlen(mask);
	}
	if (len)
		debug_log_say(log, "%s: affinity: 0x%s", what, mask);
}
