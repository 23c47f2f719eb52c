/* specs/decode - a finished document as structs, field by field of the key tables.
 *
 * The tree must have passed specs/shape and specs/finish with interpolation. Everything in the
 * arena. One thread; never blocks.
 */
#pragma once
#include "specs/keys.h"

/* Fills the struct of the table from a map. */
void decode_map(struct arena *arena, const struct table *table, const struct node *map, void *out);
/* A map of name -> map as an array sorted by name. */
void decode_named(struct arena *arena, const struct table *table, const struct node *map,
		  void *out_items, size_t *out_count);
