/* tests/orchestrator/k_transfer - pulls from a registry that misbehaves (tests/registry/fault.py).
 *
 * Runs in a network namespace of its own; the registry and the storage that it redirects to are on
 * its loopback. Every refused pull must leave nothing behind.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <linux/landlock.h>
#include <sys/syscall.h>

#include "base/arena.h"
#include "specs/model.h"
#include "tests/orchestrator/transfer_room.h"

/* ---- what is overcome ---- */

static void a_cut_connection_resumes_where_it_was_cut(void **state)
{
	(void)state;
	pull_well("cut");
	assert_int_equal(count_in_log("range=bytes=1048576-"), 1);
	assert_int_equal(count_in_log("range=bytes=2097152-"), 1);
	assert_int_equal(count_in_log(" sent=1048576"), 3);
}

static void a_server_without_ranges_is_read_past_what_is_known(void **state)
{
	(void)state;
	pull_well("cutnorange");
	assert_int_equal(count_in_log("range=bytes=1048576-"), 1);
}

static void another_range_than_asked_for_starts_over(void **state)
{
	(void)state;
	pull_well("liarrange");
}

static void busy_servers_are_asked_again(void **state)
{
	uint64_t begin = stamp_monotonic_us();

	(void)state;
	pull_well("busy");
	assert_int_equal(count_in_log("/manifests/1 503"), 2);
	pull_well("later"); /* Retry-After: 1, for the manifest and for what follows */
	assert_true(stamp_monotonic_us() - begin >= 1000000);
	assert_int_equal(count_in_log("/manifests/1 429"), 1);
}

static void a_slow_drip_is_no_error(void **state)
{
	(void)state;
	pull_well("drip");
}

static void a_redirect_to_another_host_takes_no_authorization_along(void **state)
{
	(void)state;
	pull_well("redirect");
	assert_true(count_in_log("GET /signed/") >= 2);
	assert_int_equal(count_in_log(" 400 auth=yes"), 0);
	assert_true(count_in_log(" 307 auth=yes") >= 2);
}

static void an_expired_address_is_asked_for_anew(void **state)
{
	(void)state;
	pull_well("signed");
	assert_true(count_in_log("GET /expired/") >= 1);
}

static void a_token_that_dies_in_mid_pull_loses_no_bytes(void **state)
{
	(void)state;
	pull_well("expire");
	assert_true(count_in_log("GET /token") >= 3);
	assert_int_equal(count_in_log("206 auth=yes range=bytes=1048576-"), 1);
}

static void a_password_is_exchanged_for_a_token(void **state)
{
	(void)state;
	put("config.json", "{\"auths\":{\"" HOST "\":{\"auth\":\"dXNlcjpwYXNz\"}}}");
	pull_well("token");
	assert_int_equal(count_in_log("GET /token"), 1); /* one for manifest and blobs */
}

static void an_identity_token_is_posted(void **state)
{
	(void)state;
	put("config.json", "{\"auths\":{\"" HOST "\":{\"identitytoken\":\"identity-secret\"}}}");
	pull_well("refresh");
	assert_int_equal(count_in_log("POST /token 200"), 1);
}

static void an_index_with_an_attestation_gives_the_image(void **state)
{
	(void)state;
	pull_well("index");
}

static void an_unchanged_image_costs_one_request(void **state)
{
	struct seen seen = { 0 };
	struct err err;

	(void)state;
	pull_well("plain");
	assert_int_equal(truncate(log_path, 0), 0);
	assert_int_equal(pull("plain", &seen, &err), 0);
	assert_int_equal(seen.done, 1);
	assert_int_equal(count_in_log("HEAD "), 1);
	assert_int_equal(count_in_log("GET "), 0);
}

static void equal_layers_of_several_images_travel_once(void **state)
{
	static const char *const refs[] = { HOST "/plain/a:1", HOST "/plain/b:1", HOST "/plain/a:1",
					    HOST "/plain/c:1" };
	struct seen seen = { 0 };
	struct err err = ERR_NONE;
	const struct transfer_options options = {
		.root = root,
		.runtime_root = run,
		.progress = watch,
		.progress_ctx = &seen,
	};

	(void)state;
	assert_int_equal(transfer_pull(refs, 4, &options, &err), 0);
	assert_int_equal(seen.done, 4);
	assert_int_equal(count_in_log("sent=3"), 1); /* the big one: 3 MiB */
	assert_int_equal(entries("layers"), 2);
}

static void one_bad_image_does_not_spoil_the_others(void **state)
{
	static const char *const refs[] = { HOST "/wrongdigest/a:1", HOST "/plain/b:1", "Bad Name",
					    HOST "/plain/c:7" };
	struct seen seen = { 0 };
	struct err err = ERR_NONE;
	const struct transfer_options options = {
		.root = root,
		.runtime_root = run,
		.progress = watch,
		.progress_ctx = &seen,
	};

	(void)state;
	assert_int_equal(transfer_pull(refs, 4, &options, &err), -1);
	assert_true(seen.failed >=
		    2); /* the first may get its layer from the second's repository */
	assert_int_equal(seen.done + seen.failed, 4);
	assert_int_equal(images_in_store(), 1);
}

static void a_mirror_without_the_image_is_passed_over_and_gets_no_password(void **state)
{
	(void)state;
	put("config.json", "{\"auths\":{\"" HOST "\":{\"auth\":\"dXNlcjpwYXNz\"}}}");
	put("stack.json", "{\"images\":{\"snapshotter\":\"dir\"}}");
	put("registries.json",
	    "{\"registries\":{\"" HOST "\":{\"mirrors\":[\"http://127.0.0.1:5002\"]}}}");
	pull_well("token");
	assert_int_equal(count_in_log(" 400 auth=yes"), 0);
	put("registries.json", "{}");
}

/* The registry of faults understands absolute addresses, too: as a proxy that answers by itself. */
static void a_proxy_is_used_and_its_password_never_told(void **state)
{
	struct seen seen = { 0 };
	struct err err;

	(void)state;
	put("registries.json",
	    "{\"registries\":{\"" HOST "\":{\"mirrors\":[\"http://far.example\"]}}}");
	setenv("http_proxy", "http://me:secret@127.0.0.1:5001", 1);
	pull_well("plain");
	assert_true(count_in_log("GET http://far.example/v2/plain/x/manifests/1 200") == 1);
	setenv("http_proxy", "http://me:secret@127.0.0.1:5009", 1);
	assert_int_equal(pull("empty", &seen, &err),
			 -1); /* no proxy for the loopback: the origin answers */
	assert_non_null(strstr(err.msg, "not found in registry " HOST));
	assert_null(strstr(err.msg, "secret"));
	unsetenv("http_proxy");
	put("registries.json", "{}");
}

static void a_mirrors_bad_bytes_are_fetched_again_from_the_origin(void **state)
{
	(void)state;
	put("registries.json",
	    "{\"registries\":{\"" HOST "\":{\"mirrors\":[\"http://far.example\"]}}}");
	setenv("http_proxy", "http://127.0.0.1:5001", 1);
	pull_well("mirrored");
	assert_int_equal(count_in_log(" 200 sent=3146927"), 2);
	assert_int_equal(count_in_log("GET /v2/mirrored/x/blobs/"), 1);
	unsetenv("http_proxy");
	put("registries.json", "{}");
}

static void a_killed_pull_goes_on_from_its_bytes(void **state)
{
	struct seen seen = { 0 };
	struct err err;
	pid_t child;
	int status;

	(void)state;
	child = fork();
	if (child == 0) {
		seen.die_at_bytes = 1 << 20;
		pull("drip", &seen, &err);
		_exit(1);
	}
	waitpid(child, &status, 0);
	assert_true(WIFSIGNALED(status));
	assert_int_equal(images_in_store(), 0);
	assert_int_equal(truncate(log_path, 0), 0);
	pull_well("plain");
	assert_int_equal(count_in_log("206 range=bytes=1"), 1);
}

static void a_cut_push_sends_only_the_rest(void **state)
{
	const struct transfer_push_options push = { .target = HOST "/cutpush/x:1" };
	struct seen seen = { 0 };
	const struct transfer_options options = {
		.root = root,
		.runtime_root = run,
		.progress = watch,
		.progress_ctx = &seen,
	};
	struct err err = ERR_NONE;

	(void)state;
	pull_well("plain");
	assert_int_equal(truncate(log_path, 0), 0);
	if (transfer_push(HOST "/plain/x:1", &push, &options, &err) < 0)
		fail_msg("%s", err.msg);
	assert_int_equal(seen.done, 1);
	assert_int_equal(count_in_log(" cut"), 1);
	assert_int_equal(count_in_log("PATCH "), 1);
	assert_int_equal(count_in_log("PUT /v2/cutpush/x/manifests/1 201"), 1);
}

static void a_push_of_what_is_not_here_or_to_nobody_is_told(void **state)
{
	const struct transfer_push_options none = { 0 }, away = { .target = "127.0.0.1:5009/a:1" },
					   odd = { .compression = "lzma" };
	const struct transfer_options options = { .root = root, .runtime_root = run };
	struct err err = ERR_NONE;

	(void)state;
	assert_int_equal(transfer_push(HOST "/absent:1", &none, &options, &err), -1);
	assert_int_equal(err.code, ERR_NOT_FOUND);
	pull_well("plain");
	assert_int_equal(transfer_push(HOST "/plain/x:1", &away, &options, &err), -1);
	assert_non_null(strstr(err.msg, "cannot connect"));
	assert_int_equal(transfer_push(HOST "/plain/x:1", &odd, &options, &err), -1);
	assert_non_null(strstr(err.msg, "gzip or zstd"));
}

static void policies_are_words(void **state)
{
	/* clang-format off */
	static const struct { const char *word; int result; enum transfer_policy policy; uint64_t age_s; } rows[] = {
		{ "always", 0, TRANSFER_ALWAYS, 0 },     { "missing", 0, TRANSFER_MISSING, 0 },
		{ "if_not_present", 0, TRANSFER_MISSING, 0 }, { "daily", 0, TRANSFER_AGED, 86400 },
		{ "weekly", 0, TRANSFER_AGED, 604800 },  { "every_12h", 0, TRANSFER_AGED, 43200 },
		{ "every_1h30m", 0, TRANSFER_AGED, 5400 }, { "every_", -1, 0, 0 }, { "every_x", -1, 0, 0 },
		{ "never", -1, 0, 0 },                   { "", -1, 0, 0 },
	};
	/* clang-format on */

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		enum transfer_policy policy = TRANSFER_ALWAYS;
		uint64_t age_s = 0;
		struct err err = ERR_NONE;

		assert_int_equal(transfer_policy_parse(rows[i].word, &policy, &age_s, &err),
				 rows[i].result);
		assert_int_equal(policy, rows[i].policy);
		assert_int_equal(age_s, rows[i].age_s);
	}
}

static void refreshing_is_a_policy_by_age(void **state)
{
	/* clang-format off */
	static const struct { const char *policy; struct opt_time after; const char *wanted; } rows[] = {
		{ NULL, { 0, false }, NULL },
		{ "daily", { 0, false }, "daily" },
		{ "never", { 5000000, true }, "never" }, /* another policy counts alone */
		{ "refresh", { 0, false }, "always" },
		{ "refresh", { 5400000000, true }, "every_5400000000us" },
		{ NULL, { 5400000000, true }, "every_5400000000us" },
	};
	/* clang-format on */
	AUTO(arena) struct arena *arena = arena_new();

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		const struct service service = { .pull_policy = rows[i].policy,
						 .pull_refresh_after = rows[i].after };
		const char *word = transfer_policy_of(arena, &service);
		enum transfer_policy policy;
		struct err err = ERR_NONE;
		uint64_t age_s;

		if (!rows[i].wanted) {
			assert_null(word);
			continue;
		}
		assert_string_equal(word, rows[i].wanted);
		if (!rows[i].after.is_set || strcmp(word, "never") == 0)
			continue;
		assert_int_equal(transfer_policy_parse(word, &policy, &age_s, &err), 0);
		assert_int_equal(policy, TRANSFER_AGED);
		assert_int_equal(age_s, 5400);
	}
}

/* In a process of its own: there is no way back. */
static int confined_pull(void)
{
	const char *const refs[] = { HOST "/plain/x:1" };
	const struct transfer_options options = { .root = root,
						  .runtime_root = run,
						  .flags = TRANSFER_CONFINED };
	AUTO(free) char *outside = xformat("%s/outside", dir);
	AUTO(free) char *inside = xformat("%s/images/tmp/inside", root);
	struct err err = ERR_NONE;
	int fd;

	if (transfer_pull(refs, 1, &options, &err) < 0)
		return 1;
	fd = open(outside, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	if (fd >= 0 || errno != EACCES)
		return 2;
	if (mkdir(outside, 0700) == 0 || symlink("x", outside) == 0 || unlink(log_path) == 0)
		return 3;
	fd = open(inside, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	if (fd < 0)
		return 4;
	close(fd);
	execl("/bin/true", "true", NULL);
	if (errno != EACCES)
		return 5;
	if (prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) != 1 || prctl(PR_GET_DUMPABLE) != 0)
		return 6;
	return socket(AF_INET, SOCK_RAW, 1) < 0 && errno == EPERM ? 0 : 7; /* CAP_NET_RAW is gone */
}

static long landlock_version(void)
{
	return syscall(SYS_landlock_create_ruleset, NULL, 0, LANDLOCK_CREATE_RULESET_VERSION);
}

static void a_worker_writes_nothing_outside_the_store(void **state)
{
	int status;
	pid_t child;

	(void)state;
	if (landlock_version() < 2)
		skip();
	child = fork();
	if (child == 0)
		_exit(confined_pull());
	waitpid(child, &status, 0);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 0);
	assert_int_equal(images_in_store(), 1);
}

static void images_are_due_by_age(void **state)
{
	struct err err = ERR_NONE;
	AUTO(store) struct store *store = NULL;

	(void)state;
	pull_well("plain");
	store = transfer_store_open(root, run, NULL, &err);
	assert_non_null(store);
	assert_true(transfer_policy_is_due(store, HOST "/plain/x:1", TRANSFER_ALWAYS, 0));
	assert_false(transfer_policy_is_due(store, HOST "/plain/x:1", TRANSFER_MISSING, 0));
	assert_false(transfer_policy_is_due(store, HOST "/plain/x:1", TRANSFER_AGED, 86400));
	assert_true(transfer_policy_is_due(store, HOST "/plain/x:1", TRANSFER_AGED, 0));
	assert_false(transfer_policy_is_due(store, "never/pulled:1", TRANSFER_AGED, 0));
}

static void waits_are_told(void **state)
{
	struct seen seen = { 0 };
	struct err err;

	(void)state;
	assert_int_equal(pull("later/again", &seen, &err), 0);
	assert_true(seen.retries >= 1);
}

/* ---- what is refused ---- */

static void faults_are_told_in_one_line_and_leave_nothing(void **state)
{
	/* clang-format off */
	static const struct { const char *fault; enum err_code code; const char *says; } rows[] = {
		{ "long", ERR_INVALID, "layer 1 of 2: the registry announces another size" },
		{ "endless", ERR_INVALID, "sends more than it should" },
		{ "wrongdigest", ERR_INVALID, "layer 1 of 2" },
		{ "wrongmanifest", ERR_INVALID, "manifest: digest is" },
		{ "rate", ERR_BUSY, "rate limit of " HOST " reached (100 pulls per 6 h)" },
		{ "loop", ERR_INVALID, "redirects" },
		{ "nowhere", ERR_INVALID, "redirects to no usable address" },
		{ "never", ERR_DENIED, "access denied" },
		{ "token", ERR_DENIED, "stack login " HOST },
		{ "badrealm", ERR_DENIED, "speaks plain HTTP; no password is sent" },
		{ "negotiate", ERR_UNSUPPORTED, "Negotiate" },
		{ "garbage", ERR_INVALID, "not JSON" },
		{ "huge", ERR_INVALID, "too large" },
		{ "headers", ERR_INVALID, "headers above" },
		{ "selfindex", ERR_INVALID, "deeper than 2" },
		{ "empty", ERR_NOT_FOUND, "not found in registry " HOST },
	};
	/* clang-format on */

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct seen seen = { 0 };
		struct err err;

		if (pull(rows[i].fault, &seen, &err) == 0)
			fail_msg("%s: pulled", rows[i].fault);
		if (err.code != rows[i].code || !strstr(err.msg, rows[i].says))
			fail_msg("%s: %s (%s)", rows[i].fault, err.msg, err_code_name(err.code));
		assert_null(strpbrk(err.msg, "\n\r\x1b"));
		assert_int_equal(seen.failed, 1);
		assert_int_equal(images_in_store(), 0);
		if (entries("layers") + entries("names") + entries("records") + entries("tmp"))
			fail_msg("%s: leaves %u layers, %u names, %u records, %u in tmp",
				 rows[i].fault, entries("layers"), entries("names"),
				 entries("records"), entries("tmp"));
		assert_int_equal(set_up(NULL), 0);
	}
}

static void a_wrong_password_is_told_and_never_kept(void **state)
{
	AUTO(free) char *where = NULL;
	AUTO(free) char *text = NULL;
	const struct transfer_options options = { .root = root, .runtime_root = run };
	struct err err = ERR_NONE;

	(void)state;
	put("config.json", "{\"auths\":{\"" HOST "\":{\"auth\":\"dXNlcjp3cm9uZw==\"}}}");
	{
		struct seen seen = { 0 };

		assert_int_equal(pull("token", &seen, &err), -1);
		assert_int_equal(err.code, ERR_DENIED);
		assert_non_null(strstr(err.msg, "wrong user name or password"));
		assert_null(strstr(err.msg, "wrong="));
	}
	err = ERR_NONE;
	assert_int_equal(transfer_login("127.0.0.1:5009", "me", "x", &options, &where, &err), -1);
	assert_non_null(strstr(err.msg, "cannot connect"));
	assert_null(where);
}

static void nobody_listening_is_told_soon(void **state)
{
	static const char *const refs[] = { "127.0.0.1:5009/a:1" };
	const struct transfer_options options = { .root = root, .runtime_root = run };
	uint64_t begin = stamp_monotonic_us();
	struct err err = ERR_NONE;

	(void)state;
	assert_int_equal(transfer_pull(refs, 1, &options, &err), -1);
	assert_string_equal(err.msg, "image 127.0.0.1:5009/a:1: registry 127.0.0.1:5009: cannot "
				     "connect: Connection refused");
	assert_true(stamp_monotonic_us() - begin < 10000000);
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup(f, set_up)
	const struct CMUnitTest tests[] = {
		TEST(a_cut_connection_resumes_where_it_was_cut),
		TEST(a_server_without_ranges_is_read_past_what_is_known),
		TEST(another_range_than_asked_for_starts_over),
		TEST(busy_servers_are_asked_again),
		TEST(a_slow_drip_is_no_error),
		TEST(a_redirect_to_another_host_takes_no_authorization_along),
		TEST(an_expired_address_is_asked_for_anew),
		TEST(a_token_that_dies_in_mid_pull_loses_no_bytes),
		TEST(a_password_is_exchanged_for_a_token),
		TEST(an_identity_token_is_posted),
		TEST(an_index_with_an_attestation_gives_the_image),
		TEST(an_unchanged_image_costs_one_request),
		TEST(equal_layers_of_several_images_travel_once),
		TEST(one_bad_image_does_not_spoil_the_others),
		TEST(a_mirror_without_the_image_is_passed_over_and_gets_no_password),
		TEST(a_proxy_is_used_and_its_password_never_told),
		TEST(a_mirrors_bad_bytes_are_fetched_again_from_the_origin),
		TEST(a_killed_pull_goes_on_from_its_bytes),
		TEST(a_cut_push_sends_only_the_rest),
		TEST(a_push_of_what_is_not_here_or_to_nobody_is_told),
		TEST(policies_are_words),
		TEST(refreshing_is_a_policy_by_age),
		TEST(images_are_due_by_age),
		TEST(a_worker_writes_nothing_outside_the_store),
		TEST(waits_are_told),
		TEST(faults_are_told_in_one_line_and_leave_nothing),
		TEST(a_wrong_password_is_told_and_never_kept),
		TEST(nobody_listening_is_told_soon),
	};

	return cmocka_run_group_tests(tests, set_up_all, tear_down_all);
}
