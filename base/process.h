/* base/process - processes by identity: pid, start time and boot, held by a pidfd. Never blocks but
 * where it says so. */
#pragma once
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/err.h"

/* What stays true of a process across our own death. start_ticks is field 22 of /proc/PID/stat; the
 * pair is unique within one boot. pid 0: nobody. */
struct process_id {
	pid_t pid;
	uint64_t start_ticks;
};

int process_pidfd_open(pid_t pid); /* -1 with errno; O_CLOEXEC */
/* Field 22 of /proc/PID/stat; 0 when the process is gone. A zombie still has one. */
uint64_t process_start_ticks(pid_t pid);
struct process_id process_identity(pid_t pid);
/* A pidfd of exactly that process, or -1 (ESRCH) when it is gone, a zombie, or the pid is another's
 * now. */
int process_open(struct process_id id);
bool process_is_alive(struct process_id id);
int process_signal(int pidfd, int signal); /* -1 with errno */
/* Waits until the process has ended (pidfd readable); timeout_ms -1: for ever. 0 ended, -1
 * ERR_TIMEOUT. Blocks. */
int process_wait_end(int pidfd, int timeout_ms, struct err *err);

/* Leaves terminal, session and working directory: fork twice, the caller's process goes on as the
 * grandchild's observer. Returns 0 in the grandchild, the middle child's pid > 0 (already reaped)
 * in the caller, -1 with *err. Only for processes with one thread. */
int process_daemonise(struct err *err);

/* "SIGTERM", "term", "15", "RTMIN+3" to the number; -1 when it is none. */
int process_signal_number(const char *name);
/* "SIGTERM" or "SIGRTMIN+3"; NULL for numbers that are no signals. Static text, or in a buffer of
 * the caller (size 16) for real-time ones. */
const char *process_signal_name(int number, char *buffer);

/* Every signal gets its default action and none is blocked: for a child before it executes a
 * program. Also those that the C library keeps for itself, which a parent may have left ignored
 * (make does). Async-signal-safe. */
void process_reset_signals(void);
