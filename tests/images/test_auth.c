/* tests/images/test_auth - mirrors images/auth. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "images/auth.h"

static struct auth_challenge challenge_of(const char *const *values)
{
	struct auth_challenge challenge = { 0 };

	for (size_t i = 0; values[i]; i++)
		auth_challenge_add(&challenge, values[i], strlen(values[i]));
	return challenge;
}
#define CHALLENGE(...) challenge_of((const char *const[]){ __VA_ARGS__, NULL })

static void challenges_are_read_in_every_form(void **state)
{
	/* clang-format off */
	static const struct { const char *a, *b; enum auth_scheme scheme; const char *realm, *service, *error; } rows[] = {
		{ "Bearer realm=\"https://a/t\",service=\"s\"", NULL, AUTH_BEARER, "https://a/t", "s", "" },
		{ "bearer REALM=\"https://a/t\" , Service=s", NULL, AUTH_BEARER, "https://a/t", "s", "" },
		{ "BEARER realm = \"https://a/t\"", NULL, AUTH_BEARER, "https://a/t", "", "" },
		{ "Basic realm=\"x\"", NULL, AUTH_BASIC, "x", "", "" },
		{ "Basic realm=\"x, y=\\\"z\\\"\"", NULL, AUTH_BASIC, "x, y=\"z\"", "", "" },
		{ "Basic realm=\"x\", Bearer realm=\"https://a\",service=\"s\"", NULL, AUTH_BEARER, "https://a", "s", "" },
		{ "Bearer realm=\"https://a\",service=\"s\", Basic realm=\"x\"", NULL, AUTH_BEARER, "https://a", "s", "" },
		{ "Basic realm=\"x\"", "Bearer realm=\"https://a\"", AUTH_BEARER, "https://a", "", "" },
		{ "Bearer realm=\"https://a\"", "Basic realm=\"x\"", AUTH_BEARER, "https://a", "", "" },
		{ "Negotiate", NULL, AUTH_OTHER, "", "", "" },
		{ "Negotiate", "Basic realm=\"x\"", AUTH_BASIC, "x", "", "" },
		{ "Negotiate, Basic realm=\"x\"", NULL, AUTH_BASIC, "x", "", "" },
		{ "Negotiate abcd==, Basic realm=\"x\"", NULL, AUTH_BASIC, "x", "", "" },
		{ "Bearer realm=\"https://a\",error=\"invalid_token\"", NULL, AUTH_BEARER, "https://a", "", "invalid_token" },
		{ ",,, Basic realm=\"x\",,", NULL, AUTH_BASIC, "x", "", "" },
		{ "Basic", NULL, AUTH_BASIC, "", "", "" },
		{ "Basic realm=\"never ends", NULL, AUTH_BASIC, "", "", "" },
		{ "Basic realm=\"ends in \\", NULL, AUTH_BASIC, "", "", "" },
		{ "Basic realm=", NULL, AUTH_BASIC, "", "", "" },
		{ "", NULL, AUTH_NONE, "", "", "" },
		{ "=", NULL, AUTH_NONE, "", "", "" },
		{ "\"x\"", NULL, AUTH_NONE, "", "", "" },
		{ "\x01\x02", NULL, AUTH_NONE, "", "", "" },
		{ "Bearer realm=\"a\",realm=\"https://b\"", NULL, AUTH_BEARER, "https://b", "", "" },
		{ "Bearer x=1,realm=\"https://b\",y=\"2\"", NULL, AUTH_BEARER, "https://b", "", "" },
	};
	/* clang-format on */

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct auth_challenge got = CHALLENGE(rows[i].a, rows[i].b);

		if (got.scheme != rows[i].scheme || strcmp(got.realm, rows[i].realm) != 0 ||
		    strcmp(got.service, rows[i].service) != 0 ||
		    strcmp(got.error, rows[i].error) != 0)
			fail_msg("row %zu: scheme %d realm %s service %s error %s", i, got.scheme,
				 got.realm, got.service, got.error);
	}
}

static void long_values_are_cut_and_do_not_overflow(void **state)
{
	char text[20000] = "Bearer realm=\"https://";
	struct auth_challenge got = { 0 };

	(void)state;
	memset(text + strlen(text), 'a', 15000);
	got = CHALLENGE(text);
	assert_int_equal(got.scheme, AUTH_BEARER);
	got = CHALLENGE(strcat(text, "\""));
	assert_true(strlen(got.realm) < sizeof(got.realm));
}

static void the_token_url_carries_service_and_scopes_escaped(void **state)
{
	const char *const scopes[] = { "repository:a/b:pull", "repository:c d:pull,push", NULL };
	const char *const none[] = { NULL };
	struct auth_challenge challenge =
		CHALLENGE("Bearer realm=\"https://a/t\",service=\"my service&x\"");
	struct auth_challenge query = CHALLENGE("Bearer realm=\"https://a/t?x=1\",service=s");
	struct auth_challenge file = CHALLENGE("Bearer realm=\"file:///etc/passwd\"");
	struct err err = ERR_NONE;
	char *url;

	(void)state;
	assert_int_equal(auth_token_url(&challenge, scopes, &url, &err), 0);
	assert_string_equal(url, "https://a/t?service=my%20service%26x&scope=repository:a/b:pull"
				 "&scope=repository:c%20d:pull,push");
	free(url);
	assert_int_equal(auth_token_url(&query, none, &url, &err), 0);
	assert_string_equal(url, "https://a/t?x=1&service=s");
	free(url);
	assert_int_equal(auth_token_url(&file, none, &url, &err), -1);
	assert_null(url);
	url = auth_token_form(&query, scopes, "a+b/c=");
	assert_string_equal(url, "grant_type=refresh_token&client_id=stack&service=s&scope="
				 "repository:a/b:pull%20repository:c%20d:pull,push"
				 "&refresh_token=a%2Bb/c%3D");
	auth_forget(url);
}

static void token_answers_are_checked(void **state)
{
	/* clang-format off */
	static const struct { const char *text, *token; uint64_t life_s; } rows[] = {
		{ "{\"token\":\"abc\"}", "abc", 60 },
		{ "{\"access_token\":\"abc\",\"expires_in\":300}", "abc", 300 },
		{ "{\"token\":\"\",\"access_token\":\"abc\",\"expires_in\":1}", "abc", 60 },
		{ "{\"token\":\"a\",\"expires_in\":-5}", "a", 60 },
		{ "{\"token\":\"a\",\"expires_in\":99999999999}", "a", 30 * 24 * 3600 },
		{ "{}", NULL, 0 }, { "[]", NULL, 0 }, { "", NULL, 0 }, { "{\"token\":7}", NULL, 0 },
		{ "{\"token\":\"a b\"}", NULL, 0 },
		{ "{\"token\":\"a\\r\\nX-Evil: 1\"}", NULL, 0 },
		{ "{\"token\":\"a\\u00e9\"}", NULL, 0 },
	};
	/* clang-format on */

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct err err = ERR_NONE;
		char *token = NULL;
		uint64_t life_s = 0;
		int result =
			auth_token_parse(rows[i].text, strlen(rows[i].text), &token, &life_s, &err);

		assert_int_equal(result, rows[i].token ? 0 : -1);
		if (rows[i].token) {
			assert_string_equal(token, rows[i].token);
			assert_int_equal(life_s, rows[i].life_s);
		}
		auth_forget(token);
	}
}

static void a_cached_token_is_renewed_before_it_dies(void **state)
{
	AUTO(auth_cache) struct auth_cache *cache = auth_cache_new();

	(void)state;
	auth_cache_put(cache, "k", "one", 1000000, 100);
	assert_string_equal(auth_cache_get(cache, "k", 80000000), "one");
	assert_null(auth_cache_get(cache, "k", 81000000));
	assert_null(auth_cache_get(cache, "other", 0));
	auth_cache_put(cache, "k", "two", 81000000, 0);
	assert_string_equal(auth_cache_get(cache, "k", UINT64_MAX), "two");
}

static void headers_are_built_as_the_rfc_says(void **state)
{
	char *basic = auth_basic_header("Aladdin", "open sesame");
	char *bearer = auth_bearer_header("t");

	(void)state;
	assert_string_equal(basic, "Authorization: Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==");
	assert_string_equal(bearer, "Authorization: Bearer t");
	auth_forget(basic);
	auth_forget(bearer);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(challenges_are_read_in_every_form),
		cmocka_unit_test(long_values_are_cut_and_do_not_overflow),
		cmocka_unit_test(the_token_url_carries_service_and_scopes_escaped),
		cmocka_unit_test(token_answers_are_checked),
		cmocka_unit_test(a_cached_token_is_renewed_before_it_dies),
		cmocka_unit_test(headers_are_built_as_the_rfc_says),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
