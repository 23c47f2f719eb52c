/* orchestrator/control - requests and answers on the control socket: newline-delimited JSON over a
 * unix stream socket (docs/control.md), at most 16 MiB a line, mode 0600, peers of our own user or
 * root only.
 *
 * On the loop's thread only. A request lives from on_request until exactly one of control_ok or
 * control_fail; its client may have gone meanwhile, then events and answers are dropped in silence.
 */
#pragma once
#include <json-c/json.h>
#include <stdbool.h>
#include <uv.h>

#include "base/err.h"

#define CONTROL_LINE_MAX (16u << 20)
#define CONTROL_PROTOCOL 1

struct control_server;
struct control_request;

struct control_handler {
	/* A whole request; `message` is borrowed and has "op". */
	void (*on_request)(void *ctx, struct control_request *request, const char *op,
			   struct json_object *message);
	/* The client of an unanswered request has gone. The request must still be answered. */
	void (*on_gone)(void *ctx, struct control_request *request);
	/* A connection has closed, whatever it had asked. */
	void (*on_left)(void *ctx);
	void *ctx;
};

/* Takes over listen_fd (a listening unix stream socket). */
struct control_server *control_start(uv_loop_t *loop, int listen_fd, const char *project,
				     const struct control_handler *handler, struct err *err);
/* Closes the socket and every connection; answers still on their way are lost. */
void control_stop(struct control_server *server);
/* Nobody else comes in: a client that has no greeting yet is cut off and asks the successor, those
 * that are connected stay. A supervisor that has decided to end calls it in the same breath, so
 * that each client that was greeted is either served or was there when it decided. Repeating is
 * harmless. */
void control_close_door(struct control_server *server);
/* Connected clients: a supervisor with one does not end by itself. */
size_t control_clients(const struct control_server *server);

/* {"id":N,"event":EVENT}; takes the reference. */
void control_event(struct control_request *request, struct json_object *event);
/* {"id":N,"ok":true,"result":RESULT}; takes the reference (may be NULL); ends the request. */
void control_ok(struct control_request *request, struct json_object *result);
/* {"id":N,"ok":false,"error":{code,message}}; ends the request. */
void control_fail(struct control_request *request, const struct err *err);
/* Ends the request as never begun ("again"): the client asks the next supervisor. Only before
 * control_say_taken. */
void control_turn_away(struct control_request *request);
/* {"id":N,"event":{"taken":true}}: from now on the request may have been begun. Said before
 * anything is done, so that a client that saw nothing of it may ask another supervisor without
 * doing a thing twice. */
void control_say_taken(struct control_request *request);
/* Data of the one who answers; on_gone finds it again. */
void control_set_data(struct control_request *request, void *data);
void *control_data(const struct control_request *request);
bool control_is_gone(const struct control_request *request);
