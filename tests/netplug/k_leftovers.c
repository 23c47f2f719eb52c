/* tests/netplug/k_leftovers - what nobody's records know is found and cleared, what they know
 * stays; notices of deleted links; parents of VLANs; releases of many slots. */
#include "tests/netplug/sandbox.h"

#include "netplug/leftovers.h"
#include "netplug/ports.h"

struct world {
	char path[64];
	struct netplug np;
	struct arena *arena;
	struct rtnl *host;
	struct nft *nft;
	struct network_record *network;
	unsigned group;
	struct space known, lost;
	struct port_want ports[2];
};

static const char *const slots[] = { "shop/web/1", "shop/gone/1" };

static int enter_once(void **state)
{
	(void)state;
	sandbox_enter();
	return 0;
}

static void wire(struct world *w, const struct lease_want *lease, const struct space *space)
{
	struct attach_interface interface;
	struct attach_job job = { .netns_fd = space->netns_fd,
				  .route_fd = space->route_fd,
				  .netfilter_fd = space->netfilter_fd,
				  .group = w->group,
				  .interfaces = &interface,
				  .interface_count = 1 };
	struct err err = ERR_NONE;

	attach_interface_of(w->arena, w->network, &lease->lease, "eth0", 0, &interface);
	check(attach_wire(w->host, &job, 1, &err));
}

/* Two slots of project shop, all that an `up` makes. */
static int set_up(void **state)
{
	struct world *w = calloc(1, sizeof(*w));
	struct network_spec spec = { .name = "shop_default", .project = "shop" };
	struct lease_want leases[2];
	struct bridge_want bridge;
	struct nat_batch *batch = nat_batch_new();
	enum network_outcome outcome;
	char why[240];
	struct err err = ERR_NONE;

	snprintf(w->path, sizeof(w->path), "/tmp/leftovers.XXXXXX");
	assert_non_null(mkdtemp(w->path));
	w->np.state_fd = w->np.runtime_fd = open(w->path, O_DIRECTORY | O_RDONLY | O_CLOEXEC);
	w->np.machine_id = "m";
	w->arena = arena_new();
	w->known = space_new();
	w->lost = space_new();
	check(rtnl_open(&w->host, &err));
	check(nft_open(&w->nft, &err));
	check(network_ensure(&w->np, w->arena, &spec, &w->network, &outcome, why, &err));
	check(link_group_take(&w->np, "shop", &w->group, &err));
	link_bridge_of(w->network, w->arena, w->group, &bridge);
	check(link_ensure_bridges(w->host, &bridge, 1, &err));
	nat_add_network(batch, w->network);
	for (size_t i = 0; i < 2; i++) {
		leases[i] = (struct lease_want){ .network = "shop_default", .slot = slots[i] };
		w->ports[i] = (struct port_want){ .slot = slots[i],
						  .families = PORTS_V4,
						  .first = (uint16_t)(8080 + i),
						  .last = (uint16_t)(8080 + i),
						  .target = 80,
						  .protocol = IPPROTO_TCP };
	}
	check(network_lease(&w->np, leases, 2, &err));
	check(ports_reserve(&w->np, w->ports, 2, &err));
	for (size_t i = 0; i < 2; i++) {
		struct nat_port port = { .owner = slots[i],
					 .target = leases[i].lease.v4,
					 .port = w->ports[i].port,
					 .target_port = 80,
					 .protocol = IPPROTO_TCP };

		nat_add_port(batch, &port);
	}
	check(nat_commit(w->nft, batch, &err));
	nat_batch_free(batch);
	wire(w, &leases[0], &w->known);
	wire(w, &leases[1], &w->lost);
	*state = w;
	return 0;
}

static int tear_down(void **state)
{
	struct world *w = *state;
	char command[128];
	struct err err = ERR_NONE;

	check(nat_remove_project(w->nft, "shop", &err));
	check(link_delete_group(w->host, w->group, &err));
	for (size_t i = 0; i < 2; i++)
		close(w->ports[i].fd4);
	space_free(&w->known);
	space_free(&w->lost);
	rtnl_close(w->host);
	nft_close(w->nft);
	arena_free(w->arena);
	close(w->np.state_fd);
	snprintf(command, sizeof(command), "rm -r %s", w->path);
	sandbox_run(command);
	free(w);
	return 0;
}

static bool knows_web(void *ctx, const char *slot)
{
	(void)ctx;
	return strcmp(slot, "shop/web/1") == 0;
}

static bool knows_all_slots(void *ctx, const char *slot)
{
	(void)ctx;
	return strncmp(slot, "shop/", 5) == 0;
}

static bool knows_shop(void *ctx, const char *project)
{
	(void)ctx;
	return strcmp(project, "shop") == 0;
}

static bool knows_none(void *ctx, const char *name)
{
	(void)ctx;
	(void)name;
	return false;
}

static size_t find(struct world *w, bool (*slot)(void *, const char *),
		   bool (*project)(void *, const char *), struct leftover **rows)
{
	struct leftover_judge judge = { slot, project, NULL };
	size_t count;
	struct err err = ERR_NONE;

	check(leftovers_find(&w->np, w->host, w->nft, NULL, &judge, w->arena, rows, &count, &err));
	return count;
}

static void what_is_known_is_no_leftover(void **state)
{
	struct leftover *rows;
	size_t count = find(*state, knows_all_slots, knows_shop, &rows);

	if (count)
		fail_msg("%s", rows[0].text);
}

static void an_unknown_slot_is_cleared_and_its_neighbour_stays(void **state)
{
	struct world *w = *state;
	struct leftover *rows;
	unsigned kinds = 0;
	size_t count = find(w, knows_web, knows_shop, &rows);
	struct err err = ERR_NONE;
	int server = space_serve(&w->known, SOCK_STREAM, "0.0.0.0", 80);

	for (size_t i = 0; i < count; i++) {
		assert_string_equal(rows[i].owner, "shop/gone/1");
		kinds |= 1u << rows[i].kind;
	}
	assert_int_equal(kinds, 1u << LEFTOVER_LINK | 1u << LEFTOVER_LEASE | 1u << LEFTOVER_PORT |
					1u << LEFTOVER_ELEMENT);
	check(leftovers_clear(&w->np, w->host, w->nft, rows, count, &err));
	assert_int_equal(find(w, knows_web, knows_shop, &rows), 0);
	assert_reach(NULL, "127.0.0.1", 8080, REACHED);
	close(server);
}

static void a_project_that_nobody_knows_goes_whole(void **state)
{
	struct world *w = *state;
	struct leftover *rows;
	struct link_table links = { 0 };
	size_t count;
	struct err err = ERR_NONE;

	/* As after a crash between the rules and the last file of `down`. */
	check(network_release(&w->np, NULL, "shop", NULL, &err));
	check(network_remove(&w->np, "shop_default", &err));
	count = find(w, knows_none, knows_none, &rows);
	assert_true(count > 5);
	check(leftovers_clear(&w->np, w->host, w->nft, rows, count, &err));
	assert_int_equal(find(w, knows_none, knows_none, &rows), 0);
	check(link_dump(w->host, w->arena, &links, &err));
	assert_int_equal(links.count, 1);
	assert_string_equal(links.items[0].name, "lo");
	sandbox_run("test -z \"$(nft list tables)\"");
}

static void routes_that_came_later_are_told(void **state)
{
	struct world *w = *state;
	struct leftover *rows;
	char command[128], text[ADDRESS_TEXT];

	sandbox_run("ip link add vpn0 type bridge; ip link set vpn0 up");
	snprintf(command, sizeof(command), "ip route add %s dev vpn0 metric 9",
		 prefix_text(&w->network->subnets[0].subnet, text));
	sandbox_run(command);
	assert_int_equal(find(w, knows_all_slots, knows_shop, &rows), 1);
	assert_int_equal(rows[0].kind, LEFTOVER_OVERLAP);
	assert_non_null(strstr(rows[0].text, "dev vpn0"));
	sandbox_run("ip link del vpn0");
}

static void deleted_links_of_ours_are_heard_of(void **state)
{
	struct world *w = *state;
	struct err err = ERR_NONE;
	int watch = link_watch_open(&err);
	struct pollfd waiting = { .fd = watch, .events = POLLIN };
	char command[64];
	bool lost;

	sandbox_run("ip link add some0 type bridge; ip link del some0");
	assert_int_equal(poll(&waiting, 1, 1000), 1);
	check(link_watch_read(watch, &lost, &err));
	assert_false(lost);
	snprintf(command, sizeof(command), "ip link del %s", w->network->bridge);
	sandbox_run(command);
	assert_int_equal(poll(&waiting, 1, 1000), 1);
	check(link_watch_read(watch, &lost, &err));
	assert_true(lost);
	close(watch);
}

static void many_slots_give_back_in_one_go(void **state)
{
	struct world *w = *state;
	struct network_record *network;
	struct port_entry *rows;
	struct nat_element *elements;
	size_t count;
	struct err err = ERR_NONE;

	check(nat_remove_owners(w->nft, slots, 2, &err));
	check(nat_list(w->nft, w->arena, "shop", &elements, &count, &err));
	for (size_t i = 0; i < count; i++)
		assert_string_equal(elements[i].owner, "shop//shop_default");
	assert_true(count > 0);
	check(network_release_slots(&w->np, slots, 2, &err));
	check(network_load(&w->np, w->arena, "shop_default", &network, &err));
	assert_int_equal(network->lease_count, 0);
	check(ports_release_slots(&w->np, slots, 2, &err));
	check(ports_list(&w->np, w->arena, NULL, &rows, &count, &err));
	assert_int_equal(count, 0);
}

static void vlan_parents_are_made_or_told_missing(void **state)
{
	struct world *w = *state;
	struct network_record lan = { .name = "lan", .project = "shop" };
	struct err err = ERR_NONE;

	snprintf(lan.bridge, sizeof(lan.bridge), "%s.10", "lo");
	if (link_ensure_parent(w->host, &lan, w->group, &err) < 0) {
		assert_int_equal(err.code, ERR_UNSUPPORTED);
		assert_non_null(strstr(err.msg, "8021Q"));
	}
	snprintf(lan.bridge, sizeof(lan.bridge), "nosuch0");
	assert_int_equal(link_ensure_parent(w->host, &lan, w->group, &err), -1);
	assert_int_equal(err.code, ERR_NOT_FOUND);
	snprintf(lan.bridge, sizeof(lan.bridge), "lo");
	check(link_ensure_parent(w->host, &lan, w->group, &err));
}

int main(void)
{
#define WORLD_TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		WORLD_TEST(what_is_known_is_no_leftover),
		WORLD_TEST(an_unknown_slot_is_cleared_and_its_neighbour_stays),
		WORLD_TEST(a_project_that_nobody_knows_goes_whole),
		WORLD_TEST(routes_that_came_later_are_told),
		WORLD_TEST(deleted_links_of_ours_are_heard_of),
		WORLD_TEST(many_slots_give_back_in_one_go),
		WORLD_TEST(vlan_parents_are_made_or_told_missing),
	};

	return cmocka_run_group_tests(tests, enter_once, NULL);
}
