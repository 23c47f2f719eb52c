/* tests/orchestrator/test_profile - mirrors orchestrator/profile. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>
#include <linux/capability.h>

#include "orchestrator/profile.h"

#define BIT(number) (1ull << (number))
#define ALL         (BIT(CAP_LAST_CAP + 1) - 1)
#define DEFAULT     0xa80425fbull /* what docker's users find in CapEff of a plain container */

struct row {
	const char *add[4], *drop[4];
	bool privileged;
	uint64_t wanted;
};

/* clang-format off */
static const struct row rows[] = {
	{ { NULL }, { NULL }, false, DEFAULT },
	{ { NULL }, { NULL }, true, ALL },
	{ { "NET_ADMIN" }, { NULL }, false, DEFAULT | BIT(CAP_NET_ADMIN) },
	{ { "CAP_NET_ADMIN" }, { NULL }, false, DEFAULT | BIT(CAP_NET_ADMIN) },
	{ { "net_admin", "cap_sys_time" }, { NULL }, false, DEFAULT | BIT(CAP_NET_ADMIN) | BIT(CAP_SYS_TIME) },
	{ { "CHECKPOINT_RESTORE" }, { NULL }, false, DEFAULT | BIT(CAP_CHECKPOINT_RESTORE) },
	{ { "CHOWN" }, { NULL }, false, DEFAULT },
	{ { "ALL" }, { NULL }, false, ALL },
	{ { "all" }, { "MKNOD" }, false, ALL & ~BIT(CAP_MKNOD) },
	{ { "CAP_ALL" }, { NULL }, false, ALL },
	{ { NULL }, { "ALL" }, false, 0 },
	{ { "CHOWN", "NET_BIND_SERVICE" }, { "ALL" }, false, BIT(CAP_CHOWN) | BIT(CAP_NET_BIND_SERVICE) },
	{ { "ALL" }, { "ALL" }, false, ALL },
	{ { NULL }, { "NET_RAW", "MKNOD" }, false, DEFAULT & ~BIT(CAP_NET_RAW) & ~BIT(CAP_MKNOD) },
	{ { NULL }, { "SYS_ADMIN" }, false, DEFAULT },
	{ { "NET_ADMIN" }, { "NET_ADMIN" }, false, DEFAULT },
	{ { NULL }, { "CHOWN" }, true, ALL },
};
/* clang-format on */

static struct texts texts_of(const char **items)
{
	struct texts texts = { items, 0 };

	while (texts.count < 4 && items[texts.count])
		texts.count++;
	return texts;
}

static void capabilities_are_added_and_dropped(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		struct row row = rows[i];
		struct texts add = texts_of(row.add), drop = texts_of(row.drop);
		struct err err = ERR_NONE;
		cap_set got = 1;

		assert_int_equal(profile_capabilities(&add, &drop, row.privileged, &got, &err), 0);
		if (got != row.wanted)
			fail_msg("row %zu: %llx, wanted %llx", i, (unsigned long long)got,
				 (unsigned long long)row.wanted);
	}
}

static void an_unknown_capability_is_named_with_a_near_one(void **state)
{
	/* clang-format off */
	static const struct { const char *add, *drop, *message; } wrong[] = {
		{ "NET_ADMN", NULL, "cap_add: unknown capability \"NET_ADMN\", did you mean \"NET_ADMIN\"?" },
		{ NULL, "NET_ROW", "cap_drop: unknown capability \"NET_ROW\", did you mean \"NET_RAW\"?" },
		{ "ZZZZZZZZZZZZ", NULL, "cap_add: unknown capability \"ZZZZZZZZZZZZ\"" },
		{ "", NULL, "cap_add: unknown capability \"\"" },
		{ "CAP_", NULL, "cap_add: unknown capability \"CAP_\"" },
	};
	/* clang-format on */

	(void)state;
	for (size_t i = 0; i < sizeof(wrong) / sizeof(*wrong); i++) {
		const char *add_items[] = { wrong[i].add }, *drop_items[] = { wrong[i].drop };
		struct texts add = { add_items, wrong[i].add ? 1 : 0 };
		struct texts drop = { drop_items, wrong[i].drop ? 1 : 0 };
		struct err err = ERR_NONE;
		cap_set got;

		assert_int_equal(profile_capabilities(&add, &drop, false, &got, &err), -1);
		assert_int_equal(err.code, ERR_INVALID);
		assert_string_equal(err.msg, wrong[i].message);
	}
}

static void a_name_longer_than_any_is_refused_whole(void **state)
{
	char name[300];
	const char *items[] = { name };
	struct texts add = { items, 1 }, none = { NULL, 0 };
	struct err err = ERR_NONE;
	cap_set got;

	(void)state;
	memset(name, 'A', sizeof(name) - 1);
	name[sizeof(name) - 1] = '\0';
	assert_int_equal(profile_capabilities(&add, &none, false, &got, &err), -1);
	assert_int_equal(err.code, ERR_INVALID);
}

static void every_capability_of_the_kernel_has_its_name(void **state)
{
	(void)state;
	assert_string_equal(profile_capability_name(CAP_CHOWN), "CAP_CHOWN");
	assert_string_equal(profile_capability_name(CAP_NET_ADMIN), "CAP_NET_ADMIN");
	assert_string_equal(profile_capability_name(CAP_SYS_ADMIN), "CAP_SYS_ADMIN");
	assert_string_equal(profile_capability_name(CAP_SYSLOG), "CAP_SYSLOG");
	assert_string_equal(profile_capability_name(CAP_BPF), "CAP_BPF");
	assert_string_equal(profile_capability_name(CAP_LAST_CAP), "CAP_CHECKPOINT_RESTORE");
	assert_null(profile_capability_name(CAP_LAST_CAP + 1));
	assert_null(profile_capability_name(4000000000u));
}

static bool has(const char *const *list, const char *text)
{
	for (; *list; list++)
		if (strcmp(*list, text) == 0)
			return true;
	return false;
}

static void secrets_of_the_kernel_are_masked(void **state)
{
	static const char *const masked[] = { "/proc/kcore", "/proc/keys", "/proc/acpi",
					      "/sys/firmware", "/proc/timer_list" };

	(void)state;
	for (size_t i = 0; i < sizeof(masked) / sizeof(*masked); i++)
		assert_true(has(profile_masked_paths, masked[i]));
	assert_true(has(profile_readonly_paths, "/proc/sys"));
	assert_true(has(profile_readonly_paths, "/proc/sysrq-trigger"));
}

static const struct profile_mount *mount_at(const char *destination)
{
	for (const struct profile_mount *mount = profile_mounts; mount->destination; mount++)
		if (strcmp(mount->destination, destination) == 0)
			return mount;
	fail_msg("no mount at %s", destination);
	return NULL;
}

static void kernel_views_are_mounted_tight(void **state)
{
	(void)state;
	assert_true(has(mount_at("/sys")->options, "ro"));
	assert_true(has(mount_at("/sys/fs/cgroup")->options, "ro"));
	assert_true(has(mount_at("/dev/pts")->options, "newinstance"));
	assert_string_equal(mount_at("/proc")->type, "proc");
	for (const struct profile_mount *mount = profile_mounts; mount->destination; mount++)
		assert_true(has(mount->options, "nosuid"));
}

static void rlimits_have_their_long_names(void **state)
{
	(void)state;
	assert_string_equal(profile_rlimit("nofile"), "RLIMIT_NOFILE");
	assert_string_equal(profile_rlimit("as"), "RLIMIT_AS");
	assert_string_equal(profile_rlimit("stack"), "RLIMIT_STACK");
	assert_null(profile_rlimit("NOFILE"));
	assert_null(profile_rlimit("nofiles"));
	assert_null(profile_rlimit(""));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(capabilities_are_added_and_dropped),
		cmocka_unit_test(an_unknown_capability_is_named_with_a_near_one),
		cmocka_unit_test(a_name_longer_than_any_is_refused_whole),
		cmocka_unit_test(every_capability_of_the_kernel_has_its_name),
		cmocka_unit_test(secrets_of_the_kernel_are_masked),
		cmocka_unit_test(kernel_views_are_mounted_tight),
		cmocka_unit_test(rlimits_have_their_long_names),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
