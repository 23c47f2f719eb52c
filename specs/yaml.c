/* specs/yaml - the bytes of a YAML file to trees.
 *
 * Owns: libyaml's events, anchors, merge keys, the limits. May not touch: what a key means.
 * Source: YAML 1.2 as far as libyaml goes; merge keys of YAML 1.1.
 */
#include "specs/yaml.h"

#include <stdlib.h>
#include <string.h>
#include <yaml.h>

#include "base/alloc.h"
#include "specs/scalar.h"

#define SORTED_FROM 24 /* from so many keys on, doubled ones are looked for in a sorted copy */

struct anchor {
	const char *name;
	struct node *node; /* NULL while it is being read */
};

struct reader {
	struct arena *arena;
	struct problems *problems;
	const char *file;
	yaml_parser_t parser;
	struct anchor *anchors;
	size_t anchor_count;
	size_t node_count;
	unsigned depth;
};

static struct node *read_node(struct reader *reader, yaml_event_t *event);

static struct place place_at(const struct reader *reader, yaml_mark_t mark)
{
	return (struct place){ reader->file, (unsigned)mark.line + 1, (unsigned)mark.column + 1 };
}

static struct node *fail(struct reader *reader, enum problem_kind kind, struct place place,
			 const char *message)
{
	problem_error(reader->problems, kind, place, "", "line %u: %s", place.line, message);
	return NULL;
}

/* libyaml's words for what people meet most say little. */
static const char *words_of(const yaml_parser_t *parser)
{
	static const char no_token[] = "found character that cannot start any token";

	if (!parser->problem)
		return "not YAML";
	return strcmp(parser->problem, no_token) == 0
		       ? "no value starts with this character (lines are indented by blanks, not "
			 "by a "
			 "tab; a text that begins with @ or ` stands in quotes)"
		       : parser->problem;
}

static int next_event(struct reader *reader, yaml_event_t *event)
{
	const yaml_parser_t *parser = &reader->parser;

	if (yaml_parser_parse(&reader->parser, event))
		return 0;
	fail(reader, PROBLEM_SYNTAX,
	     parser->error == YAML_READER_ERROR
		     ? (struct place){ reader->file, (unsigned)parser->mark.line + 1, 1 }
		     : place_at(reader, parser->problem_mark),
	     words_of(parser));
	return -1;
}

static struct node *new_node(struct reader *reader, enum node_kind kind, const yaml_event_t *event)
{
	if (++reader->node_count > YAML_NODES_MAX)
		return fail(reader, PROBLEM_LIMIT, place_at(reader, event->start_mark),
			    "too many values in one file (aliases count with all that they bring)");
	return node_new(reader->arena, kind, place_at(reader, event->start_mark));
}

/* Counts what an alias brings, and stops counting beyond the limits. */
static void count_nodes(struct reader *reader, const struct node *node, unsigned depth)
{
	if (depth > YAML_DEPTH_MAX)
		reader->node_count = YAML_NODES_MAX;
	for (size_t i = 0; i < node->count && reader->node_count <= YAML_NODES_MAX; i++)
		count_nodes(reader, node->members[i].value, depth + 1);
	reader->node_count++;
}

static struct node *copy_alias(struct reader *reader, const char *name, struct place place)
{
	for (size_t i = reader->anchor_count; i-- > 0;) {
		struct anchor *anchor = &reader->anchors[i];

		if (strcmp(anchor->name, name) != 0)
			continue;
		if (!anchor->node)
			return fail(reader, PROBLEM_CYCLE, place, "an alias inside its own anchor");
		count_nodes(reader, anchor->node, reader->depth + 1);
		if (reader->node_count > YAML_NODES_MAX)
			return fail(reader, PROBLEM_LIMIT, place,
				    "the aliases bring too many values, or nest too deep");
		return node_copy(reader->arena, anchor->node);
	}
	problem_error(reader->problems, PROBLEM_SYNTAX, place, "",
		      "line %u: unknown alias \"%s\" (no &%s before it)", place.line, name, name);
	return NULL;
}

static void set_tag(struct node *node, const char *tag)
{
	if (!tag)
		return;
	if (strcmp(tag, "!reset") == 0)
		node->tag = TAG_RESET;
	else if (strcmp(tag, "!override") == 0)
		node->tag = TAG_OVERRIDE;
	else if (strcmp(tag, YAML_STR_TAG) == 0 && node->kind == NODE_NULL)
		*node = (struct node){ .kind = NODE_TEXT, .place = node->place, .text = "" };
}

static struct node *read_scalar(struct reader *reader, const yaml_event_t *event)
{
	const char *text = (const char *)event->data.scalar.value;
	const char *tag = (const char *)event->data.scalar.tag;
	size_t len = event->data.scalar.length;
	struct node *node = new_node(reader, NODE_TEXT, event);
	bool plain = event->data.scalar.style == YAML_PLAIN_SCALAR_STYLE;

	if (!node)
		return NULL;
	if (memchr(text, '\0', len))
		return fail(reader, PROBLEM_SYNTAX, node->place, "a NUL character");
	if (tag && strcmp(tag, YAML_STR_TAG) == 0)
		plain = false;
	if (tag && (strcmp(tag, YAML_INT_TAG) == 0 || strcmp(tag, YAML_FLOAT_TAG) == 0 ||
		    strcmp(tag, YAML_BOOL_TAG) == 0 || strcmp(tag, YAML_NULL_TAG) == 0))
		plain = true;
	if (plain)
		node->kind = scalar_resolve(reader->arena, text, len, &node->text);
	else
		node->text = arena_strndup(reader->arena, text, len);
	set_tag(node, tag);
	return node;
}

static struct node *read_list(struct reader *reader, const yaml_event_t *start)
{
	struct node *list = new_node(reader, NODE_LIST, start);
	bool done = false;

	if (!list)
		return NULL;
	set_tag(list, (const char *)start->data.sequence_start.tag);
	while (!done) {
		yaml_event_t event;
		struct node *item = NULL;

		if (next_event(reader, &event) < 0)
			return NULL;
		done = event.type == YAML_SEQUENCE_END_EVENT;
		if (!done)
			item = read_node(reader, &event);
		yaml_event_delete(&event);
		if (!done && !item)
			return NULL;
		if (item)
			node_push(reader->arena, list, item);
	}
	return list;
}

static int compare_keys(const void *left, const void *right)
{
	const struct member *const *a = left, *const *b = right;
	int order = strcmp((*a)->key, (*b)->key);

	return order ? order : (*a < *b ? -1 : 1);
}

static int fail_doubled(struct reader *reader, const struct member *first,
			const struct member *second)
{
	problem_error(reader->problems, PROBLEM_SYNTAX, second->key_place, "",
		      "line %u: key \"%s\" stands already in line %u", second->key_place.line,
		      second->key, first->key_place.line);
	return -1;
}

static int check_doubled(struct reader *reader, const struct node *map)
{
	const struct member **sorted;
	int result = 0;

	if (map->count < SORTED_FROM) {
		for (size_t i = 1; i < map->count; i++)
			for (size_t k = 0; k < i; k++)
				if (strcmp(map->members[i].key, map->members[k].key) == 0)
					return fail_doubled(reader, &map->members[k],
							    &map->members[i]);
		return 0;
	}
	sorted = xcalloc(map->count, sizeof(*sorted));
	for (size_t i = 0; i < map->count; i++)
		sorted[i] = &map->members[i];
	qsort(sorted, map->count, sizeof(*sorted), compare_keys);
	for (size_t i = 1; i < map->count && result == 0; i++)
		if (strcmp(sorted[i - 1]->key, sorted[i]->key) == 0)
			result = fail_doubled(reader, sorted[i - 1], sorted[i]);
	free(sorted);
	return result;
}

/* Adds what a `<<` brings and the map does not have. */
static int merge_source(struct reader *reader, struct node *map, const struct node *source)
{
	if (source->kind == NODE_LIST) {
		for (size_t i = 0; i < source->count; i++) {
			const struct node *item = source->members[i].value;

			if (item->kind != NODE_MAP || merge_source(reader, map, item) < 0) {
				fail(reader, PROBLEM_TYPE, source->place, "<< wants maps");
				return -1;
			}
		}
		return 0;
	}
	if (source->kind != NODE_MAP) {
		fail(reader, PROBLEM_TYPE, source->place, "<< wants a map, or a list of maps");
		return -1;
	}
	for (size_t i = 0; i < source->count; i++)
		if (!node_get(map, source->members[i].key))
			node_set(reader->arena, map, source->members[i].key,
				 source->members[i].key_place, source->members[i].value);
	return 0;
}

static int take_key(struct reader *reader, const struct node *key, bool is_plain)
{
	if (!key)
		return -1;
	if (key->kind == NODE_TEXT || (key->kind == NODE_NULL && !is_plain))
		return 0;
	problem_error(reader->problems, PROBLEM_TYPE, key->place, "",
		      "line %u: a key must be text; put %s in quotes", key->place.line,
		      key->text && *key->text ? key->text : node_kind_name(key->kind));
	return -1;
}

static int read_member(struct reader *reader, yaml_event_t *key_event, struct node *map,
		       struct node **out_merge)
{
	bool is_plain = key_event->type == YAML_SCALAR_EVENT &&
			key_event->data.scalar.style == YAML_PLAIN_SCALAR_STYLE;
	struct node *key = read_node(reader, key_event);
	struct node *value;
	yaml_event_t event;

	if (take_key(reader, key, is_plain) < 0 || next_event(reader, &event) < 0)
		return -1;
	value = read_node(reader, &event);
	yaml_event_delete(&event);
	if (!value)
		return -1;
	if (is_plain && strcmp(key->text, "<<") == 0) {
		if (*out_merge) {
			fail(reader, PROBLEM_SYNTAX, key->place, "key \"<<\" stands there twice");
			return -1;
		}
		*out_merge = value;
		return 0;
	}
	node_add(reader->arena, map, key->text, key->place, value);
	return 0;
}

static struct node *read_map(struct reader *reader, const yaml_event_t *start)
{
	struct node *map = new_node(reader, NODE_MAP, start);
	struct node *merge = NULL;

	if (!map)
		return NULL;
	set_tag(map, (const char *)start->data.mapping_start.tag);
	for (bool done = false; !done;) {
		yaml_event_t event;
		int result = 0;

		if (next_event(reader, &event) < 0)
			return NULL;
		done = event.type == YAML_MAPPING_END_EVENT;
		if (!done)
			result = read_member(reader, &event, map, &merge);
		yaml_event_delete(&event);
		if (result < 0)
			return NULL;
	}
	if (check_doubled(reader, map) < 0)
		return NULL;
	if (merge && merge_source(reader, map, merge) < 0)
		return NULL;
	return map;
}

static const char *event_anchor(const yaml_event_t *event)
{
	switch (event->type) {
	case YAML_SCALAR_EVENT:
		return (const char *)event->data.scalar.anchor;
	case YAML_SEQUENCE_START_EVENT:
		return (const char *)event->data.sequence_start.anchor;
	case YAML_MAPPING_START_EVENT:
		return (const char *)event->data.mapping_start.anchor;
	default:
		return NULL;
	}
}

static struct node *read_node(struct reader *reader, yaml_event_t *event)
{
	const char *name = event_anchor(event);
	struct node *node = NULL;
	size_t anchor = 0;

	if (event->type == YAML_ALIAS_EVENT)
		return copy_alias(reader, (const char *)event->data.alias.anchor,
				  place_at(reader, event->start_mark));
	if (name) {
		struct anchor *slot = arena_grow(reader->arena, &reader->anchors,
						 &reader->anchor_count, sizeof(*slot));

		slot->name = arena_strdup(reader->arena, name);
		anchor = reader->anchor_count - 1;
	}
	if (++reader->depth > YAML_DEPTH_MAX)
		return fail(reader, PROBLEM_LIMIT, place_at(reader, event->start_mark),
			    "nested too deep");
	if (event->type == YAML_SCALAR_EVENT)
		node = read_scalar(reader, event);
	else if (event->type == YAML_SEQUENCE_START_EVENT)
		node = read_list(reader, event);
	else if (event->type == YAML_MAPPING_START_EVENT)
		node = read_map(reader, event);
	reader->depth--;
	if (name)
		reader->anchors[anchor].node = node;
	return node;
}

static int read_document(struct reader *reader, struct documents *out)
{
	yaml_event_t event;
	struct node *root, **slot;

	if (next_event(reader, &event) < 0)
		return -1;
	reader->anchor_count = 0;
	reader->anchors = NULL;
	if (event.type == YAML_SCALAR_EVENT && event.data.scalar.length == 0 &&
	    event.data.scalar.style == YAML_PLAIN_SCALAR_STYLE)
		root = NULL;
	else
		root = read_node(reader, &event);
	yaml_event_delete(&event);
	if (reader->problems->error_count)
		return -1;
	if (out->count >= YAML_DOCUMENTS_MAX) {
		fail(reader, PROBLEM_LIMIT, place_at(reader, reader->parser.mark),
		     "too many documents in one file");
		return -1;
	}
	slot = arena_grow(reader->arena, &out->items, &out->count, sizeof(struct node *));
	*slot = root;
	return 0;
}

int yaml_parse(struct arena *arena, const char *file, const char *text, size_t len,
	       struct problems *problems, struct documents *out_documents)
{
	struct reader reader = { .arena = arena, .problems = problems, .file = file };
	size_t errors_before = problems->error_count;
	int result = 0;

	*out_documents = (struct documents){ 0 };
	if (len > YAML_BYTES_MAX)
		return problem_error(problems, PROBLEM_LIMIT, (struct place){ file, 0, 0 }, "",
				     "larger than %u MiB", YAML_BYTES_MAX >> 20);
	if (!yaml_parser_initialize(&reader.parser))
		abort();
	yaml_parser_set_input_string(&reader.parser, (const unsigned char *)text, len);
	for (bool done = false; !done && result == 0;) {
		yaml_event_t event;

		if (next_event(&reader, &event) < 0)
			break;
		done = event.type == YAML_STREAM_END_EVENT;
		if (event.type == YAML_DOCUMENT_START_EVENT)
			result = read_document(&reader, out_documents);
		yaml_event_delete(&event);
	}
	yaml_parser_delete(&reader.parser);
	return problems->error_count > errors_before ? -1 : 0;
}
