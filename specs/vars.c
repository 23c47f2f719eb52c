/* specs/vars - names and values for interpolation, in layers: who is asked first wins.
 *
 * Owns: the list and its order. May not touch: the process environment.
 */
#include "specs/vars.h"

#include <stdlib.h>
#include <string.h>

const char *vars_get(const struct vars *vars, const char *name)
{
	for (; vars; vars = vars->below) {
		const size_t *at = name_index_find(&vars->index, name);

		if (at)
			return vars->pairs.items[*at].value;
	}
	return NULL;
}

static void put(struct vars *vars, const char *name, const char *value, bool replace)
{
	const size_t *at = name_index_find(&vars->index, name);
	struct pair *pair;

	if (at && replace)
		vars->pairs.items[*at].value = arena_strdup(vars->arena, value);
	if (at)
		return;
	pair = arena_grow(vars->arena, &vars->pairs.items, &vars->pairs.count, sizeof(*pair));
	pair->name = arena_strdup(vars->arena, name);
	pair->value = arena_strdup(vars->arena, value);
	vars->index.arena = vars->arena;
	name_index_add(&vars->index, pair->name, vars->pairs.count - 1);
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

static int compare_pairs(const void *left, const void *right)
{
	const struct pair *a = left, *b = right;

	return strcmp(a->name, b->name);
}

struct pairs vars_sorted(const struct vars *vars)
{
	struct pairs sorted = { .count = vars->pairs.count };

	sorted.items = arena_alloc(vars->arena, (sorted.count + 1) * sizeof(*sorted.items));
	if (sorted.count)
		memcpy(sorted.items, vars->pairs.items, sorted.count * sizeof(*sorted.items));
	qsort(sorted.items, sorted.count, sizeof(*sorted.items), compare_pairs);
	return sorted;
}
