/* base/process - processes by identity.
 *
 * Owns: pidfds, the reading of /proc/PID/stat, signal names. May not touch: other people's
 * children.
 */
#include "base/process.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/num.h"

/* clang-format off */
static const struct { const char *name; int number; } signal_names[] = {
	{ "SIGHUP", SIGHUP },       { "SIGINT", SIGINT },       { "SIGQUIT", SIGQUIT },
	{ "SIGILL", SIGILL },       { "SIGTRAP", SIGTRAP },     { "SIGABRT", SIGABRT },
	{ "SIGIOT", SIGABRT },      { "SIGBUS", SIGBUS },       { "SIGFPE", SIGFPE },
	{ "SIGKILL", SIGKILL },     { "SIGUSR1", SIGUSR1 },     { "SIGSEGV", SIGSEGV },
	{ "SIGUSR2", SIGUSR2 },     { "SIGPIPE", SIGPIPE },     { "SIGALRM", SIGALRM },
	{ "SIGTERM", SIGTERM },     { "SIGSTKFLT", SIGSTKFLT }, { "SIGCHLD", SIGCHLD },
	{ "SIGCLD", SIGCHLD },      { "SIGCONT", SIGCONT },     { "SIGSTOP", SIGSTOP },
	{ "SIGTSTP", SIGTSTP },     { "SIGTTIN", SIGTTIN },     { "SIGTTOU", SIGTTOU },
	{ "SIGURG", SIGURG },       { "SIGXCPU", SIGXCPU },     { "SIGXFSZ", SIGXFSZ },
	{ "SIGVTALRM", SIGVTALRM }, { "SIGPROF", SIGPROF },     { "SIGWINCH", SIGWINCH },
	{ "SIGIO", SIGIO },         { "SIGPOLL", SIGIO },       { "SIGPWR", SIGPWR },
	{ "SIGSYS", SIGSYS },
};
/* clang-format on */

#define SIGNAL_MAX 64 /* as the kernel's _NSIG; glibc hides two of the real-time ones */

int process_pidfd_open(pid_t pid)
{
	return (int)syscall(SYS_pidfd_open, pid, 0);
}

/* State letter and start time from /proc/PID/stat; false when there is no such process. */
static bool read_stat(pid_t pid, char *out_state, uint64_t *out_start)
{
	char path[40], text[1024], *field;
	AUTO(fd) int fd = -1;
	struct err err = ERR_NONE;
	ssize_t n;

	snprintf(path, sizeof(path), "/proc/%d/stat", (int)pid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	n = fd < 0 ? -1 : read(fd, text, sizeof(text) - 1);
	if (n <= 0)
		return false;
	text[n] = '\0';
	field = strrchr(text, ')'); /* the name before it may hold anything */
	if (!field || field[1] != ' ')
		return false;
	field += 2;
	*out_state = *field;
	for (int i = 3; i < 22 && field; i++) {
		field = strchr(field, ' ');
		field = field ? field + 1 : NULL;
	}
	return field && num_parse_u64("start time", field, num_digits(field, strlen(field)), 0,
				      UINT64_MAX, out_start, &err) == 0;
}

uint64_t process_start_ticks(pid_t pid)
{
	uint64_t start;
	char state;

	return read_stat(pid, &state, &start) ? start : 0;
}

struct process_id process_identity(pid_t pid)
{
	return (struct process_id){ pid, process_start_ticks(pid) };
}

int process_open(struct process_id id)
{
	AUTO(fd) int fd = -1;
	uint64_t start;
	char state;

	if (id.pid <= 0 || id.start_ticks == 0) {
		errno = ESRCH;
		return -1;
	}
	fd = process_pidfd_open(id.pid);
	if (fd < 0)
		return -1;
	if (!read_stat(id.pid, &state, &start) || start != id.start_ticks || state == 'Z' ||
	    state == 'X') {
		errno = ESRCH;
		return -1;
	}
	return TAKE_FD(fd);
}

bool process_is_alive(struct process_id id)
{
	AUTO(fd) int fd = process_open(id);

	return fd >= 0;
}

int process_signal(int pidfd, int signal)
{
	return (int)syscall(SYS_pidfd_send_signal, pidfd, signal, NULL, 0);
}

int process_wait_end(int pidfd, int timeout_ms, struct err *err)
{
	struct pollfd poll_fd = { .fd = pidfd, .events = POLLIN };

	for (;;) {
		int n = poll(&poll_fd, 1, timeout_ms);

		if (n > 0)
			return 0;
		if (n == 0)
			return err_set(err, ERR_TIMEOUT, "the process has not ended after %d ms",
				       timeout_ms);
		if (errno != EINTR)
			return err_sys(err, errno, "wait for a process");
	}
}

int process_daemonise(struct err *err)
{
	pid_t middle = fork();
	int status;

	if (middle < 0)
		return err_sys(err, errno, "fork");
	if (middle > 0) {
		while (waitpid(middle, &status, 0) < 0 && errno == EINTR)
			;
		return WIFEXITED(status) && WEXITSTATUS(status) == 0
			       ? (int)middle
			       : err_set(err, ERR_SYSTEM, "the background process did not start");
	}
	setsid();
	middle = fork();
	if (middle != 0)
		_exit(middle < 0 ? 1 : 0);
	if (chdir("/") < 0)
		_exit(1);
	return 0;
}

int process_signal_number(const char *name)
{
	size_t len = strlen(name), skip = strncasecmp(name, "SIG", 3) == 0 ? 3 : 0;
	const char *word = name + skip;
	struct err err = ERR_NONE;
	uint64_t n;

	if (len && isdigit((unsigned char)name[0]))
		return num_parse_u64("signal", name, len, 1, SIGNAL_MAX, &n, &err) < 0 ? -1
										       : (int)n;
	for (size_t i = 0; i < sizeof(signal_names) / sizeof(signal_names[0]); i++)
		if (strcasecmp(word, signal_names[i].name + 3) == 0)
			return signal_names[i].number;
	if (strcasecmp(word, "RTMIN") == 0)
		return SIGRTMIN;
	if (strcasecmp(word, "RTMAX") == 0)
		return SIGRTMAX;
	if (strncasecmp(word, "RTMIN+", 6) == 0 &&
	    num_parse_u64("signal", word + 6, strlen(word + 6), 0, SIGRTMAX - SIGRTMIN, &n, &err) ==
		    0)
		return SIGRTMIN + (int)n;
	if (strncasecmp(word, "RTMAX-", 6) == 0 &&
	    num_parse_u64("signal", word + 6, strlen(word + 6), 0, SIGRTMAX - SIGRTMIN, &n, &err) ==
		    0)
		return SIGRTMAX - (int)n;
	return -1;
}

const char *process_signal_name(int number, char *buffer)
{
	for (size_t i = 0; i < sizeof(signal_names) / sizeof(signal_names[0]); i++)
		if (signal_names[i].number == number)
			return signal_names[i].name;
	if (number < SIGRTMIN || number > SIGNAL_MAX)
		return NULL;
	snprintf(buffer, 16, "SIGRTMIN+%d", number - SIGRTMIN);
	return buffer;
}

/* The set behind "SigIgn:" or "SigCgt:" of /proc/self/status; all signals when it is not there. */
static uint64_t status_set(const char *text, const char *key)
{
	const char *at = text ? strstr(text, key) : NULL;
	uint64_t set = 0;

	if (!at)
		return UINT64_MAX;
	for (at += strlen(key); *at == '\t' || *at == ' '; at++)
		;
	for (; (*at >= '0' && *at <= '9') || (*at >= 'a' && *at <= 'f'); at++)
		set = set << 4 | (uint64_t)(*at <= '9' ? *at - '0' : *at - 'a' + 10);
	return set;
}

/* What is not as at the start of a program: three calls instead of one per signal. */
static uint64_t changed_signals(void)
{
	char text[4096];
	int fd = open("/proc/self/status", O_RDONLY | O_CLOEXEC);
	ssize_t n = fd < 0 ? -1 : read(fd, text, sizeof(text) - 1);

	if (fd >= 0)
		close(fd);
	if (n <= 0)
		return UINT64_MAX;
	text[n] = '\0';
	return status_set(text, "SigIgn:") | status_set(text, "SigCgt:");
}

void process_reset_signals(void)
{
	/* The kernel's own struct: a zero handler is SIG_DFL. The library's calls refuse 32 and 33.
	 */
	struct {
		void *handler;
		unsigned long flags;
		void *restorer;
		uint64_t mask;
	} action = { 0 };
	uint64_t none = 0, changed = changed_signals();

	for (int number = 1; number <= SIGNAL_MAX; number++)
		if (number != SIGKILL && number != SIGSTOP && changed & 1ull << (number - 1))
			syscall(SYS_rt_sigaction, number, &action, NULL, sizeof(none));
	syscall(SYS_rt_sigprocmask, SIG_SETMASK, &none, NULL, sizeof(none));
}
