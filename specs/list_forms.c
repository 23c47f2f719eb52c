/* specs/list_forms - lists of texts and maps of texts: commands, environment, options, hosts.
 *
 * Owns: name=value lists, texts that stand for a list. May not touch: maps with tables of their
 * own.
 */
#include "specs/list_forms.h"

#include <string.h>

#include "base/text.h"
#include "specs/scalar_forms.h"
#include "specs/short_forms.h"
#include "specs/words.h"

static const char *const limit_names[] = {
	"as",   "core",   "cpu",   "data", "fsize",  "locks",  "memlock",    "msgqueue",
	"nice", "nofile", "nproc", "rss",  "rtprio", "rttime", "sigpending", "stack",
};

bool list_form_is_limit(const char *name)
{
	for (size_t i = 0; i < sizeof(limit_names) / sizeof(*limit_names); i++)
		if (strcmp(limit_names[i], name) == 0)
			return true;
	return false;
}

/* Makes a list of the words in place of the node. */
static void become_list(struct shape *shape, struct node *node, const struct texts *words)
{
	struct node list = { .kind = NODE_LIST, .tag = node->tag, .place = node->place };

	for (size_t i = 0; i < words->count; i++)
		node_push(shape->arena, &list,
			  node_new_text(shape->arena, node->place, words->items[i]));
	*node = list;
}

static int take_texts(struct shape *shape, const struct key *key, struct node *node,
		      const struct path *path)
{
	int result = 0;

	if (node->kind == NODE_TEXT && key->kind == KEY_TEXT_OR_LIST) {
		const char *text = node->text;

		become_list(shape, node, &(struct texts){ &text, 1 });
	}
	if (node->kind != NODE_LIST)
		return scalar_form_refuse(shape, node, path,
					  key->kind == KEY_TEXT_OR_LIST ? "text or a list"
									: "a list");
	for (size_t i = 0; i < node->count; i++) {
		struct node *item = node->members[i].value;
		struct path here = { path, NULL, i };

		if (key->kind == KEY_LOOSE_TEXTS && node_is_scalar(item) &&
		    (item->kind == NODE_INT || item->kind == NODE_FLOAT))
			item->kind = NODE_TEXT;
		result |= scalar_form_text(shape, key, item, &here);
	}
	return result;
}

static int take_command(struct shape *shape, const struct key *key, struct node *node,
			const struct path *path)
{
	struct err err = ERR_NONE;
	struct texts words;
	const char *rest;

	if (node->kind == NODE_LIST)
		return take_texts(shape, key, node, path);
	if (node->kind != NODE_TEXT)
		return scalar_form_refuse(shape, node, path, "text or a list");
	if (scalar_form_is_raw(shape, node))
		return 0;
	if (words_split(shape->arena, node->text, &words, &rest, &err) < 0)
		return node_error(shape->problems, PROBLEM_SYNTAX, node, path, "%s", err.msg);
	if (rest && !shape->is_quiet)
		node_warn(shape->problems, node, path,
			  "%s: \"%s\" and what follows is dropped, as no shell runs here; write "
			  "[sh, -c, '...']",
			  path_text(shape->arena, path), rest);
	become_list(shape, node, &words);
	return 0;
}

static int take_test(struct shape *shape, const struct key *key, struct node *node,
		     const struct path *path)
{
	if (node->kind == NODE_LIST)
		return take_texts(shape, key, node, path);
	if (node->kind != NODE_TEXT)
		return scalar_form_refuse(shape, node, path, "text or a list");
	if (shape->is_raw)
		return 0;
	if (*node->text) {
		const char *words[] = { "CMD-SHELL", node->text };

		become_list(shape, node, &(struct texts){ words, 2 });
	} else {
		become_list(shape, node, &(struct texts){ 0 });
	}
	return 0;
}

static int add_host(struct shape *shape, struct node *list, const struct node *from,
		    const char *text, const struct path *path)
{
	struct err err = ERR_NONE;
	const char *entry;

	if (shape->is_raw && strchr(text, '$'))
		entry = text;
	else if (short_host(shape->arena, text, &entry, &err) < 0)
		return node_error(shape->problems, PROBLEM_VALUE, from, path, "%s", err.msg);
	node_push(shape->arena, list, node_new_text(shape->arena, from->place, entry));
	return 0;
}

/* The address, or addresses, of one name of the map form. */
static int add_addresses(struct shape *shape, struct node *list, const struct member *host,
			 const struct path *path)
{
	const struct node *value = host->value;
	int result = 0;

	if (value->kind == NODE_TEXT)
		return add_host(shape, list, value,
				arena_format(shape->arena, "%s=%s", host->key, value->text), path);
	if (value->kind != NODE_LIST)
		return scalar_form_refuse(shape, value, path, "an address or a list of them");
	for (size_t i = 0; i < value->count; i++) {
		const struct node *item = value->members[i].value;
		struct path here = { path, NULL, i };

		if (item->kind != NODE_TEXT)
			result |= scalar_form_refuse(shape, item, &here, "an address");
		else
			result |= add_host(
				shape, list, item,
				arena_format(shape->arena, "%s=%s", host->key, item->text), &here);
	}
	return result;
}

static int take_hosts(struct shape *shape, struct node *node, const struct path *path)
{
	struct node list = { .kind = NODE_LIST, .tag = node->tag, .place = node->place };
	int result = 0;

	if (node->kind != NODE_LIST && node->kind != NODE_MAP)
		return scalar_form_refuse(shape, node, path, "a list or a map");
	for (size_t i = 0; i < node->count; i++) {
		const struct member *member = &node->members[i];
		struct path here = { path, member->key, i };

		if (node->kind == NODE_MAP)
			result |= add_addresses(shape, &list, member, &here);
		else if (member->value->kind == NODE_TEXT)
			result |= add_host(shape, &list, member->value, member->value->text, &here);
		else
			result |= scalar_form_refuse(shape, member->value, &here, "HOST=IP");
	}
	*node = list;
	return result;
}

/* One "NAME=VALUE" or "NAME" of a list to a member of the map. */
static int add_pair(struct shape *shape, const struct key *key, struct node *map,
		    const struct node *item, const struct path *path)
{
	const char *equals = strchr(item->text, '=');
	const char *name =
		equals ? arena_strndup(shape->arena, item->text, (size_t)(equals - item->text))
		       : item->text;
	struct node *value = node_new(shape->arena, NODE_NULL, item->place);

	if (!*name)
		return node_error(shape->problems, PROBLEM_VALUE, item, path,
				  "\"%.60s\" has no name before the =", item->text);
	if (equals && strchr(" \t", equals[-1]))
		return node_error(shape->problems, PROBLEM_VALUE, item, path,
				  "\"%.60s\": a blank stands before the =", item->text);
	if (equals || (key->flags & KEY_NULL_TO_EMPTY)) {
		value->kind = NODE_TEXT;
		value->text = equals ? equals + 1 : "";
	}
	node_set(shape->arena, map, name, item->place, value);
	return 0;
}

static int pairs_from_list(struct shape *shape, const struct key *key, struct node *node,
			   const struct path *path)
{
	struct node map = { .kind = NODE_MAP, .tag = node->tag, .place = node->place };
	int result = 0;

	for (size_t i = 0; i < node->count; i++) {
		const struct node *item = node->members[i].value;
		struct path here = { path, NULL, i };

		if (item->kind == NODE_TEXT)
			result |= add_pair(shape, key, &map, item, &here);
		else
			result |= scalar_form_refuse(shape, item, &here, "NAME=VALUE");
	}
	*node = map;
	return result;
}

static int take_pairs(struct shape *shape, const struct key *key, struct node *node,
		      const struct path *path)
{
	int result = 0;

	if (node->kind == NODE_LIST && key->kind != KEY_OPTIONS)
		return pairs_from_list(shape, key, node, path);
	if (node->kind != NODE_MAP)
		return scalar_form_refuse(shape, node, path,
					  key->kind == KEY_OPTIONS ? "a map" : "a list or a map");
	for (size_t i = 0; i < node->count; i++) {
		struct node *value = node->members[i].value;
		struct path here = { path, node->members[i].key, 0 };

		if (!node_is_scalar(value)) {
			result |= scalar_form_refuse(shape, value, &here, "one value");
			continue;
		}
		if (value->kind == NODE_NULL && (key->flags & KEY_NULL_TO_EMPTY))
			value->text = "";
		else if (value->kind == NODE_NULL)
			continue;
		value->kind = NODE_TEXT;
	}
	return result;
}

static int take_provider_options(struct shape *shape, struct node *node, const struct path *path)
{
	int result = 0;

	if (node->kind != NODE_MAP)
		return scalar_form_refuse(shape, node, path, "a map");
	for (size_t i = 0; i < node->count; i++) {
		struct node *value = node->members[i].value;
		struct path here = { path, node->members[i].key, 0 };

		if (node_is_scalar(value) && value->kind != NODE_NULL)
			become_list(shape, value, &(struct texts){ &value->text, 1 });
		if (value->kind != NODE_LIST) {
			result |= scalar_form_refuse(shape, value, &here, "a value or a list");
			continue;
		}
		for (size_t k = 0; k < value->count; k++) {
			struct node *item = value->members[k].value;
			struct path there = { &here, NULL, k };

			if (!node_is_scalar(item) || item->kind == NODE_NULL)
				result |= scalar_form_refuse(shape, item, &there, "one value");
			else
				item->kind = NODE_TEXT;
		}
	}
	return result;
}

int list_form(struct shape *shape, const struct key *key, struct node *node,
	      const struct path *path)
{
	switch (key->kind) {
	case KEY_COMMAND:
		return take_command(shape, key, node, path);
	case KEY_TEST:
		return take_test(shape, key, node, path);
	case KEY_HOSTS:
		return take_hosts(shape, node, path);
	case KEY_PAIRS:
	case KEY_OPTIONS:
	case KEY_SSH:
		return take_pairs(shape, key, node, path);
	case KEY_PROVIDER_OPTIONS:
		return take_provider_options(shape, node, path);
	default:
		return take_texts(shape, key, node, path);
	}
}
