/* tests/specs/test_support - mirrors specs/support; keeps the reference page in step with the
 * tables. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "specs/keys.h"
#include "specs/support.h"

#define PAGE      "docs/compose-support.md"
#define BYTES_MAX (1u << 20)

static char *page(void)
{
	char *text = NULL;
	size_t len;
	FILE *out = open_memstream(&text, &len);

	support_write_page(out);
	fclose(out);
	return text;
}

static void reference_page_says_what_the_tables_say(void **state)
{
	AUTO(free) char *made = page(), *there = NULL;
	struct err err = ERR_NONE;
	size_t len = 0;

	(void)state;
	if (getenv("STACK_WRITE_DOCS")) {
		FILE *out = fopen(PAGE, "we");

		fputs(made, out);
		fclose(out);
	}
	assert_int_equal(file_read(AT_FDCWD, PAGE, BYTES_MAX, &there, &len, &err), 0);
	if (strcmp(made, there) != 0)
		fail_msg("%s is out of step: run this test with STACK_WRITE_DOCS=1", PAGE);
}

/* Every row has a class and a meaning; tables below rows are walked, too. */
static void check_table(const struct table *table, unsigned depth)
{
	assert_non_null(table->what);
	for (size_t i = 0; i < table->count; i++) {
		const struct key *key = &table->keys[i];

		if (!key->doc || !strchr("ABCD", key->doc[0]) || key->doc[1] != ' ' || !key->doc[2])
			fail_msg("%s in %s has no meaning", key->name, table->what);
		for (size_t k = 0; k < i; k++)
			if (strcmp(table->keys[k].name, key->name) == 0)
				fail_msg("%s stands twice in %s", key->name, table->what);
		if (key->offset != NO_FIELD && key->kind != KEY_INLINE &&
		    key->offset >= table->size)
			fail_msg("%s of %s lies outside its struct", key->name, table->what);
		if (key->kind >= KEY_OBJECT && !key->table)
			fail_msg("%s of %s has no table", key->name, table->what);
		if (key->table && depth < 10)
			check_table(key->table, depth + 1);
	}
}

static void every_row_has_a_meaning_and_a_field_in_its_struct(void **state)
{
	(void)state;
	check_table(&project_table, 0);
}

static void what_cannot_work_is_refused_by_name(void **state)
{
	struct service_stack idle = {
		.idle_after = {1, true}
	};
	struct service_stack never = {
		.idle_after = {0, true}
	};
	struct service_stack job = {
		.idle_after = {1, true},
                  .schedule = "@daily"
	};
	struct port port = { .protocol = "tcp" }, sctp = { .protocol = "sctp" };
	struct hook hook = { .privileged = true };
	struct provider provider = { .type = "x" };
	struct logging logging = { .driver = "splunk" };
	struct credential_spec spec = { .file = "f" };
	struct mount mount = { .type = "npipe", .target = "/x" };
	struct volume volume = { .key = "v", .driver = "nfs-driver" };
	struct network network = { .key = "n", .driver = "overlay" };
	struct file_source secret = { .key = "s", .driver = "vault" };
	struct {
		struct service service;
		const char *want;
		/* clang-format off */
	} rows[] = {
		{ { .name = "a", .isolation = "hyperv" }, "service a: isolation" },
		{ { .name = "a", .stack = &idle }, "service a: x-stack.idle" },
		{ { .name = "a", .pre_start = &hook, .pre_start_count = 1 }, "service a: pre_start" },
		{ { .name = "a", .stack = &never, .ports = &port, .port_count = 1 }, "x-stack.idle: after is" },
		{ { .name = "a", .stack = &idle, .ports = &sctp, .port_count = 1 }, "x-stack.idle: tcp and udp" },
		{ { .name = "a", .stack = &job, .ports = &port, .port_count = 1 }, "x-stack.idle: a job" },
		{ { .name = "a", .stack = &idle, .ports = &port, .port_count = 1, .network_mode = "host" },
		  "x-stack.idle: ports are published" },
		{ { .name = "a", .userns_mode = "remap" }, "service a: userns_mode" },
		{ { .name = "a", .provider = &provider }, "service a: provider" },
		{ { .name = "a", .logging = &logging }, "service a: logging.driver" },
		{ { .name = "a", .credential_spec = &spec }, "service a: credential_spec" },
		{ { .name = "a", .use_api_socket = true }, "service a: use_api_socket" },
		{ { .name = "a", .volumes = &mount, .volume_count = 1 }, "service a: volumes" },
	};
	/* clang-format on */
	struct project project = { .service_count = 1 };
	struct err err = ERR_NONE;

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		project.services = &rows[i].service;
		assert_int_equal(project_check_supported(&project, &err), -1);
		assert_int_equal(err.code, ERR_UNSUPPORTED);
		assert_non_null(strstr(err.msg, rows[i].want));
	}
	project = (struct project){ .volumes = &volume, .volume_count = 1 };
	assert_int_equal(project_check_supported(&project, &err), -1);
	assert_non_null(strstr(err.msg, "volume v: driver"));
	volume.external = true;
	assert_int_equal(project_check_supported(&project, &err), 0);
	project = (struct project){ .networks = &network, .network_count = 1 };
	assert_int_equal(project_check_supported(&project, &err), -1);
	project = (struct project){ .secrets = &secret, .secret_count = 1 };
	assert_int_equal(project_check_supported(&project, &err), -1);
	assert_non_null(strstr(err.msg, "secret s: driver"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(reference_page_says_what_the_tables_say),
		cmocka_unit_test(every_row_has_a_meaning_and_a_field_in_its_struct),
		cmocka_unit_test(what_cannot_work_is_refused_by_name),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
