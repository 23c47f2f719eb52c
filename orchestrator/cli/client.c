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
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/file.h"
#include "base/json.h"
#include "base/message.h"
#include "base/stamp.h"
#include "orchestrator/cli/supervisor_start.h"
#include "orchestrator/control.h"

#define TICK_MS 100
#define LOCK_TRIES                                                                                 \
	400 /* a supervisor that is about to end lets its lock go within that many waits */
#define LOCK_MS    50
#define AGAIN_MAX  5        /* a request that none of so many supervisors took */
#define END_MAX_US 10000000 /* of a supervisor that said that it ends */

struct client {
	struct cli *cli;
	struct project_dirs *dirs;
	char *project;
	bool start;      /* one is started where none lives */
	bool says_taken; /* the supervisor tells when it takes a request */
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
	free(client->project);
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
	client->says_taken = json_bool_or(hello, "says_taken", false);
	return 0;
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

/* One that ended may have taken the folder with it. */
static int open_folder(struct client *client, struct err *err)
{
	if (client->dirs)
		project_dirs_close(client->dirs);
	client->dirs = project_dirs_open(client->cli->roots, client->project, client->start, err);
	return client->dirs ? 0 : -1;
}

/* A conversation with the supervisor that lives, or with one that is started now. */
static int find(struct client *client, struct err *err)
{
	if (open_folder(client, err) < 0)
		return -1;
	for (int i = 0; i < LOCK_TRIES; i++) {
		*err = ERR_NONE;
		client->len = 0;
		if (connect_to(client, err) == 0)
			return 0;
		if (!client->start || err->code != ERR_NOT_FOUND)
			return -1;
		*err = ERR_NONE;
		if (supervisor_start(client->cli, client->project, err) < 0 &&
		    err->code != ERR_BUSY) {
			project_dirs_drop_empty(client->dirs); /* those that were made for it */
			return -1;
		}
		if (err->code == ERR_BUSY || i > 0)
			usleep(LOCK_MS * 1000);
		if (open_folder(client, err) < 0)
			return -1;
	}
	return err_set(err, ERR_BUSY, "the supervisor of %s does not answer", client->project);
}

struct client *client_open(struct cli *cli, const char *project, bool start, struct err *err)
{
	AUTO(client) struct client *client = xcalloc(1, sizeof(*client));

	client->cli = cli;
	client->fd = -1;
	client->project = xstrdup(project);
	client->start = start;
	return find(client, err) < 0 ? NULL : TAKE(client);
}

/* ---- one request ---- */

static int send_line(int fd, struct json_object *message, struct err *err)
{
	AUTO(free)
	char *text = xformat(
		"%s\n", json_object_to_json_string_ext(
				message, JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE));

	const char *rest = text;
	size_t left = strlen(text);

	while (left) {
		ssize_t n = send(fd, rest, left, MSG_NOSIGNAL);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return err_sys(err, errno, "send the request");
		rest += n;
		left -= (size_t)n;
	}
	return 0;
}

static void send_cancel(struct client *client)
{
	struct err ignored = ERR_NONE;
	AUTO(json) struct json_object *message = json_object_new_object();

	json_add_int(message, "id", ++client->next_id);
	json_add_text(message, "op", "cancel");
	send_line(client->fd, message, &ignored);
}

/* How far one try of a request came. */
struct attempt {
	int64_t id;
	int signal_fd;
	unsigned signals;
	bool taken;       /* the supervisor has said so: it may have begun */
	bool lost;        /* the conversation ended without an answer */
	bool turned_away; /* an answer: not begun, ask my successor */
};

static int take_answer(struct attempt *attempt, struct json_object *line, struct json_object **out,
		       struct err *err)
{
	struct json_object *error = json_object_at(line, "error"), *result = NULL;
	const char *code = json_text_or(error, "code", "");

	if (json_bool_or(line, "ok", false)) {
		if (out && json_object_object_get_ex(line, "result", &result))
			*out = json_object_get(result);
		return 0;
	}
	attempt->turned_away = json_bool_or(error, "again", false);
	for (int i = ERR_OK; i < ERR_CODE_COUNT; i++)
		if (strcmp(err_code_name((enum err_code)i), code) == 0)
			return err_set(err, (enum err_code)i, "%s",
				       json_text_or(error, "message", "failed"));
	return err_set(err, ERR_SYSTEM, "%s", json_text_or(error, "message", "failed"));
}

/* The clock of a progress table, and Ctrl-C. */
static int take_tick(struct client *client, struct attempt *attempt, client_event on_event,
		     void *ctx, struct err *err)
{
	struct signalfd_siginfo info;

	if (on_event)
		on_event(ctx, NULL);
	if (read(attempt->signal_fd, &info, sizeof(info)) != (ssize_t)sizeof(info))
		return 0;
	if (++attempt->signals > 1)
		return err_set(err, ERR_CANCELLED, "cancelled");
	send_cancel(client);
	return 0;
}

static int follow(struct client *client, struct attempt *attempt, client_event on_event, void *ctx,
		  struct json_object **out, struct err *err)
{
	for (;;) {
		char *text = NULL;
		int status = read_line(client, attempt->signal_fd, &text);
		AUTO(json) struct json_object *line = NULL;
		struct json_object *event;

		attempt->lost = status <= 0;
		if (attempt->lost)
			return err_set(err, ERR_SYSTEM,
				       "the supervisor ended before it answered "
				       "(stack supervisor logs)");
		if (status == 2) {
			if (take_tick(client, attempt, on_event, ctx, err) < 0)
				return -1;
			continue;
		}
		line = json_parse("answer", text, strlen(text), err);
		free(text);
		if (!line)
			return -1;
		if (json_int_or(line, "id", 0) != attempt->id)
			continue;
		event = json_object_at(line, "event");
		if (!event)
			return take_answer(attempt, line, out, err);
		if (json_bool_or(event, "taken", false))
			attempt->taken = true;
		else if (on_event)
			on_event(ctx, event);
	}
}

/* A request is sent again when it was certainly not begun: the supervisor says "taken" before it
 * does anything of a request, and one that ended or was killed before that has not read it. What
 * was taken is never repeated. */
static bool may_start_over(const struct client *client, const struct attempt *attempt)
{
	if (attempt->signals)
		return false;
	return attempt->turned_away || (attempt->lost && client->says_taken && !attempt->taken);
}

static int ask(struct client *client, struct json_object *request, struct attempt *attempt,
	       client_event on_event, void *ctx, struct json_object **out, struct err *err)
{
	for (int again = 0;; again++) {
		int status;

		*attempt = (struct attempt){ .id = attempt->id, .signal_fd = attempt->signal_fd };
		status = send_line(client->fd, request, err);
		attempt->lost = status < 0;
		if (status == 0)
			status = follow(client, attempt, on_event, ctx, out, err);
		if (status == 0 || again == AGAIN_MAX || !may_start_over(client, attempt))
			return status;
		close(TAKE_FD(client->fd));
		*err = ERR_NONE;
		if (find(client, err) < 0)
			return -1;
	}
}

int client_request(struct client *client, const char *op, struct json_object *message,
		   client_event on_event, void *ctx, struct json_object **out, struct err *err)
{
	AUTO(json) struct json_object *request = message ? message : json_object_new_object();
	struct attempt attempt = { .id = ++client->next_id };
	sigset_t wanted, before;
	int status;

	json_add_int(request, "id", attempt.id);
	json_add_text(request, "op", op);
	if (client->fd < 0)
		return err_set(err, ERR_NOT_FOUND, "the supervisor has gone");
	sigemptyset(&wanted);
	sigaddset(&wanted, SIGINT);
	sigaddset(&wanted, SIGTERM);
	sigprocmask(SIG_BLOCK, &wanted, &before);
	attempt.signal_fd = signalfd(-1, &wanted, SFD_CLOEXEC | SFD_NONBLOCK);
	status = ask(client, request, &attempt, on_event, ctx, out, err);
	close(attempt.signal_fd);
	sigprocmask(SIG_SETMASK, &before, NULL);
	return status;
}

void client_await_end(struct client *client)
{
	uint64_t end_us = stamp_monotonic_us() + END_MAX_US;
	char *line = NULL;
	int status;

	while ((status = read_line(client, -1, &line)) > 0) {
		if (status == 1)
			free(line);
		line = NULL;
		if (stamp_monotonic_us() >= end_us)
			return;
	}
}
