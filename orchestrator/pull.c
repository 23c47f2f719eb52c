/* orchestrator/pull - images fetched by a worker process, its lines read on the loop.
 *
 * Owns: the worker's process and pipe. May not touch: the store.
 */
#include "orchestrator/pull.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/json.h"

#define LINE_MAX_BYTES (1u << 20)
#define OWN_WORDS      12

struct pull {
	struct pull_handler handler;
	uv_process_t process;
	uv_pipe_t pipe;
	char *line;
	size_t len;
	int64_t status;
	int open_handles;
	bool cancelled;
	struct err err; /* the first failure that a line told */
};

static void handle_closed(uv_handle_t *handle)
{
	struct pull *pull = handle->data;

	if (--pull->open_handles)
		return;
	if (pull->cancelled)
		err_set(&pull->err, ERR_CANCELLED, "cancelled");
	else if (pull->status != 0 && pull->err.code == ERR_OK)
		err_set(&pull->err, ERR_SYSTEM, "the pull worker ended with status %d",
			(int)pull->status);
	pull->handler.done(pull->handler.ctx, &pull->err);
	free(pull->line);
	free(pull);
}

static void exited(uv_process_t *process, int64_t status, int term_signal)
{
	struct pull *pull = process->data;

	pull->status = term_signal ? 128 + term_signal : status;
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

static void take_bytes(struct pull *pull, const char *bytes, size_t len)
{
	while (len) {
		const char *end = memchr(bytes, '\n', len);
		size_t part = end ? (size_t)(end - bytes) : len;

		if (pull->len + part > LINE_MAX_BYTES)
			pull->len = 0; /* no line of ours is that long */
		pull->line = xrealloc(pull->line, pull->len + part + 1, 1);
		memcpy(pull->line + pull->len, bytes, part);
		pull->len += part;
		if (!end)
			return;
		take_line(pull, pull->line, pull->len);
		pull->len = 0;
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

static char **compose_argv(struct supervisor *sv, const char *const *refs, size_t count,
			   const char *policy)
{
	char **argv = xcalloc(count + OWN_WORDS, sizeof(char *));
	const char *const own[] = { sv->program,      "--root",       sv->roots->state,
				    "--runtime-root", sv->roots->run, "--progress",
				    "json",           "image",        "pull",
				    "--policy",       policy };
	size_t n = 0;

	for (size_t i = 0; i < sizeof(own) / sizeof(*own); i++)
		argv[n++] = (char *)(uintptr_t)own[i];
	for (size_t i = 0; i < count; i++)
		argv[n++] = (char *)(uintptr_t)refs[i];
	return argv;
}

struct pull *pull_start(struct supervisor *sv, const char *const *refs, size_t count,
			const char *policy, const struct pull_handler *handler, struct err *err)
{
	struct pull *pull = xcalloc(1, sizeof(*pull));
	uv_stdio_container_t stdio[3] = {
		{.flags = UV_IGNORE},
		{		      .flags = UV_CREATE_PIPE | UV_WRITABLE_PIPE                },
		{ .flags = UV_INHERIT_FD,                 .data.fd = sv->log_fd }
	};
	char **argv = compose_argv(sv, refs, count, policy);
	uv_process_options_t options = { .file = sv->program,
					 .args = argv,
					 .exit_cb = exited,
					 .stdio_count = 3,
					 .stdio = stdio };
	int status;

	pull->handler = *handler;
	pull->process.data = pull->pipe.data = pull;
	pull->open_handles = 2;
	uv_pipe_init(sv->loop, &pull->pipe, 0);
	pull->pipe.data = pull;
	stdio[1].data.stream = (uv_stream_t *)&pull->pipe;
	status = uv_spawn(sv->loop, &pull->process, &options);
	pull->process.data = pull;
	free(argv);
	if (status == 0)
		status = uv_read_start((uv_stream_t *)&pull->pipe, give_room, have_read);
	if (status == 0)
		return pull;
	err_sys(err, -status, "start the pull worker");
	pull->err = *err;
	uv_close((uv_handle_t *)&pull->process, handle_closed);
	uv_close((uv_handle_t *)&pull->pipe, handle_closed);
	return NULL;
}

void pull_cancel(struct pull *pull)
{
	pull->cancelled = true;
	uv_process_kill(&pull->process, SIGTERM);
}
