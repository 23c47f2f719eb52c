/* tests/netplug/k_repair - the packet filter beside others: foreign drops, flushed rules, moved
 * ports, UDP flows, options of networks. */
#include "tests/netplug/sandbox.h"

#include "netplug/conntrack.h"
#include "netplug/foreign.h"
#include "netplug/switches.h"

#define GROUP 4096u

struct world {
	struct arena *arena;
	struct rtnl *host;
	struct nft *nft;
	struct space outside, web, db;
	struct network_record *network;
};

static int set_up(void **state)
{
	struct world *w = calloc(1, sizeof(*w));
	struct attach_job jobs[2];
	struct nat_batch *batch = nat_batch_new();
	struct switches_done done;
	char command[128];
	struct err err = ERR_NONE;

	sandbox_enter();
	w->arena = arena_new();
	check(rtnl_open(&w->host, &err));
	check(nft_open(&w->nft, &err));
	w->outside = space_new();
	w->web = space_new();
	w->db = space_new();
	sandbox_run("ip link add up0 type veth peer name up1");
	sandbox_run("ip addr add 198.51.100.1/24 dev up0 && ip link set up0 up");
	snprintf(command, sizeof(command), "ip link set up1 netns /proc/%d/fd/%d", (int)getpid(),
		 w->outside.netns_fd);
	sandbox_run(command);
	space_run(&w->outside, "ip link set up1 up; ip addr add 198.51.100.2/24 dev up1;"
			       "ip route add default via 198.51.100.1");
	w->network = sandbox_network(w->arena, "test_net", "10.31.0.0/24", NULL);
	sandbox_bridge(w->host, w->arena, w->network, GROUP);
	jobs[0] = sandbox_job(w->arena, &w->web, w->network, "test/web/1", 2, GROUP);
	jobs[1] = sandbox_job(w->arena, &w->db, w->network, "test/db/1", 3, GROUP);
	check(attach_wire(w->host, jobs, 2, &err));
	nat_add_network(batch, w->network);
	check(nat_commit(w->nft, batch, &err));
	nat_batch_free(batch);
	check(switches_ensure(w->host, w->nft, true, false, &done, &err));
	*state = w;
	return 0;
}

static int tear_down(void **state)
{
	struct world *w = *state;
	struct err err = ERR_NONE;

	check(nat_remove_project(w->nft, "test", &err));
	check(link_delete_group(w->host, GROUP, &err));
	rtnl_close(w->host);
	nft_close(w->nft);
	arena_free(w->arena);
	space_free(&w->outside);
	space_free(&w->web);
	space_free(&w->db);
	free(w);
	return 0;
}

static struct nat_port port_to(const char *target, uint16_t port, uint8_t protocol)
{
	return (struct nat_port){ .owner = "test/web/1",
				  .target = sandbox_address(target),
				  .port = port,
				  .target_port = 80,
				  .protocol = protocol };
}

static void commit_port(struct world *w, const struct nat_port *port)
{
	struct nat_batch *batch = nat_batch_new();
	struct err err = ERR_NONE;

	nat_add_port(batch, port);
	check(nat_commit(w->nft, batch, &err));
	nat_batch_free(batch);
}

static void everything_that_should_be(struct world *w, struct nat_batch *batch)
{
	struct nat_port port = port_to("10.31.0.2", 8080, IPPROTO_TCP);

	(void)w;
	nat_add_network(batch, w->network);
	nat_add_port(batch, &port);
}

static void flushed_rules_are_noticed_and_come_back(void **state)
{
	struct world *w = *state;
	static const char *const harm[] = {
		"nft flush ruleset",
		"nft delete table inet stack",
		"nft flush chain inet stack route",
		"nft flush map inet stack any4",
		"nft add element inet stack any4 '{ tcp . 9999 comment \"test/old/1\" : 10.31.0.3 "
		". 1 }'",
		"nft add rule inet stack route accept",
		"nft 'delete element inet stack bridges { \"BRIDGE\" }' 2>/dev/null ||"
		" nft flush set inet stack bridges",
	};
	struct nat_port port = port_to("10.31.0.2", 8080, IPPROTO_TCP);
	int server = space_serve(&w->web, SOCK_STREAM, "0.0.0.0", 80);
	struct err err = ERR_NONE;
	int watch = nat_watch_open(&err);

	assert_true(watch >= 0);
	commit_port(w, &port);
	for (size_t i = 0; i < sizeof(harm) / sizeof(harm[0]); i++) {
		struct nat_batch *batch = nat_batch_new();
		struct pollfd waiting = { .fd = watch, .events = POLLIN };
		size_t missing, extra;
		bool lost;

		everything_that_should_be(w, batch);
		check(nat_watch_read(watch, &lost, &err));
		assert_reach(&w->outside, "198.51.100.1", 8080, REACHED);
		sandbox_run(harm[i]);
		assert_int_equal(poll(&waiting, 1, 1000), 1);
		check(nat_watch_read(watch, &lost, &err));
		if (!strstr(harm[i], "nft add"))
			assert_true(lost);
		check(nat_reconcile(w->nft, "test", batch, false, &missing, &extra, &err));
		if (missing + extra == 0)
			fail_msg("not seen: %s", harm[i]);
		check(nat_reconcile(w->nft, "test", batch, true, &missing, &extra, &err));
		check(nat_reconcile(w->nft, "test", batch, false, &missing, &extra, &err));
		assert_int_equal(missing + extra, 0);
		assert_reach(&w->outside, "198.51.100.1", 8080, REACHED);
		assert_reach(NULL, "127.0.0.1", 8080, REACHED);
		nat_batch_free(batch);
	}
	close(watch);
	close(server);
	check(nat_remove_owner(w->nft, "test/web/1", &err));
}

static void elements_name_their_owners(void **state)
{
	struct world *w = *state;
	struct nat_port port = port_to("10.31.0.2", 8080, IPPROTO_TCP);
	struct nat_element *rows;
	size_t count;
	bool found_port = false, found_subnet = false;
	struct err err = ERR_NONE;

	commit_port(w, &port);
	check(nat_list(w->nft, w->arena, "test", &rows, &count, &err));
	for (size_t i = 0; i < count; i++) {
		found_port |= strcmp(rows[i].key, "tcp . 8080") == 0 &&
			      strcmp(rows[i].value, "10.31.0.2 . 80") == 0 &&
			      strcmp(rows[i].owner, "test/web/1") == 0;
		found_subnet |= strncmp(rows[i].key, "10.31.0.0-10.31.0.255 . sb", 26) == 0 &&
				strcmp(rows[i].owner, "test//test_net") == 0;
	}
	assert_true(found_port);
	assert_true(found_subnet);
	check(nat_list(w->nft, w->arena, "tes", &rows, &count, &err));
	assert_int_equal(count, 0);
	check(nat_remove_owner(w->nft, "test/web/1", &err));
}

static void a_port_of_another_owner_is_refused_by_name(void **state)
{
	struct world *w = *state;
	struct nat_port mine = port_to("10.31.0.2", 8080, IPPROTO_TCP);
	struct nat_port theirs = port_to("10.31.0.3", 8080, IPPROTO_TCP);
	struct nat_batch *batch = nat_batch_new();
	struct err err = ERR_NONE;

	commit_port(w, &mine);
	theirs.owner = "blog/web/1";
	nat_add_port(batch, &theirs);
	assert_int_equal(nat_commit(w->nft, batch, &err), -1);
	assert_int_equal(err.code, ERR_EXISTS);
	assert_non_null(strstr(err.msg, "port 8080/tcp is published by test/web/1"));
	check(nat_remove_owner(w->nft, "test/web/1", &err));
	nat_batch_free(batch);
}

static void a_moved_port_leaves_established_connections_alone(void **state)
{
	struct world *w = *state;
	struct nat_port from = port_to("10.31.0.2", 8080, IPPROTO_TCP);
	struct nat_port to = port_to("10.31.0.3", 8080, IPPROTO_TCP);
	struct nat_batch *batch = nat_batch_new();
	int old = space_serve(&w->web, SOCK_STREAM, "0.0.0.0", 80);
	int new = space_serve(&w->db, SOCK_STREAM, "0.0.0.0", 80);
	int client, server;
	char byte;
	struct err err = ERR_NONE;

	commit_port(w, &from);
	assert_int_equal(space_try(&w->outside, "198.51.100.1", 8080, 5000, &client), REACHED);
	server = accept4(old, NULL, NULL, SOCK_CLOEXEC);
	to.owner = "test/web/2";
	nat_move_port(batch, &from, &to);
	check(nat_commit(w->nft, batch, &err));
	assert_int_equal(send(client, "x", 1, 0), 1);
	assert_int_equal(recv(server, &byte, 1, 0), 1);
	assert_reach(&w->outside, "198.51.100.1", 8080, REACHED);
	assert_true(space_accepts(new, NULL));
	close(client);
	close(server);
	close(old);
	close(new);
	check(nat_remove_owner(w->nft, "test/web/2", &err));
	nat_batch_free(batch);
}

/* Which of two servers gets the datagram of a client that keeps its port. */
static int asks(struct world *w, int client, const int servers[2])
{
	struct pollfd waiting[2] = {
		{servers[0],  POLLIN, 0},
                { servers[1], POLLIN, 0}
	};
	struct sockaddr_storage name;
	socklen_t len = sandbox_name("198.51.100.1", 8053, &name);
	char text[8];

	(void)w;
	sendto(client, "q", 1, 0, (struct sockaddr *)&name, len);
	if (poll(waiting, 2, 500) < 1)
		return -1;
	for (int i = 0; i < 2; i++)
		if (waiting[i].revents) {
			recv(servers[i], text, sizeof(text), 0);
			return i;
		}
	return -1;
}

static void udp_flows_follow_once_they_are_forgotten(void **state)
{
	struct world *w = *state;
	static const uint16_t ports[] = { 8053 };
	int servers[2] = { space_serve(&w->web, SOCK_DGRAM, "0.0.0.0", 80),
			   space_serve(&w->db, SOCK_DGRAM, "0.0.0.0", 80) };
	int client = space_serve(&w->outside, SOCK_DGRAM, "198.51.100.2", 5555);
	struct nat_port first = port_to("10.31.0.2", 8053, IPPROTO_UDP);
	struct nat_port second = port_to("10.31.0.3", 8053, IPPROTO_UDP);
	struct nat_batch *batch = nat_batch_new();
	struct err err = ERR_NONE;

	/* A flow from before the port was published. */
	assert_int_equal(asks(w, client, servers), -1);
	commit_port(w, &first);
	check(conntrack_forget(IPPROTO_UDP, ports, 1, &err));
	assert_int_equal(asks(w, client, servers), 0);
	nat_move_port(batch, &first, &second);
	check(nat_commit(w->nft, batch, &err));
	assert_int_equal(asks(w, client, servers), 0);
	check(conntrack_forget(IPPROTO_UDP, ports, 1, &err));
	assert_int_equal(asks(w, client, servers), 1);
	nat_batch_free(batch);
	close(client);
	close(servers[0]);
	close(servers[1]);
	check(nat_remove_owner(w->nft, "test/web/1", &err));
}

static void count_rules(const char *table, int expected)
{
	char command[128];

	snprintf(command, sizeof(command),
		 "test $(nft list table ip %s | grep -c 'comment \"stack\"') = %d", table,
		 expected);
	sandbox_run(command);
}

static void foreign_drops_are_passed_and_our_rules_leave_with_us(void **state)
{
	struct world *w = *state;
	const char *bridges[] = { w->network->bridge };
	struct nat_port port = port_to("10.31.0.2", 8080, IPPROTO_TCP);
	int server = space_serve(&w->web, SOCK_STREAM, "0.0.0.0", 80);
	int far = space_serve(&w->outside, SOCK_STREAM, "198.51.100.2", 80);
	const char *warning;
	struct err err = ERR_NONE;

	commit_port(w, &port);
	sandbox_run("nft 'table ip filter { chain FORWARD { type filter hook forward priority 0;"
		    " policy drop; }; }'");
	assert_reach(&w->outside, "198.51.100.1", 8080, SILENT);
	assert_reach(&w->web, "198.51.100.2", 80, SILENT);
	check(foreign_admit(w->nft, w->arena, bridges, 1, &warning, &err));
	check(foreign_admit(w->nft, w->arena, bridges, 1, &warning, &err));
	count_rules("filter", 2);
	assert_reach(&w->outside, "198.51.100.1", 8080, REACHED);
	assert_reach(&w->web, "198.51.100.2", 80, REACHED);
	/* Ours still says who may pass. */
	assert_reach(&w->outside, "10.31.0.2", 80, SILENT);
	check(foreign_withdraw(w->nft, bridges, 1, &err));
	count_rules("filter", 0);
	sandbox_run("nft delete table ip filter");
	/* Docker's way: our rules go into its chain for users, behind what is there, before its
	 * return. */
	sandbox_run("nft 'table ip filter { chain DOCKER-USER { ip daddr 192.0.2.1 counter drop;"
		    " counter return; }; chain FORWARD { type filter hook forward priority 0;"
		    " policy drop; counter jump DOCKER-USER; iifname \"docker0\" accept; }; }'");
	assert_reach(&w->outside, "198.51.100.1", 8080, SILENT);
	check(foreign_admit(w->nft, w->arena, bridges, 1, &warning, &err));
	check(foreign_admit(w->nft, w->arena, bridges, 1, &warning, &err));
	count_rules("filter", 2);
	assert_reach(&w->outside, "198.51.100.1", 8080, REACHED);
	sandbox_run("nft list chain ip filter DOCKER-USER | sed -n 3p | grep -q 192.0.2.1");
	sandbox_run("nft list chain ip filter DOCKER-USER | sed -n 6p | grep -q return");
	check(foreign_withdraw(w->nft, bridges, 1, &err));
	count_rules("filter", 0);
	sandbox_run("nft list chain ip filter FORWARD | grep -q docker0");
	sandbox_run("nft delete table ip filter");
	/* firewalld's way: an inet table that ends with a reject. */
	sandbox_run("nft 'table inet firewalld { chain filter_FORWARD { type filter hook forward"
		    " priority 10; ct state established accept; reject with icmpx admin-prohibited;"
		    " }; }'");
	assert_int_not_equal(space_try(&w->outside, "198.51.100.1", 8080, 400, NULL), REACHED);
	check(foreign_admit(w->nft, w->arena, bridges, 1, &warning, &err));
	assert_reach(&w->outside, "198.51.100.1", 8080, REACHED);
	check(foreign_withdraw(w->nft, bridges, 1, &err));
	sandbox_run("nft delete table inet firewalld");
	check(nat_remove_owner(w->nft, "test/web/1", &err));
	close(server);
	close(far);
}

static void set_network(struct world *w, const struct network_options *options)
{
	struct nat_batch *batch = nat_batch_new();
	struct err err = ERR_NONE;

	nat_del_network(batch, w->network);
	w->network->options = *options;
	nat_add_network(batch, w->network);
	check(nat_commit(w->nft, batch, &err));
	nat_batch_free(batch);
}

static void options_of_a_network_rule_its_packets(void **state)
{
	struct world *w = *state;
	struct network_options options = { 0 };
	struct nat_port port = port_to("10.31.0.2", 8080, IPPROTO_TCP);
	int far = space_serve(&w->outside, SOCK_STREAM, "198.51.100.2", 80);
	int server = space_serve(&w->web, SOCK_STREAM, "0.0.0.0", 80);
	char from[INET6_ADDRSTRLEN];
	struct err err = ERR_NONE;

	/* Another source address than the link's own. */
	sandbox_run("ip addr add 198.51.100.99/24 dev up0");
	options.snat4 = sandbox_address("198.51.100.99");
	set_network(w, &options);
	assert_reach(&w->web, "198.51.100.2", 80, REACHED);
	assert_true(space_accepts(far, from));
	assert_string_equal(from, "198.51.100.99");
	/* No masquerade. */
	options = (struct network_options){ .no_masquerade = true };
	set_network(w, &options);
	assert_reach(&w->web, "198.51.100.2", 80, REACHED);
	assert_true(space_accepts(far, from));
	assert_string_equal(from, "10.31.0.2");
	/* Routed: the published container port is reached directly, others are not. */
	options = (struct network_options){ .mode4 = GATEWAY_ROUTED };
	set_network(w, &options);
	port.routed = true;
	assert_reach(&w->outside, "10.31.0.2", 80, SILENT);
	commit_port(w, &port);
	assert_reach(&w->outside, "10.31.0.2", 80, REACHED);
	assert_reach(&w->outside, "10.31.0.2", 81, SILENT);
	check(nat_remove_owner(w->nft, "test/web/1", &err));
	/* Unprotected: all. */
	options = (struct network_options){ .mode4 = GATEWAY_NAT_UNPROTECTED };
	set_network(w, &options);
	assert_reach(&w->outside, "10.31.0.2", 80, REACHED);
	assert_reach(&w->outside, "10.31.0.2", 81, REFUSED);
	/* Trusted links. */
	options = (struct network_options){ .trusted_links = "nosuch:up0" };
	set_network(w, &options);
	assert_reach(&w->outside, "10.31.0.2", 80, REACHED);
	options = (struct network_options){ 0 };
	set_network(w, &options);
	assert_reach(&w->outside, "10.31.0.2", 80, SILENT);
	close(far);
	close(server);
}

static void an_older_skeleton_is_replaced_in_place(void **state)
{
	struct world *w = *state;
	struct nat_port port = port_to("10.31.0.2", 8080, IPPROTO_TCP);
	int server = space_serve(&w->web, SOCK_STREAM, "0.0.0.0", 80);
	struct err err = ERR_NONE;

	commit_port(w, &port);
	sandbox_run("nft delete chain inet stack skeleton_1; nft add chain inet stack skeleton_0;"
		    "nft insert rule inet stack route drop");
	assert_reach(&w->outside, "198.51.100.1", 8080, SILENT);
	port.port = 8081;
	commit_port(w, &port);
	assert_reach(&w->outside, "198.51.100.1", 8080, REACHED);
	assert_reach(&w->outside, "198.51.100.1", 8081, REACHED);
	sandbox_run("test $(nft list chain inet stack guard | grep -c drop) = 2");
	check(nat_remove_owner(w->nft, "test/web/1", &err));
	close(server);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(flushed_rules_are_noticed_and_come_back),
		cmocka_unit_test(elements_name_their_owners),
		cmocka_unit_test(a_port_of_another_owner_is_refused_by_name),
		cmocka_unit_test(a_moved_port_leaves_established_connections_alone),
		cmocka_unit_test(udp_flows_follow_once_they_are_forgotten),
		cmocka_unit_test(foreign_drops_are_passed_and_our_rules_leave_with_us),
		cmocka_unit_test(options_of_a_network_rule_its_packets),
		cmocka_unit_test(an_older_skeleton_is_replaced_in_place),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
