/* orchestrator/names_start - a process of stack-netd.
 *
 * Owns: its descriptors, signals and first words. May not touch: which one the project asks
 * (names).
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/cleanup.h"
#include "base/file.h"
#include "base/message.h"
#include "base/process.h"
#include "netplug/hosts_files.h"
#include "orchestrator/names_inner.h"

extern char **environ;

static int raise_fd(int fd)
{
	return fcntl(fd, F_DUPFD_CLOEXEC, 16);
}

static int spawn(const struct names *names, int listen_fd, int pair_fd, int *out_pidfd,
		 struct err *err)
{
	AUTO(fd) int null_fd = open("/dev/null", O_RDWR | O_CLOEXEC);
	AUTO(fd) int listener = raise_fd(listen_fd);
	AUTO(fd) int pair = raise_fd(pair_fd);
	AUTO(fd) int log_fd = raise_fd(names->log_fd >= 0 ? names->log_fd : null_fd);
	char name[] = "stack-netd";
	char *argv[] = { name, names->dirs->name, NULL };
	posix_spawn_file_actions_t actions;
	posix_spawnattr_t attributes;
	sigset_t none, all;
	pid_t pid;
	int status;

	sigemptyset(&none);
	sigfillset(&all);
	posix_spawnattr_init(&attributes);
	posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF |
						      POSIX_SPAWN_SETSID);
	posix_spawnattr_setsigmask(&attributes, &none);
	posix_spawnattr_setsigdefault(&attributes, &all);
	posix_spawn_file_actions_init(&actions);
	posix_spawn_file_actions_adddup2(&actions, null_fd, 0);
	posix_spawn_file_actions_adddup2(&actions, null_fd, 1);
	posix_spawn_file_actions_adddup2(&actions, log_fd, 2);
	posix_spawn_file_actions_adddup2(&actions, listener, NETD_LISTEN_FD);
	posix_spawn_file_actions_adddup2(&actions, pair, NETD_PAIR_FD);
	status = posix_spawn(&pid, names->netd_path, &actions, &attributes, argv, environ);
	posix_spawn_file_actions_destroy(&actions);
	posix_spawnattr_destroy(&attributes);
	if (status != 0)
		return err_sys(err, status, "start %s", names->netd_path);
	*out_pidfd = process_pidfd_open(pid);
	return 0;
}

static int send_upstreams(int conversation_fd, struct err *err)
{
	struct err absent = ERR_NONE;
	AUTO(free) char *text = NULL;
	struct resolv_conf *conf;
	int status;

	if (file_read(AT_FDCWD, "/etc/resolv.conf", 1u << 20, &text, NULL, &absent) < 0)
		text = xstrdup("");
	conf = resolv_parse(text);
	status = netd_upstreams(
		conversation_fd, (const char *const *)conf->servers,
		conf->server_count < NETD_SERVERS_MAX ? conf->server_count : NETD_SERVERS_MAX, err);
	resolv_free(conf);
	return status;
}

int names_start_process(const struct names *names, const char *socket_name,
			int *out_conversation_fd, int *out_pidfd, struct err *err)
{
	AUTO(fd)
	int listen_fd = message_listen(names->dirs->run_fd, socket_name, SOCK_SEQPACKET, true, err);
	int ends[2], status;

	*out_conversation_fd = *out_pidfd = -1;
	if (listen_fd < 0)
		return -1;
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) < 0)
		return err_sys(err, errno, "socketpair");
	status = spawn(names, listen_fd, ends[1], out_pidfd, err);
	close(ends[1]);
	if (status < 0) {
		close(ends[0]);
		return -1;
	}
	*out_conversation_fd = ends[0];
	return send_upstreams(ends[0], err);
}
