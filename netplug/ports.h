/* netplug/ports - published host ports: who has which. ports.json under its flock, and placeholder
 * sockets.
 *
 * A placeholder is a socket bound to address and port in the caller's namespace that never listens:
 * other programs get EADDRINUSE, and a connection that slips past NAT is refused at once. netd
 * keeps them open.
 *
 * The IPv6 placeholder of what NAT cannot serve alone (all addresses or ::1: the loopback ::1, or a
 * container without IPv6) goes to netd as a relay's listener instead of a hold, leading to the
 * container's address: what the rules translate never reaches it, the rest is relayed.
 * Blocks (disk, flock; a walk over /proc only for the text of a conflict).
 */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/err.h"
#include "netplug/address.h"
#include "netplug/network.h"

#define PORTS_V4 1u /* all IPv4 addresses when no host_ip is given */
#define PORTS_V6 2u

/* One publication of one slot. host_ip unset: all addresses of `families`. first 0: the system
 * chooses. */
struct port_want {
	const char *slot; /* "PROJECT/SERVICE/N" */
	struct address host_ip;
	unsigned families;    /* PORTS_*; ignored with host_ip */
	uint16_t first, last; /* host range, both 0: ephemeral */
	uint16_t target;      /* inside the container */
	uint16_t remembered;  /* tried first when in range or ephemeral; 0 none */
	uint8_t protocol;     /* IPPROTO_TCP, IPPROTO_UDP, IPPROTO_SCTP */
	bool relay; /* x-stack.expose: host-firewall: the sockets are for netd_relay, no rule is
		       made */
	bool held;  /* netd has the placeholder of what the book says of this slot: no new one */
	/* out */
	uint16_t port; /* the chosen one */
	int fd4, fd6;  /* placeholders, the caller's from now on; -1 none */
};

/* A row of the book. Texts in the arena. */
struct port_entry {
	const char *slot;
	struct address address; /* 0.0.0.0 or :: for all */
	uint16_t port, target;
	uint8_t protocol;
	bool relay;
};

/* All or nothing: chooses, binds and books every want. Wants of a slot that
 * are in the book already keep their port and get a new placeholder, unless `held` says that netd
 * has it. ERR_EXISTS names the holder: "port 8080/tcp on 0.0.0.0 is taken by project shop,
 * service web" or by "nginx (pid 812)"; ERR_INVALID: the address is none of the host's, or a range
 * is used up. On error all placeholders of this call are closed and the book is as before. */
int ports_reserve(const struct netplug *np, struct port_want *wants, size_t count, struct err *err);

/* Binds one placeholder anew (netd died); fd, or -1 with ERR_EXISTS and the holder's name. */
int ports_hold(const struct netplug *np, const struct port_entry *entry, struct err *err);

/* Strikes rows: of one slot, or of a whole project (slot NULL). The sockets are closed by who has
 * them. */
int ports_release(const struct netplug *np, const char *project, const char *slot, struct err *err);

/* The same for many slots in one write. */
int ports_release_slots(const struct netplug *np, const char *const *slots, size_t count,
			struct err *err);

/* Rows of one slot become another's, numbers and sockets stay. */
int ports_move(const struct netplug *np, const char *from, const char *to, struct err *err);

/* Strikes the rows of one slot that are not among these (by address, port and protocol). */
int ports_trim(const struct netplug *np, const char *slot, const struct port_entry *kept,
	       size_t count, struct err *err);

/* What the book says, sorted by address, protocol, port; project NULL: the machine's. */
int ports_list(const struct netplug *np, struct arena *arena, const char *project,
	       struct port_entry **out, size_t *out_count, struct err *err);

const char *ports_protocol_name(uint8_t protocol); /* "tcp" */
