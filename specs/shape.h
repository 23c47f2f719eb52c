/* specs/shape - one document, checked against the key tables and brought to long forms.
 *
 * After it every known key has the canonical form of its kind (specs/keys.h): lists where lists are
 * meant, maps for name=value lists, ports taken apart, sizes and durations in their printed form.
 * Null values stay for the merge to judge. One thread; never blocks.
 */
#pragma once
#include "specs/keys.h"

/* In place. Errors go to shape->problems, all that are found. Returns -1 when there was one. */
int shape_document(struct shape *shape, struct node *root);
/* The same for one map with its table. */
int shape_map(struct shape *shape, const struct table *table, struct node *map,
	      const struct path *path);
/* Drops repeats of a list: by text, or by the table's key. */
void shape_unique(struct arena *arena, struct node *list, const struct key *key);
/* May a service, network, volume ... be called so? */
bool shape_is_name(const char *text);
