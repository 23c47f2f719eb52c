/* tests/specs/test_checks - mirrors specs/checks: good and bad texts of each small grammar. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "specs/checks.h"

#define DIGEST "@sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"

struct row {
	int (*check)(const char *text, struct err *err);
	const char *good[8], *bad[8];
};

/* clang-format off */
static const struct row rows[] = {
	{ check_capability, { "NET_ADMIN", "cap_sys_time", "ALL" }, { "NET_ADMN", "", "CAP_" } },
	{ check_container_name, { "one", "a.b-c_d", "0x" }, { "x y", "a", "-ab", "" } },
	{ check_device_rule, { "c 1:3 rwm", "b *:* r", "a 7:* m" },
	  { "x 1:3 r", "c 1 r", "c 1:3 q", "c 1:3", "" } },
	{ check_http_path, { "/", "/healthz" }, { "healthz", "" } },
	{ check_idmap, { "caller", "1000:1000" }, { "1000", "a:b", "1:", "4294967295:0" } },
	{ check_image, { "nginx", "a/b:1", "reg.example:5000/a/b:1.0", "Reg.Example/a", "a" DIGEST,
	  "a:1" DIGEST, "" },
	  { "a b", "Nginx", "a/B", "a:", "a//b", "a/", "-a", "a@sha256:1" } },
	{ check_ip, { "10.0.0.1", "::1" }, { "10.0.0", "host", "" } },
	{ check_ipc, { "host", "private", "shareable", "service:a", "container:x" },
	  { "service:", "shared" } },
	{ check_pid, { "host", "service:a", "container:x" }, { "container:", "shareable" } },
	{ check_log_driver, { "json-file", "none" }, { "", "a b" } },
	{ check_mac, { "02:42:ac:11:00:02", "02-42-AC-11-00-02" },
	  { "02:42", "02:42:ac:11:00:0g", "024:2ac:11:00:02" } },
	{ check_permissions, { "r", "rwm" }, { "", "x" } },
	{ check_platform, { "linux", "linux/amd64", "linux/arm/v7" },
	  { "linux//x", "a/b/c/d", "a b" } },
	{ check_published, { "80", "7000-7005", "0", "" }, { "x", "70000", "9-8" } },
	{ check_pull_policy, { "always", "missing", "every_12h", "daily" },
	  { "sometimes", "every_", "every_x" } },
	{ check_regex, { "ready", "^a.*b$" }, { "(", "" } },
	{ check_restart, { "no", "always", "on-failure:3", "" },
	  { "sometimes", "on-failure:", "no:1" } },
	{ check_schedule, { "*/15 * * * *", "0 3 1,15 * 1-5", "@daily", "@every 10m", "0  3 * * *"
	  },
	{ "60 * * * *", "* * * *", "* * * * * *", "@never", "@every 0s", "5-1 * * * *",
	  "*/0 * * * *", "1x * * * *" } },
	{ check_security_opt, { "no-new-privileges", "seccomp=x", "label:disable", "apparmor=x" },
	  { "secomp=x", "" } },
	{ check_signal, { "SIGTERM", "term", "15", "RTMIN+3" }, { "SIGFOO", "0", "99" } },
	{ check_subnet, { "10.0.0.0/8", "fd00::/64" },
	  { "10.0.0.0", "10.0.0.0/33", "x/8", "fd00::/129" } },
	{ check_target, { "/a" }, { "a", "" } },
	{ check_tmpfs, { "/t:size=64m" }, { "t" } },
};
/* clang-format on */

static void good_texts_pass_and_bad_ones_are_named(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++)
		for (size_t k = 0; k < 8; k++) {
			struct err err = ERR_NONE;

			if (rows[i].good[k] && rows[i].check(rows[i].good[k], &err) < 0)
				fail_msg("row %zu: \"%s\": %s", i, rows[i].good[k], err.msg);
			if (!rows[i].bad[k])
				continue;
			if (rows[i].check(rows[i].bad[k], &err) == 0)
				fail_msg("row %zu: \"%s\" passes", i, rows[i].bad[k]);
			assert_int_equal(err.code, ERR_INVALID);
		}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(good_texts_pass_and_bad_ones_are_named),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
