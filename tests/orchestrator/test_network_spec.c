/* tests/orchestrator/test_network_spec - mirrors orchestrator/network_spec: ports, the order of
 * interfaces, who gives the default route.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

#include "orchestrator/network.h"
#include "orchestrator/network_spec.h"

static void publications_become_wants(void **state)
{
	enum { V4 = PORTS_V4, V6 = PORTS_V6, BOTH = PORTS_V4 | PORTS_V6 };
	static const struct {
		const char *host_ip, *published, *protocol;
		int result;
		unsigned first, last, families;
		uint8_t number;
		bool any;         /* no address is left */
		const char *word; /* of the error */
	} rows[] = {
		{NULL,         "8080",      NULL,   0,  8080,  8080,  BOTH, IPPROTO_TCP,  true,  NULL            },
		{ "",          "8080",      "udp",  0,  8080,  8080,  BOTH, IPPROTO_UDP,  true,  NULL            },
		{ NULL,        NULL,        "sctp", 0,  0,     0,     BOTH, IPPROTO_SCTP, true,  NULL            },
		{ NULL,        "",          "tcp",  0,  0,     0,     BOTH, IPPROTO_TCP,  true,  NULL            },
		{ NULL,        "8080-8090", NULL,   0,  8080,  8090,  BOTH, IPPROTO_TCP,  true,  NULL            },
		{ NULL,        "8080-8080", NULL,   0,  8080,  8080,  BOTH, IPPROTO_TCP,  true,  NULL            },
		{ "0.0.0.0",   "1",         NULL,   0,  1,     1,     V4,   IPPROTO_TCP,  true,  NULL            },
		{ "::",        "65535",     NULL,   0,  65535, 65535, V6,   IPPROTO_TCP,  true,  NULL            },
		{ "127.0.0.1", "1",         NULL,   0,  1,     1,     BOTH, IPPROTO_TCP,  false, NULL            },
		{ "::1",       "1",         NULL,   0,  1,     1,     BOTH, IPPROTO_TCP,  false, NULL            },
		{ NULL,        "8090-8080", NULL,   -1, 0,     0,     0,    0,            false, "published port"},
		{ NULL,        "65536",     NULL,   -1, 0,     0,     0,    0,            false, "published port"},
		{ NULL,        "-1",        NULL,   -1, 0,     0,     0,    0,            false, "published port"},
		{ NULL,        "80x",       NULL,   -1, 0,     0,     0,    0,            false, "published port"},
		{ NULL,        "80-",       NULL,   -1, 0,     0,     0,    0,            false, "published port"},
		{ "localhost", "80",        NULL,   -1, 0,     0,     0,    0,            false, "host_ip"       },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		struct arena *arena = arena_new();
		struct port ports[] = {
			{.target = 80,
                         .host_ip = rows[i].host_ip,
                         .published = rows[i].published,
                         .protocol = rows[i].protocol}
		};
		struct service service = { .name = "web", .ports = ports, .port_count = 1 };
		struct port_want *wants = NULL;
		struct err err = ERR_NONE;
		size_t count = 0;
		int result = network_ports_of(arena, &service, "shop/web/1", NULL, 0, &wants,
					      &count, &err);

		if (result != rows[i].result)
			fail_msg("row %zu: %d \"%s\"", i, result, err.msg);
		if (result < 0) {
			assert_non_null(strstr(err.msg, rows[i].word));
			assert_non_null(strstr(err.msg, "service web: ports[0]"));
		} else {
			assert_int_equal(count, 1);
			assert_int_equal(wants->first, rows[i].first);
			assert_int_equal(wants->last, rows[i].last);
			assert_int_equal(wants->families, rows[i].families);
			assert_int_equal(wants->protocol, rows[i].number);
			assert_int_equal(!address_is_set(&wants->host_ip), rows[i].any);
			assert_int_equal(wants->target, 80);
			assert_int_equal(wants->fd4, -1);
			assert_int_equal(wants->fd6, -1);
			assert_string_equal(wants->slot, "shop/web/1");
		}
		arena_free(arena);
	}
}

/* A port that the machine chose is asked for again, for the same target and protocol only. */
static void a_chosen_port_is_remembered(void **state)
{
	static const struct {
		unsigned target;
		const char *protocol;
		unsigned wanted;
	} rows[] = {
		{80,  NULL,  49153},
                { 80, "tcp", 49153},
                { 80, "udp", 0    },
                { 81, NULL,  0    }
	};
	const struct slot_port had[] = {
		{.target = 80, .protocol = "tcp", .host_port = 49153, .host_ip = "0.0.0.0"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		struct arena *arena = arena_new();
		struct port ports[] = {
			{.target = rows[i].target, .protocol = rows[i].protocol}
		};
		struct service service = { .name = "web", .ports = ports, .port_count = 1 };
		struct port_want *wants;
		struct err err = ERR_NONE;
		size_t count;

		assert_int_equal(
			network_ports_of(arena, &service, "k", had, 1, &wants, &count, &err), 0);
		assert_int_equal(wants->remembered, rows[i].wanted);
		arena_free(arena);
	}
}

/* priority is a number with a fraction; equal ones go by name. */
static void interfaces_are_ordered_by_priority_and_name(void **state)
{
	struct attachment attachments[] = {
		{.network = "b"           },
		{                .network = "z", .priority = { 10, true } },
		{               .network = "a"                       },
		{ .network = "low",                        .priority = { -1, true } },
		{			 .network = "y",                        .priority = { 10.5, true } },
	};
	static const char *const wanted[] = { "y", "z", "a", "b", "low" };
	struct service service = { .networks = attachments, .network_count = 5 };
	struct arena *arena = arena_new();
	const struct attachment **order = network_order(arena, &service);

	(void)state;
	for (size_t i = 0; i < 5; i++)
		assert_string_equal(order[i]->network, wanted[i]);
	service.network_count = 0;
	assert_non_null(network_order(arena, &service));
	arena_free(arena);
}

static void the_default_route_is_never_of_an_internal_network(void **state)
{
	static const struct {
		double priorities[3]; /* gw_priority of a, b, c */
		bool internal[3];
		size_t wanted;
	} rows[] = {
		{{ 0, 0, 0 },     { false, false, false }, 0       },
		{ { 0, 1, 0 },    { false, false, false }, 1       },
		{ { 0, 1, 1 },    { false, false, false }, 1       },
		{ { 0, 1, 1 },    { false, true, false },  2       },
		{ { -5, -5, -1 }, { false, false, true },  0       },
		{ { 9, 9, 9 },    { true, true, true },    SIZE_MAX},
	};
	static const char *const names[] = { "a", "b", "c" };

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		struct attachment all[3];
		const struct attachment *order[3];

		for (size_t k = 0; k < 3; k++) {
			all[k] = (struct attachment){
				.network = names[k], .gw_priority = {rows[i].priorities[k], true}
			};
			order[k] = &all[k];
		}
		assert_int_equal(network_gateway(order, 3, rows[i].internal), rows[i].wanted);
	}
	assert_int_equal(network_gateway(NULL, 0, NULL), SIZE_MAX);
}

static void a_network_made_by_hand_has_a_group_of_its_own(void **state)
{
	struct arena *arena = arena_new();
	struct network_record of_project = { .name = "n", .project = "shop" };
	struct network_record by_hand = { .name = "n", .project = "" };

	(void)state;
	assert_string_equal(network_group_owner(arena, &of_project), "shop");
	assert_string_equal(network_group_owner(arena, &by_hand), "network:n");
	arena_free(arena);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(publications_become_wants),
		cmocka_unit_test(a_chosen_port_is_remembered),
		cmocka_unit_test(interfaces_are_ordered_by_priority_and_name),
		cmocka_unit_test(the_default_route_is_never_of_an_internal_network),
		cmocka_unit_test(a_network_made_by_hand_has_a_group_of_its_own),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
