/* specs/interpolate - ${NAME:-default} and its sisters, in one text or a whole tree.
 *
 * Thread-safe; never blocks. Source: Compose Specification, "Interpolation".
 */
#pragma once
#include "specs/load.h"
#include "specs/node.h"
#include "specs/vars.h"

#define INTERPOLATE_DEPTH_MAX 32u        /* braces inside braces */
#define INTERPOLATE_BYTES_MAX (4u << 20) /* of one value */

struct interpolation {
	struct arena *arena;
	const struct vars *vars;
	/* Asked before vars when set: the value, or NULL. */
	const char *(*lookup)(void *context, const char *name);
	void *context;
	/* Called once for every use of an unset name without default. May be NULL. */
	void (*unset)(void *context, const char *name);
};

enum interpolate_result {
	INTERPOLATE_OK,
	INTERPOLATE_SYNTAX,
	INTERPOLATE_MISSING,
	INTERPOLATE_LARGE
};

/* *out_text is text itself when nothing was to be done. On error *out_message says what, without
 * the place. */
enum interpolate_result interpolate_text(const struct interpolation *how, const char *text,
					 const char **out_text, const char **out_message);

/* All text values of a tree, in place; keys stay. Errors and one warning for each unset name go to
 * problems. Returns 0, or -1 when there was an error. */
int interpolate_tree(struct arena *arena, struct node *tree, const struct vars *vars,
		     struct problems *problems);

/* Variables that trees name, each once. Zero is a fine start but for the arena. */
struct variable_list {
	struct arena *arena;
	struct variable *items;
	size_t count;
	struct name_index index;
};
/* Adds the variables of a tree. */
void interpolate_list(struct variable_list *list, const struct node *tree);
/* Sorts by name; nothing may be added afterwards. */
void interpolate_sort(struct variable_list *list);
