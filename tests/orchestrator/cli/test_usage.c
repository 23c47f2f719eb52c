/* tests/orchestrator/cli/test_usage - figures of the kernel's texts. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "orchestrator/cli/usage.h"

static void keys_are_whole_words(void **state)
{
	static const char text[] = "anon 1\ninactive_file 42\ntotal_inactive_file 7\nbad x\n";

	(void)state;
	assert_int_equal(usage_key(text, "inactive_file"), 42);
	assert_int_equal(usage_key(text, "total_inactive_file"), 7);
	assert_int_equal(usage_key(text, "file"), 0);
	assert_int_equal(usage_key(text, "bad"), 0);
	assert_int_equal(usage_key("", "anon"), 0);
}

static void io_is_summed_over_devices_of_both_versions(void **state)
{
	uint64_t in, out;

	(void)state;
	usage_io("8:0 rbytes=10 wbytes=20 rios=1\n8:16 rbytes=5 wbytes=1\n", &in, &out);
	assert_int_equal(in, 15);
	assert_int_equal(out, 21);
	usage_io("8:0 Read 3\n8:0 Write 4\n8:0 Total 7\nTotal 7\n", &in, &out);
	assert_int_equal(in, 3);
	assert_int_equal(out, 4);
	usage_io("", &in, &out);
	assert_int_equal(in + out, 0);
}

static void traffic_leaves_the_loopback_out(void **state)
{
	uint64_t in, out;

	(void)state;
	usage_net("Inter-|   Receive  |  Transmit\n face |bytes packets|bytes\n"
		  "    lo:  100 1 0 0 0 0 0 0  100 1 0\n  eth0: 1000  10 0 0 0 0 0 0 2000 20 0\n"
		  "  eth1:1 1 0 0 0 0 0 0 2 1 0\n",
		  &in, &out);
	assert_int_equal(in, 1001);
	assert_int_equal(out, 2002);
}

static void cpu_is_a_share_of_the_time_between(void **state)
{
	struct usage before = { .at_us = 1000000, .cpu_ns = 0 };
	struct usage now = { .at_us = 2000000, .cpu_ns = 500000000 };

	(void)state;
	assert_true(usage_cpu_percent(&before, &now) > 49.9 &&
		    usage_cpu_percent(&before, &now) < 50.1);
	assert_true(usage_cpu_percent(&now, &before) == 0);
	assert_true(usage_cpu_percent(&now, &now) == 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(keys_are_whole_words),
		cmocka_unit_test(io_is_summed_over_devices_of_both_versions),
		cmocka_unit_test(traffic_leaves_the_loopback_out),
		cmocka_unit_test(cpu_is_a_share_of_the_time_between),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
