/* orchestrator/cli/client - finds or starts a project's supervisor and follows one request to its
 * answer. Blocks. */
#pragma once
#include <json-c/json.h>
#include <stdbool.h>

#include "base/cleanup.h"
#include "base/err.h"
#include "orchestrator/cli/cli.h"

struct client;

/* start: a supervisor is started when none lives. ERR_NOT_FOUND when none lives and start is false.
 */
struct client *client_open(struct cli *cli, const char *project, bool start, struct err *err);
void client_close(struct client *client);
AUTO_TYPE(client, client_close);

/* Called for each event, and about ten times a second with NULL (the clock of a progress table). */
typedef void (*client_event)(void *ctx, struct json_object *event);

/* Sends {"op":op,...members of message} and follows it to the end; message is taken over. *out (may
 * be NULL) gets the result, to be put. A request that no supervisor took (it was ending, or died
 * first) is sent again, to its successor, at most five times. The first INT or TERM sends `cancel`,
 * the second ends at once with ERR_CANCELLED. */
int client_request(struct client *client, const char *op, struct json_object *message,
		   client_event on_event, void *ctx, struct json_object **out, struct err *err);
/* As above, with the project's progress on stderr as --progress says. title: "Running", "Stopping"
 * ... */
int client_follow(struct cli *cli, struct client *client, const char *op,
		  struct json_object *message, const char *title, struct json_object **out,
		  struct err *err);
/* After a request "end": until the supervisor has gone, so that the next command meets none. */
void client_await_end(struct client *client);
