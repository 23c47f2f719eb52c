/* tests/netplug/k_link_end - links that go: nothing of them is there when it is said so; needs
 * root. */
#include "tests/netplug/sandbox.h"

#include "netplug/link.h"
#include "netplug/link_end.h"

#define GROUP 4242

static int enter_once(void **state)
{
	(void)state;
	sandbox_enter();
	return 0;
}

static unsigned count_ours(void)
{
	AUTO(rtnl) struct rtnl *rtnl = NULL;
	AUTO(arena) struct arena *arena = arena_new();
	struct link_table links = { 0 };
	struct err err = ERR_NONE;
	unsigned count = 0;

	check(rtnl_open(&rtnl, &err));
	check(link_dump(rtnl, arena, &links, &err));
	for (size_t i = 0; i < links.count; i++)
		count += links.items[i].group == GROUP;
	return count;
}

static void make_links(unsigned ports)
{
	char command[200];

	sandbox_run("ip link add br-end type bridge && ip link set br-end group 4242 up");
	for (unsigned i = 0; i < ports; i++) {
		snprintf(command, sizeof(command),
			 "ip link add end%u type veth peer name far%u && "
			 "ip link set end%u group 4242 master br-end up",
			 i, i, i);
		sandbox_run(command);
	}
}

static void whoever_waits_for_the_bridge_finds_no_port_either(void **state)
{
	const char *names[] = { "br-end" };

	(void)state;
	for (unsigned ports = 0; ports < 20; ports += 9) {
		struct err err = ERR_NONE;

		make_links(ports);
		assert_int_equal(count_ours(), ports + 1);
		check(link_end_group(GROUP, names, 1, &err));
		assert_int_equal(count_ours(), 0);
		/* The names are free at once. */
		make_links(ports);
		check(link_end_group(GROUP, names, 1, &err));
	}
}

static void without_names_it_waits_for_the_kernel(void **state)
{
	const char *absent[] = { "nobody" };
	struct err err = ERR_NONE;

	(void)state;
	make_links(3);
	check(link_end_group(GROUP, NULL, 0, &err));
	assert_int_equal(count_ours(), 0);
	make_links(3);
	check(link_end_group(GROUP, absent, 1, &err));
	assert_int_equal(count_ours(), 0);
	/* A group without links is nobody's fault. */
	check(link_end_group(GROUP, absent, 1, &err));
}

static void a_link_that_stays_and_a_strangers_group_are_told(void **state)
{
	const char *names[] = { "lo" };
	struct err err = ERR_NONE;

	(void)state;
	make_links(1);
	check(link_end_group(GROUP, names, 1, &err)); /* ends with the kernel's answer */
	assert_int_equal(count_ours(), 0);
	assert_int_equal(link_end_group(0, names, 1, &err), -1);
	assert_int_equal(err.code, ERR_INTERNAL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(whoever_waits_for_the_bridge_finds_no_port_either),
		cmocka_unit_test(without_names_it_waits_for_the_kernel),
		cmocka_unit_test(a_link_that_stays_and_a_strangers_group_are_told),
	};

	return cmocka_run_group_tests(tests, enter_once, NULL);
}
