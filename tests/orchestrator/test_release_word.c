/* tests/orchestrator/test_release_word - mirrors orchestrator/release_word. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "orchestrator/release_word.h"

static void the_word_has_each_links_settings_under_its_name(void **state)
{
	AUTO(arena) struct arena *arena = arena_new();
	struct slot_link links[] = {
		{.interface = "eth0",
                 .sysctls = "net.ipv4.conf.IFNAME.forwarding=1,net.ipv6.conf.IFNAME.accept_ra=2"},
		{ .interface = "eth1"                          },
		{ .interface = "lan.5", .sysctls = "net.ipv4.conf.IFNAME.rp_filter=0"                               },
	};
	struct slot_net net = { .links = links, .link_count = 3 };
	struct err err = ERR_NONE;

	(void)state;
	assert_string_equal(
		release_word(arena, &net, &err),
		"{\"op\":\"release\",\"sysctl\":{\"net/ipv4/conf/eth0/forwarding\":\"1\","
		"\"net/ipv6/conf/eth0/accept_ra\":\"2\",\"net/ipv4/conf/lan.5/rp_filter\":\"0\"}}");
	assert_string_equal(release_word(arena, NULL, &err), "{\"op\":\"release\",\"sysctl\":{}}");
}

static void what_is_no_setting_of_a_link_is_refused(void **state)
{
	static const char *const wrong[] = { "net.ipv4.conf.IFNAME.forwarding",
					     "net.ipv4.conf.eth0.forwarding=1", "kernel.IFNAME.x=1",
					     "=", "net=IFNAME" };
	struct err err = ERR_NONE;

	(void)state;
	for (size_t i = 0; i < sizeof(wrong) / sizeof(*wrong); i++) {
		AUTO(arena) struct arena *arena = arena_new();
		struct slot_link link = { .interface = "eth0",
					  .sysctls = (char *)(uintptr_t)wrong[i] };
		struct slot_net net = { .links = &link, .link_count = 1 };

		assert_null(release_word(arena, &net, &err));
		assert_int_equal(err.code, ERR_INVALID);
		assert_non_null(strstr(err.msg, "endpoint.sysctls"));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_word_has_each_links_settings_under_its_name),
		cmocka_unit_test(what_is_no_setting_of_a_link_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
