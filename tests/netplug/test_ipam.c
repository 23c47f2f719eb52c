/* tests/netplug/test_ipam - the choice of subnets and addresses. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "netplug/ipam.h"

static struct prefix prefix_of(const char *text)
{
	struct prefix p;
	struct err err = ERR_NONE;

	assert_int_equal(prefix_parse("test", text, &p, &err), 0);
	return p;
}

static struct ipam_range range_of(const char *subnet, const char *dynamic)
{
	struct ipam_range range = { .subnet = prefix_of(subnet),
				    .dynamic = prefix_of(dynamic ? dynamic : subnet) };

	range.gateway = ipam_first_usable(&range.subnet);
	range.used = malloc(sizeof(struct address));
	range.used[0] = range.gateway;
	range.used_count = 1;
	return range;
}

static const char *take(struct ipam_range *range)
{
	static char text[ADDRESS_TEXT];
	struct address a;
	struct err err = ERR_NONE;

	if (ipam_take(range, &a, &err) < 0)
		return err.code == ERR_NO_SPACE ? "full" : err.msg;
	return address_text(&a, text);
}

static void addresses_are_given_in_turn_and_freed_ones_last(void **state)
{
	struct ipam_range range = range_of("10.1.0.0/29", NULL);

	(void)state;
	assert_string_equal(take(&range), "10.1.0.2");
	assert_string_equal(take(&range), "10.1.0.3");
	/* .2 goes back: the next is .4, and .2 comes after .6. */
	memmove(&range.used[1], &range.used[2], sizeof(struct address));
	range.used_count--;
	assert_string_equal(take(&range), "10.1.0.4");
	assert_string_equal(take(&range), "10.1.0.5");
	assert_string_equal(take(&range), "10.1.0.6");
	assert_string_equal(take(&range), "10.1.0.2");
	assert_string_equal(take(&range), "full");
	free(range.used);
}

static void small_subnets_have_no_ends_to_spare(void **state)
{
	struct ipam_range pair = range_of("10.1.0.0/31", NULL);
	struct ipam_range six = range_of("fd00::/126", NULL);

	(void)state;
	assert_string_equal(take(&pair), "10.1.0.1");
	assert_string_equal(take(&pair), "full");
	assert_string_equal(take(&six), "fd00::2");
	assert_string_equal(take(&six), "fd00::3");
	assert_string_equal(take(&six), "full");
	free(pair.used);
	free(six.used);
}

static void ip_range_bounds_what_is_handed_out(void **state)
{
	struct ipam_range range = range_of("10.1.0.0/16", "10.1.9.0/30");

	(void)state;
	assert_int_equal(ipam_range_size(&range), 4);
	assert_string_equal(take(&range), "10.1.9.0");
	assert_string_equal(take(&range), "10.1.9.1");
	assert_string_equal(take(&range), "10.1.9.2");
	assert_string_equal(take(&range), "10.1.9.3");
	assert_string_equal(take(&range), "full");
	free(range.used);
}

static void a_range_is_used_to_the_last_address_without_doubles(void **state)
{
	struct ipam_range range = range_of("10.1.0.0/22", NULL);
	struct err err = ERR_NONE;
	struct address a;
	unsigned count = 0;

	(void)state;
	while (ipam_take(&range, &a, &err) == 0)
		count++;
	assert_int_equal(count, 1024 - 3);
	assert_int_equal(err.code, ERR_NO_SPACE);
	assert_non_null(strstr(err.msg, "10.1.0.0/22"));
	for (size_t i = 1; i < range.used_count; i++)
		assert_true(address_compare(&range.used[i - 1], &range.used[i]) < 0);
	free(range.used);
}

static void static_wishes_are_judged(void **state)
{
	static const struct {
		const char *wish, *fault; /* NULL: fine */
	} rows[] = {
		{"10.1.0.5",    NULL               },
		{ "10.1.0.1",   "gateway"          },
		{ "10.1.0.0",   "network"          },
		{ "10.1.0.255", "broadcast"        },
		{ "10.2.0.5",   "not in the subnet"},
		{ "10.1.0.254", NULL               },
	};
	struct ipam_range range = range_of("10.1.0.0/24", NULL);

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct prefix wish = prefix_of(rows[i].wish);
		struct err err = ERR_NONE;

		assert_int_equal(ipam_check_static(&range, &wish.addr, &err),
				 rows[i].fault ? -1 : 0);
		if (rows[i].fault)
			assert_non_null(strstr(err.msg, rows[i].fault));
	}
	free(range.used);
}

static void a_network_gets_the_same_subnet_again(void **state)
{
	size_t count;
	const struct address_pool *pools = ipam_default_pools(&count);
	struct prefix first, again, other;
	struct ipam_taken taken = { .what = "route" };
	struct err err = ERR_NONE;

	(void)state;
	assert_int_equal(
		ipam_choose_subnet(pools, count, AF_INET, "shop_default", NULL, 0, &first, &err),
		0);
	assert_int_equal(
		ipam_choose_subnet(pools, count, AF_INET, "shop_default", NULL, 0, &again, &err),
		0);
	assert_true(prefix_equal(&first, &again));
	assert_int_equal(first.len, 24);
	taken.prefix = first;
	assert_int_equal(
		ipam_choose_subnet(pools, count, AF_INET, "shop_default", &taken, 1, &other, &err),
		0);
	assert_false(prefix_overlaps(&first, &other));
}

static void dockers_own_subnet_comes_last(void **state)
{
	static const char *const blocks[] = { "172.18.0.0/15", "172.20.0.0/14",  "172.24.0.0/13",
					      "172.16.0.0/16", "192.168.0.0/16", "172.17.0.0/16" };
	size_t count;
	const struct address_pool *pools = ipam_default_pools(&count);
	struct ipam_taken taken[6] = { 0 };
	struct prefix docker = prefix_of("172.17.0.0/16"), subnet;
	struct err err = ERR_NONE;

	(void)state;
	for (size_t i = 0; i < 6; i++) {
		assert_int_equal(
			ipam_choose_subnet(pools, count, AF_INET, "n", taken, i, &subnet, &err), 0);
		assert_int_equal(prefix_overlaps(&docker, &subnet), i == 5);
		taken[i].prefix = prefix_of(blocks[i]);
	}
	assert_int_equal(ipam_choose_subnet(pools, count, AF_INET, "n", taken, 6, &subnet, &err),
			 -1);
	assert_int_equal(err.code, ERR_NO_SPACE);
	assert_non_null(strstr(err.msg, "default-address-pools"));
	assert_non_null(strstr(err.msg, "4352"));
}

static void own_pools_are_obeyed(void **state)
{
	const struct address_pool pools[] = {
		{.base = prefix_of("10.77.0.0/30"), .size = 31},
		{ .base = prefix_of("fd77::/16"),   .size = 64}
	};
	struct ipam_taken taken[2] = { 0 };
	struct prefix subnet;
	struct err err = ERR_NONE;

	(void)state;
	for (size_t i = 0; i < 2; i++) {
		assert_int_equal(
			ipam_choose_subnet(pools, 2, AF_INET, "n", taken, i, &subnet, &err), 0);
		assert_true(prefix_within(&pools[0].base, &subnet));
		taken[i].prefix = subnet;
	}
	assert_int_equal(ipam_choose_subnet(pools, 2, AF_INET, "n", taken, 2, &subnet, &err), -1);
	assert_int_equal(ipam_choose_subnet(pools, 2, AF_INET6, "n", NULL, 0, &subnet, &err), 0);
	assert_true(prefix_within(&pools[1].base, &subnet));
	assert_int_equal(subnet.len, 64);
}

static void local_ipv6_subnets_are_of_the_machine(void **state)
{
	struct prefix a, b, again;
	struct err err = ERR_NONE;

	(void)state;
	assert_int_equal(ipam_choose_ula("m1", "shop", NULL, 0, &a, &err), 0);
	assert_int_equal(ipam_choose_ula("m1", "shop", NULL, 0, &again, &err), 0);
	assert_int_equal(ipam_choose_ula("m2", "shop", NULL, 0, &b, &err), 0);
	assert_true(prefix_equal(&a, &again));
	assert_false(prefix_equal(&a, &b));
	assert_int_equal(a.addr.bytes[0], 0xfd);
	assert_int_equal(a.len, 64);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(addresses_are_given_in_turn_and_freed_ones_last),
		cmocka_unit_test(small_subnets_have_no_ends_to_spare),
		cmocka_unit_test(ip_range_bounds_what_is_handed_out),
		cmocka_unit_test(a_range_is_used_to_the_last_address_without_doubles),
		cmocka_unit_test(static_wishes_are_judged),
		cmocka_unit_test(a_network_gets_the_same_subnet_again),
		cmocka_unit_test(dockers_own_subnet_comes_last),
		cmocka_unit_test(own_pools_are_obeyed),
		cmocka_unit_test(local_ipv6_subnets_are_of_the_machine),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
