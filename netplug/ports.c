/* netplug/ports - published host ports: who has which.
 *
 * Owns: ports.json, the choice of a port.
 * May not touch: the packet filter (netplug/nat), what netd does with the sockets.
 * Blocks: disk, flock.
 */
#include "netplug/ports.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "base/alloc.h"
#include "base/cleanup.h"
#include "base/crash.h"
#include "base/file.h"
#include "base/json.h"
#include "base/text.h"
#include "netplug/port_socket.h"

#define BOOK       "ports.json"
#define BOOK_LOCK  "ports.lock"
#define BOOK_MAX   (16u << 20)
#define PAIR_TRIES 16 /* for one number that is free in both families */

/* ---- the book */

struct book {
	struct arena *arena;
	struct port_entry *rows;
	size_t count;
	const struct port_want *wants; /* of this call */
	size_t want_count;
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
	row->protocol = port_socket_protocol(protocol);
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

/* "PROJECT/SERVICE/" of a slot is the other one's, too. */
static bool is_same_service(const char *slot, const char *other)
{
	const char *number = strrchr(slot, '/');

	return number && strncmp(slot, other, (size_t)(number - slot) + 1) == 0;
}

static int clash_error(const struct port_entry *holder, const struct port_want *want,
		       const struct address *address, struct err *err)
{
	struct slice slot = SLICE(holder->slot), project, rest, service, number;
	char text[ADDRESS_TEXT];

	slice_split(slot, '/', &project, &rest);
	slice_split(rest, '/', &service, &number);
	if (is_same_service(holder->slot, want->slot))
		return err_set(err, ERR_EXISTS,
			       "port %u/%s on %s is taken by replica %.*s of the same service: "
			       "publish a range (\"%u-%u:%u\") or the container's port alone "
			       "(\"%u\")",
			       holder->port, ports_protocol_name(holder->protocol),
			       address_text(address, text), SLICE_ARG(number), holder->port,
			       holder->port < UINT16_MAX - 9 ? holder->port + 9u : UINT16_MAX,
			       want->target, want->target);
	return err_set(
		err, ERR_EXISTS, "port %u/%s on %s is taken by project %.*s, service %.*s (%.*s)",
		holder->port, ports_protocol_name(holder->protocol), address_text(address, text),
		SLICE_ARG(project), SLICE_ARG(service), SLICE_ARG(number));
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

/* Does an earlier want of this call, of the same slot, have the port at that address? */
static bool is_wanted_twice(const struct book *book, const struct port_want *want,
			    const struct address *address, uint16_t port)
{
	for (size_t i = 0; i < book->want_count; i++) {
		const struct port_want *other = &book->wants[i];
		struct address addresses[2];
		size_t count = addresses_of(other, addresses);

		if (other == want || other->port != port || other->protocol != want->protocol ||
		    strcmp(other->slot, want->slot) != 0)
			continue;
		for (size_t k = 0; k < count; k++)
			if (overlaps(&addresses[k], address))
				return true;
	}
	return false;
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
			return clash_error(holder, want, &addresses[i], err);
		if (port && is_wanted_twice(book, want, &addresses[i], port))
			return err_set(err, ERR_EXISTS, "port %u/%s is published twice by %s", port,
				       ports_protocol_name(want->protocol), want->slot);
		if (want->held && holder && port)
			continue;
		*slot = port_socket_bind(&addresses[i], want->protocol, port);
		if (*slot < 0 && errno == EAFNOSUPPORT && i > 0)
			continue;
		if (*slot < 0 && errno == ESOCKTNOSUPPORT && port)
			continue;
		if (*slot < 0) {
			*again = errno == EADDRINUSE;
			return port_socket_error(errno, &addresses[i], want->protocol, port, err);
		}
		port = port ? port : port_socket_number(*slot);
		holder = find_clash(book, &addresses[i], want->protocol, port);
		if (holder && strcmp(holder->slot, want->slot) != 0)
			return clash_error(holder, want, &addresses[i], err);
	}
	want->port = port;
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
	struct book book = { .arena = arena, .wants = wants, .want_count = count };
	int result = 0;

	for (size_t i = 0; i < count; i++) {
		wants[i].fd4 = wants[i].fd6 = -1;
		wants[i].port = 0;
	}
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
		if (book.count)
			qsort(book.rows, book.count, sizeof(*book.rows), by_place);
		result = write_book(np, &book, err);
		crash_point("netplug", "ports-written");
	}
	for (size_t i = 0; i < count && result < 0; i++)
		drop_sockets(&wants[i]);
	return result;
}

int ports_hold(const struct netplug *np, const struct port_entry *entry, struct err *err)
{
	int fd = port_socket_bind(&entry->address, entry->protocol, entry->port);

	(void)np;
	return fd >= 0 ? fd
		       : port_socket_error(errno, &entry->address, entry->protocol, entry->port,
					   err);
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

int ports_move(const struct netplug *np, const char *from, const char *to, struct err *err)
{
	AUTO(arena) struct arena *arena = arena_new();
	AUTO(fd) int lock = file_lock(np->state_fd, BOOK_LOCK, true, err);
	struct book book = { .arena = arena };
	bool any = false;

	if (lock < 0 || read_book(np, &book, err) < 0)
		return -1;
	for (size_t i = 0; i < book.count; i++) {
		if (strcmp(book.rows[i].slot, from) != 0)
			continue;
		book.rows[i].slot = to;
		any = true;
	}
	return any ? write_book(np, &book, err) : 0;
}

int ports_trim(const struct netplug *np, const char *slot, const struct port_entry *kept,
	       size_t count, struct err *err)
{
	AUTO(arena) struct arena *arena = arena_new();
	AUTO(fd) int lock = file_lock(np->state_fd, BOOK_LOCK, true, err);
	struct book book = { .arena = arena };
	size_t left = 0;

	if (lock < 0 || read_book(np, &book, err) < 0)
		return -1;
	for (size_t i = 0; i < book.count; i++) {
		bool stays = strcmp(book.rows[i].slot, slot) != 0;

		for (size_t k = 0; k < count && !stays; k++)
			stays = by_place(&book.rows[i], &kept[k]) == 0;
		if (stays)
			book.rows[left++] = book.rows[i];
	}
	if (left == book.count)
		return 0;
	book.count = left;
	return write_book(np, &book, err);
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
