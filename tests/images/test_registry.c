/* tests/images/test_registry - mirrors images/registry. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/file.h"
#include "base/tree.h"
#include "images/registry.h"

static char dir[] = P_tmpdir "/test_registry.XXXXXX";
static char *config;

static void put(const char *name, const char *text)
{
	AUTO(free) char *path = xformat("%s/%s", dir, name);
	AUTO(fd) int fd = -1;

	*strrchr(path, '/') = '\0';
	{
		struct err err = ERR_NONE;

		assert_int_equal(file_make_dirs(AT_FDCWD, path, 0700, &err), 0);
	}
	path[strlen(path)] = '/';
	fd = open(path, O_CREAT | O_TRUNC | O_WRONLY | O_CLOEXEC, 0600);
	assert_true(fd >= 0);
	assert_int_equal(file_write_all(fd, text, strlen(text)), 0);
}

static int set_up(void **state)
{
	AUTO(free) char *certs = NULL;

	(void)state;
	strcpy(dir + strlen(dir) - 6, "XXXXXX");
	assert_non_null(mkdtemp(dir));
	config = xformat("%s/config.json", dir);
	certs = xformat("%s/certs.d", dir);
	setenv("STACK_CERTS_DIR", certs, 1);
	unsetenv("SSL_CERT_FILE");
	return 0;
}

static int tear_down(void **state)
{
	AUTO(fd) int tmp_fd = open(P_tmpdir, O_DIRECTORY | O_CLOEXEC);
	struct err err = ERR_NONE;

	(void)state;
	free(config);
	return tree_remove(tmp_fd, strrchr(dir, '/') + 1, &err);
}

static struct registry_settings *loaded(void)
{
	struct err err = ERR_NONE;
	struct registry_settings *settings = registry_settings_load(config, &err);

	if (!settings)
		fail_msg("%s", err.msg);
	return settings;
}

static void no_file_means_defaults_and_loopback_is_insecure(void **state)
{
	AUTO(registry_settings) struct registry_settings *settings = loaded();
	static const char *const insecure[] = { "localhost",     "localhost:5000", "127.0.0.1",
						"127.8.9.1:443", "[::1]",          "[::1]:5000",
						"LOCALHOST:1" };
	static const char *const secure[] = { "example.com", "128.0.0.1",   "10.0.0.1:5000",
					      "[::2]",       "localhost.x", "127.0.0.1.example.com",
					      "mylocalhost" };

	(void)state;
	assert_int_equal(registry_max_downloads(settings), 3);
	for (size_t i = 0; i < sizeof(insecure) / sizeof(insecure[0]); i++)
		if (!registry_is_insecure(settings, insecure[i]))
			fail_msg("%s", insecure[i]);
	for (size_t i = 0; i < sizeof(secure) / sizeof(secure[0]); i++)
		if (registry_is_insecure(settings, secure[i]))
			fail_msg("%s", secure[i]);
}

static void insecure_registries_match_by_host_port_and_network(void **state)
{
	AUTO(registry_settings) struct registry_settings *settings = NULL;

	(void)state;
	put("config.json", "{\"insecure-registries\":[\"a.example:5000\",\"b.example\","
			   "\"10.1.0.0/16\",\"fd00::/8\"],\"images\":{\"max_downloads\":7}}");
	settings = loaded();
	assert_true(registry_is_insecure(settings, "a.example:5000"));
	assert_false(registry_is_insecure(settings, "a.example"));
	assert_false(registry_is_insecure(settings, "a.example:5001"));
	assert_true(registry_is_insecure(settings, "b.example"));
	assert_true(registry_is_insecure(settings, "b.example:77"));
	assert_true(registry_is_insecure(settings, "10.1.255.3:5000"));
	assert_false(registry_is_insecure(settings, "10.2.0.1:5000"));
	assert_true(registry_is_insecure(settings, "[fd12::5]:5000"));
	assert_int_equal(registry_max_downloads(settings), 7);
}

static void broken_settings_name_file_and_key(void **state)
{
	/* clang-format off */
	static const struct { const char *file, *text, *says; } rows[] = {
		{ "config.json", "[]", "object" },
		{ "config.json", "{", "JSON" },
		{ "config.json", "{\"insecure-registries\":\"a\"}", "insecure-registries" },
		{ "config.json", "{\"insecure-registries\":[1]}", "insecure-registries" },
		{ "config.json", "{\"registry-mirrors\":[\"a\"]}", "mirror" },
		{ "config.json", "{\"registry-mirrors\":[\"https://u:p@a\"]}", "mirror" },
		{ "config.json", "{\"images\":{\"max_downloads\":0}}", "max_downloads" },
		{ "registries.json", "{\"registries\":{\"a\":[]}}", "registries.a" },
		{ "registries.json", "{\"registries\":{\"a\":{\"mirrors\":[\"ftp://x\"]}}}", "mirror" },
	};
	/* clang-format on */

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct err err = ERR_NONE;

		put("config.json", "{}");
		put("registries.json", "{}");
		put(rows[i].file, rows[i].text);
		if (registry_settings_load(config, &err))
			fail_msg("row %zu taken", i);
		assert_non_null(strstr(err.msg, rows[i].says));
	}
}

static void mirrors_come_first_and_only_for_pulls(void **state)
{
	AUTO(registry_settings) struct registry_settings *settings = NULL;
	AUTO(free) struct registry_endpoint **list = NULL;
	AUTO(free) struct registry_endpoint **push = NULL;
	AUTO(free) struct registry_endpoint **quay = NULL;
	AUTO(free) struct registry_endpoint **tags = NULL;
	struct err err = ERR_NONE;
	size_t count;

	(void)state;
	put("config.json",
	    "{\"registry-mirrors\":[\"https://m1.example\",\"http://m2.example:81/p/\"]}");
	put("registries.json", "{\"registries\":{\"quay.io\":{\"mirrors\":[\"https://m1.example\"],"
			       "\"mirror_tags\":false},\"x.example\":{\"insecure\":true}}}");
	settings = loaded();
	assert_int_equal(registry_endpoints(settings, "docker.io", 0, &list, &count, &err), 0);
	assert_int_equal(count, 3);
	assert_string_equal(list[0]->host, "m1.example");
	assert_true(list[0]->is_mirror);
	assert_false(list[0]->allows_http);
	assert_string_equal(list[1]->host, "m2.example:81");
	assert_string_equal(list[1]->prefix, "/p");
	assert_true(list[1]->is_http);
	assert_string_equal(list[2]->host, "registry-1.docker.io");
	assert_false(list[2]->is_mirror);
	registry_endpoints(settings, "docker.io", REGISTRY_ORIGIN_ONLY, &push, &count, &err);
	assert_int_equal(count, 1);
	assert_ptr_equal(push[0], list[2]);
	registry_endpoints(settings, "quay.io", 0, &quay, &count, &err);
	assert_int_equal(count, 2);
	registry_endpoints(settings, "quay.io", REGISTRY_BY_TAG, &tags, &count, &err);
	assert_int_equal(count, 1);
	assert_true(registry_is_insecure(settings, "x.example"));
}

static void certificates_of_a_host_are_found(void **state)
{
	AUTO(registry_settings) struct registry_settings *settings = loaded();
	struct registry_endpoint *endpoint;
	struct err err = ERR_NONE;

	(void)state;
	put("certs.d/a.example:5000/ca.crt", "ONE");
	put("certs.d/a.example:5000/more.crt", "TWO");
	put("certs.d/a.example:5000/me.cert", "x");
	put("certs.d/a.example:5000/me.key", "x");
	put("certs.d/localhost:5000/ca.crt", "ONE");
	put("certs.d/b.example/me.cert", "x");
	endpoint = registry_endpoint_of(settings, "a.example:5000", &err);
	assert_string_equal(endpoint->tls.ca_bundle, "ONE\nTWO\n");
	assert_non_null(strstr(endpoint->tls.key_path, "a.example:5000/me.key"));
	assert_false(endpoint->tls.no_verify);
	endpoint = registry_endpoint_of(settings, "localhost:5000", &err);
	assert_true(endpoint->allows_http);
	assert_false(endpoint->tls.no_verify); /* a CA was given: it counts */
	endpoint = registry_endpoint_of(settings, "localhost:5001", &err);
	assert_true(endpoint->tls.no_verify);
	assert_null(registry_endpoint_of(settings, "b.example", &err));
	assert_non_null(strstr(err.msg, "me.key"));
}

static void proxies_come_from_the_environment_and_loopback_never_uses_one(void **state)
{
	AUTO(registry_settings) struct registry_settings *settings = NULL;

	(void)state;
	setenv("http_proxy", "http://lower:1", 1);
	setenv("HTTP_PROXY", "http://upper:1", 1);
	setenv("HTTPS_PROXY", "http://secure:1", 1);
	setenv("no_proxy", ".corp,10.0.0.0/8", 1);
	settings = loaded();
	assert_string_equal(registry_proxy(settings, false), "http://lower:1");
	assert_string_equal(registry_proxy(settings, true), "http://secure:1");
	assert_string_equal(registry_no_proxy(settings),
			    ".corp,10.0.0.0/8,localhost,127.0.0.0/8,::1");
	unsetenv("http_proxy");
	unsetenv("HTTP_PROXY");
	unsetenv("HTTPS_PROXY");
	unsetenv("no_proxy");
}

static void url_hosts_are_taken_apart(void **state)
{
	char host[64];
	bool is_tls;

	(void)state;
	assert_true(registry_url_host("https://a.example:5/x?y", &is_tls, host, sizeof(host)));
	assert_true(is_tls);
	assert_string_equal(host, "a.example:5");
	assert_true(registry_url_host("http://[::1]:5", &is_tls, host, sizeof(host)));
	assert_string_equal(host, "[::1]:5");
	assert_false(registry_url_host("https://user@a/x", &is_tls, host, sizeof(host)));
	assert_false(registry_url_host("https://", &is_tls, host, sizeof(host)));
	assert_false(registry_url_host("ftp://a", &is_tls, host, sizeof(host)));
	assert_false(registry_url_host("/v2/", &is_tls, host, sizeof(host)));
	assert_false(registry_url_host("https://a/x y", &is_tls, host, sizeof(host)));
	assert_false(registry_url_host("https://a/x\r\ny", &is_tls, host, sizeof(host)));
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		TEST(no_file_means_defaults_and_loopback_is_insecure),
		TEST(insecure_registries_match_by_host_port_and_network),
		TEST(broken_settings_name_file_and_key),
		TEST(mirrors_come_first_and_only_for_pulls),
		TEST(certificates_of_a_host_are_found),
		TEST(proxies_come_from_the_environment_and_loopback_never_uses_one),
		TEST(url_hosts_are_taken_apart),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
