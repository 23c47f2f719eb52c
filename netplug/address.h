/* netplug/address - IPv4 and IPv6 addresses and prefixes as values. Pure: no sockets, no
 * allocation. */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

#include "base/err.h"

#define ADDRESS_TEXT 64 /* room for any address or prefix as text */

/* bytes are in network order; an IPv4 address fills the first four, the rest is zero.
 * family AF_UNSPEC (0): no address. */
struct address {
	uint8_t family;
	uint8_t bytes[16];
};

/* The address may have bits below the length (an interface's address with its prefix). */
struct prefix {
	struct address addr;
	uint8_t len;
};

static inline bool address_is_set(const struct address *a)
{
	return a->family != AF_UNSPEC;
}

/* 32, 128, or 0 when there is no address; the bytes of it. */
unsigned address_bits(const struct address *a);
size_t address_size(const struct address *a);

/* "10.1.2.3", "fd00::1" or "[fd00::1]". ERR_INVALID with `what` in front. */
int address_parse(const char *what, const char *text, struct address *out, struct err *err);
/* "10.1.0.0/16"; without a length the whole address counts (/32, /128). */
int prefix_parse(const char *what, const char *text, struct prefix *out, struct err *err);
/* Both return out (ADDRESS_TEXT bytes); no address gives "". */
char *address_text(const struct address *a, char *out);
char *prefix_text(const struct prefix *p, char *out);

/* As memcmp, families first. */
int address_compare(const struct address *a, const struct address *b);
bool address_equal(const struct address *a, const struct address *b);
bool address_is_any(const struct address *a); /* 0.0.0.0 or :: */

/* The prefix with its host bits cleared; its first and last address. */
struct prefix prefix_network(const struct prefix *p);
struct address prefix_last(const struct prefix *p);
bool prefix_contains(const struct prefix *p, const struct address *a);
bool prefix_within(const struct prefix *outer, const struct prefix *inner);
bool prefix_overlaps(const struct prefix *a, const struct prefix *b);
bool prefix_equal(const struct prefix *a, const struct prefix *b);

/* base + offset (128 bit wrap is the caller's to prevent), and the distance of two addresses of one
 * family, UINT64_MAX when it does not fit. */
struct address address_add(const struct address *base, uint64_t offset);
uint64_t address_distance(const struct address *from, const struct address *to);

/* "02:42:ac:11:00:02" or with '-'. A group address or all zeros is ERR_INVALID. */
int mac_parse(const char *text, uint8_t out[6], struct err *err);
#define MAC_TEXT 18
char *mac_text(const uint8_t mac[6], char *out);
