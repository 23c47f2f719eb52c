/* tests/netplug/k_network - networks' records, leases, groups and ports on disk, in a namespace of
 * its own. */
#include "tests/netplug/sandbox.h"

#include <dirent.h>
#include <sys/wait.h>

#include "netplug/ports.h"

struct books {
	char path[64];
	struct netplug np;
	struct arena *arena;
};

static int enter_once(void **state)
{
	(void)state;
	sandbox_enter();
	return 0;
}

static int open_books(void **state)
{
	struct books *b = calloc(1, sizeof(*b));

	snprintf(b->path, sizeof(b->path), "/tmp/netplug.XXXXXX");
	assert_non_null(mkdtemp(b->path));
	b->np.state_fd = b->np.runtime_fd = open(b->path, O_DIRECTORY | O_RDONLY | O_CLOEXEC);
	b->np.machine_id = "0123456789abcdef";
	b->arena = arena_new();
	*state = b;
	return 0;
}

static int close_books(void **state)
{
	struct books *b = *state;
	char command[128];

	close(b->np.state_fd);
	snprintf(command, sizeof(command), "rm -r %s", b->path);
	sandbox_run(command);
	arena_free(b->arena);
	free(b);
	return 0;
}

static struct network_record *ensure(struct books *b, const char *name, const char *subnet)
{
	struct network_subnet_spec subnets = { .subnet = subnet };
	struct network_spec spec = {
		.name = name, .project = "shop", .subnets = &subnets, .subnet_count = subnet ? 1 : 0
	};
	struct network_record *network;
	enum network_outcome outcome;
	char why[240];
	struct err err = ERR_NONE;

	check(network_ensure(&b->np, b->arena, &spec, &network, &outcome, why, &err));
	return network;
}

static void a_network_is_made_once_and_found_again(void **state)
{
	struct books *b = *state;
	struct network_pair label = { "a", "b" };
	struct network_spec spec = { .name = "shop_default", .project = "shop" };
	struct network_record *made, *found;
	enum network_outcome outcome;
	char why[240];
	struct err err = ERR_NONE;

	check(network_ensure(&b->np, b->arena, &spec, &made, &outcome, why, &err));
	assert_int_equal(outcome, NETWORK_MADE);
	assert_int_equal(strlen(made->id), 64);
	assert_int_equal(made->subnet_count, 1);
	assert_int_equal(made->mtu, 1500);
	check(network_ensure(&b->np, b->arena, &spec, &found, &outcome, why, &err));
	assert_int_equal(outcome, NETWORK_FOUND);
	assert_string_equal(made->id, found->id);
	assert_string_equal(made->bridge, found->bridge);
	assert_true(prefix_equal(&made->subnets[0].subnet, &found->subnets[0].subnet));
	/* Another definition is told apart, with the first difference. */
	spec.labels = (struct network_pairs){ &label, 1 };
	check(network_ensure(&b->np, b->arena, &spec, &found, &outcome, why, &err));
	assert_int_equal(outcome, NETWORK_DIFFERS);
	assert_non_null(strstr(why, "labels"));
	/* Another project must say external. */
	spec.project = "other";
	assert_int_equal(network_ensure(&b->np, b->arena, &spec, &found, &outcome, why, &err), -1);
	assert_int_equal(err.code, ERR_EXISTS);
	assert_non_null(strstr(err.msg, "project shop"));
	check(network_remove(&b->np, "shop_default", &err));
	assert_int_equal(network_load(&b->np, b->arena, "shop_default", &found, &err), -1);
	assert_int_equal(err.code, ERR_NOT_FOUND);
	/* Down and up again: the same subnet. */
	check(network_ensure(&b->np, b->arena, &(struct network_spec){ .name = "shop_default" },
			     &found, &outcome, why, &err));
	assert_true(prefix_equal(&made->subnets[0].subnet, &found->subnets[0].subnet));
}

static void chosen_subnets_avoid_networks_routes_and_name_servers(void **state)
{
	struct books *b = *state;
	struct network_record *networks[20];
	struct prefix route = sandbox_prefix("172.16.0.0/12");

	for (size_t i = 0; i < 20; i++) {
		char name[16];

		snprintf(name, sizeof(name), "n%zu", i);
		if (i == 10) {
			/* A VPN comes up; a default route in halves is no reason to give up. */
			sandbox_run("ip link add tun9 type bridge && ip link set tun9 up");
			sandbox_run("ip route add 172.16.0.0/12 dev tun9 table 77");
			sandbox_run("ip route add 0.0.0.0/1 dev tun9");
			sandbox_run("ip route add 128.0.0.0/1 dev tun9");
		}
		networks[i] = ensure(b, name, NULL);
		for (size_t k = 0; k < i; k++)
			assert_false(prefix_overlaps(&networks[k]->subnets[0].subnet,
						     &networks[i]->subnets[0].subnet));
		if (i >= 10)
			assert_false(prefix_overlaps(&networks[i]->subnets[0].subnet, &route));
	}
	sandbox_run("ip link del tun9");
}

static void wished_subnets_that_overlap_are_refused_by_name(void **state)
{
	struct books *b = *state;
	static const struct {
		const char *subnet, *range, *gateway, *fault;
	} rows[] = {
		{"10.50.0.0/16",  NULL,           NULL,        "route 10.50.3.0/24 dev vpn0"},
		{ "10.60.0.0/25", NULL,           NULL,        "network first"              },
		{ "10.70.0.0/24", "10.71.0.0/25", NULL,        "ip_range"                   },
		{ "10.70.0.0/24", NULL,           "10.71.0.1", "gateway"                    },
		{ "10.70.0/24",   NULL,           NULL,        "no IP address"              },
		{ "10.70.0.0/33", NULL,           NULL,        "subnet"                     },
	};

	sandbox_run("ip link add vpn0 type bridge && ip link set vpn0 up");
	sandbox_run("ip route add 10.50.3.0/24 dev vpn0");
	ensure(b, "first", "10.60.0.0/24");
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct network_subnet_spec subnet = {
			rows[i].subnet, rows[i].range, rows[i].gateway, {NULL, 0}
		};
		struct network_spec spec = { .name = "second",
					     .subnets = &subnet,
					     .subnet_count = 1 };
		struct network_record *network;
		enum network_outcome outcome;
		char why[240];
		struct err err = ERR_NONE;

		assert_int_equal(
			network_ensure(&b->np, b->arena, &spec, &network, &outcome, why, &err), -1);
		if (!strstr(err.msg, rows[i].fault))
			fail_msg("row %zu: %s", i, err.msg);
	}
	sandbox_run("ip link del vpn0");
}

static void options_are_read_and_unknown_ones_are_named(void **state)
{
	struct books *b = *state;
	static const struct {
		const char *key, *value, *fault, *warning;
	} rows[] = {
		{"com.docker.network.driver.mtu",                "1400",                NULL,                NULL},
		{ "mtu",					 "abc",                 "mtu",               NULL},
		{ "com.docker.network.bridge.name",              "br-shop",             NULL,                NULL},
		{ "com.docker.network.bridge.name",              "a/b",                 "link name",         NULL},
		{ "com.docker.network.bridge.name",              "a-name-that-is-long", "link name",         NULL},
		{ "com.docker.network.bridge.enable_icc",        "false",               NULL,                NULL},
		{ "com.docker.network.bridge.enable_icc",        "maybe",               "true or false",     NULL},
		{ "com.docker.network.bridge.gateway_mode_ipv4", "routed",              NULL,                NULL},
		{ "com.docker.network.bridge.gateway_mode_ipv4", "wild",                "one of: nat",       NULL},
		{ "com.docker.network.host_ipv4",                "fd00::1",             "IPv4",              NULL},
		{ "com.docker.network.bridge.enable_ic",         "false",               NULL,
                 "did you mean com.docker.network.bridge.enable_icc?"                                            },
		{ "vlan",					"7",                   "not supported yet", NULL},
		{ "macvlan_mode",                                "private",             NULL,                NULL},
		{ "ipvlan_mode",				 "l4",                  "one of: l2",        NULL},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct network_pair pair = { rows[i].key, rows[i].value };
		struct network_pairs pairs = { &pair, 1 };
		struct network_options options;
		const char *warning;
		struct err err = ERR_NONE;
		int result = network_options_read(b->arena, &pairs, &options, &warning, &err);

		assert_int_equal(result, rows[i].fault ? -1 : 0);
		if (rows[i].fault && !strstr(err.msg, rows[i].fault))
			fail_msg("row %zu: %s", i, err.msg);
		if (rows[i].warning && (!warning || !strstr(warning, rows[i].warning)))
			fail_msg("row %zu: %s", i, warning ? warning : "no warning");
		if (!rows[i].warning && result == 0)
			assert_null(warning);
	}
}

static void drivers_that_are_not_there_say_why(void **state)
{
	struct books *b = *state;
	static const struct {
		const char *driver, *fault;
	} rows[] = {
		{"overlay",  "several hosts"},
		{ "weave",   "not supported"},
		{ "macvlan", "parent"       }
	};

	for (size_t i = 0; i < 3; i++) {
		struct network_spec spec = { .name = "n", .driver = rows[i].driver };
		struct network_record *network;
		enum network_outcome outcome;
		char why[240];
		struct err err = ERR_NONE;

		assert_int_equal(
			network_ensure(&b->np, b->arena, &spec, &network, &outcome, why, &err), -1);
		assert_non_null(strstr(err.msg, rows[i].fault));
	}
}

static void leases_stay_with_their_slot_and_wishes_come_first(void **state)
{
	struct books *b = *state;
	struct lease_want first[] = {
		{.network = "net",                    .slot = "shop/web/1"},
		{                .network = "net",               .slot = "shop/web/2"                   },
 /* The last in the list wishes what the first would be given. */
		{ .network = "net", .slot = "shop/db/1",                    .v4 = sandbox_address("10.61.0.2") },
	};
	struct lease_want again[] = {
		{.network = "net",  .slot = "shop/web/2"  },
		{ .network = "net", .slot = "shop/cache/1"}
	};
	struct network_record *network;
	char text[ADDRESS_TEXT];
	struct err err = ERR_NONE;

	ensure(b, "net", "10.61.0.0/24");
	check(network_lease(&b->np, first, 3, &err));
	assert_string_equal(address_text(&first[0].lease.v4, text), "10.61.0.3");
	assert_string_equal(address_text(&first[1].lease.v4, text), "10.61.0.4");
	assert_string_equal(address_text(&first[2].lease.v4, text), "10.61.0.2");
	assert_int_equal(first[0].lease.v4_len, 24);
	assert_memory_not_equal(first[0].lease.mac, first[1].lease.mac, 6);
	check(network_lease(&b->np, again, 2, &err));
	assert_true(address_equal(&again[0].lease.v4, &first[1].lease.v4));
	assert_memory_equal(again[0].lease.mac, first[1].lease.mac, 6);
	assert_string_equal(address_text(&again[1].lease.v4, text), "10.61.0.5");
	/* A freed address is given last. */
	check(network_release(&b->np, NULL, "shop", "shop/cache/1", &err));
	again[1].slot = "shop/cache/2";
	check(network_lease(&b->np, &again[1], 1, &err));
	assert_string_equal(address_text(&again[1].lease.v4, text), "10.61.0.6");
	assert_int_equal(network_remove(&b->np, "net", &err), -1);
	assert_int_equal(err.code, ERR_BUSY);
	check(network_release(&b->np, NULL, "shop", NULL, &err));
	check(network_load(&b->np, b->arena, "net", &network, &err));
	assert_int_equal(network->lease_count, 0);
	check(network_remove(&b->np, "net", &err));
}

static void wishes_that_cannot_be_met_name_the_holder(void **state)
{
	struct books *b = *state;
	static const uint8_t mac[6] = { 2, 1, 1, 1, 1, 1 };
	struct lease_want holder = { .network = "net",
				     .slot = "shop/db/1",
				     .mac = mac,
				     .v4 = sandbox_address("10.62.0.9") };
	struct lease_want aside[] = {
		{.network = "net",
                 .slot = "shop/late/1",
                 .aside_only = true,
                 .v4 = sandbox_address("10.62.0.2") },
		{ .network = "net", .slot = "shop/web/1"},
	};
	static const struct {
		const char *v4;
		bool same_mac;
		const char *fault;
	} rows[] = {
		{"10.62.0.9",   false, "taken by shop/db/1"           },
		{ "10.62.0.1",  false, "gateway"                      },
		{ "10.62.0.77", false, "aux_addresses (printer)"      },
		{ "10.63.0.1",  false, "no subnet"                    },
		{ NULL,         true,  "MAC address 02:01:01:01:01:01"},
	};
	struct network_pair printer = { "printer", "10.62.0.77" };
	struct network_subnet_spec subnet = {
		"10.62.0.0/24", NULL, NULL, {&printer, 1}
	};
	struct network_spec spec = { .name = "net", .subnets = &subnet, .subnet_count = 1 };
	struct network_record *network;
	enum network_outcome outcome;
	char why[240], text[ADDRESS_TEXT];
	struct err err = ERR_NONE;

	check(network_ensure(&b->np, b->arena, &spec, &network, &outcome, why, &err));
	check(network_lease(&b->np, &holder, 1, &err));
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct lease_want want = { .network = "net",
					   .slot = "shop/web/1",
					   .mac = rows[i].same_mac ? mac : NULL };

		if (rows[i].v4)
			want.v4 = sandbox_address(rows[i].v4);
		assert_int_equal(network_lease(&b->np, &want, 1, &err), -1);
		if (!strstr(err.msg, rows[i].fault))
			fail_msg("row %zu: %s", i, err.msg);
	}
	/* Refused wishes left nothing behind; a set-aside address is not handed out. */
	check(network_load(&b->np, b->arena, "net", &network, &err));
	assert_int_equal(network->lease_count, 1);
	check(network_lease(&b->np, aside, 2, &err));
	assert_string_equal(address_text(&aside[1].lease.v4, text), "10.62.0.3");
	check(network_load(&b->np, b->arena, "net", &network, &err));
	assert_int_equal(network->lease_count, 2);
}

static bool only_odd(void *ctx, const char *slot)
{
	(void)ctx;
	return (slot[strlen(slot) - 1] - '0') % 2 == 1;
}

static void a_full_network_names_its_users_and_dead_slots_are_reclaimed(void **state)
{
	struct books *b = *state;
	struct lease_want wants[6];
	char slots[6][24];
	struct err err = ERR_NONE;

	ensure(b, "tiny", "10.64.0.0/29");
	for (size_t i = 0; i < 6; i++) {
		snprintf(slots[i], sizeof(slots[i]), "shop/web/%zu", i + 1);
		wants[i] = (struct lease_want){ .network = "tiny", .slot = slots[i] };
	}
	assert_int_equal(network_lease(&b->np, wants, 6, &err), -1);
	assert_int_equal(err.code, ERR_NO_SPACE);
	assert_non_null(strstr(err.msg, "shop/web 6"));
	assert_non_null(strstr(err.msg, "10.64.0.0/29"));
	check(network_lease(&b->np, wants, 5, &err));
	assert_int_equal(network_lease(&b->np, &wants[5], 1, &err), -1);
	assert_int_equal(network_reclaim(&b->np, "tiny", only_odd, NULL, &err), 2);
	check(network_lease(&b->np, &wants[5], 1, &err));
}

/* What nobody had before needs no announcement; the file keeps which ones do. */
static void addresses_that_another_may_have_had_are_marked(void **state)
{
	struct books *b = *state;
	static const uint8_t mac[6] = { 2, 0, 0, 0, 0, 9 };
	struct lease_want rows[] = {
		{.network = "lap",                    .slot = "shop/web/1"},
		{                 .network = "lap",               .slot = "shop/web/2"                   },
		{  .network = "lap",                         .slot = "shop/web/3",                                            .mac = mac },
		{ .network = "lap", .slot = "shop/db/1",                    .v4 = sandbox_address("10.65.0.6") },
	};
	struct lease_want last = { .network = "lap", .slot = "shop/web/2b" };
	struct lease_want next = { .network = "lap", .slot = "shop/web/4" };
	struct network_record *network;
	struct err err = ERR_NONE;

	ensure(b, "lap", "10.65.0.0/29");
	check(network_lease(&b->np, rows, 4, &err));
	assert_false(rows[0].lease.is_inherited);
	assert_false(rows[1].lease.is_inherited);
	assert_true(rows[2].lease.is_inherited);
	assert_true(rows[3].lease.is_inherited);
	check(network_lease(&b->np, &last, 1, &err));
	assert_false(last.lease.is_inherited);
	/* .2 to .6 are given; one comes free, and the next lap begins with it. */
	check(network_release(&b->np, "lap", "shop", "shop/web/1", &err));
	check(network_lease(&b->np, &next, 1, &err));
	assert_true(next.lease.is_inherited);
	check(network_load(&b->np, b->arena, "lap", &network, &err));
	assert_true(network->subnets[0].is_worn);
	for (size_t i = 0; i < network->lease_count; i++)
		assert_int_equal(network->leases[i].is_inherited,
				 strncmp(network->leases[i].slot, "shop/web/2", 10) != 0);
}

static void dual_stack_leases_have_the_same_host_part(void **state)
{
	struct books *b = *state;
	struct network_spec spec = { .name = "dual", .ipv6 = true };
	struct network_spec six = { .name = "six", .ipv6 = true, .no_ipv4 = true };
	struct lease_want wants[] = {
		{.network = "dual", .slot = "shop/web/1"},
		{ .network = "six", .slot = "shop/web/1"}
	};
	struct network_record *network;
	enum network_outcome outcome;
	char why[240];
	struct err err = ERR_NONE;

	check(network_ensure(&b->np, b->arena, &spec, &network, &outcome, why, &err));
	assert_int_equal(network->subnet_count, 2);
	check(network_ensure(&b->np, b->arena, &six, &network, &outcome, why, &err));
	assert_int_equal(network->subnet_count, 1);
	check(network_lease(&b->np, wants, 2, &err));
	assert_int_equal(wants[0].lease.v6.bytes[0], 0xfd);
	assert_int_equal(wants[0].lease.v6.bytes[15], wants[0].lease.v4.bytes[3]);
	assert_int_equal(wants[0].lease.v6_len, 64);
	assert_int_equal(wants[1].lease.v4.family, AF_UNSPEC);
	assert_int_equal(wants[1].lease.v6.family, AF_INET6);
}

static void many_supervisors_at_once_give_no_address_twice(void **state)
{
	struct books *b = *state;
	struct network_record *network;
	struct err err = ERR_NONE;

	ensure(b, "busy", "10.65.0.0/24");
	for (int p = 0; p < 4; p++)
		if (fork() == 0) {
			for (int i = 0; i < 20; i++) {
				char slot[32];
				struct lease_want want = { .network = "busy", .slot = slot };

				snprintf(slot, sizeof(slot), "p%d/web/%d", p, i);
				if (network_lease(&b->np, &want, 1, &err) < 0)
					_exit(1);
			}
			_exit(0);
		}
	for (int p = 0; p < 4; p++) {
		int status;

		wait(&status);
		assert_int_equal(status, 0);
	}
	check(network_load(&b->np, b->arena, "busy", &network, &err));
	assert_int_equal(network->lease_count, 80);
	for (size_t i = 0; i < 80; i++)
		for (size_t k = 0; k < i; k++)
			assert_false(address_equal(&network->leases[i].v4, &network->leases[k].v4));
}

static void groups_are_pairs_of_their_own(void **state)
{
	struct books *b = *state;
	unsigned shop, blog, again;
	struct err err = ERR_NONE;

	check(link_group_take(&b->np, "shop", &shop, &err));
	check(link_group_take(&b->np, "blog", &blog, &err));
	assert_true(shop >= 1024 && shop % 2 == 0 && blog % 2 == 0 && shop != blog);
	check(link_group_take(&b->np, "shop", &again, &err));
	assert_int_equal(shop, again);
	check(link_group_drop(&b->np, "shop", &err));
	assert_int_equal(link_group_find(&b->np, "shop", &again, &err), -1);
	assert_int_equal(err.code, ERR_NOT_FOUND);
	check(link_group_take(&b->np, "third", &again, &err));
	assert_int_equal(again, shop);
}

/* ---- ports */

static void drop(struct port_want *want)
{
	if (want->fd4 >= 0)
		close(want->fd4);
	if (want->fd6 >= 0)
		close(want->fd6);
}

static int listen_on(const char *address, uint16_t port)
{
	struct sockaddr_storage name;
	socklen_t len = sandbox_name(address, port, &name);
	int on = 1, fd = socket(name.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0);

	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &on, sizeof(on));
	if (bind(fd, (struct sockaddr *)&name, len) < 0 || listen(fd, 1) < 0) {
		close(fd);
		return -1;
	}
	return fd;
}

static void a_placeholder_keeps_others_out_and_refuses_connections(void **state)
{
	struct books *b = *state;
	struct port_want want = { .slot = "shop/web/1",
				  .families = PORTS_V4 | PORTS_V6,
				  .first = 8080,
				  .last = 8080,
				  .target = 80,
				  .protocol = IPPROTO_TCP };
	struct port_entry *rows;
	size_t count;
	struct err err = ERR_NONE;

	check(ports_reserve(&b->np, &want, 1, &err));
	assert_int_equal(want.port, 8080);
	assert_true(want.fd4 >= 0 && want.fd6 >= 0);
	assert_int_equal(listen_on("0.0.0.0", 8080), -1);
	assert_int_equal(listen_on("127.0.0.1", 8080), -1);
	assert_int_equal(listen_on("::", 8080), -1);
	assert_reach(NULL, "127.0.0.1", 8080, REFUSED);
	check(ports_list(&b->np, b->arena, "shop", &rows, &count, &err));
	assert_int_equal(count, 2);
	assert_int_equal(rows[0].port, 8080);
	assert_int_equal(rows[0].target, 80);
	check(ports_list(&b->np, b->arena, "sho", &rows, &count, &err));
	assert_int_equal(count, 0);
	drop(&want);
	check(ports_release(&b->np, "shop", NULL, &err));
	check(ports_list(&b->np, b->arena, NULL, &rows, &count, &err));
	assert_int_equal(count, 0);
}

static void a_conflict_names_the_holder_and_leaves_nothing(void **state)
{
	struct books *b = *state;
	struct port_want mine = { .slot = "shop/web/1",
				  .families = PORTS_V4,
				  .first = 8081,
				  .last = 8081,
				  .protocol = IPPROTO_TCP };
	struct port_want theirs[] = {
		{.slot = "blog/web/1",
                 .families = PORTS_V4,
                 .first = 9090,
                 .last = 9090,
                 .protocol = IPPROTO_TCP},
		{ .slot = "blog/app/1",
                 .host_ip = sandbox_address("127.0.0.1"),
                 .first = 8081,
                 .last = 8081,
                 .protocol = IPPROTO_TCP},
	};
	struct port_want absent = { .slot = "blog/web/1",
				    .host_ip = sandbox_address("10.9.9.9"),
				    .first = 80,
				    .last = 80,
				    .protocol = IPPROTO_TCP };
	struct port_entry *rows;
	size_t count;
	int fd;
	struct err err = ERR_NONE;

	check(ports_reserve(&b->np, &mine, 1, &err));
	assert_int_equal(ports_reserve(&b->np, theirs, 2, &err), -1);
	assert_int_equal(err.code, ERR_EXISTS);
	assert_non_null(strstr(err.msg, "project shop, service web"));
	assert_non_null(strstr(err.msg, "8081/tcp"));
	/* 9090 is free again, and booked by nobody. */
	fd = listen_on("0.0.0.0", 9090);
	assert_true(fd >= 0);
	check(ports_list(&b->np, b->arena, NULL, &rows, &count, &err));
	assert_int_equal(count, 1);
	/* Now somebody who has no book has it: named by process. */
	assert_int_equal(ports_reserve(&b->np, theirs, 1, &err), -1);
	assert_int_equal(err.code, ERR_EXISTS);
	assert_non_null(strstr(err.msg, "k_network (pid "));
	assert_int_equal(ports_reserve(&b->np, &absent, 1, &err), -1);
	assert_non_null(strstr(err.msg, "no address 10.9.9.9"));
	close(fd);
	drop(&mine);
}

static void rows_that_a_slot_no_longer_wants_are_struck_alone(void **state)
{
	struct books *b = *state;
	struct port_want wants[] = {
		{.slot = "shop/web/1",
                 .families = PORTS_V4,
                 .first = 8085,
                 .last = 8085,
                 .protocol = IPPROTO_TCP},
		{ .slot = "shop/web/1",
                 .families = PORTS_V4,
                 .first = 8086,
                 .last = 8086,
                 .protocol = IPPROTO_TCP},
		{ .slot = "shop/web/2",
                 .families = PORTS_V4,
                 .first = 8087,
                 .last = 8087,
                 .protocol = IPPROTO_TCP},
	};
	struct port_entry *rows, kept;
	size_t count;
	struct err err = ERR_NONE;

	check(ports_reserve(&b->np, wants, 3, &err));
	check(ports_list(&b->np, b->arena, NULL, &rows, &count, &err));
	assert_int_equal(count, 3);
	kept = rows[1];
	assert_int_equal(kept.port, 8086);
	check(ports_trim(&b->np, "shop/web/1", &kept, 1, &err));
	check(ports_list(&b->np, b->arena, NULL, &rows, &count, &err));
	assert_int_equal(count, 2);
	assert_int_equal(rows[0].port, 8086);
	assert_int_equal(rows[1].port, 8087);
	for (size_t i = 0; i < 3; i++)
		drop(&wants[i]);
}

static void ranges_and_ephemeral_ports_find_a_free_one_and_remember_it(void **state)
{
	struct books *b = *state;
	struct port_want range[] = {
		{.slot = "shop/web/1",
                 .families = PORTS_V4,
                 .first = 7000,
                 .last = 7002,
                 .protocol = IPPROTO_TCP},
		{ .slot = "shop/web/2",
                 .families = PORTS_V4,
                 .first = 7000,
                 .last = 7002,
                 .protocol = IPPROTO_TCP},
 /* Must have the number that a choice would take. */
		{ .slot = "shop/db/1",
                 .families = PORTS_V4,
                 .first = 7000,
                 .last = 7000,
                 .protocol = IPPROTO_TCP},
	};
	struct port_want fourth = { .slot = "shop/web/3",
				    .families = PORTS_V4,
				    .first = 7000,
				    .last = 7002,
				    .protocol = IPPROTO_TCP };
	struct port_want any = { .slot = "shop/any/1",
				 .families = PORTS_V4 | PORTS_V6,
				 .protocol = IPPROTO_UDP };
	uint16_t chosen;
	struct err err = ERR_NONE;

	check(ports_reserve(&b->np, range, 3, &err));
	assert_int_equal(range[0].port, 7001);
	assert_int_equal(range[1].port, 7002);
	assert_int_equal(range[2].port, 7000);
	assert_int_equal(ports_reserve(&b->np, &fourth, 1, &err), -1);
	assert_non_null(strstr(err.msg, "7000-7002/tcp are all taken"));
	check(ports_reserve(&b->np, &any, 1, &err));
	chosen = any.port;
	assert_true(chosen > 0 && any.fd4 >= 0 && any.fd6 >= 0);
	drop(&any);
	any.remembered = chosen;
	check(ports_reserve(&b->np, &any, 1, &err));
	assert_int_equal(any.port, chosen);
	drop(&any);
	for (size_t i = 0; i < 3; i++)
		drop(&range[i]);
}

static void what_netd_holds_is_not_bound_again(void **state)
{
	struct books *b = *state;
	struct port_want want = { .slot = "shop/web/1",
				  .families = PORTS_V4,
				  .first = 8085,
				  .last = 8085,
				  .protocol = IPPROTO_TCP };
	struct port_want again = want;
	struct port_want twice[2] = { want, want };
	struct port_want sctp = { .slot = "shop/web/1",
				  .families = PORTS_V4,
				  .first = 8086,
				  .last = 8086,
				  .protocol = IPPROTO_SCTP };
	struct port_entry *rows;
	size_t count;
	struct err err = ERR_NONE;

	check(ports_reserve(&b->np, &want, 1, &err));
	again.held = true;
	check(ports_reserve(&b->np, &again, 1, &err));
	assert_int_equal(again.port, 8085);
	assert_int_equal(again.fd4, -1);
	drop(&want);
	/* After netd's death. */
	check(ports_list(&b->np, b->arena, "shop", &rows, &count, &err));
	assert_int_equal(count, 1);
	want.fd4 = ports_hold(&b->np, &rows[0], &err);
	assert_true(want.fd4 >= 0);
	drop(&want);
	twice[1].target = 81;
	assert_int_equal(ports_reserve(&b->np, twice, 2, &err), -1);
	assert_non_null(strstr(err.msg, "published twice by shop/web/1"));
	/* Without SCTP in the kernel the book alone keeps the port. */
	check(ports_reserve(&b->np, &sctp, 1, &err));
	sctp.slot = "blog/web/1";
	drop(&sctp);
	assert_int_equal(ports_reserve(&b->np, &sctp, 1, &err), -1);
	assert_non_null(strstr(err.msg, "8086/sctp"));
}

int main(void)
{
#define BOOK_TEST(name) cmocka_unit_test_setup_teardown(name, open_books, close_books)
	const struct CMUnitTest tests[] = {
		BOOK_TEST(a_network_is_made_once_and_found_again),
		BOOK_TEST(chosen_subnets_avoid_networks_routes_and_name_servers),
		BOOK_TEST(wished_subnets_that_overlap_are_refused_by_name),
		BOOK_TEST(options_are_read_and_unknown_ones_are_named),
		BOOK_TEST(drivers_that_are_not_there_say_why),
		BOOK_TEST(leases_stay_with_their_slot_and_wishes_come_first),
		BOOK_TEST(wishes_that_cannot_be_met_name_the_holder),
		BOOK_TEST(a_full_network_names_its_users_and_dead_slots_are_reclaimed),
		BOOK_TEST(addresses_that_another_may_have_had_are_marked),
		BOOK_TEST(dual_stack_leases_have_the_same_host_part),
		BOOK_TEST(many_supervisors_at_once_give_no_address_twice),
		BOOK_TEST(groups_are_pairs_of_their_own),
		BOOK_TEST(a_placeholder_keeps_others_out_and_refuses_connections),
		BOOK_TEST(a_conflict_names_the_holder_and_leaves_nothing),
		BOOK_TEST(rows_that_a_slot_no_longer_wants_are_struck_alone),
		BOOK_TEST(ranges_and_ephemeral_ports_find_a_free_one_and_remember_it),
		BOOK_TEST(what_netd_holds_is_not_bound_again),
	};

	return cmocka_run_group_tests(tests, enter_once, NULL);
}
