/* netplug/naming - names of kernel objects, computable before the act.
 *
 * Owns: the form of link names, aliases, addresses of links. May not touch: the kernel.
 */
#include "netplug/naming.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum { SEED_HOST_END = 1, SEED_BRIDGE = 2, SEED_MAC = 3 };

/* FNV-1a with a finaliser that spreads every bit (the 64-bit mix of MurmurHash3). */
uint64_t naming_hash(const char *text, uint64_t seed)
{
	uint64_t h = 0xcbf29ce484222325ull ^ (seed * 0x9e3779b97f4a7c15ull);

	for (; *text; text++)
		h = (h ^ (uint8_t)*text) * 0x100000001b3ull;
	h = (h ^ h >> 33) * 0xff51afd7ed558ccdull;
	h = (h ^ h >> 33) * 0xc4ceb9fe1a85ec53ull;
	return h ^ h >> 33;
}

static char *name_of(char *out, const char *kind, const char *text, uint64_t seed)
{
	static const char digits[] = "abcdefghijklmnopqrstuvwxyz234567";
	uint64_t hash = naming_hash(text, seed);
	char *at = stpcpy(out, kind);

	for (int i = 0; i < 11; i++, hash >>= 5)
		*at++ = digits[hash & 31];
	*at = '\0';
	return out;
}

char *naming_host_end(char out[NAMING_LINK], const char *network, const char *slot, unsigned index,
		      unsigned attempt)
{
	char text[512];

	snprintf(text, sizeof(text), "%s|%s|%u|%u", slot, network, index, attempt);
	return name_of(out, "sv", text, SEED_HOST_END);
}

char *naming_bridge(char out[NAMING_LINK], const char *network, unsigned attempt)
{
	char text[512];

	snprintf(text, sizeof(text), "%s|%u", network, attempt);
	return name_of(out, "sb", text, SEED_BRIDGE);
}

void naming_mac(uint8_t out[6], const char *machine_id, const char *network, const char *slot)
{
	char text[512];
	uint64_t hash;

	snprintf(text, sizeof(text), "%s|%s|%s", machine_id ? machine_id : "", network, slot);
	hash = naming_hash(text, SEED_MAC);
	out[0] = 0x02;
	for (int i = 1; i < 6; i++, hash >>= 8)
		out[i] = (uint8_t)hash;
}

char *naming_alias(char out[NAMING_ALIAS], const char *slot, const char *network)
{
	snprintf(out, NAMING_ALIAS, "stack:%s/%s", slot, network);
	return out;
}

char *naming_bridge_alias(char out[NAMING_ALIAS], const char *project, const char *network)
{
	snprintf(out, NAMING_ALIAS, "stack:%s//0/%s", project ? project : "", network);
	return out;
}

char *naming_altname(char out[128], const char *network)
{
	snprintf(out, 128, "stack-%s", network);
	return out;
}

char *naming_machine_id(char out[64])
{
	int fd = open("/etc/machine-id", O_RDONLY | O_CLOEXEC);
	ssize_t len = fd < 0 ? -1 : read(fd, out, 63);

	out[len > 0 ? len : 0] = '\0';
	out[strcspn(out, "\n")] = '\0';
	if (fd >= 0)
		close(fd);
	return out;
}
