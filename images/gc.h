/* images/gc - mark and sweep over the store. For images/maintain and images/check only. */
#pragma once
#include <stdbool.h>
#include <stdint.h>

#include "images/store_internal.h"

/* A set of digests. */
struct digest_set {
	char **items;
	size_t count;
	bool is_sorted;
};
void digest_set_add(struct digest_set *set, const char *digest);
bool digest_set_has(struct digest_set *set, const char *digest);
void digest_set_clear(struct digest_set *set);

/* Everything that this image keeps: config, manifest, layers, chains, compressed digests. */
void gc_mark_image(struct digest_set *set, const struct image_record *record);
/* All records. */
int gc_mark_records(struct store *store, struct digest_set *set, struct err *err);
/* All records, step records and living leases. Under the exclusive lock. */
int gc_mark_all(struct store *store, struct digest_set *set, struct err *err);
/* Moves what is not in the set to the trash. Under the exclusive lock; empty the trash afterwards.
 */
int gc_sweep(struct store *store, struct digest_set *live, uint64_t *freed, struct err *err);
