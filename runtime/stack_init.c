/* runtime/stack_init - program stack-init: process 1 of a container with `init: true`.
 *
 * Starts one program, hands every signal on to it, reaps whoever lost its parent, and ends as the
 * program ended. It is bound to /dev/init and runs inside: the C library alone, no allocation.
 * Owns: its one child. May not touch: anything of the host.
 */
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

enum { NOT_EXECUTABLE = 126, NOT_FOUND = 127, USAGE = 2 };

static void say(const char *first, const char *second, const char *third)
{
	const char *const parts[] = { "init: ", first, second, third, "\n" };

	for (size_t i = 0; i < sizeof(parts) / sizeof(*parts); i++)
		if (write(STDERR_FILENO, parts[i], strlen(parts[i])) < 0)
			return;
}

/* All but those that a fault of our own raises. */
static void signals_to_hand_on(sigset_t *out)
{
	static const int faults[] = { SIGFPE, SIGILL, SIGSEGV, SIGBUS, SIGABRT, SIGTRAP, SIGSYS };

	sigfillset(out);
	for (size_t i = 0; i < sizeof(faults) / sizeof(*faults); i++)
		sigdelset(out, faults[i]);
}

/* A process group of the program's own, the terminal's foreground one: what is typed there reaches
 * the program once and not a second time through us. */
static void __attribute__((noreturn)) become(char **argv, const sigset_t *mask)
{
	int status;

	setpgid(0, 0);
	if (isatty(STDIN_FILENO))
		tcsetpgrp(STDIN_FILENO, getpgrp()); /* SIGTTOU is still blocked */
	sigprocmask(SIG_SETMASK, mask, NULL);
	execvp(argv[0], argv);
	status = errno == ENOENT ? NOT_FOUND : NOT_EXECUTABLE;
	say(argv[0], ": ", strerrordesc_np(errno));
	_exit(status);
}

/* Takes every end that waits; true when the program's is among them. */
static int reap(pid_t program, int *out_status)
{
	int status, ended = 0;
	pid_t pid;

	while ((pid = waitpid(-1, &status, WNOHANG)) > 0)
		if (pid == program) {
			*out_status = status;
			ended = 1;
		}
	return ended;
}

int main(int argc, char **argv)
{
	sigset_t handed_on, before;
	int status = 0;
	pid_t program;

	argv++;
	if (argc > 1 && strcmp(*argv, "--") == 0)
		argv++;
	if (!*argv) {
		say("usage: ", "init -- PROGRAM", " [ARGUMENT...]");
		return USAGE;
	}
	if (getpid() !=
	    1) /* another's pid namespace: orphans of the program come to us all the same */
		prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0);
	signals_to_hand_on(&handed_on);
	sigprocmask(SIG_SETMASK, &handed_on, &before);
	program = fork();
	if (program == 0)
		become(argv, &before);
	if (program < 0) {
		say("fork", ": ", strerrordesc_np(errno));
		return NOT_EXECUTABLE;
	}
	for (;;) {
		int number = sigwaitinfo(&handed_on, NULL);

		if (number == SIGCHLD && reap(program, &status))
			return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
		if (number > 0 && number != SIGCHLD)
			kill(program, number);
	}
}
