/* netplug/dns_pending - a question that is on its way to an upstream name server.
 *
 * Shared by its two sides: who waits for the answer (netplug/dns_forward) and which server is asked
 * (netplug/dns_upstream).
 */
#pragma once
#include "netplug/netd_core.h"

struct waiter {
	struct slot *slot;
	struct client *client; /* NULL: over UDP to `from` */
	struct sockaddr_in from;
	uint16_t id;
};

struct pending {
	struct watched
		io; /* own socket: a host's server, or any over TCP; fd -1: the slot's upstream */
	struct slot *via; /* whose upstream socket; NULL: from the host's namespace */
	struct server_list servers;
	size_t tries, tries_max;
	uint64_t deadline_ms;
	uint32_t bucket;
	bool is_stream, uses_slot_stream, is_timed;
	struct waiter *waiters;
	size_t waiter_count;
	uint8_t *answer; /* over TCP: what came so far, length in front */
	size_t answer_len;
	struct dns_question question;
	TAILQ_ENTRY(pending) by_time, by_slot;
	LIST_ENTRY(pending) by_question;
	size_t len;
	uint8_t query[]; /* with the id that went upstream */
};

/* ---- dns_upstream */

/* Asks the next server, and the one after when that fails at once; pending_fail when none is left.
 */
void upstream_try_next(struct netd *netd, struct pending *pending);
/* Leaves the socket of the try that is over. */
void upstream_leave(struct netd *netd, struct pending *pending);

/* ---- dns_forward */

/* Gives everybody the answer (which may be changed) and ends. An answer can end its client, and
 * with it further waiters of this question: forward_forget_client marks those by slot NULL
 * meanwhile. */
void pending_finish(struct netd *netd, struct pending *pending, uint8_t *answer, size_t len);
/* SERVFAIL for everybody. */
void pending_fail(struct netd *netd, struct pending *pending);
