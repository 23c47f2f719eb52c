/* specs/vars - names and values for interpolation, in layers: who is asked first wins.
 *
 * Owns: the sorted list. May not touch: the process environment.
 */
#include "specs/vars.h"

#include <string.h>

/* Where a name is, or belongs. */
static size_t find(const struct vars *vars, const char *name, bool *out_found)
{
	size_t low = 0, high = vars->pairs.count;

	*out_found = false;
	while (low < high) {
		size_t middle = low + (high - low) / 2;
		int order = strcmp(vars->pairs.items[middle].name, name);

		if (order == 0) {
			*out_found = true;
			return middle;
		}
		if (order < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

const char *vars_get(const struct vars *vars, const char *name)
{
	for (; vars; vars = vars->below) {
		bool found;
		size_t at = find(vars, name, &found);

		if (found)
			return vars->pairs.items[at].value;
	}
	return NULL;
}

static void put(struct vars *vars, const char *name, const char *value, bool replace)
{
	bool found;
	size_t at = find(vars, name, &found);
	struct pair *items;

	if (found && !replace)
		return;
	if (!found) {
		arena_grow(vars->arena, &vars->pairs.items, &vars->pairs.count, sizeof(*items));
		items = vars->pairs.items;
		memmove(&items[at + 1], &items[at], (vars->pairs.count - 1 - at) * sizeof(*items));
		items[at].name = arena_strdup(vars->arena, name);
	}
	vars->pairs.items[at].value = arena_strdup(vars->arena, value);
}

void vars_set(struct vars *vars, const char *name, const char *value)
{
	put(vars, name, value, true);
}

void vars_set_default(struct vars *vars, const char *name, const char *value)
{
	put(vars, name, value, false);
}

void vars_add_env(struct vars *vars, const char *const *env)
{
	for (; env && *env; env++) {
		const char *equals = strchr(*env, '=');

		if (!equals || equals == *env)
			continue;
		put(vars, arena_strndup(vars->arena, *env, (size_t)(equals - *env)), equals + 1,
		    false);
	}
}
