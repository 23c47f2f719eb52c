/* tests/orchestrator/test_build_names - mirrors orchestrator/build_names. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "base/tree.h"
#include "orchestrator/build_names.h"

static char *written(const struct build_names *names, const char *file)
{
	char folder[] = "/tmp/build-names.XXXXXX";
	struct err err = ERR_NONE;
	char *text = NULL;
	int fd;

	assert_non_null(mkdtemp(folder));
	fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	assert_int_equal(build_names_write(names, fd, &err), 0);
	assert_int_equal(file_read(fd, file, 1u << 20, &text, NULL, &err), 0);
	assert_int_equal(tree_empty(fd, &err), 0);
	close(fd);
	assert_int_equal(rmdir(folder), 0);
	return text;
}

static void hosts_has_the_builder_and_what_was_asked_for(void **state)
{
	static char netns[] = "/nowhere";
	const char *items[] = { "there=9.8.7.6", "host=host-gateway", "no sign" };
	const struct texts extra = { items, 3 };
	const struct settings settings = { .path = "" };
	const struct build_lane lane = { netns, "172.20.0.2", "172.20.0.1" };
	const struct build_names names = { .settings = &settings,
					   .kind = BUILD_NET_DEFAULT,
					   .lane = &lane,
					   .hostname = "builder",
					   .extra_hosts = &extra };
	char *text = written(&names, "hosts");

	(void)state;
	assert_non_null(strstr(text, "172.20.0.2\tbuilder"));
	assert_non_null(strstr(text, "9.8.7.6\tthere"));
	assert_non_null(strstr(text, "172.20.0.1\thost"));
	assert_null(strstr(text, "no sign"));
	free(text);
}

static void name_servers_are_those_of_the_settings_or_none(void **state)
{
	const char *servers[] = { "192.0.2.1" }, *search[] = { "example.test" };
	const struct settings settings = {
		.dns = {servers, 1},
                  .dns_search = { search, 1}
	};
	struct build_names names = { .settings = &settings,
				     .kind = BUILD_NET_DEFAULT,
				     .hostname = "builder" };
	char *text = written(&names, "resolv.conf");

	(void)state;
	assert_non_null(strstr(text, "nameserver 192.0.2.1"));
	assert_non_null(strstr(text, "example.test"));
	free(text);
	names.kind = BUILD_NET_NONE;
	text = written(&names, "resolv.conf");
	assert_string_equal(text, "");
	free(text);
}

static void words_of_a_network_are_known_or_refused(void **state)
{
	/* clang-format off */
	static const struct { const char *word; int status; enum build_net_kind kind; } rows[] = {
		{ NULL, 0, BUILD_NET_DEFAULT }, { "", 0, BUILD_NET_DEFAULT },
		{ "default", 0, BUILD_NET_DEFAULT }, { "bridge", 0, BUILD_NET_DEFAULT },
		{ "none", 0, BUILD_NET_NONE }, { "host", 0, BUILD_NET_HOST },
		{ "shop_default", -1, BUILD_NET_DEFAULT }, { "NONE", -1, BUILD_NET_DEFAULT },
	};
	/* clang-format on */

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		enum build_net_kind kind = BUILD_NET_DEFAULT;
		struct err err = ERR_NONE;

		assert_int_equal(build_net_kind(rows[i].word, &kind, &err), rows[i].status);
		assert_int_equal(kind, rows[i].kind);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(hosts_has_the_builder_and_what_was_asked_for),
		cmocka_unit_test(name_servers_are_those_of_the_settings_or_none),
		cmocka_unit_test(words_of_a_network_are_known_or_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
