/* orchestrator/control - requests and answers on the control socket.
 *
 * Owns: connections, lines, the greeting, the framing of answers. May not touch: what an op means.
 */
#include "orchestrator/control.h"

#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/cleanup.h"
#include "base/json.h"
#include "base/message.h"

#define READ_BYTES  65536u
#define PENDING_MAX (64u << 20) /* unsent bytes to one client: beyond, it is taken for dead */

struct connection {
	LIST_ENTRY(connection) link;
	struct control_server *server;
	uv_pipe_t pipe;
	char *line; /* what has come of the present line */
	size_t len, room;
	bool closing;
	LIST_HEAD(, control_request) requests;
};

struct control_request {
	LIST_ENTRY(control_request) link;
	struct connection *connection; /* NULL: the client has gone */
	int64_t id;
	void *data;
};

struct control_server {
	uv_pipe_t pipe;
	struct control_handler handler;
	char *project;
	size_t client_count;
	bool stopped, deaf, listener_closed;
	LIST_HEAD(, connection) connections;
};

struct outgoing {
	uv_write_t request;
	char *text;
};

static void server_free_when_idle(struct control_server *server)
{
	if (!server->stopped || !server->listener_closed || server->client_count)
		return;
	free(server->project);
	free(server);
}

static void connection_closed(uv_handle_t *handle)
{
	struct connection *connection = handle->data;
	struct control_server *server = connection->server;

	LIST_REMOVE(connection, link);
	server->client_count--;
	free(connection->line);
	free(connection);
	if (server->handler.on_left && !server->stopped)
		server->handler.on_left(server->handler.ctx);
	server_free_when_idle(server);
}

static void connection_end(struct connection *connection)
{
	struct control_request *request;

	if (connection->closing)
		return;
	connection->closing = true;
	while ((request = LIST_FIRST(&connection->requests)) != NULL) {
		LIST_REMOVE(request, link);
		request->connection = NULL;
		if (connection->server->handler.on_gone && !connection->server->stopped)
			connection->server->handler.on_gone(connection->server->handler.ctx,
							    request);
	}
	uv_close((uv_handle_t *)&connection->pipe, connection_closed);
}

static void written(uv_write_t *write, int status)
{
	struct outgoing *outgoing = write->data;
	struct connection *connection = write->handle->data;

	free(outgoing->text);
	free(outgoing);
	if (status < 0)
		connection_end(connection);
}

static void send_json(struct connection *connection, struct json_object *message)
{
	struct outgoing *outgoing = xcalloc(1, sizeof(*outgoing));
	size_t len;
	const char *text = json_object_to_json_string_length(
		message, JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE, &len);
	uv_buf_t part;

	outgoing->text = xrealloc(NULL, len + 1, 1);
	memcpy(outgoing->text, text, len);
	outgoing->text[len] = '\n';
	outgoing->request.data = outgoing;
	json_object_put(message);
	part = uv_buf_init(outgoing->text, (unsigned)len + 1);
	if (connection->closing ||
	    uv_stream_get_write_queue_size((uv_stream_t *)&connection->pipe) > PENDING_MAX ||
	    uv_write(&outgoing->request, (uv_stream_t *)&connection->pipe, &part, 1, written) < 0) {
		free(outgoing->text);
		free(outgoing);
		connection_end(connection);
	}
}

static struct json_object *answer(const struct control_request *request)
{
	struct json_object *message = json_object_new_object();

	json_add_int(message, "id", request->id);
	return message;
}

static void request_free(struct control_request *request)
{
	if (request->connection)
		LIST_REMOVE(request, link);
	free(request);
}

void control_event(struct control_request *request, struct json_object *event)
{
	struct json_object *message;

	if (!request->connection) {
		json_object_put(event);
		return;
	}
	message = answer(request);
	json_object_object_add(message, "event", event);
	send_json(request->connection, message);
}

void control_ok(struct control_request *request, struct json_object *result)
{
	if (request->connection) {
		struct json_object *message = answer(request);

		json_add_bool(message, "ok", true);
		json_object_object_add(message, "result",
				       result ? result : json_object_new_object());
		send_json(request->connection, message);
	} else {
		json_object_put(result);
	}
	request_free(request);
}

static void refuse(struct control_request *request, const struct err *err, bool again)
{
	if (request->connection) {
		struct json_object *message = answer(request), *error;

		json_add_bool(message, "ok", false);
		error = json_add_object(message, "error");
		json_add_text(error, "code", err_code_name(err->code));
		json_add_text(error, "message", err->msg);
		if (again)
			json_add_bool(error, "again", true);
		send_json(request->connection, message);
	}
	request_free(request);
}

void control_fail(struct control_request *request, const struct err *err)
{
	refuse(request, err, false);
}

void control_turn_away(struct control_request *request)
{
	static const struct err ends = { ERR_BUSY,
					 "the supervisor ends just now: once more, please" };

	refuse(request, &ends, true);
}

void control_say_taken(struct control_request *request)
{
	struct json_object *event = json_object_new_object();

	json_add_bool(event, "taken", true);
	control_event(request, event);
}

static void take_line(struct connection *connection, const char *text, size_t len)
{
	struct control_server *server = connection->server;
	struct control_request *request = xcalloc(1, sizeof(*request));
	struct err err = ERR_NONE;
	AUTO(json) struct json_object *message = json_parse("request", text, len, &err);
	const char *op = NULL;

	request->connection = connection;
	LIST_INSERT_HEAD(&connection->requests, request, link);
	request->id = message ? json_int_or(message, "id", 0) : 0;
	if (!message || json_need_text(message, "request", "op", &op, &err) < 0) {
		control_fail(request, &err);
		return;
	}
	server->handler.on_request(server->handler.ctx, request, op, message);
}

static void take_bytes(struct connection *connection, const char *bytes, size_t len)
{
	while (len && !connection->closing) {
		const char *end = memchr(bytes, '\n', len);
		size_t part = end ? (size_t)(end - bytes) : len;

		if (connection->len + part > CONTROL_LINE_MAX) {
			connection_end(connection);
			return;
		}
		if (connection->len + part + 1 > connection->room) {
			connection->room = 2 * (connection->len + part + 1);
			connection->line = xrealloc(connection->line, connection->room, 1);
		}
		memcpy(connection->line + connection->len, bytes, part);
		connection->len += part;
		if (!end)
			return;
		connection->line[connection->len] = '\0';
		part++;
		bytes += part;
		len -= part;
		if (connection->len)
			take_line(connection, connection->line, connection->len);
		connection->len = 0;
		free(connection->line); /* models are large and rare */
		connection->line = NULL;
		connection->room = 0;
	}
}

static void give_room(uv_handle_t *handle, size_t hint, uv_buf_t *out)
{
	(void)handle;
	(void)hint;
	*out = uv_buf_init(xrealloc(NULL, READ_BYTES, 1), READ_BYTES);
}

static void have_read(uv_stream_t *stream, ssize_t n, const uv_buf_t *bytes)
{
	struct connection *connection = stream->data;

	if (n > 0)
		take_bytes(connection, bytes->base, (size_t)n);
	free(bytes->base);
	if (n < 0)
		connection_end(connection);
}

static void greet(struct connection *connection)
{
	struct json_object *hello = json_object_new_object();

	json_add_text(hello, "stack", STACK_VERSION);
	json_add_int(hello, "protocol", CONTROL_PROTOCOL);
	json_add_text(hello, "project", connection->server->project);
	json_add_int(hello, "pid", getpid());
	json_add_bool(hello, "says_taken", true);
	send_json(connection, hello);
}

static void have_connection(uv_stream_t *listener, int status)
{
	struct control_server *server = listener->data;
	struct connection *connection;
	uv_os_fd_t fd;

	if (status < 0 || server->stopped)
		return;
	connection = xcalloc(1, sizeof(*connection));
	connection->server = server;
	connection->pipe.data = connection;
	LIST_INIT(&connection->requests);
	uv_pipe_init(listener->loop, &connection->pipe, 0);
	connection->pipe.data = connection;
	LIST_INSERT_HEAD(&server->connections, connection, link);
	server->client_count++;
	if (uv_accept(listener, (uv_stream_t *)&connection->pipe) < 0 ||
	    uv_fileno((uv_handle_t *)&connection->pipe, &fd) < 0 || !message_peer_is_ours(fd)) {
		connection_end(connection);
		return;
	}
	greet(connection);
	uv_read_start((uv_stream_t *)&connection->pipe, give_room, have_read);
}

struct control_server *control_start(uv_loop_t *loop, int listen_fd, const char *project,
				     const struct control_handler *handler, struct err *err)
{
	struct control_server *server = xcalloc(1, sizeof(*server));
	int status;

	server->handler = *handler;
	server->project = xstrdup(project);
	LIST_INIT(&server->connections);
	uv_pipe_init(loop, &server->pipe, 0);
	server->pipe.data = server;
	status = uv_pipe_open(&server->pipe, listen_fd);
	if (status == 0)
		status = uv_listen((uv_stream_t *)&server->pipe, 128, have_connection);
	if (status == 0)
		return server;
	err_sys(err, -status, "listen on the control socket");
	control_stop(server);
	return NULL;
}

static void listener_closed(uv_handle_t *handle)
{
	struct control_server *server = handle->data;

	server->listener_closed = true;
	server_free_when_idle(server);
}

void control_close_door(struct control_server *server)
{
	if (server->deaf)
		return;
	server->deaf = true;
	uv_close((uv_handle_t *)&server->pipe, listener_closed);
}

void control_stop(struct control_server *server)
{
	struct connection *connection, *next;

	server->stopped = true;
	for (connection = LIST_FIRST(&server->connections); connection; connection = next) {
		next = LIST_NEXT(connection, link);
		connection_end(connection);
	}
	if (server->deaf)
		server_free_when_idle(server);
	else
		control_close_door(server);
}

size_t control_clients(const struct control_server *server)
{
	return server->client_count;
}

void control_set_data(struct control_request *request, void *data)
{
	request->data = data;
}

void *control_data(const struct control_request *request)
{
	return request->data;
}

bool control_is_gone(const struct control_request *request)
{
	return !request->connection;
}
