/* runtime/reaper - SIGCHLD as a descriptor.
 *
 * Owns: the process's signal dispositions and its mask. May not touch: children.
 */
#include "runtime/reaper.h"

#include <errno.h>
#include <signal.h>
#include <stddef.h>
#include <sys/signalfd.h>
#include <unistd.h>

static void forget(int number)
{
	(void)number;
}

void reaper_shield(void)
{
	static const int numbers[] = { SIGTERM, SIGHUP, SIGINT, SIGPIPE, SIGXFSZ };
	struct sigaction action = { .sa_handler = forget, .sa_flags = SA_RESTART };

	for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++)
		sigaction(numbers[i], &action, NULL);
}

static sigset_t only_child(void)
{
	sigset_t mask;

	sigemptyset(&mask);
	sigaddset(&mask, SIGCHLD);
	return mask;
}

int reaper_open(struct err *err)
{
	sigset_t mask = only_child();
	int fd;

	sigprocmask(SIG_BLOCK, &mask, NULL);
	fd = signalfd(-1, &mask, SFD_CLOEXEC | SFD_NONBLOCK);
	return fd < 0 ? err_sys(err, errno, "signalfd") : fd;
}

void reaper_drain(int fd)
{
	struct signalfd_siginfo info;

	while (read(fd, &info, sizeof(info)) > 0)
		;
}

void reaper_pause(void)
{
	sigset_t mask = only_child();

	sigprocmask(SIG_UNBLOCK, &mask, NULL);
}

void reaper_resume(void)
{
	sigset_t mask = only_child();

	sigprocmask(SIG_BLOCK, &mask, NULL);
	kill(getpid(), SIGCHLD); /* one that was lost meanwhile */
}
