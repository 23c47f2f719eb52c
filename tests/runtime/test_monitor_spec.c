/* tests/runtime/test_monitor_spec - mirrors runtime/monitor_spec. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/alloc.h"
#include "runtime/monitor_spec.h"

#define BASE "\"version\":1,\"id\":\"ab\",\"run_dir\":\"/run/c/ab\",\"container_dir\":\"/var/c/ab\""

static struct monitor_spec *parse(const char *more, struct err *err)
{
	AUTO(free) char *text = xformat("{%s%s}", BASE, more);

	*err = ERR_NONE;
	return monitor_spec_parse(text, strlen(text), err);
}

static void what_is_absent_has_its_default(void **state)
{
	struct err err;
	AUTO(monitor_spec) struct monitor_spec *spec = parse("", &err);

	(void)state;
	assert_non_null(spec);
	assert_string_equal(spec->bundle, "/var/c/ab/bundle");
	assert_null(spec->slot_dir);
	assert_null(spec->netns_path);
	assert_null(spec->runtime);
	assert_int_equal(spec->lower_count, 0);
	assert_int_equal(spec->life, 1);
	assert_true(spec->cgroup_oom);
	assert_false(spec->stdin_open);
	assert_int_equal(spec->log.driver, LOG_DRIVER_JSON_FILE);
	assert_int_equal(spec->log.max_size_bytes, 10000000);
	assert_int_equal(spec->log.max_file_count, 3);
	assert_true(spec->log.compress);
	assert_false(spec->log.non_blocking);
	assert_null(spec->log.attrs_json);
}

static void every_key_reaches_its_field(void **state)
{
	struct err err;
	AUTO(monitor_spec)
	struct monitor_spec *spec = parse(
		",\"name\":\"n\",\"project\":\"p\",\"service\":\"s\",\"life\":7,\"slot_dir\":\"/"
		"s\","
		"\"bundle\":\"/b\",\"runtime\":\"/usr/bin/"
		"crun\",\"stdin_open\":true,\"cgroup_oom\":false,"
		"\"rootfs\":{\"lowers\":[\"/a\",\"/b\"],\"upper\":\"/u\",\"work\":\"/"
		"w\",\"readonly\":true,"
		"\"volatile\":false},\"netns\":{\"path\":\"/n/x\",\"make\":true},"
		"\"sockets\":[\"dns\",\"route\",\"netfilter\"],\"unknown\":{},"
		"\"log\":{\"driver\":\"journald\",\"max_size\":-1,\"max_file\":1,\"compress\":"
		"false,"
		"\"mode\":\"non-blocking\",\"max_buffer\":77,\"attrs\":{\"b\":\"1/2\",\"a\":\"x\"},"
		"\"tag\":\"t\",\"image\":\"i\"}",
		&err);

	(void)state;
	assert_non_null(spec);
	assert_string_equal(spec->name, "n");
	assert_string_equal(spec->project, "p");
	assert_string_equal(spec->service, "s");
	assert_int_equal(spec->life, 7);
	assert_string_equal(spec->slot_dir, "/s");
	assert_string_equal(spec->bundle, "/b");
	assert_string_equal(spec->runtime, "/usr/bin/crun");
	assert_true(spec->stdin_open);
	assert_false(spec->cgroup_oom);
	assert_int_equal(spec->lower_count, 2);
	assert_string_equal(spec->lowers[0], "/a");
	assert_string_equal(spec->lowers[1], "/b");
	assert_string_equal(spec->upper, "/u");
	assert_string_equal(spec->work, "/w");
	assert_true(spec->rootfs_readonly);
	assert_false(spec->rootfs_volatile);
	assert_string_equal(spec->netns_path, "/n/x");
	assert_true(spec->netns_make);
	assert_int_equal(spec->socket_count, 3);
	assert_int_equal(spec->sockets[0], MONITOR_SOCKET_DNS);
	assert_int_equal(spec->sockets[1], MONITOR_SOCKET_ROUTE);
	assert_int_equal(spec->sockets[2], MONITOR_SOCKET_NETFILTER);
	assert_int_equal(spec->log.driver, LOG_DRIVER_JOURNALD);
	assert_int_equal(spec->log.max_size_bytes, 0);
	assert_int_equal(spec->log.max_file_count, 1);
	assert_false(spec->log.compress);
	assert_true(spec->log.non_blocking);
	assert_int_equal(spec->log.max_buffer_bytes, 77);
	assert_string_equal(spec->log.attrs_json, "{\"b\":\"1/2\",\"a\":\"x\"}");
	assert_string_equal(spec->log.tag, "t");
	assert_string_equal(spec->log.image, "i");
}

static void broken_texts_are_refused_by_key(void **state)
{
	/* clang-format off */
	static const struct { const char *text, *says; enum err_code code; } rows[] = {
		{ "", "not JSON", ERR_INVALID },
		{ "[]", "version: is missing", ERR_INVALID },
		{ "{}", "version: is missing", ERR_INVALID },
		{ "{\"version\":2}", "version 2", ERR_UNSUPPORTED },
		{ "{\"version\":1}", "id: is missing", ERR_INVALID },
		{ "{\"version\":1,\"id\":\"ab\"}", "run_dir: is missing", ERR_INVALID },
		{ "{\"version\":1,\"id\":\"ab\",\"run_dir\":\"x\"}", "run_dir: must be an absolute", ERR_INVALID },
		{ "{\"version\":1,\"id\":\"ab\",\"run_dir\":\"/r/ab\"}", "container_dir: is missing", ERR_INVALID },
		{ "{\"version\":1,\"id\":\"ab\",\"run_dir\":\"/r/other\",\"container_dir\":\"/c\"}", "must end in /ab", ERR_INVALID },
		{ "{" BASE ",\"rootfs\":{}}", "rootfs.lowers: is missing", ERR_INVALID },
		{ "{" BASE ",\"rootfs\":{\"lowers\":[1]}}", "lowers[0]", ERR_INVALID },
		{ "{" BASE ",\"rootfs\":{\"lowers\":[\"/a\"],\"upper\":\"/u\"}}", "go together", ERR_INVALID },
		{ "{" BASE ",\"netns\":{}}", "netns: ", ERR_INVALID },
		{ "{" BASE ",\"sockets\":[\"dns\"]}", "need netns", ERR_INVALID },
		{ "{" BASE ",\"netns\":{\"path\":\"/n\"},\"sockets\":[\"smtp\"]}", "sockets[0]", ERR_UNSUPPORTED },
		{ "{" BASE ",\"log\":{\"driver\":\"syslog\"}}", "\"syslog\" is unknown", ERR_UNSUPPORTED },
		{ "{" BASE ",\"log\":{\"mode\":\"maybe\"}}", "log.mode", ERR_INVALID },
		{ "{" BASE ",\"log\":{\"max_file\":0}}", "log.max_file", ERR_INVALID },
		{ "{" BASE ",\"log\":{\"max_size\":-5}}", "log.max_size", ERR_INVALID },
	};
	/* clang-format on */

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct err err = ERR_NONE;
		struct monitor_spec *spec =
			monitor_spec_parse(rows[i].text, strlen(rows[i].text), &err);

		if (spec || err.code != rows[i].code || !strstr(err.msg, rows[i].says))
			print_error("row %zu: \"%s\"\n", i, err.msg);
		assert_null(spec);
		assert_int_equal(err.code, rows[i].code);
		assert_non_null(strstr(err.msg, rows[i].says));
	}
}

static void socket_names_are_known_both_ways(void **state)
{
	(void)state;
	assert_int_equal(monitor_socket_from_name("route"), MONITOR_SOCKET_ROUTE);
	assert_int_equal(monitor_socket_from_name("netfilter"), MONITOR_SOCKET_NETFILTER);
	assert_int_equal(monitor_socket_from_name("dns"), MONITOR_SOCKET_DNS);
	assert_int_equal(monitor_socket_from_name("dns-tcp"), MONITOR_SOCKET_DNS_TCP);
	assert_int_equal(monitor_socket_from_name(""), -1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_absent_has_its_default),
		cmocka_unit_test(every_key_reaches_its_field),
		cmocka_unit_test(broken_texts_are_refused_by_key),
		cmocka_unit_test(socket_names_are_known_both_ways),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
