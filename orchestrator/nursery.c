/* orchestrator/nursery - one stack-runtime nursery: started, asked, ended.
 *
 * Owns: its process and socket, one question at a time. May not touch: what a monitor is told
 * (launch).
 */
#include "orchestrator/nursery.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>
#include <uv.h>

#include "base/alloc.h"
#include "base/cleanup.h"
#include "base/json.h"
#include "base/log.h"
#include "base/message.h"
#include "base/process.h"
#include "orchestrator/launch_spawn.h"

#define ANSWER_TIMEOUT_MS 10000

struct nursery {
	unsigned references;
	int runtime_fd, log_fd, trace_fd;
	uv_mutex_t lock; /* of what follows */
	int socket_fd, pidfd;
	bool has_failed;
};

struct nursery *nursery_new(int runtime_fd, int log_fd, int trace_fd)
{
	struct nursery *nursery = xcalloc(1, sizeof(*nursery));

	*nursery = (struct nursery){ .references = 1,
				     .runtime_fd = runtime_fd,
				     .log_fd = log_fd,
				     .trace_fd = trace_fd,
				     .socket_fd = -1,
				     .pidfd = -1 };
	uv_mutex_init(&nursery->lock);
	return nursery;
}

struct nursery *nursery_ref(struct nursery *nursery)
{
	if (nursery)
		nursery->references++;
	return nursery;
}

static void end_process(struct nursery *nursery)
{
	if (nursery->socket_fd >= 0)
		close(TAKE_FD(nursery->socket_fd));
	if (nursery->pidfd < 0)
		return;
	process_signal(nursery->pidfd, SIGKILL);
	waitid(P_PIDFD, (id_t)nursery->pidfd, &(siginfo_t){ 0 }, WEXITED);
	close(TAKE_FD(nursery->pidfd));
}

void nursery_unref(struct nursery *nursery)
{
	if (!nursery || --nursery->references)
		return;
	end_process(nursery);
	uv_mutex_destroy(&nursery->lock);
	free(nursery);
}

static int start_process(struct nursery *nursery, struct err *err)
{
	/* As long as an id: it is written over by each monitor's. */
	char name[] = "stack-runtime", verb[] = "nursery";
	char place[] = "----------------------------------------------------------------";
	char *argv[] = { name, verb, place, NULL };
	struct launch_place places[1] = { { .to = 3 } };
	struct process_id ignored;
	int ends[2], status;

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) < 0)
		return err_sys(err, errno, "socketpair");
	nursery->socket_fd = ends[0];
	places[0].from = ends[1];
	status = launch_spawn(&(struct launch_program){ .runtime_fd = nursery->runtime_fd,
							.argv = argv,
							.log_fd = nursery->log_fd,
							.trace_fd = nursery->trace_fd,
							.places = places,
							.place_count = 1 },
			      &ignored, &nursery->pidfd, err);
	close(ends[1]);
	return status;
}

static int ask(struct nursery *nursery, const char *container, const int fds[3],
	       struct json_object **out, int *out_pidfd, struct err *err)
{
	AUTO(json) struct json_object *wish = json_object_new_object();
	struct pollfd wait = { .fd = nursery->socket_fd, .events = POLLIN };
	size_t count = 1;
	int n;

	json_add_text(wish, "id", container);
	if (message_send(nursery->socket_fd, wish, fds, 3, err) < 0)
		return -1;
	while ((n = poll(&wait, 1, ANSWER_TIMEOUT_MS)) < 0 && errno == EINTR)
		;
	if (n <= 0)
		return err_set(err, ERR_TIMEOUT, "no answer");
	n = message_receive(nursery->socket_fd, out, out_pidfd, &count, err);
	return n > 0 ? 0 : n < 0 ? -1 : err_set(err, ERR_CANCELLED, "it ended");
}

static int bear(struct nursery *nursery, const char *container, const int fds[3], pid_t *out_pid,
		int *out_pidfd, struct err *err)
{
	AUTO(json) struct json_object *word = NULL;
	AUTO(fd) int pidfd = -1;

	if (nursery->has_failed)
		return err_set(err, ERR_UNSUPPORTED, "it failed before");
	if ((nursery->socket_fd < 0 && start_process(nursery, err) < 0) ||
	    ask(nursery, container, fds, &word, &pidfd, err) < 0)
		return -1;
	if (pidfd < 0)
		return err_set(err, ERR_SYSTEM, "%.200s", json_text_or(word, "error", "no reason"));
	*out_pid = (pid_t)json_int_or(word, "pid", 0);
	*out_pidfd = TAKE_FD(pidfd);
	return 0;
}

int nursery_bear(struct nursery *nursery, const char *container, const int fds[3], pid_t *out_pid,
		 int *out_pidfd, struct err *err)
{
	int result;

	uv_mutex_lock(&nursery->lock);
	result = bear(nursery, container, fds, out_pid, out_pidfd, err);
	if (result < 0 && !nursery->has_failed) {
		log_warn("nursery-failed", KV_S("error", err->msg));
		nursery->has_failed = true;
		end_process(nursery);
	}
	uv_mutex_unlock(&nursery->lock);
	return result;
}
