/* runtime/debug_log - what create, run and exec are doing, in words, for who looks for a fault.
 *
 * Lines are said when a thing is done or about to be, never ahead of time. Where a line says what a
 * well-known line of runc says, it has runc's words: people and programs look for them. The child's
 * side says its lines by way of the parent (SYNC_DEBUG).
 */
#pragma once
#include <stddef.h>

struct debug_log {
	/* The parent's way; NULL: nobody asked, nothing is said. */
	void (*say)(void *context, const char *text);
	void *context;
	/* The child's way: its socket, which may move; NULL in the parent. */
	const int *sync_fd;
};

/* A line; cut to what a message holds. No-op when nobody asked. */
void debug_log_say(const struct debug_log *log, const char *format, ...)
	__attribute__((format(printf, 2, 3)));
/* For stages_run_told: context is the struct debug_log. */
void debug_log_stage(void *log, const char *area, const char *name);
/* "WHAT: mnt, pid, uts": the namespaces of the CLONE_NEW* in flags; nothing for none. */
void debug_log_namespaces(const struct debug_log *log, const char *what, unsigned long flags);
/* The CPUs that the caller may run on at this moment, as a mask: "WHAT: affinity: 0x3". */
void debug_log_affinity(const struct debug_log *log, const char *what);
