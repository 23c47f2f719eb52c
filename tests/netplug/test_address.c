/* tests/netplug/test_address - addresses, prefixes, MACs, names. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "netplug/address.h"
#include "netplug/naming.h"

static struct prefix prefix_of(const char *text)
{
	struct prefix p;
	struct err err = ERR_NONE;

	assert_int_equal(prefix_parse("test", text, &p, &err), 0);
	return p;
}

static void addresses_are_read_and_written_back(void **state)
{
	static const struct {
		const char *in, *out; /* NULL: refused */
	} rows[] = {
		{"10.1.2.3",     "10.1.2.3"},
                { "[fd00::1]",   "fd00::1" },
                { "::",          "::"      },
		{ "fd00:0:0::1", "fd00::1" },
                { "10.1.2",      NULL      },
                { "",            NULL      },
		{ "10.1.2.256",  NULL      },
                { "fd00::g",     NULL      },
                { "[10.0.0.1",   NULL      },
		{ "10.0.0.1 ",   NULL      },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct address a;
		struct err err = ERR_NONE;
		char text[ADDRESS_TEXT];
		int result = address_parse("row", rows[i].in, &a, &err);

		assert_int_equal(result, rows[i].out ? 0 : -1);
		if (rows[i].out)
			assert_string_equal(address_text(&a, text), rows[i].out);
		else
			assert_int_equal(err.code, ERR_INVALID);
	}
}

static void prefixes_know_their_ends(void **state)
{
	static const struct {
		const char *in, *network, *last;
	} rows[] = {
		{"10.1.2.3/16",       "10.1.0.0/16",      "10.1.255.255"             },
		{ "10.1.2.3",         "10.1.2.3/32",      "10.1.2.3"                 },
		{ "192.168.7.130/25", "192.168.7.128/25", "192.168.7.255"            },
		{ "fd00::5/64",       "fd00::/64",        "fd00::ffff:ffff:ffff:ffff"},
		{ "1.2.3.4/0",        "0.0.0.0/0",        "255.255.255.255"          },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct prefix p = prefix_of(rows[i].in), network = prefix_network(&p);
		struct address last = prefix_last(&p);
		char text[ADDRESS_TEXT];

		assert_string_equal(prefix_text(&network, text), rows[i].network);
		assert_string_equal(address_text(&last, text), rows[i].last);
	}
}

static void overlaps_are_seen_both_ways(void **state)
{
	static const struct {
		const char *a, *b;
		bool overlap;
	} rows[] = {
		{"10.0.0.0/8",   "10.200.0.0/24",   true },
                { "10.0.0.0/24", "10.0.1.0/24",     false},
		{ "10.0.0.0/23", "10.0.1.0/24",     true },
                { "0.0.0.0/0",   "fd00::/64",       false},
		{ "fd00::/63",   "fd00:0:0:1::/64", true },
                { "10.0.0.0/24", "10.0.0.7/32",     true },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct prefix a = prefix_of(rows[i].a), b = prefix_of(rows[i].b);

		assert_int_equal(prefix_overlaps(&a, &b), rows[i].overlap);
		assert_int_equal(prefix_overlaps(&b, &a), rows[i].overlap);
	}
}

static void sums_and_distances_agree(void **state)
{
	struct prefix v4 = prefix_of("10.1.255.250"), v6 = prefix_of("fd00::ffff:ffff");
	struct address sum = address_add(&v4.addr, 10);
	char text[ADDRESS_TEXT];

	(void)state;
	assert_string_equal(address_text(&sum, text), "10.2.0.4");
	assert_int_equal(address_distance(&v4.addr, &sum), 10);
	assert_true(address_distance(&sum, &v4.addr) == UINT64_MAX);
	sum = address_add(&v6.addr, 1);
	assert_string_equal(address_text(&sum, text), "fd00::1:0:0");
	assert_int_equal(address_distance(&v6.addr, &sum), 1);
}

static void macs_must_be_unicast(void **state)
{
	static const struct {
		const char *text;
		int result;
	} rows[] = {
		{"02:42:ac:11:00:02",  0 },
                { "02-42-AC-11-00-02", 0 },
		{ "02:42:ac:11:00",    -1},
                { "01:00:5e:00:00:01", -1},
		{ "00:00:00:00:00:00", -1},
                { "02:42-ac:11:00:02", -1},
		{ "02:42:ac:11:00:0g", -1},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		uint8_t mac[6];
		struct err err = ERR_NONE;

		assert_int_equal(mac_parse(rows[i].text, mac, &err), rows[i].result);
	}
}

static void names_of_links_are_stable_and_distinct(void **state)
{
	char a[NAMING_LINK], b[NAMING_LINK];
	uint8_t mac[6], again[6];

	(void)state;
	assert_int_equal(strlen(naming_host_end(a, "shop_default", "shop/web/1", 0, 0)), 13);
	assert_string_equal(naming_host_end(b, "shop_default", "shop/web/1", 0, 0), a);
	assert_string_not_equal(naming_host_end(b, "shop_default", "shop/web/1", 0, 1), a);
	assert_string_not_equal(naming_host_end(b, "shop_default", "shop/web/2", 0, 0), a);
	assert_string_not_equal(naming_host_end(b, "shop_default", "shop/web/1", 1, 0), a);
	assert_memory_equal(naming_bridge(a, "shop_default", 0), "sb", 2);
	naming_mac(mac, "m", "n", "s");
	naming_mac(again, "m", "n", "s");
	assert_memory_equal(mac, again, 6);
	assert_int_equal(mac[0], 0x02);
}

/* A thousand slots must not meet in one name. */
static void names_of_many_slots_do_not_clash(void **state)
{
	static char names[2000][NAMING_LINK];

	(void)state;
	for (unsigned i = 0; i < 2000; i++) {
		char slot[32];

		snprintf(slot, sizeof(slot), "shop/web/%u", i);
		naming_host_end(names[i], "shop_default", slot, 0, 0);
	}
	for (unsigned i = 0; i < 2000; i++)
		for (unsigned k = 0; k < i; k++)
			assert_string_not_equal(names[i], names[k]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(addresses_are_read_and_written_back),
		cmocka_unit_test(prefixes_know_their_ends),
		cmocka_unit_test(overlaps_are_seen_both_ways),
		cmocka_unit_test(sums_and_distances_agree),
		cmocka_unit_test(macs_must_be_unicast),
		cmocka_unit_test(names_of_links_are_stable_and_distinct),
		cmocka_unit_test(names_of_many_slots_do_not_clash),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
