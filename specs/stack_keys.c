/* specs/stack_keys - rows of x-stack: what stack adds to the specification, in one place.
 *
 * Owns: names, forms, fields and meanings of x-stack at every level. May not touch: how rows are
 * run.
 */
#include "specs/checks.h"
#include "specs/expand.h"
#include "specs/keys.h"
#include "specs/model.h"
#include "specs/rules.h"

#define CLOSED .place_offset = NO_FIELD, .null_offset = NO_FIELD, .extensions_offset = NO_FIELD

/* clang-format off */
#define AT(field) offsetof(struct probe, field)
static const struct key http_rows[] = {
	{ "port", KEY_PORT, KEY_NEEDED, AT(http_port), .doc = "A port in the container" },
	{ "path", KEY_TEXT, 0, AT(http_path), .check = check_http_path, .doc = "A default /" },
	{ "status", KEY_STATUS, 0, AT(http_status_min), .doc = "A default 200-399" },
};
static const struct table http_table = {
	.what = "http", TABLE_KEYS(http_rows), .size = sizeof(struct probe), CLOSED,
	.expand = expand_http,
	.finish = finish_http,
};
#define PROBE_ROWS \
	{ "listen", KEY_PORT, 0, AT(listen_port), .doc = "A a socket listens on the port" }, \
	{ "tcp", KEY_PORT, 0, AT(tcp_port), .doc = "A a connection is accepted" }, \
	{ "http", KEY_INLINE, 0, 0, &http_table, \
	  .doc = "A a request is answered: {port, path, status} or http://:PORT/PATH" }
static const struct key probe_rows[] = { PROBE_ROWS };
static const struct key ready_rows[] = {
	PROBE_ROWS,
	{ "log", KEY_TEXT, 0, AT(log), .check = check_regex,
	  .doc = "A a log line matches the extended regular expression" },
	{ "timeout", KEY_DURATION, 0, AT(timeout),
	  .doc = "A then the start has failed; default 60s" },
};
const struct table probe_table = {
	.what = "x-stack of a healthcheck", TABLE_KEYS(probe_rows),
	.size = sizeof(struct probe), CLOSED,
	.finish = finish_probe,
};
static const struct table ready_table = {
	.what = "ready", TABLE_KEYS(ready_rows), .size = sizeof(struct probe), CLOSED,
	.finish = finish_probe,
};
#undef AT

#define AT(field) offsetof(struct service_stack, field)
static const struct key idle_rows[] = {
	{ "after", KEY_DURATION, KEY_NEEDED, AT(idle_after),
	  .doc = "A stopped when nobody connected for so long" },
};
static const struct table idle_table = {
	.what = "idle", TABLE_KEYS(idle_rows), .size = sizeof(struct service_stack), CLOSED,
};
static const struct key service_stack_rows[] = {
	{ "ready", KEY_OBJECT, 0, AT(ready), &ready_table,
	  .doc = "A when dependants may start, judged from outside" },
	{ "on_unhealthy", KEY_TEXT, 0, AT(on_unhealthy), .choices = "restart stop ignore",
	  .doc = "A default ignore" },
	{ "schedule", KEY_TEXT, 0, AT(schedule), .check = check_schedule,
	  .doc = "A started by the clock: five fields, @every 10m, @daily" },
	{ "overlap", KEY_TEXT, 0, AT(overlap), .choices = "skip queue kill",
	  .doc = "A when the last run still runs; default skip" },
	{ "expose", KEY_TEXT, 0, AT(expose), .choices = "host-firewall public",
	  .doc = "A host-firewall: published ports pass the host's own input rules; default "
	  "public" },
	{ "idle", KEY_INLINE, 0, 0, &idle_table,
	  .doc = "A stopped when idle, started by the next connection to a published port" },
};
const struct table service_stack_table = {
	.what = "x-stack of a service", TABLE_KEYS(service_stack_rows),
	.size = sizeof(struct service_stack), CLOSED,
};
#undef AT

static const struct key mount_stack_rows[] = {
	{ "idmap", KEY_TEXT, 0, offsetof(struct mount, idmap), .check = check_idmap,
	  .doc = "A caller or UID:GID: whose files they are outside" },
};
const struct table mount_stack_table = {
	.what = "x-stack of a mount", TABLE_KEYS(mount_stack_rows),
	.size = sizeof(struct mount), CLOSED,
};

static const struct key project_stack_rows[] = {
	{ "history", KEY_INT, 0, offsetof(struct project, history), .has_minimum = true,
	  .doc = "A former models kept for `rollback`" },
	{ "autostart", KEY_OPT_BOOL, 0, offsetof(struct project, autostart),
	  .doc = "A back after a reboot; default: what the restart policies say" },
};
const struct table project_stack_table = {
	.what = "x-stack of the project", TABLE_KEYS(project_stack_rows),
	.size = sizeof(struct project), CLOSED,
};
/* clang-format on */
