/* netplug/dns - a query and a zone in; an answer, or "ask upstream", out.
 *
 * Owns: the form of DNS messages, and which answer a name of ours gets. May not touch: sockets,
 * time.
 */
#include "netplug/dns.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#define FLAG_QR      0x8000u
#define FLAG_OPCODE  0x7800u
#define FLAG_AA      0x0400u
#define FLAG_TC      0x0200u
#define FLAG_RD      0x0100u
#define FLAG_RA      0x0080u
#define CLASS_IN     1u
#define LABEL_MAX    63u
#define RECORDS_MAX  32u /* records behind the question of a query; real ones have one or two */
#define OPT_LEN      11u
#define OPT_DO       0x8000u
#define POINTER_NAME 0xc000u /* compression: the name at DNS_HEADER, which is the question's */

enum type { TYPE_A = 1, TYPE_PTR = 12, TYPE_AAAA = 28, TYPE_OPT = 41, TYPE_ANY = 255 };

static uint16_t get16(const uint8_t *at)
{
	return (uint16_t)(at[0] << 8 | at[1]);
}

static void put16(uint8_t *at, unsigned value)
{
	at[0] = (uint8_t)(value >> 8);
	at[1] = (uint8_t)value;
}

static void put32(uint8_t *at, uint32_t value)
{
	put16(at, value >> 16);
	put16(at + 2, value & 0xffff);
}

/* Reads the question's name; returns the offset behind it, 0 when it is no name. Compression has
 * nothing to point to there, so a pointer is an error, and a loop cannot be. */
static size_t read_name(const uint8_t *query, size_t len, struct dns_question *out)
{
	size_t at = DNS_HEADER, used = 0;

	while (at < len && query[at] != 0) {
		size_t label = query[at++];

		if (label > LABEL_MAX || label >= len - at ||
		    at + label - DNS_HEADER >= DNS_NAME_MAX)
			return 0;
		if (used)
			out->name[used++] = '.';
		for (size_t i = 0; i < label; i++, at++) {
			out->is_odd |= query[at] == '.' || query[at] == '\0';
			out->name[used++] = (char)tolower(query[at]);
		}
	}
	if (at >= len)
		return 0;
	out->name[used] = '\0';
	out->name_len = used;
	return at + 1;
}

/* Steps over a record's name: labels, and at most one pointer at the end. 0: none. */
static size_t skip_name(const uint8_t *query, size_t len, size_t at)
{
	while (at < len) {
		if (query[at] == 0)
			return at + 1;
		if (query[at] >= 0xc0)
			return at + 2 <= len ? at + 2 : 0;
		if (query[at] > LABEL_MAX)
			return 0;
		at += 1u + query[at];
	}
	return 0;
}

/* The records behind the question, of which only OPT says something. */
static enum dns_rcode read_records(const uint8_t *query, size_t len, size_t at,
				   struct dns_question *out)
{
	unsigned count = get16(query + 6) + get16(query + 8) + get16(query + 10);
	enum dns_rcode rcode = DNS_NOERROR;

	if (count > RECORDS_MAX)
		return DNS_FORMERR;
	for (; count > 0; count--) {
		size_t name = at, data;

		at = skip_name(query, len, at);
		if (!at || len - at < 10)
			return DNS_FORMERR;
		data = get16(query + at + 8);
		if (data > len - at - 10)
			return DNS_FORMERR;
		if (get16(query + at) == TYPE_OPT) {
			if (out->has_edns || query[name] != 0)
				return DNS_FORMERR;
			out->has_edns = true;
			out->udp_size = get16(query + at + 2);
			if (out->udp_size < DNS_UDP_PLAIN)
				out->udp_size = DNS_UDP_PLAIN;
			out->wants_dnssec = get16(query + at + 6) & OPT_DO;
			if (query[at + 5] != 0)
				rcode = DNS_BADVERS;
		}
		at += 10 + data;
	}
	return rcode;
}

enum dns_verdict dns_read(const uint8_t *query, size_t len, struct dns_question *out,
			  enum dns_rcode *out_rcode)
{
	size_t at;

	*out = (struct dns_question){ .udp_size = DNS_UDP_PLAIN };
	if (len < DNS_HEADER || len > DNS_MESSAGE_MAX)
		return DNS_DROP;
	out->id = get16(query);
	out->flags = get16(query + 2);
	if (out->flags & FLAG_QR)
		return DNS_DROP;
	*out_rcode = DNS_NOTIMP;
	if (out->flags & FLAG_OPCODE)
		return DNS_ANSWER;
	*out_rcode = DNS_FORMERR;
	if (get16(query + 4) != 1)
		return DNS_ANSWER;
	at = read_name(query, len, out);
	if (!at || len - at < 4)
		return DNS_ANSWER;
	out->type = get16(query + at);
	out->class = get16(query + at + 2);
	out->question_end = at + 4;
	*out_rcode = read_records(query, len, at + 4, out);
	if (*out_rcode != DNS_NOERROR)
		return DNS_ANSWER;
	*out_rcode = DNS_REFUSED;
	return out->class == CLASS_IN ? DNS_FORWARD : DNS_ANSWER;
}

/* An answer under construction. limit leaves room for OPT. */
struct reply {
	uint8_t *out;
	size_t len, limit;
	unsigned records;
	bool is_cut;
};

static void reply_begin(struct reply *reply, const uint8_t *query,
			const struct dns_question *question, uint8_t *out, size_t limit)
{
	size_t copied = question->question_end ? question->question_end - DNS_HEADER : 0;

	memset(out, 0, DNS_HEADER);
	if (copied)
		memcpy(out + DNS_HEADER, query + DNS_HEADER, copied);
	*reply = (struct reply){ .out = out,
				 .len = DNS_HEADER + copied,
				 .limit = limit - (question->has_edns ? OPT_LEN : 0) };
}

static size_t reply_end(struct reply *reply, const struct dns_question *question,
			enum dns_rcode rcode, unsigned flags)
{
	uint8_t *out = reply->out;

	put16(out, question->id);
	put16(out + 2, FLAG_QR | (question->flags & (FLAG_OPCODE | FLAG_RD)) | FLAG_RA | flags |
			       (reply->is_cut ? FLAG_TC : 0) | (rcode & 15u));
	put16(out + 4, question->question_end ? 1 : 0);
	put16(out + 6, reply->records);
	put16(out + 10, question->has_edns ? 1 : 0);
	if (question->has_edns) {
		uint8_t *opt = out + reply->len;

		opt[0] = 0;
		put16(opt + 1, TYPE_OPT);
		put16(opt + 3, DNS_UDP_MAX);
		put32(opt + 5, (uint32_t)rcode >> 4 << 24 | (question->wants_dnssec ? OPT_DO : 0));
		put16(opt + 9, 0);
		reply->len += OPT_LEN;
	}
	return reply->len;
}

/* Room for a record of the question's name with its fixed part written; NULL when the answer is
 * full. */
static uint8_t *reply_record(struct reply *reply, unsigned type, uint32_t ttl, size_t data_len)
{
	uint8_t *at = reply->out + reply->len;

	if (reply->is_cut || reply->limit < reply->len + 12 + data_len) {
		reply->is_cut = true;
		return NULL;
	}
	put16(at, POINTER_NAME | DNS_HEADER);
	put16(at + 2, type);
	put16(at + 4, CLASS_IN);
	put32(at + 6, ttl);
	put16(at + 10, (unsigned)data_len);
	reply->len += 12 + data_len;
	reply->records++;
	return at + 12;
}

static void add_addresses(struct reply *reply, const struct zone_found *found, unsigned type,
			  int family, uint32_t ttl, uint32_t turn)
{
	size_t size = family == AF_INET ? 4 : 16, first, fitting = 0;

	if (type != TYPE_ANY && type != (family == AF_INET ? TYPE_A : TYPE_AAAA))
		return;
	for (size_t i = 0; i < found->count; i++)
		fitting += found->at[i]->family == family;
	if (!fitting)
		return;
	/* The turn chooses among the addresses of this family, so each is first equally often. */
	first = turn % fitting;
	for (size_t pass = 0; pass < 2; pass++) {
		size_t seen = 0;

		for (size_t i = 0; i < found->count; i++) {
			uint8_t *data;

			if (found->at[i]->family != family || (seen++ < first) != (pass == 1))
				continue;
			data = reply_record(reply, family == AF_INET ? TYPE_A : TYPE_AAAA, ttl,
					    size);
			if (!data)
				return;
			memcpy(data, found->at[i]->bytes, size);
		}
	}
}

/* "4.3.2.1.in-addr.arpa" and the nibbles of ip6.arpa: the family, or 0 when it is no whole address.
 */
static int reverse_address(const struct dns_question *question, uint8_t bytes[16])
{
	static const char tail4[] = ".in-addr.arpa", tail6[] = ".ip6.arpa";
	const char *name = question->name;
	size_t len = question->name_len;

	if (len == 32 * 2 - 1 + sizeof(tail6) - 1 && strcmp(name + 63, tail6) == 0) {
		memset(bytes, 0, 16);
		for (size_t i = 0; i < 32; i++) {
			char c = name[2 * i];

			if (!isxdigit((unsigned char)c) || (i < 31 && name[2 * i + 1] != '.'))
				return 0;
			bytes[15 - i / 2] |=
				(uint8_t)((c <= '9' ? c - '0' : c - 'a' + 10) << (i % 2 ? 4 : 0));
		}
		return AF_INET6;
	}
	if (len < sizeof(tail4) || strcmp(name + len - (sizeof(tail4) - 1), tail4) != 0)
		return 0;
	for (int i = 3; i >= 0; i--) {
		unsigned value = 0, digits = 0;

		for (; isdigit((unsigned char)*name) && digits < 4; digits++)
			value = value * 10 + (unsigned)(*name++ - '0');
		if (!digits || value > 255 || *name != '.')
			return 0;
		name += i > 0;
		bytes[i] = (uint8_t)value;
	}
	return strcmp(name, tail4) == 0 ? AF_INET : 0;
}

/* CONTAINER.NETWORK as labels; false when a part does not fit into a name. */
static bool add_pointer(struct reply *reply, const char *container, const char *network,
			uint32_t ttl)
{
	char text[DNS_NAME_MAX];
	uint8_t name[DNS_NAME_MAX + 1];
	size_t label = 0;
	int n = snprintf(text, sizeof(text), "%s.%s", container, network);
	uint8_t *data;

	if (n < 0 || (size_t)n >= sizeof(text) - 1)
		return false;
	memcpy(name + 1, text, (size_t)n + 1);
	for (size_t i = 0; i <= (size_t)n; i++) {
		if (i < (size_t)n && text[i] != '.')
			continue;
		if (i == label || i - label > LABEL_MAX)
			return false;
		name[label] = (uint8_t)(i - label);
		label = i + 1;
	}
	name[label] = 0;
	data = reply_record(reply, TYPE_PTR, ttl, label + 1);
	if (data)
		memcpy(data, name, label + 1);
	return true;
}

static enum dns_verdict answer_reverse(const struct dns_asker *asker, const uint8_t *query,
				       const struct dns_question *question, uint8_t *out,
				       size_t limit, size_t *out_len)
{
	const char *container = NULL, *network = NULL;
	uint8_t bytes[16];
	int family = reverse_address(question, bytes);
	struct reply reply;
	enum zone_reverse how;

	if (!family)
		return DNS_FORWARD;
	how = zone_index_reverse(asker->zone, asker->number, family, bytes, &container, &network);
	if (how == ZONE_REVERSE_FOREIGN)
		return DNS_FORWARD;
	reply_begin(&reply, query, question, out, limit);
	if (how == ZONE_REVERSE_FOUND && (question->type == TYPE_PTR || question->type == TYPE_ANY))
		add_pointer(&reply, container, network, zone_index_ttl(asker->zone));
	*out_len = reply_end(&reply, question,
			     how == ZONE_REVERSE_FOUND ? DNS_NOERROR : DNS_NXDOMAIN, FLAG_AA);
	return DNS_ANSWER;
}

enum dns_verdict dns_answer(const struct dns_asker *asker, const uint8_t *query, size_t len,
			    struct dns_question *question, uint8_t *out, size_t out_size,
			    size_t *out_len)
{
	enum dns_rcode rcode = DNS_NOERROR;
	enum dns_verdict verdict = dns_read(query, len, question, &rcode);
	struct zone_found found;
	struct reply reply;
	size_t limit = out_size;

	if (verdict == DNS_ANSWER)
		*out_len = dns_refuse(query, question, rcode, out, out_size);
	if (verdict != DNS_FORWARD || !asker->zone || question->is_odd)
		return verdict;
	if (!asker->is_tcp && limit > dns_limit(question))
		limit = dns_limit(question);
	if (!asker->is_tcp && limit > DNS_UDP_MAX)
		limit = DNS_UDP_MAX;
	if (!zone_index_find(asker->zone, asker->number, question->name, question->name_len,
			     &found))
		return answer_reverse(asker, query, question, out, limit, out_len);
	reply_begin(&reply, query, question, out, limit);
	add_addresses(&reply, &found, question->type, AF_INET, zone_index_ttl(asker->zone),
		      asker->turn);
	add_addresses(&reply, &found, question->type, AF_INET6, zone_index_ttl(asker->zone),
		      asker->turn);
	*out_len = reply_end(&reply, question, DNS_NOERROR, FLAG_AA);
	return DNS_ANSWER;
}

size_t dns_refuse(const uint8_t *query, const struct dns_question *question, enum dns_rcode rcode,
		  uint8_t *out, size_t out_size)
{
	struct reply reply;

	reply_begin(&reply, query, question, out, out_size);
	return reply_end(&reply, question, rcode, 0);
}

size_t dns_truncated(const uint8_t *query, const struct dns_question *question, uint8_t *out,
		     size_t out_size)
{
	struct reply reply;

	reply_begin(&reply, query, question, out, out_size);
	reply.is_cut = true;
	return reply_end(&reply, question, DNS_NOERROR, 0);
}

size_t dns_limit(const struct dns_question *question)
{
	return question->has_edns ? question->udp_size : DNS_UDP_PLAIN;
}

bool dns_is_answer_to(const uint8_t *answer, size_t len, const uint8_t *query, size_t question_end)
{
	if (len < question_end || question_end < DNS_HEADER || !(answer[2] & 0x80) ||
	    get16(answer) != get16(query) || get16(answer + 4) != 1)
		return false;
	for (size_t i = DNS_HEADER; i < question_end; i++)
		if (tolower(answer[i]) != tolower(query[i]))
			return false;
	return true;
}

enum dns_rcode dns_rcode_of(const uint8_t *message)
{
	return (enum dns_rcode)(message[3] & 15);
}

bool dns_is_truncated(const uint8_t *message)
{
	return message[2] & 0x02;
}
