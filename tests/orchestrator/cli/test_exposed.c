/* tests/orchestrator/cli/test_exposed - mirrors orchestrator/cli/exposed: what a plan opens, as
 * rows. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/cleanup.h"
#include "base/json.h"
#include "orchestrator/cli/exposed.h"

static struct port to_all = { .published = "80", .protocol = "tcp" };
static struct port to_one = { .published = "80", .protocol = "tcp", .host_ip = "10.0.0.1" };
static struct port to_loopback = { .published = "80", .protocol = "tcp", .host_ip = "127.0.0.1" };
static struct port to_loopback6 = { .published = "80", .protocol = "tcp", .host_ip = "::1" };
static struct port ephemeral = { .protocol = "udp" };
static struct mount folder = { .type = "bind", .source = "/srv", .read_only = true };
static struct mount volume = { .type = "volume", .source = "data" };

static char *exposed(struct service *service, const char *ip, const char *action)
{
	struct project project = { .services = service, .service_count = 1 };
	struct settings settings = { .ip = ip };
	AUTO(json) struct json_object *actions = json_object_new_array();
	struct json_object *one = json_object_new_object();
	char *text = NULL;
	size_t size;
	FILE *out = open_memstream(&text, &size);

	service->name = "web";
	json_add_text(one, "action", action);
	json_add_text(one, "service", "web");
	json_object_array_add(actions, one);
	exposed_print(out, &project, &settings, actions);
	fclose(out);
	return text;
}

static void what_is_opened_has_a_row_and_what_stays_here_has_none(void **state)
{
	/* clang-format off */
	struct {
		struct service service;
		const char *ip, *action, *want; /* NULL: nothing */
	} rows[] = {
		{ { .ports = &to_all, .port_count = 1 }, NULL, "create", "port 80/tcp to other machines" },
		{ { .ports = &to_all, .port_count = 1 }, "127.0.0.1", "create", NULL },
		{ { .ports = &to_all, .port_count = 1 }, NULL, "start", NULL },
		{ { .ports = &to_one, .port_count = 1 }, "127.0.0.1", "create", "port 80/tcp to other machines" },
		{ { .ports = &to_loopback, .port_count = 1 }, NULL, "create", NULL },
		{ { .ports = &to_loopback6, .port_count = 1 }, NULL, "create", NULL },
		{ { .ports = &ephemeral, .port_count = 1 }, NULL, "create", "port of the system's choice/udp" },
		{ { .ports = &to_all, .port_count = 1, .network_mode = "none" }, NULL, "create", NULL },
		{ { .privileged = true }, NULL, "create", "privileged" },
		{ { .network_mode = "host" }, NULL, "create", "the machine's network" },
		{ { .pid = "host" }, NULL, "create", "the machine's processes" },
		{ { .volumes = &folder, .volume_count = 1 }, NULL, "create", "/srv of the machine, read-only" },
		{ { .volumes = &volume, .volume_count = 1 }, NULL, "create", NULL },
	};
	/* clang-format on */

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		AUTO(free) char *text = exposed(&rows[i].service, rows[i].ip, rows[i].action);

		if (rows[i].want ? !strstr(text, rows[i].want) : *text != '\0')
			fail_msg("row %zu: \"%s\"", i, text);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_opened_has_a_row_and_what_stays_here_has_none),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
