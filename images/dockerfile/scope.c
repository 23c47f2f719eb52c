/* images/dockerfile/scope - which value a name has.
 *
 * Owns: the order ENV, ARG, predefined; what a stage inherits; which build arguments nobody
 * declared. May not touch: the grammar of forms (expand), the process environment.
 */
#include "images/dockerfile/scope.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

struct variable {
	const char *name, *value; /* NULL: declared without a value */
};

struct variables {
	struct variable *items;
	size_t count;
};

struct df_scope {
	const struct df_inputs *inputs;
	const struct df_scope *global; /* NULL: this is it */
	struct variables env, args;
	bool *is_used; /* per build argument; the global scope's is shared by all */
};

static const char *const proxies[] = { "HTTP_PROXY", "HTTPS_PROXY", "FTP_PROXY", "NO_PROXY",
				       "ALL_PROXY" };
/* Taken from the command line without an ARG. */
static const char *const own_names[] = { "SOURCE_DATE_EPOCH", "BUILDKIT_INLINE_CACHE",
					 "BUILDKIT_CONTEXT_KEEP_GIT_DIR",
					 "BUILDKIT_SANDBOX_HOSTNAME" };

bool df_scope_is_proxy(const char *name)
{
	for (size_t i = 0; i < sizeof(proxies) / sizeof(*proxies); i++)
		if (strcasecmp(name, proxies[i]) == 0)
			return true;
	return false;
}

static struct variable *find(const struct variables *list, const char *name)
{
	for (size_t i = 0; i < list->count; i++)
		if (strcmp(list->items[i].name, name) == 0)
			return &list->items[i];
	return NULL;
}

static void set(struct arena *arena, struct variables *list, const char *name, const char *value)
{
	struct variable *variable = find(list, name);

	if (!variable)
		variable = arena_grow(arena, &list->items, &list->count, sizeof(*variable));
	variable->name = name;
	variable->value = value;
}

static void copy(struct arena *arena, struct variables *to, const struct variables *from)
{
	for (size_t i = 0; i < from->count; i++)
		set(arena, to, from->items[i].name, from->items[i].value);
}

/* The last of a name; NULL when it was not given. */
static const struct df_build_arg *given(const struct df_build_arg *args, size_t count,
					const char *name)
{
	while (count-- > 0)
		if (strcmp(args[count].name, name) == 0)
			return &args[count];
	return NULL;
}

struct df_scope *df_scope_new_global(const struct df_inputs *inputs)
{
	struct df_scope *scope = arena_alloc(inputs->arena, sizeof(*scope));

	scope->inputs = inputs;
	scope->is_used = arena_alloc(inputs->arena, inputs->build_arg_count + 1);
	for (size_t i = 0; i < inputs->platform_arg_count; i++)
		set(inputs->arena, &scope->args, inputs->platform_args[i].name,
		    inputs->platform_args[i].value);
	return scope;
}

struct df_scope *df_scope_new_stage(const struct df_scope *global, const struct df_scope *parent)
{
	struct df_scope *scope = arena_alloc(global->inputs->arena, sizeof(*scope));

	scope->inputs = global->inputs;
	scope->global = global;
	scope->is_used = global->is_used;
	if (parent) {
		copy(scope->inputs->arena, &scope->env, &parent->env);
		copy(scope->inputs->arena, &scope->args, &parent->args);
	}
	return scope;
}

void df_scope_declare(struct df_scope *scope, const char *name, const char *default_value)
{
	const struct df_inputs *inputs = scope->inputs;
	const struct df_build_arg *arg = given(inputs->build_args, inputs->build_arg_count, name);
	const struct variable *outer = scope->global ? find(&scope->global->args, name) : NULL;
	const char *value = default_value;

	for (size_t i = 0; i < inputs->build_arg_count; i++)
		if (strcmp(inputs->build_args[i].name, name) == 0)
			scope->is_used[i] = true;
	if (arg && arg->value)
		value = arg->value;
	else if (!default_value && outer)
		value = outer->value;
	else if (!default_value && !scope->global && find(&scope->args, name))
		value = find(&scope->args, name)->value; /* ARG TARGETARCH before FROM */
	set(inputs->arena, &scope->args, name, value);
}

void df_scope_set_env(struct df_scope *scope, const char *name, const char *value)
{
	set(scope->inputs->arena, &scope->env, name, value);
}

const char *df_scope_get(const struct df_scope *scope, const char *name)
{
	const struct df_inputs *inputs = scope->inputs;
	const struct variable *variable = find(&scope->env, name);
	const struct df_build_arg *arg;

	if (!variable)
		variable = find(&scope->args, name);
	if (variable)
		return variable->value;
	arg = df_scope_is_proxy(name) ? given(inputs->build_args, inputs->build_arg_count, name)
				      : NULL;
	return arg ? arg->value : NULL;
}

static int compare_variables(const void *left, const void *right)
{
	const struct variable *a = left, *b = right;

	return strcmp(a->name, b->name);
}

static const char **as_texts(struct arena *arena, struct variables *list, size_t *out_count)
{
	const char **texts = arena_alloc(arena, (list->count + 1) * sizeof(*texts));

	*out_count = 0;
	if (list->count)
		qsort(list->items, list->count, sizeof(*list->items), compare_variables);
	for (size_t i = 0; i < list->count; i++)
		if (list->items[i].value)
			texts[(*out_count)++] = arena_format(arena, "%s=%s", list->items[i].name,
							     list->items[i].value);
	return texts;
}

const char **df_scope_environment(const struct df_scope *scope, unsigned flags, size_t *out_count)
{
	const struct df_inputs *inputs = scope->inputs;
	struct variables all = { 0 };

	for (size_t i = 0; (flags & DF_SCOPE_WITH_PROXIES) && i < inputs->build_arg_count; i++)
		if (df_scope_is_proxy(inputs->build_args[i].name))
			set(inputs->arena, &all, inputs->build_args[i].name,
			    inputs->build_args[i].value);
	copy(inputs->arena, &all, &scope->args);
	copy(inputs->arena, &all, &scope->env);
	return as_texts(inputs->arena, &all, out_count);
}

const char **df_scope_args(const struct df_scope *scope, size_t *out_count)
{
	struct variables all = { 0 };

	copy(scope->inputs->arena, &all, &scope->args);
	return as_texts(scope->inputs->arena, &all, out_count);
}

const char **df_scope_unused(const struct df_scope *global, size_t *out_count)
{
	const struct df_inputs *inputs = global->inputs;
	const char **names =
		arena_alloc(inputs->arena, (inputs->build_arg_count + 1) * sizeof(*names));

	*out_count = 0;
	for (size_t i = 0; i < inputs->build_arg_count; i++) {
		const char *name = inputs->build_args[i].name;
		bool is_own = df_scope_is_proxy(name);

		for (size_t j = 0; j < sizeof(own_names) / sizeof(*own_names); j++)
			is_own = is_own || strcmp(name, own_names[j]) == 0;
		for (size_t j = 0; j < *out_count; j++)
			is_own = is_own || strcmp(name, names[j]) == 0;
		if (!global->is_used[i] && !is_own)
			names[(*out_count)++] = name;
	}
	return names;
}
