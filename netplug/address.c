/* netplug/address - IPv4 and IPv6 addresses and prefixes as values.
 *
 * Owns: their arithmetic and their text. May not touch: sockets, files.
 */
#include "netplug/address.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>

#include "base/num.h"

unsigned address_bits(const struct address *a)
{
	return a->family == AF_INET ? 32 : a->family == AF_INET6 ? 128 : 0;
}

size_t address_size(const struct address *a)
{
	return address_bits(a) / 8;
}

int address_parse(const char *what, const char *text, struct address *out, struct err *err)
{
	struct address value = { .family = strchr(text, ':') ? AF_INET6 : AF_INET };
	size_t len = strlen(text);
	char plain[INET6_ADDRSTRLEN];

	if (len > 2 && text[0] == '[' && text[len - 1] == ']') {
		text++;
		len -= 2;
	}
	if (len >= sizeof(plain))
		return err_set(err, ERR_INVALID, "%s: \"%.60s\" is no IP address", what, text);
	memcpy(plain, text, len);
	plain[len] = '\0';
	if (inet_pton(value.family, plain, value.bytes) != 1)
		return err_set(err, ERR_INVALID, "%s: \"%s\" is no IP address", what, plain);
	*out = value;
	return 0;
}

int prefix_parse(const char *what, const char *text, struct prefix *out, struct err *err)
{
	const char *slash = strchr(text, '/');
	size_t len = slash ? (size_t)(slash - text) : strlen(text);
	struct prefix value = { .len = 0 };
	char plain[INET6_ADDRSTRLEN];
	uint64_t bits;

	if (len >= sizeof(plain))
		return err_set(err, ERR_INVALID, "%s: \"%.60s\" is no subnet", what, text);
	memcpy(plain, text, len);
	plain[len] = '\0';
	if (address_parse(what, plain, &value.addr, err) < 0)
		return -1;
	bits = address_bits(&value.addr);
	if (slash && num_parse_u64(what, slash + 1, strlen(slash + 1), 0, bits, &bits, err) < 0)
		return -1;
	value.len = (uint8_t)bits;
	*out = value;
	return 0;
}

char *address_text(const struct address *a, char *out)
{
	if (!address_is_set(a) || !inet_ntop(a->family, a->bytes, out, ADDRESS_TEXT))
		out[0] = '\0';
	return out;
}

char *prefix_text(const struct prefix *p, char *out)
{
	size_t len = strlen(address_text(&p->addr, out));

	if (len)
		snprintf(out + len, ADDRESS_TEXT - len, "/%u", p->len);
	return out;
}

int address_compare(const struct address *a, const struct address *b)
{
	if (a->family != b->family)
		return a->family < b->family ? -1 : 1;
	return memcmp(a->bytes, b->bytes, sizeof(a->bytes));
}

bool address_equal(const struct address *a, const struct address *b)
{
	return address_compare(a, b) == 0;
}

bool address_is_any(const struct address *a)
{
	static const uint8_t zero[16];

	return address_is_set(a) && memcmp(a->bytes, zero, sizeof(zero)) == 0;
}

/* Sets (value true) or clears the bits behind the first `len`. */
static void fill_host_bits(struct address *a, unsigned len, bool value)
{
	for (unsigned bit = len; bit < address_bits(a); bit++) {
		uint8_t mask = (uint8_t)(0x80u >> (bit % 8));

		if (value)
			a->bytes[bit / 8] |= mask;
		else
			a->bytes[bit / 8] &= (uint8_t)~mask;
	}
}

struct prefix prefix_network(const struct prefix *p)
{
	struct prefix network = *p;

	fill_host_bits(&network.addr, p->len, false);
	return network;
}

struct address prefix_last(const struct prefix *p)
{
	struct address last = p->addr;

	fill_host_bits(&last, p->len, true);
	return last;
}

bool prefix_contains(const struct prefix *p, const struct address *a)
{
	unsigned whole = p->len / 8, rest = p->len % 8;

	if (p->addr.family != a->family || !address_is_set(a))
		return false;
	if (memcmp(p->addr.bytes, a->bytes, whole) != 0)
		return false;
	return rest == 0 || (p->addr.bytes[whole] >> (8 - rest)) == (a->bytes[whole] >> (8 - rest));
}

bool prefix_within(const struct prefix *outer, const struct prefix *inner)
{
	return inner->len >= outer->len && prefix_contains(outer, &inner->addr);
}

bool prefix_overlaps(const struct prefix *a, const struct prefix *b)
{
	return prefix_within(a, b) || prefix_within(b, a);
}

bool prefix_equal(const struct prefix *a, const struct prefix *b)
{
	return a->len == b->len && address_equal(&a->addr, &b->addr);
}

struct address address_add(const struct address *base, uint64_t offset)
{
	struct address sum = *base;
	unsigned carry = 0;

	for (int i = (int)address_size(base) - 1; i >= 0; i--) {
		unsigned digit = sum.bytes[i] + (unsigned)(offset & 0xff) + carry;

		sum.bytes[i] = (uint8_t)digit;
		carry = digit >> 8;
		offset >>= 8;
	}
	return sum;
}

uint64_t address_distance(const struct address *from, const struct address *to)
{
	uint64_t value = 0;
	int borrow = 0;
	uint8_t digits[16] = { 0 };

	if (from->family != to->family || address_compare(from, to) > 0)
		return UINT64_MAX;
	for (int i = (int)address_size(from) - 1; i >= 0; i--) {
		int digit = to->bytes[i] - from->bytes[i] - borrow;

		borrow = digit < 0;
		digits[i] = (uint8_t)(digit & 0xff);
	}
	for (size_t i = 0; i < address_size(from); i++) {
		if (value >> 56)
			return UINT64_MAX;
		value = value << 8 | digits[i];
	}
	return value;
}

static int hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c |= 0x20;
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

int mac_parse(const char *text, uint8_t out[6], struct err *err)
{
	static const uint8_t zero[6];
	uint8_t mac[6] = { 0 };
	char separator = strlen(text) == 17 ? text[2] : '\0';
	bool good = separator == ':' || separator == '-';

	for (size_t i = 0; good && i < 6; i++) {
		int high = hex_digit(text[i * 3]), low = hex_digit(text[i * 3 + 1]);

		good = high >= 0 && low >= 0 && (i == 5 || text[i * 3 + 2] == separator);
		if (good)
			mac[i] = (uint8_t)((unsigned)high << 4 | (unsigned)low);
	}
	if (!good)
		return err_set(err, ERR_INVALID,
			       "mac_address: \"%.40s\" is not of the form 02:42:ac:11:00:02", text);
	if (mac[0] & 1 || memcmp(mac, zero, 6) == 0)
		return err_set(err, ERR_INVALID, "mac_address: \"%s\" is no unicast address", text);
	memcpy(out, mac, 6);
	return 0;
}

char *mac_text(const uint8_t mac[6], char *out)
{
	snprintf(out, MAC_TEXT, "%02x:%02x:%02x:%02x:%02x:%02x", mac[0], mac[1], mac[2], mac[3],
		 mac[4], mac[5]);
	return out;
}
