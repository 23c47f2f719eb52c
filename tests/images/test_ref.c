/* tests/images/test_ref - mirrors images/ref. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "images/ref.h"

#define HEX64 "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
#define D256  "sha256:" HEX64
#define D512  "sha512:" HEX64 HEX64
#define A32   "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
#define A128  A32 A32 A32 A32

/* clang-format off */
static const struct {
	const char *text, *canonical, *familiar;
} good[] = {
	{ "nginx", "docker.io/library/nginx:latest", "nginx:latest" },
	{ "nginx:1.27", "docker.io/library/nginx:1.27", "nginx:1.27" },
	{ "nginx@" D256, "docker.io/library/nginx@" D256, "nginx@" D256 },
	{ "nginx@" D512, "docker.io/library/nginx@" D512, "nginx@" D512 },
	{ "nginx:1@" D256, "docker.io/library/nginx:1@" D256, "nginx:1@" D256 },
	{ "library/nginx", "docker.io/library/nginx:latest", "nginx:latest" },
	{ "docker.io/nginx", "docker.io/library/nginx:latest", "nginx:latest" },
	{ "docker.io/library/nginx", "docker.io/library/nginx:latest", "nginx:latest" },
	{ "index.docker.io/nginx", "docker.io/library/nginx:latest", "nginx:latest" },
	{ "index.docker.io/a/b", "docker.io/a/b:latest", "a/b:latest" },
	{ "bitnami/redis", "docker.io/bitnami/redis:latest", "bitnami/redis:latest" },
	{ "bitnami/redis:7", "docker.io/bitnami/redis:7", "bitnami/redis:7" },
	{ "a/b/c", "docker.io/a/b/c:latest", "a/b/c:latest" },
	{ "library/a/b", "docker.io/library/a/b:latest", "library/a/b:latest" },
	{ "localhost/a", "localhost/a:latest", "localhost/a:latest" },
	{ "localhost:5000/a", "localhost:5000/a:latest", "localhost:5000/a:latest" },
	{ "localhost:5000/a:1", "localhost:5000/a:1", "localhost:5000/a:1" },
	{ "localhost:5000", "docker.io/library/localhost:5000", "localhost:5000" },
	{ "localhost", "docker.io/library/localhost:latest", "localhost:latest" },
	{ "quay.io/a/b", "quay.io/a/b:latest", "quay.io/a/b:latest" },
	{ "ghcr.io/a/b/c/d:x", "ghcr.io/a/b/c/d:x", "ghcr.io/a/b/c/d:x" },
	{ "gcr.io/p/i@" D256, "gcr.io/p/i@" D256, "gcr.io/p/i@" D256 },
	{ "a.b/c", "a.b/c:latest", "a.b/c:latest" },
	{ "a:80/c", "a:80/c:latest", "a:80/c:latest" },
	{ "a:80/c:80", "a:80/c:80", "a:80/c:80" },
	{ "a:1/c", "a:1/c:latest", "a:1/c:latest" },
	{ "a:65535/c", "a:65535/c:latest", "a:65535/c:latest" },
	{ "Host/a", "Host/a:latest", "Host/a:latest" },
	{ "HOST:5000/a/b", "HOST:5000/a/b:latest", "HOST:5000/a/b:latest" },
	{ "127.0.0.1/a", "127.0.0.1/a:latest", "127.0.0.1/a:latest" },
	{ "127.0.0.1:5000/a", "127.0.0.1:5000/a:latest", "127.0.0.1:5000/a:latest" },
	{ "[::1]/a", "[::1]/a:latest", "[::1]/a:latest" },
	{ "[::1]:5000/a", "[::1]:5000/a:latest", "[::1]:5000/a:latest" },
	{ "[2001:db8::1]:5000/a/b:t", "[2001:db8::1]:5000/a/b:t", "[2001:db8::1]:5000/a/b:t" },
	{ "xn--bcher-kva.example/a", "xn--bcher-kva.example/a:latest", "xn--bcher-kva.example/a:latest" },
	{ "a-b.c-d/e", "a-b.c-d/e:latest", "a-b.c-d/e:latest" },
	{ "a", "docker.io/library/a:latest", "a:latest" },
	{ "0", "docker.io/library/0:latest", "0:latest" },
	{ "a.b", "docker.io/library/a.b:latest", "a.b:latest" },
	{ "a_b", "docker.io/library/a_b:latest", "a_b:latest" },
	{ "a__b", "docker.io/library/a__b:latest", "a__b:latest" },
	{ "a-b", "docker.io/library/a-b:latest", "a-b:latest" },
	{ "a---b", "docker.io/library/a---b:latest", "a---b:latest" },
	{ "a.b-c_d__e", "docker.io/library/a.b-c_d__e:latest", "a.b-c_d__e:latest" },
	{ "a_b/c.d:e", "docker.io/a_b/c.d:e", "a_b/c.d:e" },
	{ "a:_", "docker.io/library/a:_", "a:_" },
	{ "a:_x", "docker.io/library/a:_x", "a:_x" },
	{ "a:0", "docker.io/library/a:0", "a:0" },
	{ "a:A", "docker.io/library/a:A", "a:A" },
	{ "a:1.2.3-rc.1_x", "docker.io/library/a:1.2.3-rc.1_x", "a:1.2.3-rc.1_x" },
	{ "a:latest", "docker.io/library/a:latest", "a:latest" },
	{ "a:" A128, "docker.io/library/a:" A128, "a:" A128 },
	{ HEX64 "x", "docker.io/library/" HEX64 "x:latest", HEX64 "x:latest" },
	{ "a/" HEX64, "docker.io/a/" HEX64 ":latest", "a/" HEX64 ":latest" },
	{ "0123456789abcdef", "docker.io/library/0123456789abcdef:latest", "0123456789abcdef:latest" },
	{ "a/b:t@" D256, "docker.io/a/b:t@" D256, "a/b:t@" D256 },
	{ "localhost:5000/a@" D256, "localhost:5000/a@" D256, "localhost:5000/a@" D256 },
	{ "docker.io/localhost.x/a", "docker.io/localhost.x/a:latest", "docker.io/localhost.x/a:latest" },
	{ "docker.io/localhost/a", "docker.io/localhost/a:latest", "docker.io/localhost/a:latest" },
	{ "registry.example.com:8443/team/app/web:2024-01-01",
	  "registry.example.com:8443/team/app/web:2024-01-01", "registry.example.com:8443/team/app/web:2024-01-01" },
	{ "a.b.c.d.e/f", "a.b.c.d.e/f:latest", "a.b.c.d.e/f:latest" },
	{ "1.2/f", "1.2/f:latest", "1.2/f:latest" },
	{ "myhost/f", "docker.io/myhost/f:latest", "myhost/f:latest" },
	{ "sha256/f", "docker.io/sha256/f:latest", "sha256/f:latest" },
};

/* column 0: the message names no column. */
static const struct {
	const char *text;
	unsigned column;
} bad[] = {
	{ "", 0 }, { ":", 1 }, { ":tag", 1 }, { "@" D256, 1 }, { "/", 1 }, { "/a", 1 }, { "a/", 3 },
	{ "a//b", 3 }, { "a/b/", 5 }, { "a/b//c", 5 }, { "//a", 1 }, { "a:", 3 }, { "a/b:", 5 },
	{ "A", 1 }, { "Nginx", 1 }, { "nGinx", 2 }, { "a/B", 3 }, { "a/b/C", 5 }, { "localhost:5000/A", 16 },
	{ "a.", 3 }, { ".a", 1 }, { "-a", 1 }, { "_a", 1 }, { "a-", 3 }, { "a_", 3 }, { "a__", 4 },
	{ "a..b", 3 }, { "a___b", 4 }, { "a._b", 3 }, { "a-.b", 3 }, { "a.-b", 3 }, { "a/.b", 3 }, { "a/b.", 5 },
	{ "a/-b", 3 }, { "a/../b", 3 }, { "../a", 1 }, { "a/./b", 3 }, { "a b", 2 }, { " a", 1 }, { "a ", 2 },
	{ "a\tb", 2 }, { "a\nb", 2 }, { "a\x7f", 2 }, { "a\xc3\xa9", 2 }, { "\xc3\xa9", 1 }, { "a\x01", 2 },
	{ "a:b:c", 4 }, { "a:b/c", 3 }, { "a:.x", 3 }, { "a:-x", 3 }, { "a:x y", 4 }, { "a:x$", 4 }, { "a:x+y", 4 },
	{ "a:\xc3\xa9", 3 }, { "a:" A128 "b", 131 }, { "a!", 2 }, { "a?", 2 }, { "a#b", 2 }, { "a%20b", 2 },
	{ "a*", 2 }, { "a=b", 2 }, { "a,b", 2 }, { "a;b", 2 }, { "a'b", 2 }, { "a\"b", 2 }, { "a\\b", 2 },
	{ "$a", 1 }, { "${a}", 1 }, { "a@", 3 }, { "a@sha256", 3 }, { "a@sha256:", 3 }, { "a@sha256:abc", 3 },
	{ "a@sha256:" HEX64 "0", 3 }, { "a@md5:0123", 3 }, { "a@sha1:" HEX64, 3 }, { "a@SHA256:" HEX64, 3 },
	{ "a@sha256:ABCDEF6789abcdef0123456789abcdef0123456789abcdef0123456789abcdef", 3 },
	{ "a@sha256:g123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef", 3 },
	{ "a@sha512:" HEX64, 3 }, { "a@" D256 "@" D256, 3 }, { "a@" D256 ":x", 3 }, { "a@@" D256, 3 },
	{ "http://a/b", 5 }, { "https://a.b/c", 6 }, { "docker://a", 7 }, { "oci://a", 4 },
	{ "docker-archive:/tmp/x", 16 }, { "a.b:/c", 5 }, { "a.b:0/c", 5 }, { "a.b:65536/c", 5 }, { "a.b:x/c", 5 },
	{ "a.b:-1/c", 5 }, { "a.b:1x/c", 5 }, { "a.b:99999999999999999999/c", 5 }, { "a.b:+1/c", 5 },
	{ "-a.b/c", 1 }, { "a-.b/c", 2 }, { "a.-b/c", 3 }, { ".a/c", 1 }, { "a..b/c", 2 }, { "a_b.c/d", 2 },
	{ "A_b/d", 2 }, { "[::1/a", 1 }, { "[]/a", 0 }, { "[::x]/a", 1 }, { "[::1]x/a", 6 }, { "[127.0.0.1]/a", 1 },
	{ "[::1]:/a", 7 }, { "[::1]:0/a", 7 }, { "[::1]", 1 }, { "a.b/", 5 }, { "localhost:5000/", 16 },
	{ "localhost:5000/a:", 18 }, { "localhost:5000/a@", 18 }, { "user@host.x/a", 6 }, { HEX64, 0 }, { D256, 0 },
	{ "a.b/" A128 A128, 0 }, { A128 A128, 0 }, { A128 A128 A128 A128 "a", 0 },
};
/* clang-format on */

static void every_good_name_has_its_two_forms(void **state)
{
	char text[REF_TEXT_MAX + 1];

	(void)state;
	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
		struct err err = ERR_NONE;
		struct ref ref;

		if (ref_parse(good[i].text, &ref, &err) < 0)
			fail_msg("%s: %s", good[i].text, err.msg);
		assert_string_equal(ref_canonical(&ref, text, sizeof(text)), good[i].canonical);
		assert_string_equal(ref_familiar(&ref, text, sizeof(text)), good[i].familiar);
	}
}

static void both_forms_parse_back_to_the_same(void **state)
{
	char text[REF_TEXT_MAX + 1];

	(void)state;
	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
		struct err err = ERR_NONE;
		struct ref ref, again;

		assert_int_equal(ref_parse(good[i].text, &ref, &err), 0);
		assert_int_equal(ref_parse(ref_canonical(&ref, text, sizeof(text)), &again, &err),
				 0);
		assert_memory_equal(&ref, &again, sizeof(ref));
		assert_int_equal(ref_parse(ref_familiar(&ref, text, sizeof(text)), &again, &err),
				 0);
		assert_memory_equal(&ref, &again, sizeof(ref));
	}
}

static void every_bad_name_is_refused_with_its_column(void **state)
{
	char wanted[32];

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		struct err err = ERR_NONE;
		struct ref ref = { .path = "kept" };

		if (ref_parse(bad[i].text, &ref, &err) == 0)
			fail_msg("taken: %s", bad[i].text);
		assert_int_equal(err.code, ERR_INVALID);
		assert_string_equal(ref.path, "kept");
		assert_null(strpbrk(err.msg, "\n\t\x7f\x01"));
		snprintf(wanted, sizeof(wanted), "column %u ", bad[i].column);
		if (bad[i].column && !strstr(err.msg, wanted))
			fail_msg("%s: wanted %s, got: %s", bad[i].text, wanted, err.msg);
	}
}

static void upper_case_in_the_path_has_its_own_text(void **state)
{
	struct err err = ERR_NONE;
	struct ref ref;

	(void)state;
	assert_int_equal(ref_parse("docker.io/Foo/bar", &ref, &err), -1);
	assert_non_null(strstr(err.msg, "lower case"));
}

static void an_id_is_no_repository_but_may_be_looked_up(void **state)
{
	struct err err = ERR_NONE;
	struct ref ref;

	(void)state;
	assert_int_equal(ref_parse(HEX64, &ref, &err), -1);
	assert_non_null(strstr(err.msg, "image id"));
	assert_true(ref_is_id(HEX64));
	assert_true(ref_is_id(D256));
	assert_false(ref_is_id("abcd"));
	assert_true(ref_may_be_short_id("abcd"));
	assert_true(ref_may_be_short_id("sha256:abcd"));
	assert_false(ref_may_be_short_id("abc"));
	assert_false(ref_may_be_short_id("nginx"));
	assert_false(ref_may_be_short_id(HEX64 "0"));
}

static void the_digest_decides_and_docker_hub_answers_elsewhere(void **state)
{
	struct err err = ERR_NONE;
	struct ref ref;

	(void)state;
	assert_int_equal(ref_parse("a:1@" D256, &ref, &err), 0);
	assert_string_equal(ref_target(&ref), D256);
	assert_int_equal(ref_parse("a:1", &ref, &err), 0);
	assert_string_equal(ref_target(&ref), "1");
	assert_string_equal(ref_api_host("docker.io"), "registry-1.docker.io");
	assert_string_equal(ref_api_host("quay.io"), "quay.io");
	assert_true(ref_is_digest(D512));
	assert_true(ref_is_tag("a.b"));
	assert_false(ref_is_tag(""));
	assert_true(ref_is_path("a/b"));
	assert_false(ref_is_path("a/B"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_good_name_has_its_two_forms),
		cmocka_unit_test(both_forms_parse_back_to_the_same),
		cmocka_unit_test(every_bad_name_is_refused_with_its_column),
		cmocka_unit_test(upper_case_in_the_path_has_its_own_text),
		cmocka_unit_test(an_id_is_no_repository_but_may_be_looked_up),
		cmocka_unit_test(the_digest_decides_and_docker_hub_answers_elsewhere),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
