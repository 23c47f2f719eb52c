/* tests/netplug/query_of_test - DNS messages for tests: queries made, answers read. */
#pragma once
#include <arpa/inet.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#define T_A    1
#define T_MX   15
#define T_PTR  12
#define T_AAAA 28
#define T_ANY  255

/* A query with RD; udp_size 0: no EDNS0. Returns its length. */
static inline size_t query_make(uint8_t *out, uint16_t id, const char *name, uint16_t type,
				uint16_t udp_size)
{
	size_t at = 12;

	memset(out, 0, 12);
	out[0] = (uint8_t)(id >> 8);
	out[1] = (uint8_t)id;
	out[2] = 1;
	out[5] = 1;
	while (*name) {
		size_t label = strcspn(name, ".");

		out[at++] = (uint8_t)label;
		memcpy(out + at, name, label);
		at += label;
		name += label + (name[label] == '.');
	}
	out[at++] = 0;
	out[at++] = (uint8_t)(type >> 8);
	out[at++] = (uint8_t)type;
	out[at++] = 0;
	out[at++] = 1;
	if (udp_size) {
		const uint8_t opt[] = {
			0, 0, 41, (uint8_t)(udp_size >> 8), (uint8_t)udp_size, 0, 0, 0, 0, 0, 0
		};

		memcpy(out + at, opt, sizeof(opt));
		at += sizeof(opt);
		out[11] = 1;
	}
	return at;
}

struct answer {
	unsigned rcode, answers, additional;
	bool is_authoritative, is_truncated, has_edns;
	char text[4096]; /* the addresses or names, blank between */
};

static inline size_t answer_name(const uint8_t *m, size_t len, size_t at, char *out, size_t size)
{
	size_t used = 0, end = 0;

	for (int hops = 0; at < len && hops < 300; hops++) {
		if (m[at] >= 0xc0) {
			end = end ? end : at + 2;
			at = (size_t)(m[at] & 0x3f) << 8 | m[at + 1];
			continue;
		}
		if (m[at] == 0)
			return end ? end : at + 1;
		used += (size_t)snprintf(out + used, size - used, "%s%.*s", used ? "." : "", m[at],
					 (const char *)m + at + 1);
		at += 1u + m[at];
	}
	return 0;
}

/* false: it is not well-formed. */
static inline bool answer_read(const uint8_t *m, size_t len, struct answer *out)
{
	size_t at, used = 0;
	char name[300];

	memset(out, 0, sizeof(*out));
	if (len < 12 || !(m[2] & 0x80))
		return false;
	out->rcode = m[3] & 15;
	out->is_authoritative = m[2] & 4;
	out->is_truncated = m[2] & 2;
	out->answers = (unsigned)(m[6] << 8 | m[7]);
	out->additional = (unsigned)(m[10] << 8 | m[11]);
	at = 12;
	if (m[5]) {
		at = answer_name(m, len, 12, name, sizeof(name));
		at = at ? at + 4 : 0;
	}
	for (unsigned i = 0; i < out->answers + out->additional; i++) {
		unsigned type, data;

		at = at ? answer_name(m, len, at, name, sizeof(name)) : 0;
		if (!at || len - at < 10)
			return false;
		type = (unsigned)(m[at] << 8 | m[at + 1]);
		data = (unsigned)(m[at + 8] << 8 | m[at + 9]);
		if (type == 41) {
			out->has_edns = true;
			out->rcode |= (unsigned)m[at + 4] << 4;
		}
		at += 10;
		if (data > len - at)
			return false;
		if (type == T_A || type == T_AAAA)
			inet_ntop(type == T_A ? AF_INET : AF_INET6, m + at, name, sizeof(name));
		else if (type == T_PTR)
			answer_name(m, len, at, name, sizeof(name));
		else
			name[0] = '\0';
		if (name[0] && used < sizeof(out->text) - 300)
			used += (size_t)snprintf(out->text + used, sizeof(out->text) - used, "%s%s",
						 used ? " " : "", name);
		at += data;
	}
	return at == len;
}
