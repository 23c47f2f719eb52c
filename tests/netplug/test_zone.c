/* tests/netplug/test_zone - mirrors netplug/zone and netplug/zone_index. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <arpa/inet.h>
#include <cmocka.h>
#include <fcntl.h>
#include <unistd.h>

#include "tests/netplug/zone_of_test.h"

/* "a b c": the addresses found, in order. */
static const char *found_text(const struct zone_index *index, int asker, const char *name)
{
	static char text[512];
	static struct zone_found found;
	size_t len = 0;

	text[0] = '\0';
	if (!zone_index_find(index, asker, name, strlen(name), &found))
		return "unknown";
	for (size_t i = 0; i < found.count; i++) {
		char one[INET6_ADDRSTRLEN];

		inet_ntop(found.at[i]->family, found.at[i]->bytes, one, sizeof(one));
		len += (size_t)snprintf(text + len, sizeof(text) - len, "%s%s", i ? " " : "", one);
	}
	return text;
}

static const struct {
	const char *asker, *name, *found;
} cases[] = {
  /* clang-format off */
	{ "web.1", "db", "172.20.0.5" },
	{ "web.1", "web", "172.20.0.2 fd00::2 172.21.0.2 172.20.0.3 fd00::3" },
	{ "db.1", "web", "172.20.0.2 fd00::2 172.20.0.3 fd00::3" }, /* not on back: its address is unknown */
	{ "db.1", "shop-web-2", "172.20.0.3 fd00::3" },
	{ "db.1", "0123456789ab", "172.20.0.2 fd00::2" },
	{ "db.1", "www", "172.20.0.2 fd00::2" },
	{ "db.1", "inside", "unknown" }, /* an alias on back alone */
	{ "web.1", "inside", "172.21.0.2" },
	{ "web.1", "inside.shop_back", "172.21.0.2" },
	{ "web.1", "web.shop_back", "172.21.0.2" },
	{ "web.1", "web.shop_default", "172.20.0.2 fd00::2 172.20.0.3 fd00::3" },
	{ "db.1", "web.shop_back", "unknown" },
	{ "web.1", "db.nowhere", "unknown" },
	{ "web.1", "gone", "unknown" },          /* not live */
	{ "gone.1", "db", "172.20.0.5" },        /* but it may ask */
	{ "web.1", "cache", "172.21.0.9" },      /* foreign, by its alias */
	{ "web.1", "other-cache-1", "172.21.0.9" },
	{ "db.1", "cache", "unknown" },
	{ "web.2", "database", "172.20.0.5" },   /* a link of web.2 alone */
	{ "web.2", "database.shop_default", "172.20.0.5" },
	{ "web.1", "database", "unknown" },
	{ "web.2", "legacy", "10.1.2.3 10.1.2.4" },
	{ "db.1", "legacy", "unknown" },
	{ "web.1", "host.stack.internal", "172.20.0.1" },
	{ "web.1", "host.docker.internal", "unknown" },
	{ "nobody", "db", "unknown" },
	{ "web.1", "", "unknown" },
  /* clang-format on */
};

static void a_name_means_what_shared_networks_say(void **state)
{
	AUTO(zone_index) struct zone_index *index = zone_of_test(false);

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		int asker = zone_index_asker(index, cases[i].asker);

		assert_string_equal(found_text(index, asker, cases[i].name), cases[i].found);
	}
}

static void sick_replicas_are_left_out_unless_all_are(void **state)
{
	AUTO(zone_index) struct zone_index *index = zone_of_test(true);
	int asker = zone_index_asker(index, "db.1");

	(void)state;
	assert_string_equal(found_text(index, asker, "web"), "172.20.0.2 fd00::2");
	assert_string_equal(found_text(index, asker, "shop-web-2"), "172.20.0.3 fd00::3");
}

static const struct {
	const char *asker, *address;
	enum zone_reverse how;
	const char *name;
} reverse_cases[] = {
  /* clang-format off */
	{ "web.1", "172.20.0.5", ZONE_REVERSE_FOUND,   "shop-db-1.shop_default" },
	{ "web.1", "fd00::3",    ZONE_REVERSE_FOUND,   "shop-web-2.shop_default" },
	{ "web.1", "172.20.0.77", ZONE_REVERSE_ABSENT, NULL },
	{ "db.1",  "172.21.0.2", ZONE_REVERSE_ABSENT,  NULL },
	{ "web.1", "172.20.1.5", ZONE_REVERSE_FOREIGN, NULL },
	{ "web.1", "8.8.8.8",    ZONE_REVERSE_FOREIGN, NULL },
	{ "web.1", "fd00::ffff:1", ZONE_REVERSE_ABSENT, NULL },
	{ "web.1", "fd00:1::1",  ZONE_REVERSE_FOREIGN, NULL },
	{ "nobody", "172.20.0.5", ZONE_REVERSE_ABSENT, NULL },
  /* clang-format on */
};

static void addresses_have_names_for_those_beside_them(void **state)
{
	AUTO(zone_index) struct zone_index *index = zone_of_test(false);

	(void)state;
	for (size_t i = 0; i < sizeof(reverse_cases) / sizeof(*reverse_cases); i++) {
		const char *container, *network;
		char text[256];
		uint8_t bytes[16];
		int family = strchr(reverse_cases[i].address, ':') ? AF_INET6 : AF_INET;
		int asker = zone_index_asker(index, reverse_cases[i].asker);

		inet_pton(family, reverse_cases[i].address, bytes);
		assert_int_equal(
			zone_index_reverse(index, asker, family, bytes, &container, &network),
			reverse_cases[i].how);
		if (!reverse_cases[i].name)
			continue;
		snprintf(text, sizeof(text), "%s.%s", container, network);
		assert_string_equal(text, reverse_cases[i].name);
	}
}

static const char *const bad_texts[] = {
	"",
	"[]",
	"{}",
	"{\"version\":2}",
	"{\"version\":1,\"networks\":[{}]}",
	"{\"version\":1,\"networks\":[{\"name\":\"n\",\"subnets\":[\"10.0.0.0\"]}]}",
	"{\"version\":1,\"networks\":[{\"name\":\"n\",\"subnets\":[\"10.0.0.0/33\"]}]}",
	"{\"version\":1,\"networks\":[{\"name\":\"n\",\"subnets\":[null]}]}",
	"{\"version\":1,\"endpoints\":[{\"slot\":\"a.1\"}]}",
	"{\"version\":1,\"endpoints\":[7]}",
	"{\"version\":1,\"endpoints\":[{\"container\":\"c\",\"networks\":[{\"network\":\"n\"}]}]}",
	"{\"version\":1,\"endpoints\":[{\"container\":\"c\",\"hosts\":[{\"name\":\"h\","
	"\"address\":\"x\"}]}]}",
	"{\"version\":1,\"endpoints\":[{\"container\":\"c\",\"gateway4\":\"x\"}]}",
};

static void a_text_that_is_no_zone_is_refused(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(bad_texts) / sizeof(*bad_texts); i++) {
		struct err err = ERR_NONE;

		assert_null(zone_index_parse(bad_texts[i], strlen(bad_texts[i]), &err));
		assert_int_not_equal(err.code, ERR_OK);
	}
}

static void a_later_release_may_add_members(void **state)
{
	static const char text[] = "{\"version\":1,\"new\":{},\"endpoints\":[{\"container\":\"c\","
				   "\"slot\":\"a.1\",\"colour\":7}]}";
	struct err err = ERR_NONE;
	AUTO(zone_index) struct zone_index *index = zone_index_parse(text, strlen(text), &err);

	(void)state;
	assert_non_null(index);
	assert_int_equal(zone_index_asker(index, "a.1"), 0);
	assert_int_equal(zone_index_ttl(index), ZONE_TTL_SECONDS);
}

static void a_written_zone_is_read_back_from_its_descriptor(void **state)
{
	char dir[] = P_tmpdir "/test_zone.XXXXXX";
	struct err err = ERR_NONE;
	const struct zone zone = { .project = "shop", .serial = 41 };
	AUTO(fd) int dir_fd = -1;
	AUTO(fd) int zone_fd = -1;

	(void)state;
	assert_non_null(mkdtemp(dir));
	dir_fd = open(dir, O_DIRECTORY | O_CLOEXEC);
	zone_fd = zone_write(dir_fd, &zone, &err);
	assert_true(zone_fd >= 0);
	for (int i = 0; i < 2; i++) {
		AUTO(zone_index) struct zone_index *index = zone_index_load(zone_fd, &err);

		assert_non_null(index);
		assert_int_equal(zone_index_serial(index), 41);
		assert_int_equal(zone_index_ttl(index), 0);
	}
	unlinkat(dir_fd, ZONE_FILE, 0);
	rmdir(dir);
}

static void thousands_of_names_are_all_found(void **state)
{
	enum { COUNT = 3000 };
	static char names[COUNT][24], addresses[COUNT][24];
	static const char *lists[COUNT];
	static struct zone_attachment attachments[COUNT];
	static struct zone_endpoint endpoints[COUNT];
	const struct zone_network network = { .name = "n" };
	const struct zone zone = { .project = "big",
				   .networks = &network,
				   .network_count = 1,
				   .endpoints = endpoints,
				   .endpoint_count = COUNT };
	struct err err = ERR_NONE;
	AUTO(zone_index) struct zone_index *index = NULL;
	AUTO(free) char *text = NULL;
	static struct zone_found all;
	size_t len;

	(void)state;
	for (int i = 0; i < COUNT; i++) {
		snprintf(names[i], sizeof(names[i]), "c-%d", i);
		snprintf(addresses[i], sizeof(addresses[i]), "10.0.%d.%d", i / 250, i % 250 + 1);
		lists[i] = addresses[i];
		attachments[i] = (struct zone_attachment){ .network = "n",
							   .addresses = &lists[i],
							   .address_count = 1 };
		endpoints[i] = (struct zone_endpoint){ .slot = names[i],
						       .service = "all",
						       .container = names[i],
						       .live = true,
						       .attachments = &attachments[i],
						       .attachment_count = 1 };
	}
	text = zone_text(&zone, &len);
	index = zone_index_parse(text, len, &err);
	assert_non_null(index);
	for (int i = 0; i < COUNT; i++)
		assert_string_equal(found_text(index, 0, names[i]), addresses[i]);
	assert_true(zone_index_find(index, 0, "all", 3, &all));
	assert_int_equal(all.count, ZONE_FOUND_MAX); /* the rest is left out, nothing breaks */
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_name_means_what_shared_networks_say),
		cmocka_unit_test(sick_replicas_are_left_out_unless_all_are),
		cmocka_unit_test(addresses_have_names_for_those_beside_them),
		cmocka_unit_test(a_text_that_is_no_zone_is_refused),
		cmocka_unit_test(a_later_release_may_add_members),
		cmocka_unit_test(a_written_zone_is_read_back_from_its_descriptor),
		cmocka_unit_test(thousands_of_names_are_all_found),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
