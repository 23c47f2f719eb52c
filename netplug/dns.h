/* netplug/dns - a query and a zone in; an answer, or "ask upstream", out. Pure: no sockets, no
 * memory.
 *
 * RFC 1035, 6891 (EDNS0), 8482 is not followed for ANY: what is known is told. The bytes are a
 * container's: anything may stand in them.
 */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "netplug/zone_index.h"

#define DNS_PORT        53
#define DNS_HEADER      12
#define DNS_UDP_PLAIN   512  /* an answer's limit without EDNS0 */
#define DNS_UDP_MAX     1232 /* our limit with it: passes every path unfragmented */
#define DNS_MESSAGE_MAX 65535
#define DNS_NAME_MAX    255

enum dns_rcode {
	DNS_NOERROR = 0,
	DNS_FORMERR = 1,
	DNS_SERVFAIL = 2,
	DNS_NXDOMAIN = 3,
	DNS_NOTIMP = 4,
	DNS_REFUSED = 5,
	DNS_BADVERS = 16,
};

enum dns_verdict {
	DNS_DROP,    /* no answer: too short for one, or an answer itself */
	DNS_ANSWER,  /* out holds it */
	DNS_FORWARD, /* not a name of ours */
};

struct dns_question {
	uint16_t id, flags, type, class;
	bool has_edns, wants_dnssec;
	uint16_t udp_size;           /* the client's limit for an answer over UDP, 512..65535 */
	size_t question_end;         /* behind the question in the query; 0: there is none */
	char name[DNS_NAME_MAX + 1]; /* lower case, no final dot; "" for the root */
	size_t name_len;
	bool is_odd; /* a label holds a byte that no name of ours has (a dot, NUL) */
};

struct dns_asker {
	const struct zone_index *zone; /* NULL: none yet, every name is asked upstream */
	int number;                    /* zone_index_asker */
	bool is_tcp;
	uint32_t turn; /* any number, another for every query: whose address comes first */
};

/* Reads a query. DNS_FORWARD: it is in order and *out is filled. DNS_ANSWER: *out_rcode says what
 * is wrong with it (out->question_end tells how much can be given back). DNS_DROP. */
enum dns_verdict dns_read(const uint8_t *query, size_t len, struct dns_question *out,
			  enum dns_rcode *out_rcode);

/* The whole way for one query: *question is filled, and for DNS_ANSWER out[0 .. *out_len).
 * out_size: at least DNS_UDP_MAX, for TCP up to DNS_MESSAGE_MAX is used. */
enum dns_verdict dns_answer(const struct dns_asker *asker, const uint8_t *query, size_t len,
			    struct dns_question *question, uint8_t *out, size_t out_size,
			    size_t *out_len);

/* An answer without records: SERVFAIL, NXDOMAIN ... Returns its length (out_size >= DNS_UDP_PLAIN).
 */
size_t dns_refuse(const uint8_t *query, const struct dns_question *question, enum dns_rcode rcode,
		  uint8_t *out, size_t out_size);
/* An answer that says "ask again over TCP". */
size_t dns_truncated(const uint8_t *query, const struct dns_question *question, uint8_t *out,
		     size_t out_size);
/* How long an answer over UDP may be for this client, when it comes from upstream. */
size_t dns_limit(const struct dns_question *question);

/* Is this an answer to that query: QR set, same id, same question (letters' case apart)? */
bool dns_is_answer_to(const uint8_t *answer, size_t len, const uint8_t *query, size_t question_end);
enum dns_rcode dns_rcode_of(const uint8_t *message); /* of DNS_HEADER bytes at least */
bool dns_is_truncated(const uint8_t *message);
