/* netplug/ports - published host ports: who has which.
 *
 * Owns: ports.json, placeholder sockets, the choice of a port.
 * May not touch: the packet filter (netplug/nat), what netd does with the sockets.
 * Blocks: disk, flock.
 */
#include "netplug/ports.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "base/alloc.h"
#include "base/cleanup.h"
#include "base/file.h"
#include "base/json.h"
#include "base/text.h"
#include "netplug/port_holder.h"

#define BOOK       "ports.json"
#define BOOK_LOCK  "ports.lock"
#define BOOK_MAX   (16u << 20)
#define PAIR_TRIES 16 /* for one number that is free in both families */

static const struct {
	uint8_t number;
	int socket_type;
	const char *name;
} protocols[] = {
	{IPPROTO_TCP,   SOCK_STREAM, "tcp" },
	{ IPPROTO_UDP,  SOCK_DGRAM,  "udp" },
	{ IPPROTO_SCTP, SOCK_STREAM, "sctp"},
};

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

const char *ports_protocol_name(uint8_t protocol)
{
	for (size_t i = 0; i < COUNT(protocols); i++)
		if (protocols[i].number == protocol)
			return protocols[i].name;
	return "ip";
}

static uint8_t protocol_number(const char *name)
{
	for (size_t i = 0; i < COUNT(protocols); i++)
		if (strcmp(protocols[i].name, name) == 0)
			return protocols[i].number;
	return 0;
}

static int socket_type(uint8_t protocol)
{
	for (size_t i = 0; i < COUNT(protocols); i++)
		if (protocols[i].number == protocol)
			return protocols[i].socket_type;
	return SOCK_STREAM;
}

/* ---- the book */

struct book {
	struct arena *arena;
	struct port_entry *rows;
	size_t count;
};

static int read_row(struct book *book, struct json_object *object, struct err *err)
{
	struct port_entry *row;
	const char *slot, *address, *protocol;
	int64_t port, target;

	if (json_need_text(object, BOOK, "slot", &slot, err) < 0 ||
	    json_need_text(object, BOOK, "address", &address, err) < 0 ||
	    json_need_text(object, BOOK, "protocol", &protocol, err) < 0 ||
	    json_need_int(object, BOOK, "port", &port, err) < 0 ||
	    json_need_int(object, BOOK, "target", &target, err) < 0)
		return -1;
	row = arena_grow(book->arena, &book->rows, &book->count, sizeof(*row));
	if (address_parse(BOOK, address, &row->address, err) < 0)
		return -1;
	row->slot = arena_strdup(book->arena, slot);
	row->port = (uint16_t)port;
	row->target = (uint16_t)target;
	row->protocol = protocol_number(protocol);
	row->relay = json_bool_or(object, "relay", false);
	return 0;
}

static int read_book(const struct netplug *np, struct book *book, struct err *err)
{
	struct err local = ERR_NONE;
	AUTO(json) struct json_object *file = json_read_file(np->state_fd, BOOK, BOOK_MAX, &local);
	struct json_object *rows;

	if (!file && local.code == ERR_NOT_FOUND)
		return 0;
	if (!file) {
		*err = local;
		return -1;
	}
	if (json_int_or(file, "version", 0) > 1)
		return err_set(err, ERR_UNSUPPORTED, "%s was written by a newer version", BOOK);
	rows = json_array_at(file, "ports");
	for (size_t i = 0; i < json_array_count(rows); i++)
		if (read_row(book, json_object_array_get_idx(rows, i), err) < 0)
			return -1;
	return 0;
}

static int write_book(const struct netplug *np, const struct book *book, struct err *err)
{
	AUTO(json) struct json_object *file = json_object_new_object();
	struct json_object *rows;
	char text[ADDRESS_TEXT];

	json_add_int(file, "version", 1);
	rows = json_add_array(file, "ports");
	for (size_t i = 0; i < book->count; i++) {
		const struct port_entry *row = &book->rows[i];
		struct json_object *object = json_object_new_object();

		json_add_text(object, "address", address_text(&row->address, text));
		json_add_int(object, "port", row->port);
		json_add_text(object, "protocol", ports_protocol_name(row->protocol));
		json_add_int(object, "target", row->target);
		json_add_text(object, "slot", row->slot);
		if (row->relay)
			json_add_bool(object, "relay", true);
		json_object_array_add(rows, object);
	}
	return json_write_file(np->state_fd, BOOK, file, 0, err);
}

static int by_place(const void *a, const void *b)
{
	const struct port_entry *x = a, *y = b;
	int order = address_compare(&x->address, &y->address);

	if (order == 0)
		order = x->protocol - y->protocol;
	return order ? order : x->port - y->port;
}

static bool overlaps(const struct address *a, const struct address *b)
{
	return a->family == b->family &&
	       (address_is_any(a) || address_is_any(b) || address_equal(a, b));
}

static const struct port_entry *find_clash(const struct book *book, const struct address *address,
					   uint8_t protocol, uint16_t port)
{
	for (size_t i = 0; i < book->count; i++)
		if (book->rows[i].port == port && book->rows[i].protocol == protocol &&
		    overlaps(&book->rows[i].address, address))
			return &book->rows[i];
	return NULL;
}

static int clash_error(const struct port_entry *holder, const struct address *address,
		       struct err *err)
{
	struct slice slot = SLICE(holder->slot), project, rest, service, number;
	char text[ADDRESS_TEXT];

	slice_split(slot, '/', &project, &rest);
	slice_split(rest, '/', &service, &number);
	return err_set(
		err, ERR_EXISTS, "port %u/%s on %s is taken by project %.*s, service %.*s (%.*s)",
		holder->port, ports_protocol_name(holder->protocol), address_text(address, text),
		SLICE_ARG(project), SLICE_ARG(service), SLICE_ARG(number));
}

/* ---- placeholders */

static socklen_t to_sockaddr(const struct address *address, uint16_t port,
			     struct sockaddr_storage *out)
{
	struct sockaddr_in *v4 = (struct sockaddr_in *)out;
	struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)out;

	memset(out, 0, sizeof(*out));
	if (address->family == AF_INET) {
		v4->sin_family = AF_INET;
		v4->sin_port = htons(port);
		memcpy(&v4->sin_addr, address->bytes, 4);
		return sizeof(*v4);
	}
	v6->sin6_family = AF_INET6;
	v6->sin6_port = htons(port);
	memcpy(&v6->sin6_addr, address->bytes, 16);
	return sizeof(*v6);
}

static uint16_t bound_port(int fd)
{
	struct sockaddr_storage name;
	socklen_t len = sizeof(name);

	if (getsockname(fd, (struct sockaddr *)&name, &len) < 0)
		return 0;
	return ntohs(name.ss_family == AF_INET ? ((struct sockaddr_in *)&name)->sin_port
					       : ((struct sockaddr_in6 *)&name)->sin6_port);
}

/* Binds address:port (0: any) without listening. SO_REUSEADDR is on while it binds, as connections
 * of a former holder may linger in TIME_WAIT, and off afterwards, so that nobody else gets in. -1
 * with errno; ESOCKTNOSUPPORT: the kernel lacks the protocol, the book alone guards it. */
static int bind_placeholder(const struct address *address, uint8_t protocol, uint16_t port)
{
	struct sockaddr_storage name;
	socklen_t len = to_sockaddr(address, port, &name);
	int on = 1, off = 0;
	AUTO(fd) int fd = socket(address->family, socket_type(protocol) | SOCK_CLOEXEC, protocol);

	if (fd < 0) {
		errno = errno == EPROTONOSUPPORT ? ESOCKTNOSUPPORT : errno;
		return -1;
	}
	if (address->family == AF_INET6)
		setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof(on));
	if (protocol != IPPROTO_UDP)
		setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	if (bind(fd, (struct sockaddr *)&name, len) < 0)
		return -1;
	if (protocol != IPPROTO_UDP)
		setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &off, sizeof(off));
	return TAKE_FD(fd);
}

static int bind_error(int error, const struct address *address, uint8_t protocol, uint16_t port,
		      struct err *err)
{
	char text[ADDRESS_TEXT], holder[128];

	address_text(address, text);
	if (error == EADDRNOTAVAIL)
		return err_set(err, ERR_INVALID, "port %u/%s: this host has no address %s", port,
			       ports_protocol_name(protocol), text);
	if (error == EACCES)
		return err_set(
			err, ERR_DENIED,
			"port %u/%s on %s: not permitted (net.ipv4.ip_unprivileged_port_start)",
			port, ports_protocol_name(protocol), text);
	if (error != EADDRINUSE)
		return err_sys(err, error, "port %u/%s on %s", port, ports_protocol_name(protocol),
			       text);
	port_holder_find(address, protocol, port, holder, sizeof(holder));
	return err_set(err, ERR_EXISTS, "port %u/%s on %s is taken by %s", port,
		       ports_protocol_name(protocol), text, holder);
}

/* ---- one want */

/* Addresses to bind: one host_ip, or any of both families. */
static size_t addresses_of(const struct port_want *want, struct address out[2])
{
	size_t count = 0;

	if (address_is_set(&want->host_ip)) {
		out[count++] = want->host_ip;
		return count;
	}
	if (want->families & PORTS_V4)
		out[count++] = (struct address){ .family = AF_INET };
	if (want->families & PORTS_V6)
		out[count++] = (struct address){ .family = AF_INET6 };
	return count;
}

static void drop_sockets(struct port_want *want)
{
	if (want->fd4 >= 0)
		close(want->fd4);
	if (want->fd6 >= 0)
		close(want->fd6);
	want->fd4 = want->fd6 = -1;
}

/* All addresses of the want at one port; 0: the first bind chooses. 0 done, -1 with *err, and
 * `again` when another number may do. */
static int try_port(const struct book *book, struct port_want *want, uint16_t port, bool *again,
		    struct err *err)
{
	struct address addresses[2];
	size_t count = addresses_of(want, addresses);

	want->fd4 = want->fd6 = -1;
	*again = false;
	for (size_t i = 0; i < count; i++) {
		const struct port_entry *holder =
			find_clash(book, &addresses[i], want->protocol, port);
		int *slot = addresses[i].family == AF_INET ? &want->fd4 : &want->fd6;

		*again = true;
		if (port && holder && strcmp(holder->slot, want->slot) != 0)
			return clash_error(holder, &addresses[i], err);
		if (want->relay && port)
			continue;
		*slot = bind_placeholder(&addresses[i], want->protocol, port);
		if (*slot < 0 && errno == EAFNOSUPPORT && i > 0)
			continue;
		if (*slot < 0 && errno == ESOCKTNOSUPPORT && port)
			continue;
		if (*slot < 0) {
			*again = errno == EADDRINUSE;
			return bind_error(errno, &addresses[i], want->protocol, port, err);
		}
		port = port ? port : bound_port(*slot);
		holder = find_clash(book, &addresses[i], want->protocol, port);
		if (holder && strcmp(holder->slot, want->slot) != 0)
			return clash_error(holder, &addresses[i], err);
	}
	want->port = port;
	if (want->relay)
		drop_sockets(want);
	return 0;
}

static int try_ephemeral(const struct book *book, struct port_want *want, struct err *err)
{
	bool again = true;

	if (want->remembered) {
		struct err ignored = ERR_NONE;

		if (try_port(book, want, want->remembered, &again, &ignored) == 0)
			return 0;
		drop_sockets(want);
	}
	again = true;
	for (int i = 0; i < PAIR_TRIES && again; i++) {
		if (try_port(book, want, 0, &again, err) == 0)
			return 0;
		drop_sockets(want);
	}
	return -1;
}

static int try_range(const struct book *book, struct port_want *want, struct err *err)
{
	bool again = true;
	struct err first = ERR_NONE;
	unsigned port;

	if (want->remembered >= want->first && want->remembered <= want->last) {
		if (try_port(book, want, want->remembered, &again, &first) == 0)
			return 0;
		drop_sockets(want);
	}
	again = true;
	for (port = want->first; port <= want->last && again; port++) {
		struct err fault = ERR_NONE;

		if (try_port(book, want, (uint16_t)port, &again, &fault) == 0)
			return 0;
		drop_sockets(want);
		first = fault;
	}
	*err = first;
	if (want->first == want->last || !again)
		return -1;
	return err_set(err, ERR_EXISTS, "ports %u-%u/%s are all taken (the last: %.150s)",
		       want->first, want->last, ports_protocol_name(want->protocol), first.msg);
}

static bool row_is_of(const struct port_entry *row, const struct port_want *want)
{
	return row->protocol == want->protocol && row->port == want->port &&
	       strcmp(row->slot, want->slot) == 0;
}

static void enter(struct book *book, const struct port_want *want)
{
	struct address addresses[2];
	size_t count = addresses_of(want, addresses);

	for (size_t i = 0; i < count; i++) {
		struct port_entry *row = NULL;

		for (size_t k = 0; k < book->count && !row; k++)
			if (row_is_of(&book->rows[k], want) &&
			    address_equal(&book->rows[k].address, &addresses[i]))
				row = &book->rows[k];
		if (!row)
			row = arena_grow(book->arena, &book->rows, &book->count, sizeof(*row));
		*row = (struct port_entry){ .slot = want->slot,
					    .address = addresses[i],
					    .port = want->port,
					    .target = want->target,
					    .protocol = want->protocol,
					    .relay = want->relay };
	}
}

int ports_reserve(const struct netplug *np, struct port_want *wants, size_t count, struct err *err)
{
	AUTO(arena) struct arena *arena = arena_new();
	AUTO(fd) int lock = file_lock(np->state_fd, BOOK_LOCK, true, err);
	struct book book = { .arena = arena };
	int result = 0;

	for (size_t i = 0; i < count; i++)
		wants[i].fd4 = wants[i].fd6 = -1;
	if (lock < 0 || read_book(np, &book, err) < 0)
		return -1;
	/* Fixed numbers before choices, or a choice could take what another want must have. */
	for (int pass = 0; pass < 3 && result == 0; pass++)
		for (size_t i = 0; i < count && result == 0; i++) {
			int kind = !wants[i].first ? 2 : wants[i].first != wants[i].last;

			if (kind != pass)
				continue;
			result = kind == 2 ? try_ephemeral(&book, &wants[i], err)
					   : try_range(&book, &wants[i], err);
			if (result == 0)
				enter(&book, &wants[i]);
		}
	if (result == 0) {
		qsort(book.rows, book.count, sizeof(*book.rows), by_place);
		result = write_book(np, &book, err);
	}
	for (size_t i = 0; i < count && result < 0; i++)
		drop_sockets(&wants[i]);
	return result;
}

int ports_hold(const struct netplug *np, const struct port_entry *entry, struct err *err)
{
	int fd = bind_placeholder(&entry->address, entry->protocol, entry->port);

	(void)np;
	return fd >= 0 ? fd : bind_error(errno, &entry->address, entry->protocol, entry->port, err);
}

static bool is_of(const char *slot, const char *project, const char *wanted)
{
	size_t len = strlen(project);

	if (wanted)
		return strcmp(slot, wanted) == 0;
	return strncmp(slot, project, len) == 0 && slot[len] == '/';
}

static bool is_any_of(const char *slot, const char *const *slots, size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (strcmp(slots[i], slot) == 0)
			return true;
	return false;
}

static int strike(const struct netplug *np, const char *project, const char *const *slots,
		  size_t slot_count, struct err *err)
{
	AUTO(arena) struct arena *arena = arena_new();
	AUTO(fd) int lock = file_lock(np->state_fd, BOOK_LOCK, true, err);
	struct book book = { .arena = arena };
	size_t kept = 0;

	if (lock < 0 || read_book(np, &book, err) < 0)
		return -1;
	for (size_t i = 0; i < book.count; i++)
		if (project ? !is_of(book.rows[i].slot, project, NULL)
			    : !is_any_of(book.rows[i].slot, slots, slot_count))
			book.rows[kept++] = book.rows[i];
	if (kept == book.count)
		return 0;
	book.count = kept;
	return write_book(np, &book, err);
}

int ports_release(const struct netplug *np, const char *project, const char *slot, struct err *err)
{
	return slot ? strike(np, NULL, &slot, 1, err) : strike(np, project, NULL, 0, err);
}

int ports_release_slots(const struct netplug *np, const char *const *slots, size_t count,
			struct err *err)
{
	return strike(np, NULL, slots, count, err);
}

int ports_list(const struct netplug *np, struct arena *arena, const char *project,
	       struct port_entry **out, size_t *out_count, struct err *err)
{
	struct book book = { .arena = arena };
	size_t kept = 0;

	if (read_book(np, &book, err) < 0)
		return -1;
	for (size_t i = 0; i < book.count; i++)
		if (!project || is_of(book.rows[i].slot, project, NULL))
			book.rows[kept++] = book.rows[i];
	if (kept)
		qsort(book.rows, kept, sizeof(*book.rows), by_place);
	*out = book.rows;
	*out_count = kept;
	return 0;
}
