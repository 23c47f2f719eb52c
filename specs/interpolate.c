/* specs/interpolate - ${NAME:-default} and its sisters, in one text or a whole tree.
 *
 * Owns: the grammar of variables. May not touch: files, the process environment.
 * Source: Compose Specification, "Interpolation".
 */
#include "specs/interpolate.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"

/* One ${...} or $NAME, taken apart. */
struct expression {
	const char *name;
	char operator; /* 0 - + ? */
	bool colon;    /* an empty value counts as unset */
	struct slice word;
};

static bool is_name_start(char c)
{
	return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || c == '_';
}

static size_t name_len(const char *text, size_t len)
{
	size_t n = 0;

	if (len == 0 || !is_name_start(text[0]))
		return 0;
	while (n < len && (is_name_start(text[n]) || (text[n] >= '0' && text[n] <= '9')))
		n++;
	return n;
}

/* Offset of the brace that closes the one before text, or len when there is none. A brace counts as
 * open after a $ or alone: `${A:-{"x":1}}`. */
static size_t closing_brace(const char *text, size_t len)
{
	size_t depth = 0;

	for (size_t i = 0; i < len; i++) {
		if (text[i] == '{')
			depth++;
		else if (text[i] == '}' && depth-- == 0)
			return i;
	}
	return len;
}

/* The inside of ${...}. -1 when it is no form. */
static int take_apart(struct arena *arena, struct slice inside, struct expression *out)
{
	size_t n = name_len(inside.at, inside.len);

	*out = (struct expression){ 0 };
	if (n == 0)
		return -1;
	out->name = arena_strndup(arena, inside.at, n);
	if (n == inside.len)
		return 0;
	out->colon = inside.at[n] == ':';
	n += out->colon;
	if (n == inside.len || !strchr("-+?", inside.at[n]))
		return -1;
	out->operator= inside.at[n];
	out->word = (struct slice){ inside.at + n + 1, inside.len - n - 1 };
	return 0;
}

struct expansion {
	const struct interpolation *how;
	FILE *out;
	enum interpolate_result result;
	const char *message;
	unsigned depth;
};

static void expand(struct expansion *expansion, struct slice text);

static void fail(struct expansion *expansion, enum interpolate_result result, const char *message)
{
	if (expansion->result == INTERPOLATE_OK) {
		expansion->result = result;
		expansion->message = message;
	}
}

/* Expands a word to a text of its own. */
static const char *expand_word(struct expansion *expansion, struct slice word)
{
	struct expansion inner = { .how = expansion->how, .depth = expansion->depth };
	char *text = NULL;
	size_t len = 0;
	const char *kept = "";

	inner.out = open_memstream(&text, &len);
	if (!inner.out)
		return "";
	expand(&inner, word);
	fclose(inner.out);
	kept = arena_strndup(expansion->how->arena, text, len);
	free(text);
	if (inner.result != INTERPOLATE_OK)
		fail(expansion, inner.result, inner.message);
	return kept;
}

static const char *lookup(const struct interpolation *how, const char *name)
{
	const char *value = how->lookup ? how->lookup(how->context, name) : NULL;

	return value ? value : vars_get(how->vars, name);
}

static void evaluate(struct expansion *expansion, const struct expression *expression)
{
	const struct interpolation *how = expansion->how;
	const char *value = lookup(how, expression->name);
	bool is_set = value && (*value || !expression->colon);

	switch (expression->operator) {
	case '-':
		if (is_set)
			fputs(value, expansion->out);
		else
			expand(expansion, expression->word);
		return;
	case '+':
		if (is_set)
			expand(expansion, expression->word);
		return;
	case '?':
		if (is_set) {
			fputs(value, expansion->out);
			return;
		}
		fail(expansion, INTERPOLATE_MISSING,
		     arena_format(how->arena, "variable %s is required%s%s", expression->name,
				  expression->word.len ? ": " : " and not set",
				  expand_word(expansion, expression->word)));
		return;
	default:
		if (value)
			fputs(value, expansion->out);
		else if (how->unset)
			how->unset(how->context, expression->name);
	}
}

/* What stands behind a $; returns how many bytes of text were taken. */
static size_t expand_dollar(struct expansion *expansion, struct slice text)
{
	struct expression expression = { 0 };
	size_t len;

	if (text.len > 0 && text.at[0] == '$') {
		fputc('$', expansion->out);
		return 1;
	}
	if (text.len > 0 && text.at[0] == '{') {
		len = closing_brace(text.at + 1, text.len - 1);
		if (len == text.len - 1 ||
		    take_apart(expansion->how->arena, (struct slice){ text.at + 1, len },
			       &expression) < 0) {
			fail(expansion, INTERPOLATE_SYNTAX,
			     arena_format(expansion->how->arena,
					  "\"$%.60s\" is no form of a variable (want ${NAME}, "
					  "${NAME:-default}, ${NAME:?message}, ...; "
					  "$$ is a dollar)",
					  arena_strndup(expansion->how->arena, text.at,
							len + 2 < text.len ? len + 2 : text.len)));
			return text.len;
		}
		evaluate(expansion, &expression);
		return len + 2;
	}
	len = name_len(text.at, text.len);
	if (len == 0) {
		fputc('$', expansion->out);
		return 0;
	}
	expression.name = arena_strndup(expansion->how->arena, text.at, len);
	evaluate(expansion, &expression);
	return len;
}

static void expand(struct expansion *expansion, struct slice text)
{
	if (++expansion->depth > INTERPOLATE_DEPTH_MAX) {
		fail(expansion, INTERPOLATE_SYNTAX, "variables nest too deep");
		return;
	}
	while (text.len > 0 && expansion->result == INTERPOLATE_OK) {
		const char *dollar = memchr(text.at, '$', text.len);
		size_t plain = dollar ? (size_t)(dollar - text.at) : text.len;
		size_t taken;

		fwrite(text.at, 1, plain, expansion->out);
		if (!dollar)
			break;
		taken = expand_dollar(expansion,
				      (struct slice){ dollar + 1, text.len - plain - 1 });
		text = (struct slice){ dollar + 1 + taken, text.len - plain - 1 - taken };
		if (ftell(expansion->out) > (long)INTERPOLATE_BYTES_MAX)
			fail(expansion, INTERPOLATE_LARGE, "the variables make it too large");
	}
	expansion->depth--;
}

enum interpolate_result interpolate_text(const struct interpolation *how, const char *text,
					 const char **out_text, const char **out_message)
{
	struct expansion expansion = { .how = how };
	char *made = NULL;
	size_t len = 0;

	*out_text = text;
	if (!strchr(text, '$'))
		return INTERPOLATE_OK;
	expansion.out = open_memstream(&made, &len);
	if (!expansion.out)
		return INTERPOLATE_OK;
	expand(&expansion, SLICE(text));
	fclose(expansion.out);
	*out_text = arena_strndup(how->arena, made, len);
	free(made);
	*out_message = expansion.message;
	return expansion.result;
}

struct tree_walk {
	struct interpolation how;
	struct problems *problems;
	const struct node *node;
	const struct path *path;
	int result;
};

static void warn_unset(void *context, const char *name)
{
	const struct tree_walk *walk = context;

	problem_warn(walk->problems, walk->node->place, "",
		     "variable %s is not set: an empty text takes its place", name);
}

static void walk_node(struct tree_walk *walk, struct node *node, const struct path *path)
{
	static const enum problem_kind kinds[] = {
		[INTERPOLATE_SYNTAX] = PROBLEM_SYNTAX,
		[INTERPOLATE_MISSING] = PROBLEM_MISSING,
		[INTERPOLATE_LARGE] = PROBLEM_LIMIT,
	};
	const char *message = NULL;
	enum interpolate_result result;

	for (size_t i = 0; i < node->count; i++) {
		struct path here = { path, node->members[i].key, i };

		walk_node(walk, node->members[i].value, &here);
	}
	if (node->kind != NODE_TEXT || !strchr(node->text, '$'))
		return;
	walk->node = node;
	result = interpolate_text(&walk->how, node->text, &node->text, &message);
	if (result != INTERPOLATE_OK)
		walk->result = node_error(walk->problems, kinds[result], node, path, "%s", message);
}

int interpolate_tree(struct arena *arena, struct node *tree, const struct vars *vars,
		     struct problems *problems)
{
	struct tree_walk walk = {
		.how = {.arena = arena, .vars = vars, .unset = warn_unset},
		.problems = problems,
	};

	walk.how.context = &walk;
	walk_node(&walk, tree, NULL);
	return walk.result;
}

static struct variable *list_variable(struct variable_list *list, const char *name)
{
	const size_t *at = name_index_find(&list->index, name);
	struct variable *variable;

	if (at)
		return &list->items[*at];
	variable = arena_grow(list->arena, &list->items, &list->count, sizeof(*variable));
	*variable = (struct variable){ .name = name, .default_value = "", .presence_value = "" };
	list->index.arena = list->arena;
	name_index_add(&list->index, name, list->count - 1);
	return variable;
}

static void list_text(struct variable_list *listing, struct slice text, unsigned depth)
{
	const char *dollar;

	while (depth < INTERPOLATE_DEPTH_MAX && (dollar = memchr(text.at, '$', text.len))) {
		struct slice rest = { dollar + 1, text.len - (size_t)(dollar - text.at) - 1 };
		struct expression expression = { 0 };
		size_t taken = name_len(rest.at, rest.len);
		struct variable *variable;

		if (taken)
			expression.name = arena_strndup(listing->arena, rest.at, taken);
		if (rest.len && rest.at[0] == '$')
			taken = 1;
		if (rest.len && rest.at[0] == '{') {
			taken = closing_brace(rest.at + 1, rest.len - 1);
			if (taken == rest.len - 1 ||
			    take_apart(listing->arena, (struct slice){ rest.at + 1, taken },
				       &expression) < 0)
				expression.name = NULL;
			taken = taken + 2 > rest.len ? rest.len : taken + 2;
		}
		text = (struct slice){ rest.at + taken, rest.len - taken };
		if (!expression.name)
			continue;
		variable = list_variable(listing, expression.name);
		if (expression.operator== '?')
			variable->required = true;
		else if (expression.operator== '-')
			variable->default_value = arena_strndup(listing->arena, expression.word.at,
								expression.word.len);
		else if (expression.operator== '+')
			variable->presence_value = arena_strndup(listing->arena, expression.word.at,
								 expression.word.len);
		if (expression.operator)
			list_text(listing, expression.word, depth + 1);
	}
}

void interpolate_list(struct variable_list *list, const struct node *tree)
{
	if (tree->kind == NODE_TEXT && strchr(tree->text, '$'))
		list_text(list, SLICE(tree->text), 0);
	for (size_t i = 0; i < tree->count; i++)
		interpolate_list(list, tree->members[i].value);
}

static int compare_variables(const void *left, const void *right)
{
	const struct variable *a = left, *b = right;

	return strcmp(a->name, b->name);
}

void interpolate_sort(struct variable_list *list)
{
	if (list->count)
		qsort(list->items, list->count, sizeof(*list->items), compare_variables);
}
