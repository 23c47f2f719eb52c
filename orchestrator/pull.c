/* orchestrator/pull - images fetched by a worker process, its lines read on the loop.
 *
 * Owns: the worker's process and pipe. May not touch: the store.
 */
#include "orchestrator/pull.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>

#include "base/alloc.h"
#include "base/json.h"

#define LINE_MAX_BYTES (1u << 20)
#define OWN_WORDS      16

struct worker {
	LIST_ENTRY(worker) link;
	struct pull *pull;
	uv_process_t process;
	uv_pipe_t pipe;
	char *line;
	size_t len;
	int status; /* as a shell tells it */
	int open_handles;
};

struct pull {
	struct pull_handler handler;
	LIST_HEAD(, worker) workers;
	bool cancelled;
	struct err err; /* the first failure that a line told */
};

static void handle_closed(uv_handle_t *handle)
{
	struct worker *worker = handle->data;
	struct pull *pull = worker->pull;

	if (--worker->open_handles)
		return;
	/* Only now: what it had to say comes through the pipe. */
	if (worker->status && pull->err.code == ERR_OK)
		err_set(&pull->err, ERR_SYSTEM, "the pull worker ended with status %d",
			worker->status);
	LIST_REMOVE(worker, link);
	free(worker->line);
	free(worker);
	if (!LIST_EMPTY(&pull->workers))
		return;
	if (pull->cancelled)
		err_set(&pull->err, ERR_CANCELLED, "cancelled");
	pull->handler.done(pull->handler.ctx, &pull->err);
	free(pull);
}

static void exited(uv_process_t *process, int64_t status, int term_signal)
{
	struct worker *worker = process->data;

	worker->status = term_signal ? 128 + term_signal : (int)status;
	uv_close((uv_handle_t *)process, handle_closed);
}

static enum err_code code_of(const char *name)
{
	for (int code = ERR_OK; code < ERR_CODE_COUNT; code++)
		if (strcmp(err_code_name((enum err_code)code), name) == 0)
			return (enum err_code)code;
	return ERR_SYSTEM;
}

static void take_line(struct pull *pull, const char *text, size_t len)
{
	struct err err = ERR_NONE;
	struct json_object *line = json_parse("progress", text, len, &err);
	const char *error = json_text_or(line, "error", NULL);

	if (!line)
		return;
	if (error && pull->err.code == ERR_OK)
		err_set(&pull->err, code_of(json_text_or(line, "code", "")), "%s", error);
	pull->handler.progress(pull->handler.ctx, line);
	json_object_put(line);
}

static void give_room(uv_handle_t *handle, size_t hint, uv_buf_t *out)
{
	(void)handle;
	*out = uv_buf_init(xrealloc(NULL, hint, 1), (unsigned)hint);
}

static void take_bytes(struct worker *worker, const char *bytes, size_t len)
{
	while (len) {
		const char *end = memchr(bytes, '\n', len);
		size_t part = end ? (size_t)(end - bytes) : len;

		if (worker->len + part > LINE_MAX_BYTES)
			worker->len = 0; /* no line of ours is that long */
		worker->line = xrealloc(worker->line, worker->len + part + 1, 1);
		memcpy(worker->line + worker->len, bytes, part);
		worker->len += part;
		if (!end)
			return;
		take_line(worker->pull, worker->line, worker->len);
		worker->len = 0;
		bytes += part + 1;
		len -= part + 1;
	}
}

static void have_read(uv_stream_t *stream, ssize_t n, const uv_buf_t *bytes)
{
	if (n > 0)
		take_bytes(stream->data, bytes->base, (size_t)n);
	free(bytes->base);
	if (n < 0)
		uv_close((uv_handle_t *)stream, handle_closed);
}

static bool is_same(const char *left, const char *right)
{
	return left && right ? strcmp(left, right) == 0 : left == right;
}

/* The words of a worker for all wishes of one platform. */
static char **compose_argv(struct supervisor *sv, const struct pull_wish *wishes, size_t count,
			   const char *platform, const char *policy, const char *parallel)
{
	char **argv = xcalloc(count + OWN_WORDS, sizeof(char *));
	const char *const own[] = { sv->program,      "--root",
				    sv->roots->state, "--runtime-root",
				    sv->roots->run,   "--progress",
				    "json",           parallel ? "--parallel" : NULL,
				    parallel,         "image",
				    "pull",           "--policy",
				    policy,           platform ? "--platform" : NULL,
				    platform };
	size_t n = 0;

	for (size_t i = 0; i < sizeof(own) / sizeof(*own); i++)
		if (own[i])
			argv[n++] = (char *)(uintptr_t)own[i];
	for (size_t i = 0; i < count; i++)
		if (is_same(wishes[i].platform, platform))
			argv[n++] = (char *)(uintptr_t)wishes[i].ref;
	return argv;
}

/* One that cannot be started is told by done, with what the others say. */
static void start_worker(struct pull *pull, struct supervisor *sv, char **argv)
{
	struct worker *worker = xcalloc(1, sizeof(*worker));
	uv_stdio_container_t stdio[3] = {
		{.flags = UV_IGNORE                         },
		{  .flags = UV_CREATE_PIPE | UV_WRITABLE_PIPE,
                 .data.stream = (uv_stream_t *)&worker->pipe },
		{ .flags = UV_INHERIT_FD,                      .data.fd = sv->log_fd },
	};
	const uv_process_options_t options = { .file = sv->program,
					       .args = argv,
					       .exit_cb = exited,
					       .stdio_count = 3,
					       .stdio = stdio };
	int status;

	worker->pull = pull;
	worker->open_handles = 2;
	LIST_INSERT_HEAD(&pull->workers, worker, link);
	uv_pipe_init(sv->loop, &worker->pipe, 0);
	status = uv_spawn(sv->loop, &worker->process, &options);
	worker->process.data = worker->pipe.data = worker;
	if (status == 0)
		status = uv_read_start((uv_stream_t *)&worker->pipe, give_room, have_read);
	if (status == 0)
		return;
	if (pull->err.code == ERR_OK)
		err_sys(&pull->err, -status, "start the pull worker");
	uv_close((uv_handle_t *)&worker->process, handle_closed);
	uv_close((uv_handle_t *)&worker->pipe, handle_closed);
}

/* True for the first wish of its platform. */
static bool is_first(const struct pull_wish *wishes, size_t at)
{
	for (size_t i = 0; i < at; i++)
		if (is_same(wishes[i].platform, wishes[at].platform))
			return false;
	return true;
}

struct pull *pull_start(struct supervisor *sv, const struct pull_wish *wishes, size_t count,
			const char *policy, size_t parallel, const struct pull_handler *handler)
{
	struct pull *pull = xcalloc(1, sizeof(*pull));
	char limit[24];

	snprintf(limit, sizeof(limit), "%zu", parallel);

	pull->handler = *handler;
	LIST_INIT(&pull->workers);
	for (size_t i = 0; i < count; i++) {
		AUTO(free) char **argv = NULL;

		if (!is_first(wishes, i))
			continue;
		argv = compose_argv(sv, wishes, count, wishes[i].platform, policy,
				    parallel ? limit : NULL);
		start_worker(pull, sv, argv);
	}
	return pull;
}

void pull_cancel(struct pull *pull)
{
	struct worker *worker;

	pull->cancelled = true;
	LIST_FOREACH(worker, &pull->workers, link)
	{
		uv_process_kill(&worker->process, SIGTERM);
	}
}
