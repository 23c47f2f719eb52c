/* tests/netplug/k_attach - attachments: again, after a crash, isolated, many, macvlan, checked,
 * taken away. */
#include "tests/netplug/sandbox.h"

#include <time.h>

#define GROUP 3072u

static double now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec * 1e3 + (double)t.tv_nsec / 1e6;
}

struct world {
	struct arena *arena;
	struct rtnl *host;
	struct network_record *network;
};

static int enter_once(void **state)
{
	(void)state;
	sandbox_enter();
	return 0;
}

static int set_up(void **state)
{
	struct world *w = calloc(1, sizeof(*w));
	struct err err = ERR_NONE;

	w->arena = arena_new();
	check(rtnl_open(&w->host, &err));
	w->network = sandbox_network(w->arena, "test_net", "10.21.0.0/16", "fd00:21::/64");
	w->network->mtu = 1400;
	sandbox_bridge(w->host, w->arena, w->network, GROUP);
	*state = w;
	return 0;
}

static unsigned count_links(struct world *w)
{
	struct link_table links = { 0 };
	struct err err = ERR_NONE;
	unsigned count = 0;

	check(link_dump(w->host, w->arena, &links, &err));
	for (size_t i = 0; i < links.count; i++)
		count += strncmp(links.items[i].alias, "stack:", 6) == 0;
	return count;
}

static int tear_down(void **state)
{
	struct world *w = *state;
	struct err err = ERR_NONE;

	check(link_delete_group(w->host, GROUP, &err));
	assert_int_equal(count_links(w), 0);
	rtnl_close(w->host);
	arena_free(w->arena);
	free(w);
	return 0;
}

static void links_carry_their_owner(void **state)
{
	struct world *w = *state;
	struct space space = space_new();
	struct attach_job job = sandbox_job(w->arena, &space, w->network, "test/web/1", 2, GROUP);
	struct link_table links = { 0 };
	const struct link_info *bridge, *port;
	struct err err = ERR_NONE;

	check(attach_wire(w->host, &job, 1, &err));
	check(link_dump(w->host, w->arena, &links, &err));
	bridge = link_by_alias(&links, "stack:test//0/test_net");
	port = link_by_alias(&links, "stack:test/web/1/test_net");
	assert_non_null(bridge);
	assert_non_null(port);
	assert_string_equal(bridge->kind, "bridge");
	assert_int_equal(bridge->mtu, 1400);
	assert_int_equal(port->mtu, 1400);
	assert_int_equal(port->master, bridge->index);
	assert_int_equal(port->group, GROUP);
	assert_string_equal(port->name, job.interfaces[0].host_name);
	sandbox_run("ip link show stack-test_net >/dev/null");
	space_run(&space, "ip -o link show eth0 | grep -q 'mtu 1400'");
	space_run(&space, "ip -o -6 addr show eth0 | grep -q fd00:21::2/64");
	space_run(&space, "ip route | grep -q 'default via 10.21.0.1 dev eth0'");
	space_run(&space, "ip -6 route | grep -q 'default via fd00:21::1 dev eth0'");
	space_free(&space);
}

static void wiring_again_changes_nothing_and_a_half_pair_is_made_anew(void **state)
{
	struct world *w = *state;
	struct space space = space_new(), fresh = space_new();
	struct attach_job job = sandbox_job(w->arena, &space, w->network, "test/web/1", 2, GROUP);
	struct attach_job moved;
	bool ok;
	char why[240];
	struct err err = ERR_NONE;

	check(attach_wire(w->host, &job, 1, &err));
	check(attach_wire(w->host, &job, 1, &err));
	check(attach_verify(&job, &ok, why, &err));
	assert_true(ok);
	/* The namespace is another one, the host end is still there. */
	moved = sandbox_job(w->arena, &fresh, w->network, "test/web/1", 2, GROUP);
	check(attach_wire(w->host, &moved, 1, &err));
	check(attach_verify(&moved, &ok, why, &err));
	assert_true(ok);
	assert_int_equal(count_links(w), 2);
	/* A crash came between the pair and its alias. */
	{
		char command[128];

		snprintf(command, sizeof(command), "ip link set %s alias ''",
			 job.interfaces[0].host_name);
		sandbox_run(command);
	}
	check(attach_wire(w->host, &moved, 1, &err));
	assert_int_equal(count_links(w), 2);
	space_free(&space);
	space_free(&fresh);
}

static void a_strangers_link_is_left_alone(void **state)
{
	struct world *w = *state;
	struct space space = space_new(), other = space_new();
	struct attach_job jobs[2] = {
		sandbox_job(w->arena, &space, w->network, "test/web/1", 2, GROUP),
		sandbox_job(w->arena, &other, w->network, "test/db/1", 3, GROUP),
	};
	char command[160];
	bool ok;
	char why[240];
	struct err err = ERR_NONE;

	snprintf(command, sizeof(command), "ip link add %s type bridge; ip link set %s alias mine",
		 jobs[0].interfaces[0].host_name, jobs[0].interfaces[0].host_name);
	sandbox_run(command);
	assert_int_equal(attach_wire(w->host, jobs, 2, &err), -1);
	assert_int_equal(jobs[0].result.code, ERR_EXISTS);
	assert_non_null(strstr(jobs[0].result.msg, "mine"));
	/* The other slot of the batch is wired nevertheless. */
	assert_int_equal(jobs[1].result.code, ERR_OK);
	check(attach_verify(&jobs[1], &ok, why, &err));
	assert_true(ok);
	snprintf(command, sizeof(command),
		 "ip link show %s | grep -q 'alias mine' && ip link del %s",
		 jobs[0].interfaces[0].host_name, jobs[0].interfaces[0].host_name);
	sandbox_run(command);
	space_free(&space);
	space_free(&other);
}

static void only_an_inherited_address_is_announced(void **state)
{
	struct world *w = *state;

	for (int inherited = 0; inherited < 2; inherited++) {
		struct space space = space_new();
		struct attach_job job =
			sandbox_job(w->arena, &space, w->network, "test/web/1", 2, GROUP);
		char command[80];
		struct err err = ERR_NONE;

		if (inherited)
			job.interfaces[0].flags |= ATTACH_ANNOUNCE;
		check(attach_wire(w->host, &job, 1, &err));
		snprintf(command, sizeof(command),
			 "grep -qx %d /proc/sys/net/ipv4/conf/eth0/arp_notify", inherited);
		space_run(&space, command);
		space_free(&space);
		check(attach_unwire(w->host, link_group_trash(GROUP), &job, 1, &err));
	}
}

static void what_was_changed_inside_is_found(void **state)
{
	struct world *w = *state;
	static const struct {
		const char *command, *why;
	} rows[] = {
		{"ip addr add 10.99.0.1/24 dev eth0",                                "strange address"           },
		{ "ip addr del 10.21.0.2/16 dev eth0",                               "lacks address 10.21.0.2/16"},
		{ "ip route del default",					    "default route"             },
		{ "ip route add default via 10.21.0.77 metric 5",                    "strange default route"     },
		{ "ip link set eth0 down",					   "is down"                   },
		{ "ip link set eth0 address 02:00:00:00:00:09",                      "MAC"                       },
		{ "ip link add evil type veth peer name evil2; ip link set evil up",
                 "strange interface"									     },
		{ "ip link del eth0",						"is gone"                   },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct space space = space_new();
		struct attach_job job =
			sandbox_job(w->arena, &space, w->network, "test/web/1", 2, GROUP);
		bool ok;
		char why[240];
		struct err err = ERR_NONE;

		check(attach_wire(w->host, &job, 1, &err));
		check(attach_verify(&job, &ok, why, &err));
		if (!ok)
			fail_msg("at once: %s", why);
		space_run(&space, rows[i].command);
		check(attach_verify(&job, &ok, why, &err));
		if (ok || !strstr(why, rows[i].why))
			fail_msg("row %zu: %s", i, why);
		space_free(&space);
		check(attach_unwire(w->host, link_group_trash(GROUP), &job, 1, &err));
	}
}

static void isolated_members_reach_the_host_alone(void **state)
{
	struct world *w = *state;
	struct space a = space_new(), b = space_new();
	struct attach_job jobs[2];
	int server;
	struct err err = ERR_NONE;

	w->network->options.no_icc = true;
	jobs[0] = sandbox_job(w->arena, &a, w->network, "test/a/1", 2, GROUP);
	jobs[1] = sandbox_job(w->arena, &b, w->network, "test/b/1", 3, GROUP);
	check(attach_wire(w->host, jobs, 2, &err));
	server = space_serve(&a, SOCK_STREAM, "0.0.0.0", 80);
	assert_reach(NULL, "10.21.0.2", 80, REACHED);
	assert_int_not_equal(space_try(&b, "10.21.0.2", 80, 400, NULL), REACHED);
	close(server);
	space_free(&a);
	space_free(&b);
}

static void slots_of_several_networks_have_one_default_route(void **state)
{
	struct world *w = *state;
	struct network_record *second =
		sandbox_network(w->arena, "test_second", "10.22.0.0/24", NULL);
	struct space space = space_new();
	struct attach_job one = sandbox_job(w->arena, &space, w->network, "test/web/1", 2, GROUP);
	struct attach_job two = sandbox_job(w->arena, &space, second, "test/web/1", 2, GROUP);
	struct attach_interface both[2] = { one.interfaces[0], two.interfaces[0] };
	struct attach_route route = { .to = sandbox_prefix("192.0.2.0/24"),
				      .via = sandbox_address("10.22.0.9") };
	bool ok;
	char why[240];
	struct err err = ERR_NONE;

	sandbox_bridge(w->host, w->arena, second, GROUP);
	both[0].default4 = (struct address){ 0 };
	both[0].name = "front0"; /* interface_name */
	both[1].name = "eth1";
	both[1].routes = &route;
	both[1].route_count = 1;
	one.interfaces = both;
	one.interface_count = 2;
	check(attach_wire(w->host, &one, 1, &err));
	space_run(&space, "ip route | grep -q 'default via 10.22.0.1 dev eth1'");
	space_run(&space, "ip route | grep -q '192.0.2.0/24 via 10.22.0.9 dev eth1'");
	space_run(&space, "test $(ip route | grep -c default) = 1");
	space_run(&space, "ip link show front0 >/dev/null");
	/* The second has no IPv6 at all, not even a link-local address. */
	space_run(&space, "test -z \"$(ip -6 addr show dev eth1)\"");
	{
		char command[64];

		snprintf(command, sizeof(command), "test -z \"$(ip -6 addr show dev %s)\"",
			 second->bridge);
		sandbox_run(command);
	}
	check(attach_verify(&one, &ok, why, &err));
	assert_true(ok);
	space_free(&space);
}

/* Links below 1280 bytes have no IPv6 in the kernel, as all have with ipv6.disable=1. */
static void links_without_ipv6_in_the_kernel_are_wired(void **state)
{
	struct world *w = *state;
	struct network_record *small =
		sandbox_network(w->arena, "test_small", "10.22.0.0/24", NULL);
	struct space space = space_new();
	struct attach_job job;
	bool ok;
	char why[240];
	struct err err = ERR_NONE;

	small->mtu = 1000;
	sandbox_bridge(w->host, w->arena, small, GROUP);
	job = sandbox_job(w->arena, &space, small, "test/web/1", 2, GROUP);
	check(attach_wire(w->host, &job, 1, &err));
	check(attach_verify(&job, &ok, why, &err));
	assert_true(ok);
	space_free(&space);
}

static void the_resolvers_port_is_redirected(void **state)
{
	struct world *w = *state;
	struct space space = space_new();
	struct attach_job job = sandbox_job(w->arena, &space, w->network, "test/web/1", 2, GROUP);
	int udp, tcp, home, client;
	struct sockaddr_storage name;
	socklen_t len;
	char text[16];
	struct err err = ERR_NONE;

	job.dns_udp_port = 40053;
	job.dns_tcp_port = 40054;
	check(attach_wire(w->host, &job, 1, &err));
	check(attach_wire(w->host, &job, 1, &err));
	space_run(&space, "test $(nft list table ip stack_dns | grep -c dnat) = 2");
	udp = space_serve(&space, SOCK_DGRAM, "127.0.0.11", 40053);
	tcp = space_serve(&space, SOCK_STREAM, "127.0.0.11", 40054);
	assert_reach(&space, "127.0.0.11", 53, REACHED);
	home = space_step(&space);
	client = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	space_back(home);
	len = sandbox_name("127.0.0.11", 53, &name);
	assert_int_equal(connect(client, (struct sockaddr *)&name, len), 0);
	assert_int_equal(send(client, "ask", 3, 0), 3);
	len = sizeof(name);
	assert_int_equal(recvfrom(udp, text, sizeof(text), 0, (struct sockaddr *)&name, &len), 3);
	assert_int_equal(sendto(udp, "told", 4, 0, (struct sockaddr *)&name, len), 4);
	/* The answer comes from port 53, else this connected socket would not take it. */
	assert_int_equal(recv(client, text, sizeof(text), 0), 4);
	close(client);
	close(udp);
	close(tcp);
	space_free(&space);
}

static void macvlan_children_reach_the_outside(void **state)
{
	static const uint32_t modes[] = { 4 /* bridge */, 1 /* private */, 2 /* vepa */,
					  8 /* passthru */ };
	struct world *w = *state;

	for (size_t i = 0; i < 4; i++) {
		struct network_record *lan =
			sandbox_network(w->arena, "test_lan", "192.0.2.0/24", NULL);
		struct space outside = space_new(), space = space_new();
		struct attach_job job;
		char command[160];
		bool ok;
		char why[240];
		int server;
		struct err err = ERR_NONE;

		snprintf(command, sizeof(command),
			 "ip link add up0 type veth peer name up1 && ip link set up0 up &&"
			 "ip link set up1 netns /proc/%d/fd/%d",
			 (int)getpid(), outside.netns_fd);
		sandbox_run(command);
		space_run(&outside, "ip link set up1 up; ip addr add 192.0.2.1/24 dev up1");
		lan->driver = NETWORK_MACVLAN;
		lan->options.macvlan_mode = modes[i];
		snprintf(lan->bridge, sizeof(lan->bridge), "up0");
		job = sandbox_job(w->arena, &space, lan, "test/web/1", 7, GROUP);
		check(attach_wire(w->host, &job, 1, &err));
		check(attach_verify(&job, &ok, why, &err));
		if (!ok)
			fail_msg("%s", why);
		check(attach_wire(w->host, &job, 1, &err));
		server = space_serve(&outside, SOCK_STREAM, "192.0.2.1", 80);
		assert_reach(&space, "192.0.2.1", 80, REACHED);
		check(attach_unwire(w->host, link_group_trash(GROUP), &job, 1, &err));
		space_run(&space, "! ip link show eth0 2>/dev/null");
		close(server);
		sandbox_run("ip link del up0");
		space_free(&outside);
		space_free(&space);
	}
}

static void what_the_kernel_lacks_is_named(void **state)
{
	struct world *w = *state;
	struct network_record *lan = sandbox_network(w->arena, "test_lan", "192.0.2.0/24", NULL);
	struct space space = space_new();
	struct attach_job job;
	struct err err = ERR_NONE;

	lan->driver = NETWORK_IPVLAN;
	memcpy(lan->bridge, w->network->bridge, sizeof(lan->bridge));
	job = sandbox_job(w->arena, &space, lan, "test/web/1", 7, GROUP);
	if (attach_wire(w->host, &job, 1, &err) < 0) {
		assert_int_equal(err.code, ERR_UNSUPPORTED);
		assert_non_null(strstr(err.msg, "CONFIG_IPVLAN"));
	}
	/* A parent or bridge that is not there. */
	job = sandbox_job(w->arena, &space, w->network, "test/web/1", 2, GROUP);
	job.interfaces[0].upper = "nosuch0";
	assert_int_equal(attach_wire(w->host, &job, 1, &err), -1);
	assert_non_null(strstr(err.msg, "no link nosuch0"));
	space_free(&space);
}

static void bridges_that_others_use_stay(void **state)
{
	struct world *w = *state;
	const char *names[] = { w->network->bridge };
	struct link_table links = { 0 };
	struct err err = ERR_NONE;

	check(link_keep(w->host, names, 1, &err));
	check(link_delete_group(w->host, GROUP, &err));
	check(link_dump(w->host, w->arena, &links, &err));
	assert_non_null(link_by_name(&links, names[0]));
	sandbox_bridge(w->host, w->arena, w->network, GROUP);
	links = (struct link_table){ 0 };
	check(link_dump(w->host, w->arena, &links, &err));
	assert_int_equal(link_by_name(&links, names[0])->group, GROUP);
}

static void a_bridge_that_was_deleted_takes_its_members_back(void **state)
{
	struct world *w = *state;
	struct space space = space_new();
	struct attach_job job = sandbox_job(w->arena, &space, w->network, "test/web/1", 2, GROUP);
	char command[64];
	int server;
	struct err err = ERR_NONE;

	check(attach_wire(w->host, &job, 1, &err));
	snprintf(command, sizeof(command), "ip link del %s", w->network->bridge);
	sandbox_run(command);
	sandbox_bridge(w->host, w->arena, w->network, GROUP);
	check(attach_wire(w->host, &job, 1, &err));
	server = space_serve(&space, SOCK_STREAM, "0.0.0.0", 80);
	assert_reach(NULL, "10.21.0.2", 80, REACHED);
	close(server);
	space_free(&space);
}

/* 300 in one batch on one bridge; then its limit. Prints what it took. */
static void hundreds_share_a_bridge(void **state)
{
	enum { COUNT = 300 };
	struct world *w = *state;
	struct space *spaces = calloc(COUNT, sizeof(*spaces));
	struct attach_job *jobs = calloc(COUNT, sizeof(*jobs));
	double start;
	int server;
	struct err err = ERR_NONE;

	for (unsigned i = 0; i < COUNT; i++) {
		char slot[32];

		spaces[i] = space_new();
		snprintf(slot, sizeof(slot), "test/web/%u", i + 1);
		jobs[i] = sandbox_job(w->arena, &spaces[i], w->network,
				      arena_strdup(w->arena, slot), i + 2, GROUP);
	}
	start = now_ms();
	check(attach_wire(w->host, jobs, 50, &err));
	printf("attach 50: %.2f ms each\n", (now_ms() - start) / 50);
	start = now_ms();
	check(attach_wire(w->host, jobs + 50, COUNT - 50, &err));
	printf("attach 250 more: %.2f ms each\n", (now_ms() - start) / (COUNT - 50));
	server = space_serve(&spaces[COUNT - 1], SOCK_STREAM, "0.0.0.0", 80);
	assert_reach(&spaces[0], "10.21.1.45", 80, REACHED);
	close(server);
	start = now_ms();
	check(link_delete_group(w->host, GROUP, &err));
	printf("delete %d: %.1f ms\n", COUNT, now_ms() - start);
	for (unsigned i = 0; i < COUNT; i++)
		space_free(&spaces[i]);
	free(spaces);
	free(jobs);
}

static void a_full_bridge_says_so(void **state)
{
	enum { LIMIT = 1023 };
	struct world *w = *state;
	struct space space = space_new();
	struct attach_job job = sandbox_job(w->arena, &space, w->network, "test/web/1", 2, GROUP);
	char command[300];
	struct err err = ERR_NONE;

	snprintf(
		command, sizeof(command),
		"for i in $(seq %d); do echo link add f$i group 3073 master %s type veth peer name "
		"g$i group 3073; done | ip -batch -",
		LIMIT, w->network->bridge);
	sandbox_run(command);
	assert_int_equal(attach_wire(w->host, &job, 1, &err), -1);
	assert_int_equal(err.code, ERR_NO_SPACE);
	assert_non_null(strstr(err.msg, "full"));
	check(link_delete_group(w->host, 3073, &err));
	space_free(&space);
}

int main(void)
{
#define WORLD_TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		WORLD_TEST(links_carry_their_owner),
		WORLD_TEST(wiring_again_changes_nothing_and_a_half_pair_is_made_anew),
		WORLD_TEST(a_strangers_link_is_left_alone),
		WORLD_TEST(what_was_changed_inside_is_found),
		WORLD_TEST(isolated_members_reach_the_host_alone),
		WORLD_TEST(slots_of_several_networks_have_one_default_route),
		WORLD_TEST(only_an_inherited_address_is_announced),
		WORLD_TEST(links_without_ipv6_in_the_kernel_are_wired),
		WORLD_TEST(the_resolvers_port_is_redirected),
		WORLD_TEST(macvlan_children_reach_the_outside),
		WORLD_TEST(what_the_kernel_lacks_is_named),
		WORLD_TEST(bridges_that_others_use_stay),
		WORLD_TEST(a_bridge_that_was_deleted_takes_its_members_back),
		WORLD_TEST(hundreds_share_a_bridge),
		WORLD_TEST(a_full_bridge_says_so),
	};

	return cmocka_run_group_tests(tests, enter_once, NULL);
}
