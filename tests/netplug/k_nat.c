/* tests/netplug/k_nat - the common path end to end: bridges, attachments, published ports,
 * isolation. */
#include "tests/netplug/sandbox.h"

#include "netplug/port_socket.h"
#include "netplug/switches.h"

#define GROUP 2048u

struct world {
	struct arena *arena;
	struct rtnl *host;
	struct nft *nft;
	struct space outside, web, db, other, hidden;
	struct network_record *front, *back, *inner;
};

static void add_outside(struct world *w)
{
	struct err err = ERR_NONE;

	(void)err;
	w->outside = space_new();
	sandbox_run("ip link add up0 type veth peer name up1");
	sandbox_run("ip addr add 198.51.100.1/24 dev up0 && ip link set up0 up");
	sandbox_run("ip addr add 2001:db8::1/64 dev up0 nodad");
	{
		char command[128];

		snprintf(command, sizeof(command), "ip link set up1 netns /proc/%d/fd/%d",
			 (int)getpid(), w->outside.netns_fd);
		sandbox_run(command);
	}
	space_run(&w->outside, "ip link set lo up; ip link set up1 up");
	space_run(&w->outside, "ip addr add 198.51.100.2/24 dev up1");
	space_run(&w->outside, "ip addr add 2001:db8::2/64 dev up1 nodad");
}

static void publish(struct world *w, const char *address, uint16_t port, const char *target)
{
	struct nat_batch *batch = nat_batch_new();
	struct nat_port row = { .owner = "test/web/1",
				.target = sandbox_address(target),
				.port = port,
				.target_port = 80,
				.protocol = IPPROTO_TCP };
	struct err err = ERR_NONE;

	if (address)
		row.address = sandbox_address(address);
	nat_add_port(batch, &row);
	check(nat_commit(w->nft, batch, &err));
	nat_batch_free(batch);
}

static int set_up(void **state)
{
	struct world *w = calloc(1, sizeof(*w));
	struct attach_job jobs[4];
	struct nat_batch *batch = nat_batch_new();
	struct switches_done done;
	struct err err = ERR_NONE;

	sandbox_enter();
	w->arena = arena_new();
	check(rtnl_open(&w->host, &err));
	check(nft_open(&w->nft, &err));
	add_outside(w);
	w->web = space_new();
	w->db = space_new();
	w->other = space_new();
	w->hidden = space_new();
	w->front = sandbox_network(w->arena, "test_front", "10.11.0.0/24", "fd00:11::/64");
	w->back = sandbox_network(w->arena, "test_back", "10.12.0.0/24", "fd00:12::/64");
	w->inner = sandbox_network(w->arena, "test_inner", "10.13.0.0/24", NULL);
	w->inner->internal = true;
	sandbox_bridge(w->host, w->arena, w->front, GROUP);
	sandbox_bridge(w->host, w->arena, w->back, GROUP);
	sandbox_bridge(w->host, w->arena, w->inner, GROUP);
	jobs[0] = sandbox_job(w->arena, &w->web, w->front, "test/web/1", 2, GROUP);
	jobs[1] = sandbox_job(w->arena, &w->db, w->front, "test/db/1", 3, GROUP);
	jobs[2] = sandbox_job(w->arena, &w->other, w->back, "test/other/1", 2, GROUP);
	jobs[3] = sandbox_job(w->arena, &w->hidden, w->inner, "test/hidden/1", 2, GROUP);
	check(attach_wire(w->host, jobs, 4, &err));
	nat_add_network(batch, w->front);
	nat_add_network(batch, w->back);
	nat_add_network(batch, w->inner);
	check(nat_commit(w->nft, batch, &err));
	nat_batch_free(batch);
	check(switches_ensure(w->host, w->nft, true, true, &done, &err));
	assert_true(done.forward4);
	assert_true(done.forward6);
	/* Else the host would lose the routes that its routers advertise. */
	sandbox_run("test $(cat /proc/sys/net/ipv6/conf/up0/accept_ra) = 2");
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
	space_free(&w->other);
	space_free(&w->hidden);
	free(w);
	return 0;
}

static void members_of_a_network_reach_each_other_and_the_host_reaches_them(void **state)
{
	struct world *w = *state;
	int web = space_serve(&w->web, SOCK_STREAM, "0.0.0.0", 80);
	int web6 = space_serve(&w->web, SOCK_STREAM, "fd00:11::2", 80);

	assert_reach(&w->db, "10.11.0.2", 80, REACHED);
	assert_reach(&w->db, "fd00:11::2", 80, REACHED);
	assert_reach(NULL, "10.11.0.2", 80, REACHED);
	assert_reach(NULL, "fd00:11::2", 80, REACHED);
	close(web);
	close(web6);
}

static void networks_do_not_reach_each_other(void **state)
{
	struct world *w = *state;
	int web = space_serve(&w->web, SOCK_STREAM, "0.0.0.0", 80);
	int web6 = space_serve(&w->web, SOCK_STREAM, "fd00:11::2", 80);

	assert_reach(&w->other, "10.11.0.2", 80, SILENT);
	assert_reach(&w->other, "fd00:11::2", 80, SILENT);
	assert_reach(&w->hidden, "10.11.0.2", 80, REFUSED);
	close(web);
	close(web6);
}

static void containers_go_out_with_the_hosts_address(void **state)
{
	struct world *w = *state;
	int server = space_serve(&w->outside, SOCK_STREAM, "0.0.0.0", 80);
	int server6 = space_serve(&w->outside, SOCK_STREAM, "2001:db8::2", 80);
	char from[INET6_ADDRSTRLEN];

	assert_reach(&w->web, "198.51.100.2", 80, REACHED);
	assert_true(space_accepts(server, from));
	assert_string_equal(from, "198.51.100.1");
	assert_reach(&w->web, "2001:db8::2", 80, REACHED);
	assert_true(space_accepts(server6, from));
	assert_string_equal(from, "2001:db8::1");
	close(server);
	close(server6);
}

static void an_internal_network_has_no_way_out_but_to_the_host(void **state)
{
	struct world *w = *state;
	int server = space_serve(&w->outside, SOCK_STREAM, "0.0.0.0", 80);
	int hidden = space_serve(&w->hidden, SOCK_STREAM, "0.0.0.0", 80);
	struct err err = ERR_NONE;

	assert_reach(&w->hidden, "198.51.100.2", 80, REFUSED);
	/* Not even with a route that somebody inside sets by hand. */
	space_run(&w->hidden, "ip route add default via 10.13.0.1");
	assert_reach(&w->hidden, "198.51.100.2", 80, SILENT);
	assert_reach(NULL, "10.13.0.2", 80, REACHED);
	publish(w, NULL, 8081, "10.13.0.2");
	assert_reach(&w->outside, "198.51.100.1", 8081, SILENT);
	check(nat_remove_owner(w->nft, "test/web/1", &err));
	close(server);
	close(hidden);
}

static void a_published_port_is_reached_from_everywhere(void **state)
{
	struct world *w = *state;
	int web = space_serve(&w->web, SOCK_STREAM, "0.0.0.0", 80);
	int web6 = space_serve(&w->web, SOCK_STREAM, "fd00:11::2", 80);
	char from[INET6_ADDRSTRLEN];
	struct err err = ERR_NONE;

	publish(w, NULL, 8080, "10.11.0.2");
	publish(w, NULL, 8080, "fd00:11::2");
	/* From outside, with the client's own address. */
	assert_reach(&w->outside, "198.51.100.1", 8080, REACHED);
	assert_true(space_accepts(web, from));
	assert_string_equal(from, "198.51.100.2");
	assert_reach(&w->outside, "2001:db8::1", 8080, REACHED);
	assert_true(space_accepts(web6, from));
	assert_string_equal(from, "2001:db8::2");
	/* From the host: loopback, its own address. */
	assert_reach(NULL, "127.0.0.1", 8080, REACHED);
	assert_true(space_accepts(web, from));
	assert_string_equal(from, "10.11.0.1");
	assert_reach(NULL, "127.3.2.1", 8080, REACHED);
	assert_reach(NULL, "198.51.100.1", 8080, REACHED);
	assert_reach(NULL, "2001:db8::1", 8080, REACHED);
	/* ::1 is the relay's. */
	assert_reach(NULL, "::1", 8080, REFUSED);
	/* From the other network, from the neighbour, from the container itself. */
	assert_reach(&w->other, "198.51.100.1", 8080, REACHED);
	assert_reach(&w->other, "10.12.0.1", 8080, REACHED);
	assert_reach(&w->db, "10.11.0.1", 8080, REACHED);
	assert_reach(&w->web, "10.11.0.1", 8080, REACHED);
	assert_reach(&w->web, "198.51.100.1", 8080, REACHED);
	assert_reach(&w->web, "2001:db8::1", 8080, REACHED);
	/* Not at the container's own address. */
	space_run(&w->outside, "ip route add 10.11.0.0/24 via 198.51.100.1");
	assert_reach(&w->outside, "10.11.0.2", 80, SILENT);
	space_run(&w->outside, "ip route del 10.11.0.0/24");
	check(nat_remove_owner(w->nft, "test/web/1", &err));
	assert_reach(NULL, "127.0.0.1", 8080, REFUSED);
	close(web);
	close(web6);
}

/* The IPv6 placeholder as the relay's listener: it hears what the rules do not translate, and only
 * that. */
static void the_ipv6_placeholder_can_listen_for_the_relay(void **state)
{
	struct world *w = *state;
	int web6 = space_serve(&w->web, SOCK_STREAM, "fd00:11::2", 80);
	int relay = port_socket_bind(&(struct address){ .family = AF_INET6 }, IPPROTO_TCP, 8080);
	struct err err = ERR_NONE;

	assert_true(relay >= 0);
	assert_int_equal(listen(relay, 16), 0);
	publish(w, NULL, 8080, "fd00:11::2");
	assert_reach(&w->outside, "2001:db8::1", 8080, REACHED);
	assert_true(space_accepts(web6, NULL));
	assert_reach(NULL, "::1", 8080, REACHED);
	assert_true(space_accepts(relay, NULL));
	/* Without a rule (the container has no IPv6) it hears all. */
	check(nat_remove_owner(w->nft, "test/web/1", &err));
	assert_reach(&w->outside, "2001:db8::1", 8080, REACHED);
	assert_true(space_accepts(relay, NULL));
	close(relay);
	close(web6);
}

static void a_port_on_loopback_is_the_hosts_alone(void **state)
{
	struct world *w = *state;
	int web = space_serve(&w->web, SOCK_STREAM, "0.0.0.0", 80);
	int local = space_serve(NULL, SOCK_STREAM, "127.0.0.1", 9000);
	struct err err = ERR_NONE;

	publish(w, "127.0.0.1", 8080, "10.11.0.2");
	assert_reach(NULL, "127.0.0.1", 8080, REACHED);
	assert_reach(&w->outside, "198.51.100.1", 8080, REFUSED);
	/* A neighbour and a container that route 127.0.0.1 to the host get no answer
	 * (CVE-2020-8558). */
	space_run(&w->outside, "ip link set lo down; ip addr flush dev lo;"
			       "echo 1 > /proc/sys/net/ipv4/conf/all/route_localnet;"
			       "ip route add 127.0.0.1/32 via 198.51.100.1");
	assert_reach(&w->outside, "127.0.0.1", 8080, SILENT);
	assert_reach(&w->outside, "127.0.0.1", 9000, SILENT);
	space_run(&w->outside, "ip route del 127.0.0.1/32; ip addr add 127.0.0.1/8 dev lo;"
			       "ip link set lo up");
	space_run(&w->db, "ip addr flush dev lo;"
			  "echo 1 > /proc/sys/net/ipv4/conf/all/route_localnet;"
			  "ip route del local 127.0.0.0/8 table local 2>/dev/null;"
			  "ip route add 127.0.0.1/32 via 10.11.0.1");
	assert_reach(&w->db, "127.0.0.1", 9000, SILENT);
	assert_reach(&w->db, "127.0.0.1", 8080, SILENT);
	check(nat_remove_owner(w->nft, "test/web/1", &err));
	close(web);
	close(local);
}

static void neighbours_cannot_route_through_the_host(void **state)
{
	struct world *w = *state;
	struct space far = space_new();
	int server;
	char command[128];

	sandbox_run("ip link add far0 type veth peer name far1");
	sandbox_run("ip addr add 203.0.113.1/24 dev far0 && ip link set far0 up");
	snprintf(command, sizeof(command), "ip link set far1 netns /proc/%d/fd/%d", (int)getpid(),
		 far.netns_fd);
	sandbox_run(command);
	space_run(&far, "ip link set far1 up; ip addr add 203.0.113.2/24 dev far1;"
			"ip route add default via 203.0.113.1");
	server = space_serve(&far, SOCK_STREAM, "0.0.0.0", 80);
	space_run(&w->outside, "ip route add 203.0.113.0/24 via 198.51.100.1");
	/* far0 came later than the switch: it is somebody's who wants to forward. */
	assert_reach(&w->outside, "203.0.113.2", 80, REACHED);
	{
		struct nat_batch *batch = nat_batch_new();
		struct err err = ERR_NONE;

		nat_close_link(batch, AF_INET, "far0");
		check(nat_commit(w->nft, batch, &err));
		nat_batch_free(batch);
	}
	assert_reach(&w->outside, "203.0.113.2", 80, SILENT);
	close(server);
	space_free(&far);
}

static void the_last_project_takes_the_table_along(void **state)
{
	struct world *w = *state;
	struct err err = ERR_NONE;
	struct nat_batch *batch = nat_batch_new();
	struct nat_port port = { .owner = "second/web/1",
				 .target = sandbox_address("10.11.0.3"),
				 .port = 9999,
				 .target_port = 80,
				 .protocol = IPPROTO_UDP };

	nat_add_port(batch, &port);
	check(nat_commit(w->nft, batch, &err));
	check(nat_remove_project(w->nft, "test", &err));
	assert_int_equal(system("nft list table inet stack >/dev/null"), 0);
	check(nat_remove_project(w->nft, "second", &err));
	assert_int_not_equal(system("nft list table inet stack >/dev/null"), 0);
	check(nat_remove_project(w->nft, "second", &err));
	nat_batch_free(batch);
}

static void a_network_that_others_use_keeps_its_elements(void **state)
{
	struct world *w = *state;
	const char *kept[] = { "test_back" };
	struct nat_element *rows;
	size_t count;
	struct err err = ERR_NONE;

	check(nat_remove_project_except(w->nft, "test", kept, 1, &err));
	check(nat_list(w->nft, w->arena, "test", &rows, &count, &err));
	assert_true(count > 0);
	for (size_t i = 0; i < count; i++)
		assert_string_equal(rows[i].owner, "test//test_back");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(members_of_a_network_reach_each_other_and_the_host_reaches_them),
		cmocka_unit_test(networks_do_not_reach_each_other),
		cmocka_unit_test(containers_go_out_with_the_hosts_address),
		cmocka_unit_test(an_internal_network_has_no_way_out_but_to_the_host),
		cmocka_unit_test(a_published_port_is_reached_from_everywhere),
		cmocka_unit_test(the_ipv6_placeholder_can_listen_for_the_relay),
		cmocka_unit_test(a_port_on_loopback_is_the_hosts_alone),
		cmocka_unit_test(neighbours_cannot_route_through_the_host),
		cmocka_unit_test(a_network_that_others_use_keeps_its_elements),
		cmocka_unit_test(the_last_project_takes_the_table_along),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
