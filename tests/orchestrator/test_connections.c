/* tests/orchestrator/test_connections - mirrors orchestrator/connections: networks of the file, and
 * what `network connect` and `disconnect` made of them.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "orchestrator/connections.h"
#include "tests/orchestrator/project_room.h"

/* Project shop: networks front (shop_front) and back (named backnet). */
static struct network networks[] = {
	{.key = "front", .name = "shop_front"},
	{ .key = "back", .name = "backnet"   },
};
static const struct project shop = { .name = "shop", .networks = networks, .network_count = 2 };

static struct service service_on(struct attachment *attachments, size_t count)
{
	return (struct service){ .name = "web", .networks = attachments, .network_count = count };
}

/* "KEY=INTERFACE KEY=INTERFACE": the networks of a service in their order. */
static const char *names_of(struct arena *arena, const struct service *service)
{
	const char *text = "";

	for (size_t i = 0; i < service->network_count; i++)
		text = arena_format(
			arena, "%s%s%s=%s", text, i ? " " : "", service->networks[i].network,
			service->networks[i].interface_name ? service->networks[i].interface_name
							    : "?");
	return text;
}

static void some_modes_have_a_namespace_of_their_own(void **state)
{
	static const struct {
		const char *mode;
		bool own;
		const char *network; /* that it joins; NULL: none but those of the file */
	} rows[] = {
		{NULL,             true,  NULL       },
		{ "none",          true,  NULL       },
		{ "host",          false, NULL       },
		{ "service:db",    false, NULL       },
		{ "container:abc", false, NULL       },
		{ "bridge",        true,  "/bridge=?"},
		{ "default",       true,  "/bridge=?"},
		{ "lan",           true,  "/lan=?"   },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		struct arena *arena = arena_new();
		struct service service = { .name = "web",
					   .network_mode = rows[i].mode,
					   .mac_address = "02:00:00:00:00:01" };
		const struct service *now = connections_service(arena, &service, NULL);

		assert_int_equal(connections_own_namespace(&service), rows[i].own);
		if (rows[i].network) {
			assert_string_equal(names_of(arena, now), rows[i].network);
			assert_string_equal(now->networks[0].mac_address, service.mac_address);
			assert_null(now->network_mode);
		} else {
			assert_ptr_equal(now, &service);
		}
		arena_free(arena);
	}
}

static void a_connected_network_comes_last_under_a_free_name(void **state)
{
	static const struct {
		const char *network, *interface; /* the wish */
		enum err_code code;
		const char *wanted; /* networks afterwards, or a word of the error */
	} rows[] = {
		{"other",       NULL,   ERR_OK,     "front=eth0 back=lan0 /other=eth1"},
		{ "other",      "eth7", ERR_OK,     "front=eth0 back=lan0 /other=eth7"},
		{ "other",      "eth0", ERR_EXISTS, "interface eth0"                  },
		{ "other",      "lan0", ERR_EXISTS, "interface lan0"                  },
		{ "shop_front", NULL,   ERR_EXISTS, "network shop_front"              },
		{ "backnet",    NULL,   ERR_EXISTS, "network backnet"                 },
		{ "back",       NULL,   ERR_OK,
                 "front=eth0 back=lan0 /back=eth1"                                    }, /* no real name of ours */
	};
	struct attachment attachments[] = {
		{.network = "back",   .interface_name = "lan0"},
		{ .network = "front", .priority = { 10, true }},
	};
	struct slot_link links[] = {
		{.network = "shop_front", .interface = "eth0"},
		{ .network = "backnet",   .interface = "lan0"}
	};
	struct slot_net net = { .links = links, .link_count = 2 };

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		struct arena *arena = arena_new();
		struct service service = service_on(attachments, 2);
		struct attachment wish = { .network = rows[i].network,
					   .interface_name = rows[i].interface };
		const struct service *out = NULL;
		struct err err = ERR_NONE;
		int result = connections_add(arena, &shop, &service, &net, &wish, &out, &err);

		assert_int_equal(err.code, rows[i].code);
		assert_int_equal(result, rows[i].code == ERR_OK ? 0 : -1);
		if (result == 0)
			assert_string_equal(names_of(arena, out), rows[i].wanted);
		else
			assert_non_null(strstr(err.msg, rows[i].wanted));
		assert_null(attachments[1].interface_name); /* the file's own stays as it is */
		arena_free(arena);
	}
}

static void a_network_of_the_file_comes_back_under_its_key(void **state)
{
	struct arena *arena = arena_new();
	struct attachment one[] = { { .network = "front" } };
	struct service service = service_on(one, 1);
	struct attachment wish = { .network = "backnet" };
	const struct service *out = NULL;
	struct err err = ERR_NONE;

	(void)state;
	assert_int_equal(connections_add(arena, &shop, &service, NULL, &wish, &out, &err), 0);
	assert_string_equal(out->networks[1].network, "back");
	arena_free(arena);
}

static void a_disconnected_network_is_gone_and_the_others_keep_their_names(void **state)
{
	static const struct {
		const char *network, *mode;
		enum err_code code;
		const char *wanted;
	} rows[] = {
		{"shop_front", NULL,         ERR_OK,        "back=eth1"               },
		{ "backnet",   NULL,         ERR_OK,        "front=eth0"              },
		{ "front",     NULL,         ERR_NOT_FOUND, "not on network front"    },
		{ "nowhere",   NULL,         ERR_NOT_FOUND, "not on network nowhere"  },
		{ "backnet",   "host",       ERR_INVALID,   "network_mode: host"      },
		{ "backnet",   "service:db", ERR_INVALID,   "network_mode: service:db"},
	};
	struct attachment attachments[] = {
		{.network = "front", .priority = { 5, true } },
                { .network = "back"                }
	};
	struct slot_link links[] = {
		{.network = "shop_front", .interface = "eth0"},
		{ .network = "backnet",   .interface = "eth1"}
	};
	struct slot_net net = { .links = links, .link_count = 2 };

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		struct arena *arena = arena_new();
		struct service service = service_on(attachments, 2);
		const struct service *out = NULL;
		struct err err = ERR_NONE;
		int result;

		service.network_mode = rows[i].mode;
		result = connections_remove(arena, &shop, &service, &net, rows[i].network, &out,
					    &err);
		assert_int_equal(err.code, rows[i].code);
		if (result == 0)
			assert_string_equal(names_of(arena, out), rows[i].wanted);
		else
			assert_non_null(strstr(err.msg, rows[i].wanted));
		arena_free(arena);
	}
}

/* What a record keeps is what an adopting supervisor reads. */
static void the_record_keeps_all_of_an_attachment(void **state)
{
	struct arena *arena = arena_new();
	const char *aliases[] = { "a", "b.c" };
	const char *local[] = { "169.254.3.4" };
	struct pair options[] = {
		{"com.docker.network.endpoint.ifname", "x0"},
                { "k",                                 ""  }
	};
	struct attachment attachments[] = {
		{.network = "/lan",
                 .interface_name = "eth3",
                 .ipv4_address = "10.0.0.9",
                 .ipv6_address = "fd00::9",
                 .mac_address = "02:00:00:00:00:09",
                 .priority = { -3, true },
                 .gw_priority = { 7, true },
                 .aliases = { aliases, 2 },
                 .link_local_ips = { local, 1 },
                 .driver_opts = { options, 2 } },
		{ .network = "front"},
	};
	struct service service = service_on(attachments, 2);
	struct service plain = { .name = "web", .network_mode = "bridge" };
	struct slot_net *net = slot_net_new();
	AUTO(record) struct record *record = record_new("web", 1);
	const struct service *back;
	const struct attachment *one;

	(void)state;
	record->info = xstrdup("{\"labels\":{\"a\":\"b\"},\"networks\":[1],\"ports\":[2]}");
	connections_save(record, &service, net);
	back = connections_service(arena, &plain, record);
	assert_int_equal(back->network_count, 2);
	assert_null(back->network_mode); /* what was connected counts, no longer the mode */
	one = &back->networks[0];
	assert_string_equal(one->network, "/lan");
	assert_string_equal(one->interface_name, "eth3");
	assert_string_equal(one->ipv4_address, "10.0.0.9");
	assert_string_equal(one->ipv6_address, "fd00::9");
	assert_string_equal(one->mac_address, "02:00:00:00:00:09");
	assert_int_equal((int)one->priority.value, -3);
	assert_int_equal((int)one->gw_priority.value, 7);
	assert_int_equal(one->aliases.count, 2);
	assert_string_equal(one->aliases.items[1], "b.c");
	assert_string_equal(one->link_local_ips.items[0], "169.254.3.4");
	assert_int_equal(one->driver_opts.count, 2);
	assert_string_equal(one->driver_opts.items[0].value, "x0");
	assert_string_equal(one->driver_opts.items[1].value, "");
	assert_null(back->networks[1].ipv4_address);
	{
		AUTO(json) struct json_object *info = record_info(record);

		assert_string_equal(json_text_or(json_object_at(info, "labels"), "a", ""), "b");
		assert_int_equal(json_array_count(json_array_at(info, "networks")), 0);
	}
	/* Again: nothing is kept twice. */
	service.network_count = 0;
	connections_save(record, &service, net);
	back = connections_service(arena, &plain, record);
	assert_int_equal(back->network_count, 0);
	slot_net_free(net);
	arena_free(arena);
}

static void networks_that_no_file_declares_become_external_ones_once(void **state)
{
	struct arena *arena = arena_new();
	struct attachment first[] = { { .network = "/lan" }, { .network = "front" } };
	struct attachment second[] = { { .network = "/lan" }, { .network = "/wan" } };
	struct service services[] = { service_on(first, 2), service_on(second, 2) };
	struct net_want wants[] = { { .service = &services[0] }, { .service = &services[1] } };
	const struct project *out = connections_project(arena, &shop, wants, 2);

	(void)state;
	assert_int_equal(out->network_count, 4);
	assert_string_equal(out->networks[2].key, "/lan");
	assert_string_equal(out->networks[2].name, "lan");
	assert_true(out->networks[2].external);
	assert_string_equal(out->networks[3].name, "wan");
	assert_int_equal(shop.network_count, 2);
	out = connections_project(arena, &shop, wants, 0);
	assert_int_equal(out->network_count, 2);
	arena_free(arena);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(some_modes_have_a_namespace_of_their_own),
		cmocka_unit_test(a_connected_network_comes_last_under_a_free_name),
		cmocka_unit_test(a_network_of_the_file_comes_back_under_its_key),
		cmocka_unit_test(a_disconnected_network_is_gone_and_the_others_keep_their_names),
		cmocka_unit_test(the_record_keeps_all_of_an_attachment),
		cmocka_unit_test(networks_that_no_file_declares_become_external_ones_once),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
