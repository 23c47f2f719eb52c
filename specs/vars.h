/* specs/vars - names and values for interpolation, in layers: who is asked first wins.
 *
 * The project environment is one list; an include or a service puts its own below or above it by
 * chaining. All in one arena; one thread; never blocks.
 */
#pragma once
#include "base/arena.h"
#include "specs/model_values.h"
#include "specs/name_index.h"

struct vars {
	struct arena *arena;
	struct pairs pairs;       /* in the order of their first setting */
	const struct vars *below; /* asked when this layer has no such name; NULL: nobody */
	struct name_index index;  /* of pairs */
};

/* Value of a name in this layer or below; NULL when it is set nowhere. A set, empty value is "". */
const char *vars_get(const struct vars *vars, const char *name);
/* Sets in this layer; both texts are copied. */
void vars_set(struct vars *vars, const char *name, const char *value);
/* Sets unless this layer has the name. */
void vars_set_default(struct vars *vars, const char *name, const char *value);
/* Adds "NAME=VALUE" texts up to a NULL; names already there stay. */
void vars_add_env(struct vars *vars, const char *const *env);
/* The pairs of this layer, sorted by name, in the arena. */
struct pairs vars_sorted(const struct vars *vars);
