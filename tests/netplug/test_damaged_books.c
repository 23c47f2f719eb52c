/* tests/netplug/test_damaged_books - a network's record and the book of ports torn, or with other
 * values: refused with a sentence, or read as something whole.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "base/tree.h"
#include "netplug/network.h"
#include "netplug/ports.h"
#include "tests/base/damage.h"
#include "tests/base/folder.h"

struct reading {
	struct netplug np;
	const char *file;
	size_t refused, taken;
};

static void put(const struct reading *r, const char *text, size_t len)
{
	AUTO(fd)
	int fd = openat(r->np.state_fd, r->file, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	assert_true(fd >= 0);
	assert_int_equal(file_write_all(fd, text, len), 0);
}

static void drop(const struct folder *folder)
{
	AUTO(fd) int parent = open(P_tmpdir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	struct err err = ERR_NONE;

	close(folder->fd);
	assert_int_equal(tree_remove(parent, strrchr(folder->path, '/') + 1, &err), 0);
}

static void tell(struct reading *r, enum damage kind, size_t len, bool is_taken,
		 const struct err *err)
{
	if (is_taken) {
		r->taken++;
		assert_true(kind != DAMAGE_CUT || len == 0);
		return;
	}
	r->refused++;
	assert_int_not_equal(err->code, ERR_OK);
	assert_true(strlen(err->msg) > 5);
}

/* ---- networks/NAME.json ---- */

static void use_network(const struct network_record *network)
{
	assert_string_equal(network->name, "lan");
	assert_non_null(network->id);
	for (size_t i = 0; i < network->subnet_count; i++)
		assert_true(address_is_set(&network->subnets[i].subnet.addr));
	assert_true(memchr(network->bridge, '\0', sizeof(network->bridge)) != NULL);
	assert_true(network->driver <= NETWORK_IPVLAN);
	for (size_t i = 0; i < network->lease_count; i++) {
		assert_non_null(network->leases[i].slot);
		if (i)
			assert_true(strcmp(network->leases[i - 1].slot, network->leases[i].slot) <=
				    0);
	}
	for (size_t i = 0; i < network->labels.count; i++)
		assert_non_null(network->labels.items[i].value);
}

static void read_network(void *ctx, enum damage kind, const char *text, size_t len)
{
	struct reading *r = ctx;
	struct arena *arena = arena_new();
	struct network_record *network = NULL;
	struct err err = ERR_NONE;
	int result;

	put(r, text, len);
	result = network_load(&r->np, arena, "lan", &network, &err);
	/* An empty file is one that a power cut left: there is no network yet. */
	if (len == 0)
		assert_int_equal(err.code, ERR_NOT_FOUND);
	tell(r, kind, len, result == 0, &err);
	if (result == 0)
		use_network(network);
	arena_free(arena);
}

static void a_damaged_network_is_refused_or_whole(void **state)
{
	struct network_pair labels[] = {
		{"a", "b"}
	};
	struct network_pair options[] = {
		{"com.docker.network.driver.mtu", "1400"}
	};
	struct network_subnet_spec subnets[] = { { .subnet = "10.9.0.0/24" } };
	struct network_spec spec = {
		.name = "lan",
		.project = "shop",
		.key = "lan",
		.labels = {labels,   1},
		.options = { options, 1},
		.subnets = subnets,
		.subnet_count = 1
	};
	struct folder folder = folder_make();
	struct reading r = {
		.np = {.state_fd = folder.fd,
                       .runtime_fd = folder.fd,
                       .machine_id = "0123456789abcdef0123456789abcdef"},
		.file = "networks/lan.json"
	};
	struct arena *arena = arena_new();
	struct network_record *network;
	enum network_outcome outcome;
	AUTO(free) char *text = NULL;
	struct err err = ERR_NONE;
	char why[240];

	(void)state;
	if (network_ensure(&r.np, arena, &spec, &network, &outcome, why, &err) < 0)
		fail_msg("%s", err.msg);
	assert_int_equal(outcome, NETWORK_MADE);
	assert_int_equal(file_read(folder.fd, r.file, 1 << 20, &text, NULL, &err), 0);
	damage_each(text, 500, read_network, &r);
	assert_true(r.refused > 200);
	assert_true(r.taken > 50);
	arena_free(arena);
	drop(&folder);
}

/* ---- ports.json ---- */

static void read_ports(void *ctx, enum damage kind, const char *text, size_t len)
{
	struct reading *r = ctx;
	struct arena *arena = arena_new();
	struct port_entry *entries = NULL;
	struct err err = ERR_NONE;
	size_t count = 0;
	int result;

	put(r, text, len);
	result = ports_list(&r->np, arena, NULL, &entries, &count, &err);
	tell(r, kind, len, result == 0, &err);
	for (size_t i = 0; result == 0 && i < count; i++) {
		assert_non_null(entries[i].slot);
		assert_true(address_is_set(&entries[i].address));
		assert_non_null(ports_protocol_name(entries[i].protocol));
	}
	arena_free(arena);
}

static void a_damaged_book_of_ports_is_refused_or_whole(void **state)
{
	struct folder folder = folder_make();
	struct reading r = {
		.np = {.state_fd = folder.fd, .runtime_fd = folder.fd},
                  .file = "ports.json"
	};

	(void)state;
	damage_each("{\"version\":1,\"ports\":[{\"address\":\"0.0.0.0\",\"port\":80,"
		    "\"protocol\":\"tcp\",\"target\":8080,\"slot\":\"shop/web/1\"},"
		    "{\"address\":\"::\",\"port\":53,\"protocol\":\"udp\",\"target\":53,"
		    "\"slot\":\"shop/dns/1\",\"relay\":true}]}",
		    1000, read_ports, &r);
	assert_true(r.refused > 200);
	assert_true(r.taken > 20);
	{
		static const char newer[] = "{\"version\":2,\"ports\":[]}";
		struct arena *arena = arena_new();
		struct port_entry *entries;
		struct err err = ERR_NONE;
		size_t count;

		put(&r, newer, strlen(newer));
		assert_int_equal(ports_list(&r.np, arena, NULL, &entries, &count, &err), -1);
		assert_int_equal(err.code, ERR_UNSUPPORTED);
		arena_free(arena);
	}
	drop(&folder);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_damaged_network_is_refused_or_whole),
		cmocka_unit_test(a_damaged_book_of_ports_is_refused_or_whole),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
