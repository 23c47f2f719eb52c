/* runtime/monitor - the verb `monitor`: one life of one container, from monitor.json to exit.json.
 *
 * Owns: the process (session, signals, descriptors). May not touch: the parts' own work
 * (monitor_setup, _loop, _end, the engines).
 */
#include "runtime/monitor.h"

#include <errno.h>
#include <fcntl.h>
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/cleanup.h"
#include "base/file.h"
#include "base/json.h"
#include "base/log.h"
#include "runtime/layer_keeper.h"
#include "runtime/monitor_life.h"
#include "runtime/netns.h"
#include "runtime/reaper.h"

#define TRIM_BYTES 16384 /* of free memory at the heap's end; more goes back to the kernel */

static int open_process(struct err *err)
{
	for (int fd = MONITOR_SPEC_FD; fd <= MONITOR_PAIR_FD; fd++)
		if (fcntl(fd, F_SETFD, FD_CLOEXEC) < 0)
			return err_set(err, ERR_INVALID,
				       "descriptor %d is missing: see docs/monitor.md", fd);
	setsid();
	umask(0022);
	reaper_shield();
	if (prctl(PR_SET_CHILD_SUBREAPER, 1) < 0)
		return err_sys(err, errno, "become a child subreaper");
	mallopt(M_TRIM_THRESHOLD, TRIM_BYTES);
	return 0;
}

static void empty_life(struct life *life)
{
	*life = (struct life){
		.pair_fd = MONITOR_PAIR_FD,
		.container_dir_fd = -1,
		.slot_dir_fd = -1,
		.run_dir_fd = -1,
		.netns_fd = -1,
		.root_mount_fd = -1,
		.layer_mount_fd = -1,
		.layer_lock_fd = -1,
		.stdio_fds = {-1, -1, -1},
		.stdin_fd = -1,
		.console_fd = -1,
		.console_peer_fd = -1,
		.exit_code = MONITOR_CODE_FAILED
	};
	for (size_t i = 0; i < LOG_STREAM_COUNT; i++)
		life->outputs[i].watch.fd = -1;
	life->signal_watch.fd = -1;
}

static int open_life(struct life *life, struct err *err)
{
	life->poller = poller_new(err);
	if (!life->poller)
		return -1;
	life->spec = monitor_spec_read(MONITOR_SPEC_FD, err);
	if (!life->spec)
		return -1;
	close(MONITOR_SPEC_FD);
	life->root = xstrndup(life->spec->run_dir,
			      (size_t)(strrchr(life->spec->run_dir, '/') - life->spec->run_dir));
	life->engine = life->spec->runtime ? &engine_foreign : &engine_own;
	life->container_dir_fd = file_open_dir(AT_FDCWD, life->spec->container_dir, false, err);
	return life->container_dir_fd < 0 ? -1 : 0;
}

static void close_life(struct life *life)
{
	const int fds[] = { life->container_dir_fd, life->slot_dir_fd,    life->run_dir_fd,
			    life->netns_fd,         life->root_mount_fd,  life->stdin_fd,
			    life->console_peer_fd,  life->signal_watch.fd };

	if (life->socket)
		attach_socket_close(life->socket);
	if (life->sessions)
		exec_sessions_free(life->sessions);
	if (life->hub)
		attach_hub_free(life->hub);
	if (life->poller)
		poller_free(life->poller);
	for (size_t i = 0; i < sizeof(fds) / sizeof(fds[0]); i++)
		if (fds[i] >= 0)
			close(fds[i]);
	if (life->config)
		config_free(life->config);
	if (life->spec)
		monitor_spec_free(life->spec);
	free(life->config_text);
	free(life->root);
}

/* Before there is a folder for exit.json all that can be done is to say so. */
static int refuse(struct life *life, const struct err *err)
{
	AUTO(json) struct json_object *word = life_word("failed");

	json_add_text(word, "error", err->msg);
	json_add_int(word, "code", MONITOR_CODE_FAILED);
	life_say(life, word);
	log_error("monitor-failed", KV_S("error", err->msg));
	return 1;
}

int monitor_main(int argc, char **argv)
{
	struct life life;
	struct err err = ERR_NONE;
	int status;

	if (argc > 2 && strcmp(argv[1], "--drop-netns") == 0)
		return netns_drop_main(argc - 1, argv + 1);
	if (argc > 2 || (argc > 1 && argv[1][0] == '-')) {
		fprintf(stderr,
			"usage: %s [ID]   (started by a supervisor; see docs/monitor.md)\n"
			"       %s --drop-netns PATH...\n",
			argv[0], argv[0]);
		return strcmp(argv[1], "--help") != 0;
	}
	prctl(PR_SET_NAME, "stack-runtime"); /* else the number of a descriptor */
	empty_life(&life);
	if (open_process(&err) < 0 || open_life(&life, &err) < 0) {
		status = refuse(&life, &err);
	} else {
		if (life_prepare(&life, &err) < 0 || life_watch(&life, &err) < 0)
			life.error = err;
		status = life_finish(&life) < 0;
	}
	close_life(&life);
	layer_keeper_leave(life.layer_mount_fd, life.is_running ? life.layer_lock_fd : -1, argv[0]);
	return status;
}
