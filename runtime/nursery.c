/* runtime/nursery - monitors by fork: the loop of the nursery and the first steps of its children.
 *
 * Owns: its socket, the places of a monitor's descriptors, the words that /proc shows of a monitor.
 * May not touch: what a monitor does.
 */
#include "runtime/nursery.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/json.h"
#include "base/message.h"
#include "runtime/monitor.h"
#include "runtime/namespaces.h"

#define SOCKET_FD_LEAST 16 /* above the places of a monitor's descriptors */

static const char monitor_word[] = "monitor"; /* as long as "nursery" */

/* The monitor's places are held, so that no received descriptor lies on them. */
static int move_socket(struct err *err)
{
	int socket_fd = fcntl(NURSERY_SOCKET_FD, F_DUPFD_CLOEXEC, SOCKET_FD_LEAST);

	if (socket_fd < 0)
		return err_set(err, ERR_INVALID, "descriptor %d is missing: see docs/monitor.md",
			       NURSERY_SOCKET_FD);
	for (int i = 0; i < NURSERY_FD_COUNT; i++)
		if (dup2(STDIN_FILENO, MONITOR_SPEC_FD + i) < 0) {
			close(socket_fd);
			return err_sys(err, errno, "dup");
		}
	return socket_fd;
}

/* In the child: what a monitor finds after an execve, then its life. */
static _Noreturn void become_monitor(char **argv, const char *id, int socket_fd, const int *fds)
{
	close(socket_fd);
	for (int i = 0; i < NURSERY_FD_COUNT; i++) {
		if (dup2(fds[i], MONITOR_SPEC_FD + i) < 0)
			_exit(1);
		close(fds[i]);
	}
	memcpy(argv[1], monitor_word, sizeof(monitor_word));
	memcpy(argv[2], id, NURSERY_NAME_LEN);
	exit(monitor_main(2, argv + 1));
}

static void close_all(const int *fds, size_t count)
{
	for (size_t i = 0; i < count; i++)
		close(fds[i]);
}

/* One monitor: a child of our parent, so that it is waited for as one that was spawned there. */
static pid_t bear(char **argv, int socket_fd, const struct json_object *wish, const int *fds,
		  size_t fd_count, int *out_pidfd, struct err *err)
{
	const char *id;
	pid_t pid;

	if (json_need_text(wish, "nursery", "id", &id, err) < 0)
		return -1;
	if (strlen(id) != NURSERY_NAME_LEN || fd_count != NURSERY_FD_COUNT)
		return err_set(err, ERR_INVALID, "a wish is an id of %d digits and %d descriptors",
			       NURSERY_NAME_LEN, NURSERY_FD_COUNT);
	pid = namespaces_clone(CLONE_PARENT, -1, out_pidfd);
	if (pid == 0)
		become_monitor(argv, id, socket_fd, fds);
	return pid < 0 ? err_sys(err, errno, "fork") : pid;
}

static int answer(int socket_fd, pid_t pid, int pidfd, const struct err *fault, struct err *err)
{
	AUTO(json) struct json_object *word = json_object_new_object();

	if (pid > 0)
		json_add_int(word, "pid", pid);
	else
		json_add_text(word, "error", fault->msg);
	return message_send(socket_fd, word, &pidfd, pid > 0 ? 1 : 0, err);
}

/* 1: go on, 0: the other end is closed. */
static int serve(char **argv, int socket_fd, struct err *err)
{
	AUTO(json) struct json_object *wish = NULL;
	AUTO(fd) int pidfd = -1;
	struct err fault = ERR_NONE;
	int fds[NURSERY_FD_COUNT];
	size_t count = NURSERY_FD_COUNT;
	int result = message_receive(socket_fd, &wish, fds, &count, err);
	pid_t pid;

	if (result <= 0)
		return result;
	pid = bear(argv, socket_fd, wish, fds, count, &pidfd, &fault);
	close_all(fds, count);
	return answer(socket_fd, pid, pidfd, &fault, err) < 0 ? -1 : 1;
}

int nursery_main(int argc, char **argv)
{
	AUTO(fd) int socket_fd = -1;
	struct err err = ERR_NONE;
	int result = 1;

	if (argc != 3 || strlen(argv[1]) + 1 != sizeof(monitor_word) ||
	    strlen(argv[2]) != NURSERY_NAME_LEN) {
		fprintf(stderr,
			"usage: %s nursery PLACE   (started by a supervisor; see "
			"docs/monitor.md)\n",
			argv[0]);
		return 1;
	}
	prctl(PR_SET_NAME, "stack-nursery");
	setsid();
	socket_fd = move_socket(&err);
	if (socket_fd < 0)
		result = -1;
	while (result > 0)
		result = serve(argv, socket_fd, &err);
	if (result < 0)
		fprintf(stderr, "nursery: %s\n", err.msg);
	return result < 0;
}
