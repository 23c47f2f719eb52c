/* netplug/netd - the words between the supervisor and stack-netd: the supervisor's side.
 *
 * stack-netd PROJECT is started by the supervisor with
 *	0, 1  /dev/null        2  its log (warnings in base/log's lines)
 *	3     a listening SOCK_SEQPACKET socket, bound by the supervisor as netd.sock
 *(message_listen) 4     one end of a connected SOCK_SEQPACKET pair: the first supervisor's
 *conversation in the host's network namespace (queries to the host's name servers leave from where
 *it was started). It then gives up every right (docs/netd.md) and lives until netd_end, or until it
 *holds nothing and nobody is connected. The supervisor's death changes nothing: a successor
 *connects to netd.sock (message_connect), asks netd_hello and netd_list, and brings what is
 *missing. The newest conversation wins: older ones are closed when a new one says hello.
 *
 * A request is one message {"id":N,"op":WORD,...}, its answer {"id":N,"ok":true,...} or
 * {"id":N,"ok":false,"error":{"code":"invalid","message":"..."}}; docs/netd.md has every word. The
 * functions below send one and wait for its answer (netd answers within a millisecond; after
 * NETD_TIMEOUT_MS: ERR_TIMEOUT). One thread at a time per conversation. Descriptors that are passed
 * stay the caller's, who may keep them as duplicates for a netd that has to be started again.
 * Errors: what netd says; ERR_SYSTEM or ERR_NOT_FOUND when it is gone.
 */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

#define NETD_SOCKET      "netd.sock"
#define NETD_LISTEN_FD   3
#define NETD_PAIR_FD     4
#define NETD_TIMEOUT_MS  5000
#define NETD_VERSION     1
#define NETD_SERVERS_MAX 8
#define NETD_KEY_MAX     96 /* bytes of a key or slot name, NUL included */

struct json_object;

struct netd_hello {
	int version;
	int64_t pid;
	uint64_t zone_serial; /* 0: none yet */
	size_t slot_count, hold_count, relay_count;
};

/* A slot's sockets, as the monitor opened them in the slot's network namespace: udp and tcp bound
 * to 127.0.0.11 (tcp listening or not), upstream (udp) and upstream_tcp unbound, from which servers
 * of `dns:` are asked. -1: none (without upstream the `dns:` servers cannot be asked: SERVFAIL;
 * without upstream_tcp their truncated answers stay truncated). An upstream socket of AF_INET6
 * without IPV6_V6ONLY reaches both families. */
struct netd_slot {
	const char *slot; /* "web.1", as in the zone */
	int udp_fd, tcp_fd, upstream_fd, upstream_tcp_fd;
	const char *const *servers; /* `dns:` of the service; none: the host's (netd_upstreams) */
	size_t server_count;
	bool internal_only; /* every network is internal: the host's servers are never asked for it
			     */
};

/* A socket that is only kept: the placeholder of a published port. */
struct netd_hold {
	const char *key; /* the caller's name for it: "tcp 0.0.0.0 8080" */
	int fd;
};

/* A listener in the host's namespace (tcp: bound, listening or not; udp: bound) whose traffic goes
 * to one address of a container. */
struct netd_relay {
	const char *key; /* as above, "tcp ::1 8080"; an existing key with fd -1: only the target
			    changes */
	int fd;
	const char *address; /* the container's, text */
	uint16_t port;
};

int netd_hello(int netd_fd, struct netd_hello *out, struct err *err);
/* The zone of this descriptor (zone_write) holds from now on. A zone that cannot be read changes
 * nothing. */
int netd_zone(int netd_fd, int zone_fd, struct err *err);
/* Adds or replaces the slot of that name. */
int netd_slot_add(int netd_fd, const struct netd_slot *slot, struct err *err);
/* Closes the slot's sockets. Not there: fine. */
int netd_slot_drop(int netd_fd, const char *slot, struct err *err);
/* Any number (several messages); an existing key is replaced. */
int netd_hold(int netd_fd, const struct netd_hold *holds, size_t count, struct err *err);
/* Closes them; keys that are not there are fine. */
int netd_unhold(int netd_fd, const char *const *keys, size_t count, struct err *err);
int netd_relay(int netd_fd, const struct netd_relay *relay, struct err *err);
/* Closes the listeners; what is connected goes on until its ends close it. */
int netd_unrelay(int netd_fd, const char *const *keys, size_t count, struct err *err);
/* The host's name servers (resolv_parse of /etc/resolv.conf), in order; 127.0.0.11 is left out.
 * Link-local ones with a number as their scope: "fe80::1%2". */
int netd_upstreams(int netd_fd, const char *const *servers, size_t count, struct err *err);
/* What is held: {"slots":[{"slot","sockets":["udp",...],"servers":[..],"internal_only"}],
 * "holds":[KEY..],"relays":[{"key","address","port"}],"upstreams":[..],"zone":SERIAL}; to be put.
 */
int netd_list(int netd_fd, struct json_object **out, struct err *err);
/* Duplicates of a slot's sockets (those it has; others -1), for a successor; the caller closes
 * them. */
int netd_slot_sockets(int netd_fd, const char *slot, struct netd_slot *out, struct err *err);
/* A duplicate of a held or relayed socket, by key; the caller closes it. */
int netd_socket(int netd_fd, const char *key, struct err *err);
/* Counters since its start as a JSON object (queries, answered, forwarded, failed, relayed ...); to
 * be put. */
int netd_stats(int netd_fd, struct json_object **out, struct err *err);
/* A successor takes over: netd reads no query and takes no connection any more, lets go of held and
 * relayed sockets and of its own listening socket, and still gives the sockets of slots
 * (netd_slot_sockets). What is connected or waits for an upstream is served to its end; then, with
 * the conversation closed, it ends. ERR_UNSUPPORTED: older than this. */
int netd_retire(int netd_fd, struct err *err);
/* netd answers and ends. */
int netd_end(int netd_fd, struct err *err);
