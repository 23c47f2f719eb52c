/* netplug/netd_core - what the rooms of stack-netd share: the watched descriptors, the books, the
 * clocks. For netd_*.c, dns_forward.c and relay.c alone.
 *
 * One thread, one epoll. A watched descriptor is the first member of its owner or found by its
 * offset; an owner that ends while a batch of events is handled is buried after the batch, so a
 * late event finds fd -1 and not freed memory.
 */
#pragma once
#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/queue.h>
#include <sys/types.h>

#include "base/err.h"
#include "netplug/dns.h"
#include "netplug/netd.h"

struct netd;
struct watched;

typedef void watched_ready(struct netd *netd, struct watched *watched, uint32_t events);

struct watched {
	int fd; /* -1: none */
	watched_ready *ready;
};

/* owner(ptr to struct watched inside it) */
#define OWNER_OF(type, member, pointer)                                                            \
	((struct type *)(void *)((char *)(pointer)-offsetof(struct type, member)))

/* A name server or a target of the relay. */
struct endpoint_address {
	union {
		struct sockaddr any;
		struct sockaddr_in in4;
		struct sockaddr_in6 in6;
	} at;
	socklen_t len;
};

struct server_list {
	struct endpoint_address servers[NETD_SERVERS_MAX];
	size_t count;
};

struct waiter;
struct pending;
struct client;
TAILQ_HEAD(pending_list, pending);
TAILQ_HEAD(client_list, client);
LIST_HEAD(pending_bucket, pending);

struct slot {
	struct watched udp, tcp, upstream;
	int upstream_tcp_fd; /* asked one question at a time */
	bool upstream_tcp_busy;
	char name[NETD_KEY_MAX];
	int asker; /* in the zone in force */
	bool internal_only;
	struct server_list servers;
	size_t outstanding;          /* queries that wait for an upstream */
	struct pending_list by_slot; /* those that went out of `upstream` */
	struct client_list clients;
	size_t client_count;
	TAILQ_ENTRY(slot) next;
};

struct hold {
	char key[NETD_KEY_MAX];
	int fd;
	TAILQ_ENTRY(hold) next;
};

struct relay; /* relay.h */
struct relay_flow;
TAILQ_HEAD(flow_list, relay_flow);

struct conversation {
	struct watched io;
	TAILQ_ENTRY(conversation) next;
};

#define BATCH_COUNT      32
#define QUERY_MAX        1232 /* a longer query over UDP is nothing that a resolver sends */
#define PENDING_BUCKETS  256
#define PENDING_ALL_MAX  4096
#define PENDING_SLOT_MAX 1024

/* Counters, in the order of netd_stats' words (netd_words.c). */
enum counter {
	STAT_QUERIES,
	STAT_ANSWERED,
	STAT_FORWARDED,
	STAT_MERGED,
	STAT_REFUSED,
	STAT_TIMED_OUT,
	STAT_DROPPED,
	STAT_RELAYED,
	STAT_COUNT
};

struct netd {
	int epoll_fd;
	const char *project;
	uid_t owner_uid; /* who may talk to us, besides root */
	bool is_ended;
	bool is_retired; /* another one answers from now on: what is connected is served to its end
			  */
	uint64_t now_ms; /* monotonic, of this round */
	struct watched listener;
	TAILQ_HEAD(conversation_list, conversation) conversations;
	struct zone_index *zone;
	TAILQ_HEAD(slot_list, slot) slots;
	TAILQ_HEAD(hold_list, hold) holds;
	TAILQ_HEAD(relay_list, relay) relays;
	struct server_list upstreams;
	/* dns_forward */
	struct pending_list pendings; /* the one that times out next stands first */
	struct pending_bucket buckets[PENDING_BUCKETS];
	size_t pending_count;
	/* netd_tcp: the one idle longest stands first */
	struct client_list clients;
	/* relay */
	size_t pair_count, pair_max; /* connections, and how many the descriptors allow */
	struct flow_list flows;      /* the one idle longest stands first */
	/* owners that ended in this round */
	void **graves;
	size_t grave_count;
	uint64_t stats[STAT_COUNT];
	uint64_t random_state;
	/* scratch of one event at a time */
	uint8_t in[BATCH_COUNT][QUERY_MAX + 1];
	uint8_t out[BATCH_COUNT][DNS_UDP_MAX];
	uint8_t large[DNS_MESSAGE_MAX + 3];
};

/* netd_core.c */
int core_watch(struct netd *netd, struct watched *watched, int fd, uint32_t events,
	       watched_ready *ready, struct err *err); /* takes over fd, also on error (closed) */
void core_rewatch(struct netd *netd, struct watched *watched, uint32_t events);
void core_unwatch(struct netd *netd, struct watched *watched); /* closes */
void core_mute(struct netd *netd, struct watched *watched); /* stays open, and is not listened to */
void core_bury(struct netd *netd, void *owner);             /* freed after this round's events */
uint64_t core_random(struct netd *netd);
int core_address(const char *text, uint16_t port, struct endpoint_address *out, struct err *err);
/* Numeric text of an address, with its scope; returns out (80 bytes). */
char *core_address_text(const struct endpoint_address *address, char *out);
bool core_same_address(const struct endpoint_address *a, const struct endpoint_address *b);
int core_run(struct netd *netd, struct err *err);

/* netd_talk.c */
void talk_accept(struct netd *netd, struct watched *watched, uint32_t events);
int talk_add(struct netd *netd, int fd, struct err *err);

/* netd_slot.c */
int slot_add(struct netd *netd, const char *name, const int fds[4],
	     const struct server_list *servers, bool internal_only,
	     struct err *err); /* takes over the fds that are not -1 */
struct slot *slot_find(struct netd *netd, const char *name);
void slot_drop(struct netd *netd, struct slot *slot);

/* netd_udp.c, netd_tcp.c */
void udp_ready(struct netd *netd, struct watched *watched, uint32_t events);
void tcp_accept(struct netd *netd, struct watched *watched, uint32_t events);
void client_close(struct netd *netd, struct client *client);
/* An answer for a query of this client, whole; waiting: it was asked upstream. */
void client_answer(struct netd *netd, struct client *client, const uint8_t *answer, size_t len,
		   bool waited);
int client_timer(struct netd *netd); /* closes idle ones; ms until the next, -1 none */

/* dns_forward.c. client NULL: over UDP, to `from`. */
void forward_query(struct netd *netd, struct slot *slot, struct client *client,
		   const struct sockaddr_in *from, const struct dns_question *question,
		   const uint8_t *query, size_t len);
void forward_upstream_ready(struct netd *netd, struct watched *watched, uint32_t events);
void forward_forget_slot(struct netd *netd, struct slot *slot);
void forward_forget_client(struct netd *netd, struct client *client);
int forward_timer(struct netd *netd); /* next servers, SERVFAIL; ms until the next, -1 none */

/* relay_flow.c: a listener of UDP */
void flow_ready(struct netd *netd, struct watched *watched, uint32_t events);
void flow_forget_relay(struct netd *netd, const struct relay *relay);
int flow_timer(struct netd *netd); /* closes idle ones; ms until the next, -1 none */

/* netd_jail.c */
int jail_enter(struct err *err);
