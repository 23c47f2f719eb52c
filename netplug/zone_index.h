/* netplug/zone_index - a zone file made ready for questions: names by hash, no allocation a
 * question.
 *
 * Built whole from the file's text, never changed, freed whole: a new zone is a new index. Look-ups
 * are pure and take no lock. The text is checked: what does not parse is ERR_INVALID, members that
 * a later release adds are ignored.
 */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/cleanup.h"
#include "base/err.h"

struct zone_index;

/* Reads the file from its beginning to its end; the fd stays the caller's. Blocks (one read). */
struct zone_index *zone_index_load(int zone_fd, struct err *err);
struct zone_index *zone_index_parse(const char *text, size_t len, struct err *err);
void zone_index_free(struct zone_index *index);
AUTO_TYPE(zone_index, zone_index_free);

uint64_t zone_index_serial(const struct zone_index *index);
uint32_t zone_index_ttl(const struct zone_index *index);
/* The number by which a slot asks; -1: the zone does not know it (then it knows no names either).
 */
int zone_index_asker(const struct zone_index *index, const char *slot);

struct zone_address {
	uint8_t family; /* AF_INET, AF_INET6 */
	bool unhealthy;
	uint8_t bytes[16];
	uint32_t network, endpoint;
};

#define ZONE_FOUND_MAX 2048

/* What a name means to an asker. known without addresses cannot be: a name needs one on a network
 * that both are on. More than ZONE_FOUND_MAX addresses are left out. */
struct zone_found {
	bool known;
	size_t count;
	const struct zone_address *at[ZONE_FOUND_MAX];
};

/* name: lower case, without a final dot. Fills found->at[0 .. count). */
bool zone_index_find(const struct zone_index *index, int asker, const char *name, size_t len,
		     struct zone_found *found);

enum zone_reverse {
	ZONE_REVERSE_FOUND,
	ZONE_REVERSE_ABSENT,  /* in a subnet of ours, nobody whom the asker may know */
	ZONE_REVERSE_FOREIGN, /* not ours: others may know */
};
/* The name of an address: *out_container and *out_network are borrowed from the index. */
enum zone_reverse zone_index_reverse(const struct zone_index *index, int asker, int family,
				     const uint8_t *bytes, const char **out_container,
				     const char **out_network);
