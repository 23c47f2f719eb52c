/* runtime/exec_session - processes with a terminal that outlive the client who asked for them.
 *
 * Owns: the sessions, their terminals and records. May not touch: the container's own streams.
 */
#include "runtime/exec_session.h"

#include <errno.h>
#include <fcntl.h>
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/file.h"
#include "base/json.h"
#include "base/process.h"
#include "base/stamp.h"
#include "runtime/exec.h"
#include "runtime/reaper.h"
#include "runtime/terminal.h"

#define OUTPUT_BYTES 8192
#define FOLDER       "exec"

struct exec_kept {
	struct exec_sessions *sessions;
	struct exec_kept *next;
	char id[EXEC_SESSION_ID_LEN + 1];
	struct process_id process;
	struct watch output; /* the terminal's master, ours */
	struct attach_hub *hub;
	struct json_object *record;
};

struct exec_sessions {
	struct poller *poller;
	int run_dir_fd;
	const char *root, *id;
	void (*on_end)(void *ctx, struct json_object *event);
	void *ctx;
	struct exec_kept *first;
	size_t count;
};

struct exec_sessions *exec_sessions_new(struct poller *poller, int run_dir_fd, const char *root,
					const char *id,
					void (*on_end)(void *ctx, struct json_object *event),
					void *ctx)
{
	struct exec_sessions *sessions = xcalloc(1, sizeof(*sessions));

	*sessions = (struct exec_sessions){ .poller = poller,
					    .run_dir_fd = run_dir_fd,
					    .root = root,
					    .id = id,
					    .on_end = on_end,
					    .ctx = ctx };
	return sessions;
}

static void stop_output(struct exec_kept *kept)
{
	if (kept->output.fd < 0)
		return;
	poller_unwatch(kept->sessions->poller, &kept->output);
	close(TAKE_FD(kept->output.fd));
}

static void kept_free(struct exec_kept *kept)
{
	stop_output(kept);
	if (kept->hub)
		attach_hub_free(kept->hub);
	json_object_put(kept->record);
	free(kept);
}

void exec_sessions_free(struct exec_sessions *sessions)
{
	while (sessions->first) {
		struct exec_kept *kept = sessions->first;

		sessions->first = kept->next;
		kept_free(kept);
	}
	free(sessions);
}

/* A record that cannot be written is no reason to end the session. */
static void write_record(struct exec_kept *kept)
{
	struct err err = ERR_NONE;
	char name[sizeof(FOLDER) + EXEC_SESSION_ID_LEN + 8];
	AUTO(fd) int dir = -1;

	mkdirat(kept->sessions->run_dir_fd, FOLDER, 0700);
	dir = openat(kept->sessions->run_dir_fd, FOLDER, O_PATH | O_DIRECTORY | O_CLOEXEC);
	snprintf(name, sizeof(name), "%s.json", kept->id);
	if (dir >= 0)
		json_write_file(dir, name, kept->record, 0, &err);
}

static void output_ready(struct watch *watch, uint32_t events)
{
	struct exec_kept *kept = OWNER_OF(watch, struct exec_kept, output);
	char bytes[OUTPUT_BYTES];
	ssize_t n = read(watch->fd, bytes, sizeof(bytes));

	(void)events;
	if (n > 0)
		attach_hub_output(kept->hub, 1, bytes, (size_t)n);
	else if (n == 0 || (errno != EINTR && errno != EAGAIN))
		stop_output(kept);
}

/* The container's settings with the request's over them, executed. */
static int run_process(struct exec_sessions *sessions, struct json_object *request,
		       struct exec_session *out, int *out_exit_code, struct err *err)
{
	size_t len;
	const char *text = json_object_to_json_string_length(request, JSON_C_TO_STRING_PLAIN, &len);
	AUTO(state) struct state *state = state_read(sessions->root, sessions->id, err);
	AUTO(config) struct config *config = state ? state_config(state, err) : NULL;
	AUTO(config) struct config *given = config ? config_parse_process(text, len, err) : NULL;
	struct exec_spec spec = {
		.state = state, .config = config, .stdio_fds = {-1, -1, -1}
	};

	int result;

	*out_exit_code = 255;
	if (!given)
		return -1;
	if (!config->process)
		return err_set(err, ERR_INVALID, "the container has no process settings");
	given->process->terminal = true;
	spec.process = exec_process_merge(config->arena, config->process, given->process);
	reaper_pause();
	result = exec_start(&spec, out, out_exit_code, err);
	reaper_resume();
	return result;
}

static void describe(struct exec_kept *kept, struct json_object *process)
{
	char now[STAMP_TEXT_LEN];
	struct json_object *args = json_array_at(process, "args");

	kept->record = json_object_new_object();
	json_add_int(kept->record, "version", 1);
	json_add_text(kept->record, "session", kept->id);
	json_add_int(kept->record, "pid", kept->process.pid);
	json_add_int(kept->record, "start", (int64_t)kept->process.start_ticks);
	json_object_object_add(kept->record, "args", json_object_get(args));
	json_add_text(kept->record, "state", "running");
	json_add_text(kept->record, "started_at", stamp_rfc3339(stamp_now_ns(), now));
}

struct exec_kept *exec_sessions_start(struct exec_sessions *sessions, struct json_object *process,
				      unsigned rows, unsigned columns, int *out_exit_code,
				      struct err *err)
{
	struct exec_session started = { .pidfd = -1, .console_fd = -1 };
	struct exec_kept *kept;
	struct err ignored = ERR_NONE;
	int input;

	if (sessions->count >= EXEC_SESSION_COUNT) {
		err_set(err, ERR_BUSY, "%d exec sessions run already", EXEC_SESSION_COUNT);
		return NULL;
	}
	if (run_process(sessions, process, &started, out_exit_code, err) < 0)
		return NULL;
	malloc_trim(0);
	if (started.pidfd >= 0)
		close(started.pidfd);
	kept = xcalloc(1, sizeof(*kept));
	kept->sessions = sessions;
	kept->next = sessions->first;
	sessions->first = kept;
	sessions->count++;
	stamp_id(kept->id, EXEC_SESSION_ID_LEN);
	kept->process = process_identity(started.pid);
	kept->output = (struct watch){ .fd = started.console_fd, .ready = output_ready };
	kept->hub = attach_hub_new(sessions->poller);
	input = fcntl(started.console_fd, F_DUPFD_CLOEXEC, 0);
	if (input >= 0)
		attach_hub_set_stdin(kept->hub, input, true);
	if (rows || columns)
		terminal_resize(started.console_fd, rows, columns, &ignored);
	poller_watch(sessions->poller, &kept->output, EPOLLIN, &ignored);
	describe(kept, process);
	write_record(kept);
	return kept;
}

struct exec_kept *exec_sessions_find(struct exec_sessions *sessions, const char *id)
{
	for (struct exec_kept *kept = sessions->first; kept; kept = kept->next)
		if (strcmp(kept->id, id) == 0)
			return kept;
	return NULL;
}

const char *exec_kept_id(const struct exec_kept *kept)
{
	return kept->id;
}

struct attach_hub *exec_kept_hub(struct exec_kept *kept)
{
	return kept->hub;
}

int exec_kept_resize(struct exec_kept *kept, unsigned rows, unsigned columns, struct err *err)
{
	return terminal_resize(kept->output.fd, rows, columns, err);
}

/* What the terminal still holds; it never blocks, as the master is non-blocking since the hub has
 * it. */
static void drain(struct exec_kept *kept)
{
	char bytes[OUTPUT_BYTES];
	ssize_t n;

	while (kept->output.fd >= 0 && (n = read(kept->output.fd, bytes, sizeof(bytes))) > 0)
		attach_hub_output(kept->hub, 1, bytes, (size_t)n);
}

static void end_session(struct exec_kept *kept, int wait_status)
{
	struct exec_sessions *sessions = kept->sessions;
	int signal = WIFSIGNALED(wait_status) ? WTERMSIG(wait_status) : 0;
	int code = signal ? 128 + signal : WEXITSTATUS(wait_status);
	AUTO(json) struct json_object *event = json_object_new_object();
	char now[STAMP_TEXT_LEN];

	drain(kept);
	json_add_text(kept->record, "state", "exited");
	json_add_int(kept->record, "code", code);
	json_add_text(kept->record, "finished_at", stamp_rfc3339(stamp_now_ns(), now));
	write_record(kept); /* before the clients see the end of the output */
	attach_hub_end(kept->hub);
	json_add_text(event, "op", "exec-exited");
	json_add_text(event, "session", kept->id);
	json_add_int(event, "code", code);
	json_add_int(event, "signal", signal);
	sessions->on_end(sessions->ctx, event);
}

bool exec_sessions_reaped(struct exec_sessions *sessions, pid_t pid, int wait_status)
{
	struct exec_kept **at = &sessions->first;
	struct exec_kept *kept;

	while (*at && (*at)->process.pid != pid)
		at = &(*at)->next;
	kept = *at;
	if (!kept)
		return false;
	*at = kept->next;
	sessions->count--;
	end_session(kept, wait_status);
	kept_free(kept); /* a client that is behind loses the rest */
	return true;
}
