/* orchestrator/cli/client - finds or starts a project's supervisor and follows one request to its
 * answer.
 *
 * Owns: the conversation, signals while it lasts. May not touch: what a request does.
 */
#include "orchestrator/cli/client.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/file.h"
#include "base/json.h"
#include "base/message.h"
#include "base/process.h"
#include "base/stamp.h"
#include "orchestrator/control.h"
#include "orchestrator/supervisor.h"

#define TICK_MS 100
#define LOCK_TRIES                                                                                 \
	100 /* a supervisor that is about to end lets its lock go within that many ticks */
#define LOCK_MS    50
#define END_MAX_US 10000000 /* of a supervisor that said that it ends */

struct client {
	struct cli *cli;
	struct project_dirs *dirs;
	int fd;
	int64_t next_id;
	char *buffer;
	size_t len, room;
};

void client_close(struct client *client)
{
	if (client->fd >= 0)
		close(client->fd);
	if (client->dirs)
		project_dirs_close(client->dirs);
	free(client->buffer);
	free(client);
}

/* ---- lines ---- */

/* One line into client->buffer (without the newline); 1, 0 at the end, 2 after TICK_MS without one,
 * -1. */
static int read_line(struct client *client, int signal_fd, char **out_line)
{
	for (;;) {
		char *end = client->len ? memchr(client->buffer, '\n', client->len) : NULL;
		struct pollfd waits[2] = {
			{.fd = client->fd, .events = POLLIN},
			{ .fd = signal_fd, .events = POLLIN}
		};
		ssize_t n;

		if (end) {
			size_t used = (size_t)(end - client->buffer) + 1;

			*out_line = xstrndup(client->buffer, used - 1);
			memmove(client->buffer, client->buffer + used, client->len - used);
			client->len -= used;
			return 1;
		}
		n = poll(waits, signal_fd < 0 ? 1 : 2, TICK_MS);
		if (n == 0 || (n > 0 && !waits[0].revents))
			return 2;
		if (n < 0 && errno == EINTR)
			continue;
		if (client->room - client->len < 4096) {
			client->room = 2 * client->room + 8192;
			client->buffer = xrealloc(client->buffer, client->room, 1);
		}
		n = read(client->fd, client->buffer + client->len, client->room - client->len);
		if (n <= 0)
			return n < 0 && errno == EINTR ? 2 : 0;
		client->len += (size_t)n;
		if (client->len > CONTROL_LINE_MAX)
			return -1;
	}
}

static int greet(struct client *client, struct err *err)
{
	AUTO(json) struct json_object *hello = NULL;
	char *line = NULL;
	int status;

	while ((status = read_line(client, -1, &line)) == 2)
		;
	if (status != 1)
		return err_set(err, ERR_NOT_FOUND, "the supervisor has gone");
	hello = json_parse("greeting", line, strlen(line), err);
	free(line);
	if (!hello)
		return -1;
	if (json_int_or(hello, "protocol", 0) != CONTROL_PROTOCOL)
		return err_set(
			err, ERR_UNSUPPORTED,
			"the supervisor is stack %s with protocol %d, this is %s with protocol %d: "
			"stack supervisor reload",
			json_text_or(hello, "stack", "?"), (int)json_int_or(hello, "protocol", 0),
			STACK_VERSION, CONTROL_PROTOCOL);
	return 0;
}

/* ---- start ---- */

extern char **environ;

static void set_title(const struct cli *cli, const char *project)
{
	size_t room = 0;

	prctl(PR_SET_NAME, "stack-superv");
	for (int i = 0; i < cli->own_argc; i++)
		room += strlen(cli->own_argv[i]) + 1;
	if (room)
		memset(cli->own_argv[0], 0, room);
	if (room)
		snprintf(cli->own_argv[0], room, "stack supervisor %s", project);
}

/* Variables that name paths, proxies and registries' settings; all others are the user's (secrets
 * may be among them) and stay neither in /proc/PID/environ nor in what our own programs inherit. */
static bool is_kept(const char *variable)
{
	static const char *const kept[] = {
		"PATH=",        "HOME=",        "TMPDIR=",        "TZ=",       "LANG=",
		"STACK_",       "XDG_",         "DOCKER_CONFIG=", "REGISTRY_", "SSL_CERT_",
		"HTTP_PROXY=",  "HTTPS_PROXY=", "ALL_PROXY=",     "NO_PROXY=", "http_proxy=",
		"https_proxy=", "all_proxy=",   "no_proxy="
	};

	for (size_t i = 0; i < sizeof(kept) / sizeof(*kept); i++)
		if (strncmp(variable, kept[i], strlen(kept[i])) == 0)
			return true;
	return false;
}

static void drop_environment(void)
{
	size_t n = 0;

	for (size_t i = 0; environ[i]; i++)
		if (is_kept(environ[i]))
			environ[n++] = environ[i];
		else
			explicit_bzero(environ[i], strlen(environ[i]));
	environ[n] = NULL;
}

static void close_from(int first, int keep)
{
	for (int fd = first; fd < keep; fd++)
		close(fd);
	close_range((unsigned)keep + 1, ~0u, 0);
}

/* The grandchild: a supervisor with nothing of the terminal left. */
static void become_supervisor(const struct cli *cli, const char *project, int ready_fd)
{
	struct err err = ERR_NONE;
	struct roots *roots;
	struct supervisor_options options = { .program = cli->program,
					      .runtime_path = cli->runtime,
					      .netd_path = cli->netd,
					      .init_path = cli->init,
					      .ready_fd = ready_fd,
					      .trace_fd = -1 };
	int null_fd = open("/dev/null", O_RDWR);

	dup2(null_fd, 0);
	dup2(null_fd, 1);
	dup2(null_fd, 2);
	close_from(3, ready_fd);
	roots = roots_open(cli->roots->state, cli->roots->run, &err);
	options.project = xstrdup(project); /* the title is written over argv, where it may lie */
	set_title(cli, options.project);
	drop_environment();
	options.roots = roots;
	if (!roots)
		_exit(1);
	_exit(supervisor_run(&options, &err) < 0 ? 1 : 0);
}

/* 0: it takes requests now. ERR_BUSY: another one has the project. */
static int start_supervisor(struct cli *cli, const char *project, struct err *err)
{
	struct err first = ERR_NONE;
	int ends[2], status;
	ssize_t n;

	if (pipe2(ends, O_CLOEXEC) < 0)
		return err_sys(err, errno, "pipe");
	fflush(NULL);
	status = process_daemonise(err);
	if (status < 0)
		return -1;
	if (status == 0)
		become_supervisor(cli, project, ends[1]);
	close(ends[1]);
	while ((n = read(ends[0], &first, sizeof(first))) < 0 && errno == EINTR)
		;
	close(ends[0]);
	if (n == 0)
		return 0;
	*err = n == (ssize_t)sizeof(first)
		       ? first
		       : (struct err){ ERR_SYSTEM, "the supervisor did not start" };
	return -1;
}

static int connect_to(struct client *client, struct err *err)
{
	if (!client->dirs || client->dirs->run_fd < 0)
		return err_set(err, ERR_NOT_FOUND, "no supervisor runs");
	client->fd = message_connect(client->dirs->run_fd, "control.sock", SOCK_STREAM, err);
	if (client->fd < 0) {
		err->code = ERR_NOT_FOUND;
		return -1;
	}
	if (greet(client, err) == 0)
		return 0;
	close(TAKE_FD(client->fd));
	return -1;
}

struct client *client_open(struct cli *cli, const char *project, bool start, struct err *err)
{
	AUTO(client) struct client *client = xcalloc(1, sizeof(*client));

	client->cli = cli;
	client->fd = -1;
	client->dirs = project_dirs_open(cli->roots, project, start, err);
	if (!client->dirs)
		return NULL;
	for (int i = 0; i < LOCK_TRIES; i++) {
		*err = ERR_NONE;
		if (connect_to(client, err) == 0)
			return TAKE(client);
		if (!start || err->code != ERR_NOT_FOUND)
			return NULL;
		*err = ERR_NONE;
		if (start_supervisor(cli, project, err) < 0 && err->code != ERR_BUSY) {
			project_dirs_drop_empty(client->dirs); /* those that were made for it */
			return NULL;
		}
		if (err->code == ERR_BUSY || i > 0)
			usleep(LOCK_MS * 1000);
		project_dirs_close(
			client->dirs); /* one that ended may have taken the folder with it */
		client->dirs = project_dirs_open(cli->roots, project, true, err);
		if (!client->dirs)
			return NULL;
	}
	err_set(err, ERR_BUSY, "the supervisor of %s does not answer", project);
	return NULL;
}

/* ---- one request ---- */

static int send_line(int fd, struct json_object *message, struct err *err)
{
	AUTO(free)
	char *text = xformat(
		"%s\n", json_object_to_json_string_ext(
				message, JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE));

	return file_write_all(fd, text, strlen(text)) < 0 ? err_sys(err, errno, "send the request")
							  : 0;
}

static void send_cancel(struct client *client)
{
	struct err ignored = ERR_NONE;
	AUTO(json) struct json_object *message = json_object_new_object();

	json_add_int(message, "id", ++client->next_id);
	json_add_text(message, "op", "cancel");
	send_line(client->fd, message, &ignored);
}

static int take_answer(struct json_object *line, struct json_object **out, struct err *err)
{
	struct json_object *error = json_object_at(line, "error"), *result = NULL;
	const char *code = json_text_or(error, "code", "");

	if (json_bool_or(line, "ok", false)) {
		if (out && json_object_object_get_ex(line, "result", &result))
			*out = json_object_get(result);
		return 0;
	}
	for (int i = ERR_OK; i < ERR_CODE_COUNT; i++)
		if (strcmp(err_code_name((enum err_code)i), code) == 0)
			return err_set(err, (enum err_code)i, "%s",
				       json_text_or(error, "message", "failed"));
	return err_set(err, ERR_SYSTEM, "%s", json_text_or(error, "message", "failed"));
}

static int follow(struct client *client, int64_t id, int signal_fd, client_event on_event,
		  void *ctx, struct json_object **out, struct err *err)
{
	unsigned signals = 0;

	for (;;) {
		char *text = NULL;
		int status = read_line(client, signal_fd, &text);
		AUTO(json) struct json_object *line = NULL;
		struct signalfd_siginfo info;

		if (status <= 0)
			return err_set(err, ERR_SYSTEM,
				       "the supervisor ended before it answered "
				       "(stack supervisor logs)");
		if (status == 2) {
			if (on_event)
				on_event(ctx, NULL);
			if (read(signal_fd, &info, sizeof(info)) == (ssize_t)sizeof(info) &&
			    ++signals == 1)
				send_cancel(client);
			else if (signals > 1)
				return err_set(err, ERR_CANCELLED, "cancelled");
			continue;
		}
		line = json_parse("answer", text, strlen(text), err);
		free(text);
		if (!line)
			return -1;
		if (json_int_or(line, "id", 0) != id)
			continue;
		if (json_object_at(line, "event")) {
			if (on_event)
				on_event(ctx, json_object_at(line, "event"));
			continue;
		}
		return take_answer(line, out, err);
	}
}

int client_request(struct client *client, const char *op, struct json_object *message,
		   client_event on_event, void *ctx, struct json_object **out, struct err *err)
{
	AUTO(json) struct json_object *request = message ? message : json_object_new_object();
	int64_t id = ++client->next_id;
	sigset_t wanted, before;
	int signal_fd, status;

	json_add_int(request, "id", id);
	json_add_text(request, "op", op);
	if (send_line(client->fd, request, err) < 0)
		return -1;
	sigemptyset(&wanted);
	sigaddset(&wanted, SIGINT);
	sigaddset(&wanted, SIGTERM);
	sigprocmask(SIG_BLOCK, &wanted, &before);
	signal_fd = signalfd(-1, &wanted, SFD_CLOEXEC | SFD_NONBLOCK);
	status = follow(client, id, signal_fd, on_event, ctx, out, err);
	close(signal_fd);
	sigprocmask(SIG_SETMASK, &before, NULL);
	return status;
}

void client_await_end(struct client *client)
{
	uint64_t end_us = stamp_monotonic_us() + END_MAX_US;
	char *line = NULL;
	int status;

	while ((status = read_line(client, -1, &line)) > 0 && stamp_monotonic_us() < end_us) {
		if (status == 1)
			free(line);
	}
}
