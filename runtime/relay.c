/* runtime/relay - the foreground of run and exec.
 *
 * Owns: our own terminal's mode, bytes between it and the pty, signals. May not touch: the
 * container.
 */
#include "runtime/relay.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "base/message.h"
#include "base/process.h"

int relay_signals(sigset_t *out_old, struct err *err)
{
	sigset_t set;
	int fd;

	sigfillset(&set);
	sigdelset(&set, SIGPIPE);
	sigdelset(&set, SIGSEGV);
	sigdelset(&set, SIGBUS);
	sigdelset(&set, SIGILL);
	sigdelset(&set, SIGFPE);
	sigdelset(&set, SIGABRT);
	sigprocmask(SIG_BLOCK, &set, out_old);
	fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	return fd < 0 ? err_sys(err, errno, "signalfd") : fd;
}

void relay_terminal_size(unsigned *out_height, unsigned *out_width)
{
	struct winsize size = { 0 };

	if (ioctl(0, TIOCGWINSZ, &size) < 0 && ioctl(1, TIOCGWINSZ, &size) < 0)
		return;
	*out_height = size.ws_row;
	*out_width = size.ws_col;
}

struct relay {
	pid_t pid;
	int pidfd, console_fd, signal_fd;
	bool stdin_open, is_raw;
	struct termios saved;
};

/* Our side raw, but line ends are still ours to translate: the pty adds no CR. */
static void set_raw(struct relay *relay)
{
	struct termios raw;

	if (!isatty(0) || tcgetattr(0, &relay->saved) < 0)
		return;
	raw = relay->saved;
	cfmakeraw(&raw);
	raw.c_oflag |= OPOST;
	relay->is_raw = tcsetattr(0, TCSANOW, &raw) == 0;
}

static void copy_size(const struct relay *relay)
{
	struct winsize size;

	if (relay->console_fd >= 0 && ioctl(0, TIOCGWINSZ, &size) == 0)
		ioctl(relay->console_fd, TIOCSWINSZ, &size);
}

static void serve_signals(struct relay *relay)
{
	struct signalfd_siginfo info;

	while (read(relay->signal_fd, &info, sizeof(info)) == sizeof(info)) {
		int number = (int)info.ssi_signo;

		if (number == SIGCHLD) {
			siginfo_t child = { 0 };

			/* Orphans of the container; init itself is left for relay_wait. */
			while (waitid(P_ALL, 0, &child, WEXITED | WNOHANG | WNOWAIT) == 0 &&
			       child.si_pid && child.si_pid != relay->pid) {
				waitpid(child.si_pid, NULL, WNOHANG);
				child.si_pid = 0;
			}
		} else if (number == SIGWINCH) {
			copy_size(relay);
			if (relay->console_fd < 0)
				process_signal(relay->pidfd, number);
		} else if (number != SIGURG) {
			process_signal(relay->pidfd, number);
		}
	}
}

/* Everything that is there right now. False: the pty has no more readers of its slave. */
static bool copy_out(const struct relay *relay)
{
	char data[16384];
	ssize_t n = read(relay->console_fd, data, sizeof(data));

	if (n > 0)
		return file_write_all(1, data, (size_t)n) == 0;
	return n < 0 && (errno == EAGAIN || errno == EINTR);
}

static void copy_in(struct relay *relay)
{
	char data[4096];
	ssize_t n = read(0, data, sizeof(data));

	if (n > 0 && file_write_all(relay->console_fd, data, (size_t)n) == 0)
		return;
	if (n < 0 && errno == EINTR)
		return;
	relay->stdin_open = false;
	if (n == 0) /* the program on the other side sees the end of its input */
		file_write_all(relay->console_fd, "\4", 1);
}

static void drain(const struct relay *relay)
{
	struct pollfd poll_fd = { relay->console_fd, POLLIN, 0 };

	while (relay->console_fd >= 0 && poll(&poll_fd, 1, 0) > 0 && poll_fd.revents & POLLIN)
		if (!copy_out(relay))
			return;
}

void relay_drain(int console_fd)
{
	struct relay relay = { .console_fd = console_fd };

	drain(&relay);
}

static void loop(struct relay *relay)
{
	int out_fd = relay->console_fd;

	for (;;) {
		struct pollfd polls[4] = {
			{relay->pidfd,                               POLLIN, 0},
			{ relay->signal_fd,                          POLLIN, 0},
			{ out_fd,				    POLLIN, 0},
			{ out_fd >= 0 && relay->stdin_open ? 0 : -1, POLLIN, 0},
		};

		if (poll(polls, 4, -1) < 0 && errno != EINTR)
			return;
		if (polls[1].revents)
			serve_signals(relay);
		if (polls[2].revents && !copy_out(relay))
			out_fd = -1;
		if (polls[3].revents)
			copy_in(relay);
		if (polls[0].revents) {
			drain(relay);
			return;
		}
	}
}

int relay_wait(pid_t pid, int pidfd, int console_fd, int signal_fd, struct err *err)
{
	struct relay relay = { .pid = pid,
			       .pidfd = pidfd,
			       .console_fd = console_fd,
			       .signal_fd = signal_fd,
			       .stdin_open = true };
	siginfo_t info = { 0 };

	if (console_fd >= 0) {
		set_raw(&relay);
		copy_size(&relay);
	}
	loop(&relay);
	if (relay.is_raw)
		tcsetattr(0, TCSANOW, &relay.saved);
	while (waitid(P_PIDFD, (id_t)pidfd, &info, WEXITED) < 0)
		if (errno != EINTR)
			return err_sys(err, errno, "wait for the program");
	return info.si_code == CLD_EXITED ? info.si_status : 128 + info.si_status;
}

int relay_send_fd(const char *path, const char *name, int fd, struct err *err)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	AUTO(fd) int socket_fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (strlen(path) >= sizeof(address.sun_path)) {
		AUTO(fd) int dir_fd = -1;
		const char *slash = strrchr(path, '/');

		if (!slash || strlen(slash + 1) > 60)
			return err_set(err, ERR_INVALID, "socket path %.80s: is too long", path);
		char *folder = strndup(path, (size_t)(slash - path));

		dir_fd = open(folder, O_PATH | O_DIRECTORY | O_CLOEXEC);
		free(folder);
		snprintf(address.sun_path, sizeof(address.sun_path), "/proc/self/fd/%d/%s", dir_fd,
			 slash + 1);
		if (connect(socket_fd, (struct sockaddr *)&address, sizeof(address)) < 0)
			return err_sys(err, errno, "connect to %s", path);
		return message_send_text(socket_fd, name, strlen(name), &fd, 1, err);
	}
	strcpy(address.sun_path, path);
	if (socket_fd < 0 || connect(socket_fd, (struct sockaddr *)&address, sizeof(address)) < 0)
		return err_sys(err, errno, "connect to %s", path);
	return message_send_text(socket_fd, name, strlen(name), &fd, 1, err);
}
