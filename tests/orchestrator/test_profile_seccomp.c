/* tests/orchestrator/test_profile_seccomp - mirrors orchestrator/profile_seccomp. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>
#include <errno.h>
#include <linux/capability.h>

#include "base/cleanup.h"
#include "base/json.h"
#include "orchestrator/profile_seccomp.h"

#define BIT(number) (1ull << (number))
#define DEFAULT     0xa80425fbull
#define HEADER      "/usr/include/seccomp-syscalls.h" /* every name that libseccomp knows */

struct row {
	const char *name;
	cap_set caps;
	enum seccomp_answer answer;
};

/* clang-format off */
static const struct row rows[] = {
	{ "read", 0, SECCOMP_ALLOWED },
	{ "execve", 0, SECCOMP_ALLOWED },
	{ "futex_waitv", 0, SECCOMP_ALLOWED },
	{ "ptrace", DEFAULT, SECCOMP_ALLOWED },
	{ "clone", DEFAULT, SECCOMP_DEPENDS },
	{ "clone", BIT(CAP_SYS_ADMIN), SECCOMP_ALLOWED },
	{ "clone3", DEFAULT, SECCOMP_REFUSED },
	{ "clone3", BIT(CAP_SYS_ADMIN), SECCOMP_ALLOWED },
	{ "unshare", DEFAULT, SECCOMP_REFUSED },
	{ "unshare", BIT(CAP_SYS_ADMIN), SECCOMP_ALLOWED },
	{ "mount", DEFAULT, SECCOMP_REFUSED },
	{ "mount", BIT(CAP_SYS_ADMIN), SECCOMP_ALLOWED },
	{ "bpf", DEFAULT, SECCOMP_REFUSED },
	{ "bpf", BIT(CAP_BPF), SECCOMP_ALLOWED },
	{ "bpf", BIT(CAP_SYS_ADMIN), SECCOMP_ALLOWED },
	{ "perf_event_open", BIT(CAP_BPF), SECCOMP_REFUSED },
	{ "perf_event_open", BIT(CAP_PERFMON), SECCOMP_ALLOWED },
	{ "syslog", DEFAULT, SECCOMP_REFUSED },
	{ "syslog", BIT(CAP_SYSLOG), SECCOMP_ALLOWED },
	{ "chroot", DEFAULT, SECCOMP_ALLOWED },
	{ "chroot", 0, SECCOMP_REFUSED },
	{ "open_by_handle_at", DEFAULT, SECCOMP_REFUSED },
	{ "open_by_handle_at", BIT(CAP_DAC_READ_SEARCH), SECCOMP_ALLOWED },
	{ "reboot", BIT(CAP_SYS_BOOT), SECCOMP_ALLOWED },
	{ "init_module", BIT(CAP_SYS_ADMIN), SECCOMP_REFUSED },
	{ "mbind", BIT(CAP_SYS_NICE), SECCOMP_ALLOWED },
	{ "process_vm_readv", DEFAULT, SECCOMP_REFUSED },
	{ "process_vm_readv", BIT(CAP_SYS_PTRACE), SECCOMP_ALLOWED },
	{ "clock_settime", DEFAULT, SECCOMP_REFUSED },
	{ "clock_settime", BIT(CAP_SYS_TIME), SECCOMP_ALLOWED },
	{ "keyctl", ~0ull, SECCOMP_REFUSED },
	{ "add_key", ~0ull, SECCOMP_REFUSED },
	{ "io_uring_setup", ~0ull, SECCOMP_REFUSED },
	{ "userfaultfd", ~0ull, SECCOMP_REFUSED },
	{ "kexec_load", ~0ull, SECCOMP_REFUSED },
	{ "_sysctl", ~0ull, SECCOMP_REFUSED },
	{ "socket", DEFAULT, SECCOMP_DEPENDS },
	{ "personality", ~0ull, SECCOMP_DEPENDS },
	{ "rea", ~0ull, SECCOMP_UNKNOWN },
	{ "", ~0ull, SECCOMP_UNKNOWN },
};
/* clang-format on */

static void each_call_is_answered_by_its_group(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++)
		if (profile_seccomp_answer(rows[i].name, rows[i].caps) != rows[i].answer)
			fail_msg("%s with %llx: %d", rows[i].name, (unsigned long long)rows[i].caps,
				 profile_seccomp_answer(rows[i].name, rows[i].caps));
}

static void no_name_that_libseccomp_knows_is_missing(void **state)
{
	AUTO(file) FILE *header = fopen(HEADER, "re");
	char line[256], missing[512] = "";
	size_t count = 0;

	(void)state;
	if (!header)
		skip();
	while (fgets(line, sizeof(line), header)) {
		static const char mark[] = "#define __SNR_";
		size_t len = strlen(mark);

		if (strncmp(line, mark, len) != 0)
			continue;
		line[len + strcspn(line + len, " \t\n")] = '\0';
		count++;
		if (profile_seccomp_answer(line + len, 0) == SECCOMP_UNKNOWN &&
		    strlen(missing) + strlen(line + len) + 2 < sizeof(missing))
			strcat(strcat(missing, " "), line + len);
	}
	assert_true(count > 400);
	assert_string_equal(missing, "");
}

/* The action of the first entry without arguments that names the call; the default's when none
 * does. */
static const char *action_of(struct json_object *seccomp, const char *name)
{
	struct json_object *syscalls = json_array_at(seccomp, "syscalls");

	for (size_t i = 0; i < json_array_count(syscalls); i++) {
		struct json_object *entry = json_object_array_get_idx(syscalls, i);
		struct json_object *names = json_array_at(entry, "names");

		for (size_t j = 0; j < json_array_count(names) && !json_array_at(entry, "args");
		     j++)
			if (strcmp(json_object_get_string(json_object_array_get_idx(names, j)),
				   name) == 0)
				return json_text_or(entry, "action", "");
	}
	return json_text_or(seccomp, "defaultAction", "");
}

static size_t rules_of(struct json_object *seccomp, const char *name)
{
	struct json_object *syscalls = json_array_at(seccomp, "syscalls");
	size_t count = 0;

	for (size_t i = 0; i < json_array_count(syscalls); i++) {
		struct json_object *entry = json_object_array_get_idx(syscalls, i);

		if (json_array_at(entry, "args"))
			count += strcmp(json_object_get_string(json_object_array_get_idx(
						json_array_at(entry, "names"), 0)),
					name) == 0;
	}
	return count;
}

/* As whoever reads config.json sees it. */
static struct json_object *printed(cap_set caps)
{
	AUTO(json) struct json_object *seccomp = profile_seccomp(caps);
	const char *text = json_object_to_json_string_ext(
		seccomp, JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE);
	struct err err = ERR_NONE;
	struct json_object *again = json_parse("seccomp", text, strlen(text), &err);

	assert_non_null(again);
	return again;
}

static void without_any_group_the_list_is_an_array_still(void **state)
{
	AUTO(json) struct json_object *seccomp = printed(0);
	struct json_object *first =
		json_object_array_get_idx(json_array_at(seccomp, "syscalls"), 0);

	(void)state;
	assert_true(json_array_count(json_array_at(first, "names")) > 100);
	assert_string_equal(action_of(seccomp, "chroot"), "SCMP_ACT_ERRNO");
}

static void a_plain_container_gets_eperm_by_default(void **state)
{
	AUTO(json) struct json_object *seccomp = printed(DEFAULT);

	(void)state;
	assert_string_equal(json_text_or(seccomp, "defaultAction", ""), "SCMP_ACT_ERRNO");
	assert_int_equal(json_int_or(seccomp, "defaultErrnoRet", 0), EPERM);
	assert_true(json_array_count(json_array_at(seccomp, "architectures")) > 0);
	assert_string_equal(action_of(seccomp, "read"), "SCMP_ACT_ALLOW");
	assert_string_equal(action_of(seccomp, "chroot"), "SCMP_ACT_ALLOW");
	assert_string_equal(action_of(seccomp, "mount"), "SCMP_ACT_ERRNO");
	assert_string_equal(action_of(seccomp, "keyctl"), "SCMP_ACT_ERRNO");
	assert_string_equal(action_of(seccomp, "socket"), "SCMP_ACT_ERRNO");
	assert_int_equal(rules_of(seccomp, "clone"), 1);
	assert_int_equal(rules_of(seccomp, "personality"), 5);
	assert_int_equal(rules_of(seccomp, "socket"), 7);
}

static void clone3_says_enosys_so_that_libc_falls_back(void **state)
{
	AUTO(json) struct json_object *plain = printed(DEFAULT);
	AUTO(json) struct json_object *admin = printed(DEFAULT | BIT(CAP_SYS_ADMIN));
	struct json_object *syscalls = json_array_at(plain, "syscalls");
	struct json_object *last =
		json_object_array_get_idx(syscalls, json_array_count(syscalls) - 1);

	(void)state;
	assert_string_equal(
		json_object_get_string(json_object_array_get_idx(json_array_at(last, "names"), 0)),
		"clone3");
	assert_int_equal(json_int_or(last, "errnoRet", 0), ENOSYS);
	assert_string_equal(action_of(admin, "clone3"), "SCMP_ACT_ALLOW");
}

static void an_administrator_may_make_namespaces(void **state)
{
	AUTO(json) struct json_object *seccomp = printed(BIT(CAP_SYS_ADMIN));

	(void)state;
	assert_string_equal(action_of(seccomp, "unshare"), "SCMP_ACT_ALLOW");
	assert_string_equal(action_of(seccomp, "clone"), "SCMP_ACT_ALLOW");
	assert_string_equal(action_of(seccomp, "keyctl"), "SCMP_ACT_ERRNO");
	assert_int_equal(rules_of(seccomp, "clone"), 0);
	assert_int_equal(rules_of(seccomp, "socket"), 7);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_call_is_answered_by_its_group),
		cmocka_unit_test(no_name_that_libseccomp_knows_is_missing),
		cmocka_unit_test(without_any_group_the_list_is_an_array_still),
		cmocka_unit_test(a_plain_container_gets_eperm_by_default),
		cmocka_unit_test(clone3_says_enosys_so_that_libc_falls_back),
		cmocka_unit_test(an_administrator_may_make_namespaces),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
