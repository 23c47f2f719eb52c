/* tests/images/test_credentials - mirrors images/credentials and images/credential_helper. */
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
#include "base/cleanup.h"
#include "base/file.h"
#include "base/tree.h"
#include "images/credentials.h"

static char dir[] = P_tmpdir "/test_credentials.XXXXXX";
static unsigned warnings;

static void put(const char *name, const char *text, mode_t mode)
{
	AUTO(free) char *path = xformat("%s/%s", dir, name);
	AUTO(fd) int fd = open(path, O_CREAT | O_TRUNC | O_WRONLY | O_CLOEXEC, mode);

	assert_true(fd >= 0);
	assert_int_equal(file_write_all(fd, text, strlen(text)), 0);
}

static void make_folder(void)
{
	AUTO(free) char *path = xformat("%s/containers", dir);

	assert_int_equal(mkdir(path, 0700), 0);
}

static char *get(const char *name)
{
	AUTO(free) char *path = xformat("%s/%s", dir, name);
	struct err err = ERR_NONE;
	char *text = NULL;
	size_t len;

	file_read(AT_FDCWD, path, 65536, &text, &len, &err);
	return text;
}

/* A helper that keeps pairs in a file beside it. */
static const char helper[] =
	"#!/bin/sh\n"
	"keep=${0%/*}/kept\n"
	"case $1 in\n"
	"get) read -r key; echo \"$key\" >>\"${0%/*}/asked\"\n"
	"     [ \"$key\" = broken ] && { echo 'the keyring is locked' >&2; exit 1; }\n"
	"     [ \"$key\" = identity ] && { echo "
	"'{\"ServerURL\":\"x\",\"Username\":\"<token>\",\"Secret\":\"tok\"}'; exit; }\n"
	"     [ -e \"$keep\" ] && { cat \"$keep\"; exit; }\n"
	"     echo 'credentials not found in native keychain'; exit 1;;\n"
	"store) cat >\"$keep\";;\n"
	"erase) [ -e \"$keep\" ] || { echo 'credentials not found in native keychain'; exit 1; }; "
	"rm \"$keep\";;\n"
	"esac\n";

static int set_up(void **state)
{
	AUTO(free) char *path = NULL;

	(void)state;
	strcpy(dir + strlen(dir) - 6, "XXXXXX");
	assert_non_null(mkdtemp(dir));
	path = xformat("%s:/usr/bin:/bin", dir);
	setenv("PATH", path, 1);
	setenv("DOCKER_CONFIG", dir, 1);
	setenv("HOME", dir, 1);
	setenv("XDG_RUNTIME_DIR", dir, 1);
	unsetenv("REGISTRY_AUTH_FILE");
	put("docker-credential-test", helper, 0700);
	warnings = 0;
	return 0;
}

static int tear_down(void **state)
{
	AUTO(fd) int tmp_fd = open(P_tmpdir, O_DIRECTORY | O_CLOEXEC);
	struct err err = ERR_NONE;

	(void)state;
	return tree_remove(tmp_fd, strrchr(dir, '/') + 1, &err);
}

static void count_warning(void *ctx, const char *line)
{
	(void)ctx;
	(void)line;
	warnings++;
}

static struct credential found(const char *domain, const char *path)
{
	struct credential credential;
	struct err err = ERR_NONE;

	if (credentials_find(domain, path, &credential, count_warning, NULL, &err) < 0)
		fail_msg("%s", err.msg);
	return credential;
}

static void assert_user(const char *domain, const char *path, const char *user, const char *secret)
{
	struct credential credential = found(domain, path);

	if (!user) {
		assert_true(credential_is_empty(&credential));
	} else {
		assert_non_null(credential.user);
		assert_string_equal(credential.user, user);
		assert_string_equal(credential.secret, secret);
	}
	credential_clear(&credential);
}

static void every_form_of_key_finds_its_host(void **state)
{
	(void)state;
	put("config.json",
	    "{\"auths\":{\"https://index.docker.io/v1/\":{\"auth\":\"aHViOnB3\"},"
	    "\"https://a.example/v2/\":{\"auth\":\"dTpwOnc=\"},\"http://"
	    "b.example\":{\"auth\":\"dTpw\"},"
	    "\"localhost:5000\":{\"auth\":\"dTpwAAA=\"},\"c.example/team\":{\"auth\":\"dGVhbTpw\"},"
	    "\"c.example/team/"
	    "app\":{\"auth\":\"YXBwOnA=\"},\"c.example\":{\"auth\":\"YWxsOnA=\"}}}",
	    0600);
	assert_user("docker.io", "library/nginx", "hub", "pw");
	assert_user("a.example", "x", "u", "p:w");
	assert_user("b.example", "x", "u", "p");
	assert_user("localhost:5000", "x", "u", "p");
	assert_user("localhost", "x", NULL, NULL);
	assert_user("c.example", "team/app", "app", "p");
	assert_user("c.example", "team/other", "team", "p");
	assert_user("c.example", "teams", "all", "p");
	assert_user("c.example", NULL, "all", "p");
	assert_user("d.example", "x", NULL, NULL);
}

static void the_first_file_that_knows_wins(void **state)
{
	AUTO(free) char *first = xformat("%s/first.json", dir);

	(void)state;
	put("config.json", "{\"auths\":{\"a\":{\"auth\":\"b25lOnA=\"}}}", 0600);
	put("first.json", "{\"auths\":{\"b\":{\"auth\":\"dHdvOnA=\"}}}", 0600);
	make_folder();
	put("containers/auth.json",
	    "{\"auths\":{\"a\":{\"auth\":\"eDp5\"},\"c\":{\"auth\":\"dGhyZWU6cA==\"}}}", 0600);
	setenv("REGISTRY_AUTH_FILE", first, 1);
	assert_user("a", NULL, "one", "p");
	assert_user("b", NULL, "two", "p");
	assert_user("c", NULL, "three", "p");
}

static void a_broken_file_is_a_warning_and_is_passed_over(void **state)
{
	(void)state;
	put("config.json", "{ not json", 0600);
	make_folder();
	put("containers/auth.json", "{\"auths\":{\"a\":{\"auth\":\"dTpw\"}}}", 0600);
	assert_user("a", NULL, "u", "p");
	assert_int_equal(warnings, 1);
	put("config.json", "{\"auths\":{\"a\":{\"auth\":\"!!!!\"}}}", 0600);
	assert_user("a", NULL, "u", "p");
	assert_int_equal(warnings, 2);
}

static void tokens_are_taken_as_such(void **state)
{
	struct credential credential;

	(void)state;
	put("config.json",
	    "{\"auths\":{\"a\":{\"auth\":\"\",\"identitytoken\":\"id\"},"
	    "\"b\":{\"registrytoken\":\"reg\"}}}",
	    0600);
	credential = found("a", NULL);
	assert_string_equal(credential.identity_token, "id");
	credential_clear(&credential);
	credential = found("b", NULL);
	assert_string_equal(credential.registry_token, "reg");
	credential_clear(&credential);
}

static void helpers_are_asked_before_the_file(void **state)
{
	struct credential credential;
	struct err err = ERR_NONE;
	AUTO(free) char *asked = NULL;

	(void)state;
	put("config.json",
	    "{\"credHelpers\":{\"a.example\":\"test\",\"broken\":\"test\",\"identity\":\"test\","
	    "\"evil\":\"../../bin/sh\",\"gone\":\"absent\",\"docker.io\":\"test\"},"
	    "\"auths\":{\"a.example\":{\"auth\":\"dTpw\"}}}",
	    0600);
	assert_user("a.example", NULL, "u", "p"); /* the helper knows nothing */
	assert_user("docker.io", NULL, NULL, NULL);
	put("kept", "{\"ServerURL\":\"a\",\"Username\":\"helped\",\"Secret\":\"s\"}", 0600);
	assert_user("a.example", NULL, "helped", "s");
	credential = found("identity", NULL);
	assert_string_equal(credential.identity_token, "tok");
	credential_clear(&credential);
	asked = get("asked");
	assert_non_null(strstr(asked, "https://index.docker.io/v1/\n"));
	assert_int_equal(credentials_find("broken", NULL, &credential, NULL, NULL, &err), -1);
	assert_non_null(strstr(err.msg, "the keyring is locked"));
	err = ERR_NONE;
	assert_int_equal(credentials_find("gone", NULL, &credential, NULL, NULL, &err), -1);
	assert_non_null(strstr(err.msg, "docker-credential-absent"));
	assert_user("evil", NULL, NULL, NULL);
	assert_int_equal(warnings, 1);
}

static void a_login_is_kept_beside_what_else_the_file_holds(void **state)
{
	AUTO(free) char *where = NULL;
	AUTO(free) char *text = NULL;
	AUTO(free) char *path = xformat("%s/config.json", dir);
	struct err err = ERR_NONE;
	struct stat st;
	bool had;

	(void)state;
	put("config.json", "{\"psFormat\":\"table\",\"auths\":{\"a\":{\"auth\":\"dTpw\"}}}", 0600);
	assert_int_equal(credentials_store("localhost:5000", "me", "s:e", &where, &err), 0);
	assert_string_equal(where, path);
	assert_user("localhost:5000", NULL, "me", "s:e");
	assert_user("a", NULL, "u", "p");
	text = get("config.json");
	assert_non_null(strstr(text, "psFormat"));
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0600);
	assert_int_equal(credentials_erase("localhost:5000", &had, &err), 0);
	assert_true(had);
	assert_user("localhost:5000", NULL, NULL, NULL);
	assert_user("a", NULL, "u", "p");
	assert_int_equal(credentials_erase("localhost:5000", &had, &err), 0);
	assert_false(had);
}

static void docker_hub_is_kept_under_its_historic_key(void **state)
{
	AUTO(free) char *where = NULL;
	AUTO(free) char *text = NULL;
	struct err err = ERR_NONE;

	(void)state;
	assert_int_equal(credentials_store("docker.io", "me", "s", &where, &err), 0);
	text = get("config.json");
	assert_non_null(strstr(text, "index.docker.io"));
	assert_user("docker.io", "library/x", "me", "s");
}

static void a_helper_keeps_and_forgets(void **state)
{
	AUTO(free) char *where = NULL;
	AUTO(free) char *kept = NULL;
	struct err err = ERR_NONE;
	bool had;

	(void)state;
	put("config.json", "{\"credsStore\":\"test\"}", 0600);
	assert_int_equal(credentials_store("a", "me", "secret", &where, &err), 0);
	assert_string_equal(where, "docker-credential-test");
	kept = get("kept");
	assert_non_null(strstr(kept, "\"Secret\":\"secret\""));
	assert_int_equal(credentials_erase("a", &had, &err), 0);
	assert_true(had);
	assert_int_equal(credentials_erase("a", &had, &err), 0);
	assert_false(had);
}

static void helpers_are_known_without_running_them(void **state)
{
	(void)state;
	assert_false(credentials_have_helpers());
	put("config.json", "{\"auths\":{\"a\":{\"auth\":\"dTpw\"}}}", 0600);
	assert_false(credentials_have_helpers());
	put("config.json", "{\"credHelpers\":{\"a\":\"test\"}}", 0600);
	assert_true(credentials_have_helpers());
	put("config.json", "{\"credsStore\":\"test\"}", 0600);
	assert_true(credentials_have_helpers());
	assert_null(get("asked"));
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		TEST(every_form_of_key_finds_its_host),
		TEST(helpers_are_known_without_running_them),
		TEST(the_first_file_that_knows_wins),
		TEST(a_broken_file_is_a_warning_and_is_passed_over),
		TEST(tokens_are_taken_as_such),
		TEST(helpers_are_asked_before_the_file),
		TEST(a_login_is_kept_beside_what_else_the_file_holds),
		TEST(docker_hub_is_kept_under_its_historic_key),
		TEST(a_helper_keeps_and_forgets),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
