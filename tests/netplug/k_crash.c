/* tests/netplug/k_crash - a process that dies at any named place of `up` or `down`: the same done
 * again converges, and `down` leaves links, rules and books as they were before. */
#include "tests/netplug/sandbox.h"

#include <sys/wait.h>

#include "netplug/ports.h"

struct world {
	char path[64];
	struct netplug np;
	struct space spaces[2];
};

static const char *const slots[] = { "shop/web/1", "shop/db/1" };

/* What an orchestrator's `up` does for two slots on one network; -1 with a line on stderr. */
static int up(struct world *w)
{
	AUTO(arena) struct arena *arena = arena_new();
	AUTO(rtnl) struct rtnl *host = NULL;
	AUTO(nft) struct nft *nft = NULL;
	AUTO(nat_batch) struct nat_batch *batch = nat_batch_new();
	struct network_spec spec = { .name = "shop_default", .project = "shop", .ipv6 = true };
	struct network_record *network;
	struct lease_want leases[2];
	struct port_want port = { .slot = slots[0],
				  .families = PORTS_V4,
				  .first = 8080,
				  .last = 8080,
				  .target = 80,
				  .protocol = IPPROTO_TCP };
	struct bridge_want bridge;
	struct attach_interface interfaces[2];
	struct attach_job jobs[2];
	struct nat_port rule = {
		.owner = slots[0], .port = 8080, .target_port = 80, .protocol = IPPROTO_TCP
	};
	enum network_outcome outcome;
	unsigned group;
	char why[240];
	struct err err = ERR_NONE;

	for (size_t i = 0; i < 2; i++)
		leases[i] = (struct lease_want){ .network = "shop_default", .slot = slots[i] };
	if (rtnl_open(&host, &err) < 0 || nft_open(&nft, &err) < 0 ||
	    network_ensure(&w->np, arena, &spec, &network, &outcome, why, &err) < 0 ||
	    link_group_take(&w->np, "shop", &group, &err) < 0 ||
	    network_lease(&w->np, leases, 2, &err) < 0 || ports_reserve(&w->np, &port, 1, &err) < 0)
		goto failed;
	link_bridge_of(network, arena, group, &bridge);
	nat_add_network(batch, network);
	rule.target = leases[0].lease.v4;
	nat_add_port(batch, &rule);
	if (link_ensure_bridges(host, &bridge, 1, &err) < 0 || nat_commit(nft, batch, &err) < 0)
		goto failed;
	for (size_t i = 0; i < 2; i++) {
		attach_interface_of(arena, network, &leases[i].lease, "eth0", 0, &interfaces[i]);
		interfaces[i].default4 = network->subnets[0].gateway;
		jobs[i] = (struct attach_job){ .netns_fd = w->spaces[i].netns_fd,
					       .route_fd = w->spaces[i].route_fd,
					       .netfilter_fd = w->spaces[i].netfilter_fd,
					       .group = group,
					       .interfaces = &interfaces[i],
					       .interface_count = 1,
					       .dns_udp_port = 4000,
					       .dns_tcp_port = 4001 };
	}
	if (attach_wire(host, jobs, 2, &err) < 0)
		goto failed;
	for (size_t i = 0; i < 2; i++) {
		bool ok;

		if (attach_verify(&jobs[i], &ok, why, &err) < 0 || !ok)
			goto failed;
	}
	close(port.fd4);
	return 0;
failed:
	fprintf(stderr, "up: %s\n", err.code ? err.msg : why);
	return -1;
}

static int down(struct world *w)
{
	AUTO(rtnl) struct rtnl *host = NULL;
	AUTO(nft) struct nft *nft = NULL;
	unsigned group;
	struct err err = ERR_NONE, absent = ERR_NONE;

	if (rtnl_open(&host, &err) < 0 || nft_open(&nft, &err) < 0 ||
	    nat_remove_project(nft, "shop", &err) < 0 ||
	    (link_group_find(&w->np, "shop", &group, &absent) == 0 &&
	     link_delete_group(host, group, &err) < 0) ||
	    network_release(&w->np, NULL, "shop", NULL, &err) < 0 ||
	    network_remove(&w->np, "shop_default", &err) < 0 ||
	    ports_release(&w->np, "shop", NULL, &err) < 0 ||
	    link_group_drop(&w->np, "shop", &err) < 0) {
		fprintf(stderr, "down: %s\n", err.msg);
		return -1;
	}
	return 0;
}

/* Everything that may be left: links, addresses, routes, rules, books. */
static char *snapshot(struct world *w)
{
	char command[512];
	char *text = calloc(1, 65536);
	FILE *pipe;

	snprintf(command, sizeof(command),
		 "ip -o link | sed 's/[0-9]*: //'; ip -o addr | sed 's/[0-9]*: //'; ip route show "
		 "table all; nft list ruleset; cd %s; ls -R networks 2>/dev/null; "
		 "cat ports.json groups.json 2>/dev/null",
		 w->path);
	pipe = popen(command, "r");
	assert_non_null(pipe);
	assert_true(fread(text, 1, 65535, pipe) > 0);
	pclose(pipe);
	return text;
}

static void die_in(struct world *w, const char *place, int (*act)(struct world *))
{
	int status;
	pid_t pid = fork();

	if (pid == 0) {
		setenv("STACK_CRASH_AT", place, 1);
		_exit(act(w) < 0);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	if (!WIFSIGNALED(status))
		fail_msg("%s was not reached", place);
}

static const char *const up_places[] = {
	"netplug:network-recorded", "netplug:leases-written", "netplug:ports-written",
	"netplug:bridges-made",     "netplug:rules-written",  "netplug:links-made",
	"netplug:links-up",         "netplug:wired",
};
static const char *const down_places[] = {
	"netplug:rules-removed",
	"netplug:group-deleted",
	"netplug:leases-released",
};

static void expect_clean(struct world *w, const char *before, const char *place)
{
	char *after = snapshot(w);

	if (strcmp(before, after) != 0)
		fail_msg("%s left:\n%s\nbefore:\n%s", place, after, before);
	free(after);
}

/* Twenty at once, each with a network, a published port and the way down, over and over. */
static int come_and_go(struct world *w, unsigned number)
{
	AUTO(arena) struct arena *arena = arena_new();
	AUTO(rtnl) struct rtnl *host = NULL;
	AUTO(nft) struct nft *nft = NULL;
	struct network_record *network;
	enum network_outcome outcome;
	char why[240], project[16], name[32], slot[32];
	struct network_spec spec = { .name = name, .project = project };
	struct lease_want lease = { .network = name, .slot = slot };
	struct port_want port = { .slot = slot, .families = PORTS_V4, .protocol = IPPROTO_TCP };
	struct bridge_want bridge;
	unsigned group;
	struct err err = ERR_NONE;

	snprintf(project, sizeof(project), "p%u", number);
	snprintf(name, sizeof(name), "p%u_default", number);
	snprintf(slot, sizeof(slot), "p%u/web/1", number);
	if (rtnl_open(&host, &err) < 0 || nft_open(&nft, &err) < 0)
		goto failed;
	for (int round = 0; round < 3; round++) {
		AUTO(nat_batch) struct nat_batch *batch = nat_batch_new();
		struct nat_port rule = { .owner = slot,
					 .target_port = 80,
					 .protocol = IPPROTO_TCP };

		if (network_ensure(&w->np, arena, &spec, &network, &outcome, why, &err) < 0 ||
		    link_group_take(&w->np, project, &group, &err) < 0 ||
		    network_lease(&w->np, &lease, 1, &err) < 0 ||
		    ports_reserve(&w->np, &port, 1, &err) < 0)
			goto failed;
		link_bridge_of(network, arena, group, &bridge);
		nat_add_network(batch, network);
		rule.target = lease.lease.v4;
		rule.port = port.port;
		nat_add_port(batch, &rule);
		if (link_ensure_bridges(host, &bridge, 1, &err) < 0 ||
		    nat_commit(nft, batch, &err) < 0 ||
		    nat_remove_project(nft, project, &err) < 0 ||
		    link_delete_group(host, group, &err) < 0 ||
		    network_release(&w->np, NULL, project, NULL, &err) < 0 ||
		    network_remove(&w->np, name, &err) < 0 ||
		    ports_release(&w->np, project, NULL, &err) < 0 ||
		    link_group_drop(&w->np, project, &err) < 0)
			goto failed;
		close(port.fd4);
	}
	return 0;
failed:
	fprintf(stderr, "%s: %s\n", project, err.msg);
	return -1;
}

static void twenty_projects_at_once_do_not_disturb_each_other(void **state)
{
	struct world *w = *state;
	char *before = snapshot(w);
	pid_t pids[20];

	for (unsigned i = 0; i < 20; i++) {
		pids[i] = fork();
		if (pids[i] == 0)
			_exit(come_and_go(w, i) < 0);
	}
	for (unsigned i = 0; i < 20; i++) {
		int status;

		assert_int_equal(waitpid(pids[i], &status, 0), pids[i]);
		assert_int_equal(status, 0);
	}
	expect_clean(w, before, "twenty projects");
	free(before);
}

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static int set_up(void **state)
{
	struct world *w = calloc(1, sizeof(*w));

	sandbox_enter();
	snprintf(w->path, sizeof(w->path), "/tmp/crash.XXXXXX");
	assert_non_null(mkdtemp(w->path));
	w->np.state_fd = w->np.runtime_fd = open(w->path, O_DIRECTORY | O_RDONLY | O_CLOEXEC);
	w->np.machine_id = "m";
	w->spaces[0] = space_new();
	w->spaces[1] = space_new();
	/* Once through, so that the books' empty files are there before the comparison. */
	assert_int_equal(up(w), 0);
	assert_int_equal(down(w), 0);
	*state = w;
	return 0;
}

static int tear_down(void **state)
{
	struct world *w = *state;
	char command[96];

	space_free(&w->spaces[0]);
	space_free(&w->spaces[1]);
	close(w->np.state_fd);
	snprintf(command, sizeof(command), "rm -r %s", w->path);
	sandbox_run(command);
	free(w);
	return 0;
}

static void up_again_after_a_crash_converges(void **state)
{
	struct world *w = *state;
	char *before = snapshot(w);

	for (size_t i = 0; i < COUNT(up_places); i++) {
		int server;

		die_in(w, up_places[i], up);
		if (up(w) < 0)
			fail_msg("again after %s", up_places[i]);
		server = space_serve(&w->spaces[0], SOCK_STREAM, "0.0.0.0", 80);
		assert_reach(NULL, "127.0.0.1", 8080, REACHED);
		close(server);
		assert_int_equal(down(w), 0);
		expect_clean(w, before, up_places[i]);
	}
	free(before);
}

static void down_after_a_crash_of_up_leaves_nothing(void **state)
{
	struct world *w = *state;
	char *before = snapshot(w);

	for (size_t i = 0; i < COUNT(up_places); i++) {
		die_in(w, up_places[i], up);
		assert_int_equal(down(w), 0);
		expect_clean(w, before, up_places[i]);
	}
	free(before);
}

static void down_again_after_a_crash_leaves_nothing(void **state)
{
	struct world *w = *state;
	char *before = snapshot(w);

	for (size_t i = 0; i < COUNT(down_places); i++) {
		assert_int_equal(up(w), 0);
		die_in(w, down_places[i], down);
		assert_int_equal(down(w), 0);
		expect_clean(w, before, down_places[i]);
	}
	free(before);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(up_again_after_a_crash_converges),
		cmocka_unit_test(down_after_a_crash_of_up_leaves_nothing),
		cmocka_unit_test(down_again_after_a_crash_leaves_nothing),
		cmocka_unit_test(twenty_projects_at_once_do_not_disturb_each_other),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
