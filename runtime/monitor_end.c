/* runtime/monitor_end - the end of a life: everything taken down, exit.json as the last act.
 *
 * Owns: exit.json. May not touch: policy (what happens next).
 */
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "base/json.h"
#include "base/log.h"
#include "base/stages.h"
#include "base/stamp.h"
#include "base/tree.h"
#include "runtime/monitor.h"
#include "runtime/monitor_life.h"
#include "runtime/reaper.h"

#define FLUSH_MS 1000 /* how long clients may take for the rest of the output */

static void flush_due(struct timer *timer)
{
	OWNER_OF(timer, struct life, drain_timer)->drain_over = true;
}

static void flush_clients(struct life *life)
{
	struct err err = ERR_NONE;

	if (!life->hub)
		return;
	life->drain_over = false;
	life->drain_timer.due = flush_due;
	poller_set_timer(life->poller, &life->drain_timer, FLUSH_MS);
	while (!life->drain_over && !attach_hub_is_flushed(life->hub))
		if (poller_step(life->poller, &err) < 0)
			break;
}

/* Our own files in the run folder, which the engine is about to remove. */
static void clear_run_dir(struct life *life)
{
	struct err err = ERR_NONE;

	if (life->run_dir_fd < 0)
		return;
	unlinkat(life->run_dir_fd, ATTACH_SOCKET_NAME, 0);
	tree_remove(life->run_dir_fd, "exec", &err);
}

static void finish_container(struct life *life)
{
	struct err err = ERR_NONE;

	reaper_pause(); /* for the hooks */
	if (!life->is_running) {
		if (life->init.pid)
			life->engine->undo(life);
		return;
	}
	if (life->spec->cgroup_oom)
		life->oom = life->engine->oom_kills(life) > 0;
	if (life->engine->finish(life, &err) < 0)
		log_warn("container-not-removed", KV_S("container", life->spec->id),
			 KV_S("error", err.msg));
}

/* The killed rest of the container became ours when its parents ended. */
static void reap_rest(void)
{
	while (waitpid(-1, NULL, WNOHANG) > 0)
		;
}

static void set_outcome(const struct life *life, struct json_object *object)
{
	/* A life that is broken off (our own failure) ends by the kill of finish_container. */
	int status = life->init_ended ? life->wait_status : SIGKILL;
	int signal = life->is_running && WIFSIGNALED(status) ? WTERMSIG(status) : 0;

	json_add_int(object, "code",
		     !life->is_running ? life->exit_code
		     : signal          ? 128 + signal
				       : WEXITSTATUS(status));
	json_add_int(object, "signal", signal);
	json_add_bool(object, "oom", life->oom);
}

static void add_time(struct json_object *object, const char *key, uint64_t unix_ns)
{
	char text[STAMP_TEXT_LEN] = "";

	json_add_text(object, key, unix_ns ? stamp_rfc3339(unix_ns, text) : text);
}

static int write_exit(struct life *life, uint64_t log_dropped)
{
	AUTO(json) struct json_object *object = json_object_new_object();
	struct err err = ERR_NONE;

	json_add_int(object, "version", 1);
	json_add_int(object, "life", life->spec->life);
	set_outcome(life, object);
	add_time(object, "started_at", life->is_running ? life->started_ns : 0);
	add_time(object, "finished_at", life->finished_ns ? life->finished_ns : stamp_now_ns());
	json_add_text(object, "error", life->error.code ? life->error.msg : "");
	json_add_int(object, "log_dropped", (int64_t)log_dropped);
	if (json_write_file(life->container_dir_fd, "exit.json", object, 0, &err) == 0)
		return 0;
	log_error("exit-not-recorded", KV_S("container", life->spec->id), KV_S("error", err.msg));
	return -1;
}

static void say_last_words(struct life *life)
{
	AUTO(json) struct json_object *exited = life_word("exited");
	AUTO(json) struct json_object *failed = NULL;

	set_outcome(life, exited);
	if (!life->is_running) {
		failed = life_word("failed");
		json_add_text(failed, "error", life->error.msg);
		json_add_int(failed, "code", life->exit_code);
		life_say(life, failed);
	}
	life_say(life, exited);
	if (life->socket)
		attach_socket_tell(life->socket, exited);
}

int life_finish(struct life *life)
{
	uint64_t log_dropped = 0;
	struct err ignored = ERR_NONE;
	int result;

	stages_point("monitor", "finish", &ignored);
	if (!life->finished_ns)
		life->finished_ns = stamp_now_ns();
	poller_unwatch(life->poller, &life->pair_watch);
	clear_run_dir(life);
	if (life->hub)
		attach_hub_end(life->hub); /* who has everything need not wait for the rest */
	reap_rest();
	finish_container(life);
	flush_clients(life);
	if (life->log)
		log_dropped = monitor_log_close(life->log);
	reap_rest();
	life_layer_end(life);
	stages_point("monitor", "write-exit", &ignored);
	result = write_exit(life, log_dropped);
	say_last_words(life);
	return result;
}
