/* specs/scalar_forms - scalars of the key tables: types, ranges, canonical texts.
 *
 * Owns: what a number, a boolean, a size, a duration may look like. May not touch: maps and lists.
 */
#include "specs/scalar_forms.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/num.h"
#include "base/text.h"
#include "specs/scalar.h"
#include "specs/units.h"

#define MODE_MAX 07777

bool scalar_form_is_raw(const struct shape *shape, const struct node *node)
{
	return shape->is_raw && node->kind == NODE_TEXT && strchr(node->text, '$');
}

int scalar_form_refuse(struct shape *shape, const struct node *node, const struct path *path,
		       const char *want)
{
	if (node_is_scalar(node) && node->kind != NODE_NULL && node->kind != NODE_TEXT)
		return node_error(shape->problems, PROBLEM_TYPE, node, path,
				  "want %s, here is %s: %s (quotes make it text)", want,
				  node_kind_name(node->kind), node->text);
	if (node->kind == NODE_TEXT)
		return node_error(shape->problems, PROBLEM_TYPE, node, path,
				  "want %s, here is text: \"%.60s\"", want, node->text);
	return node_error(shape->problems, PROBLEM_TYPE, node, path, "want %s, here is %s", want,
			  node_kind_name(node->kind));
}

/* Is text one of the words in choices? */
static bool is_choice(const char *choices, const char *text)
{
	struct slice rest = SLICE(choices), word;

	while (slice_next(&rest, ' ', &word))
		if (slice_is(word, text))
			return true;
	return false;
}

int scalar_form_text(struct shape *shape, const struct key *key, struct node *node,
		     const struct path *path)
{
	struct err err = ERR_NONE;

	if (node->kind != NODE_TEXT)
		return scalar_form_refuse(shape, node, path, "text");
	if (scalar_form_is_raw(shape, node))
		return 0;
	if (!*node->text && (key->flags & KEY_NEEDED))
		return node_error(shape->problems, PROBLEM_VALUE, node, path, "%s is empty",
				  key->name);
	if (!*node->text && key->kind != KEY_TEXTS && !(key->flags & KEY_EMPTY_OK))
		return 0;
	if (key->choices && !is_choice(key->choices, node->text))
		return node_error(shape->problems, PROBLEM_VALUE, node, path,
				  "\"%.60s\" is none of: %s", node->text, key->choices);
	if (key->check && key->check(node->text, &err) < 0)
		return node_error(shape->problems, PROBLEM_VALUE, node, path, "%s", err.msg);
	return 0;
}

static int take_bool(struct shape *shape, struct node *node, const struct path *path)
{
	bool value = false;
	int spelling;

	if (node->kind == NODE_BOOL)
		return 0;
	spelling = node->kind == NODE_TEXT ? scalar_bool(node->text, &value) : 0;
	if (spelling == 0)
		return scalar_form_refuse(shape, node, path, "true or false");
	if (spelling == 2 && !shape->is_quiet)
		node_warn(shape->problems, node, path, "\"%s\" is taken for %s; write %s",
			  node->text, value ? "true" : "false", value ? "true" : "false");
	node->kind = NODE_BOOL;
	node->text = value ? "true" : "false";
	return 0;
}

static int check_minimum(struct shape *shape, const struct key *key, const struct node *node,
			 const struct path *path, double value)
{
	if (!key->has_minimum || value >= key->minimum)
		return 0;
	return node_error(shape->problems, PROBLEM_VALUE, node, path, "%s is below %g", node->text,
			  key->minimum);
}

static int take_int(struct shape *shape, const struct key *key, struct node *node,
		    const struct path *path)
{
	int64_t whole;
	double value;

	if ((key->flags & KEY_ALL_OK) && node->kind == NODE_TEXT &&
	    strcmp(node->text, "all") == 0) {
		node->kind = NODE_INT;
		node->text = "-1";
		return 0;
	}
	if (node->kind == NODE_BOOL || node->kind == NODE_NULL ||
	    scalar_number(node->text, &value) < 0)
		return scalar_form_refuse(shape, node, path, "a whole number");
	if (scalar_int(node->text, &whole) < 0) {
		if (fabs(value) >= (double)INT64_MAX)
			return node_error(shape->problems, PROBLEM_VALUE, node, path,
					  "%s is too large", node->text);
		whole = (int64_t)value;
	}
	if (check_minimum(shape, key, node, path, value) < 0)
		return -1;
	node->kind = NODE_INT;
	node->text = arena_format(shape->arena, "%jd", (intmax_t)whole);
	return 0;
}

static int take_number(struct shape *shape, const struct key *key, struct node *node,
		       const struct path *path)
{
	char text[SCALAR_NUMBER_MAX];
	double value;

	if (node->kind == NODE_BOOL || node->kind == NODE_NULL ||
	    scalar_number(node->text, &value) < 0)
		return scalar_form_refuse(shape, node, path, "a number");
	if (check_minimum(shape, key, node, path, value) < 0)
		return -1;
	scalar_number_text(value, text);
	node->kind = strpbrk(text, ".e") ? NODE_FLOAT : NODE_INT;
	node->text = arena_strdup(shape->arena, text);
	return 0;
}

static int take_port(struct shape *shape, struct node *node, const struct path *path)
{
	struct err err = ERR_NONE;
	uint64_t port;

	if (node->kind != NODE_INT && node->kind != NODE_TEXT)
		return scalar_form_refuse(shape, node, path, "a port");
	if (num_parse_u64("port", node->text, strlen(node->text), 1, 65535, &port, &err) < 0)
		return node_error(shape->problems, PROBLEM_VALUE, node, path, "%s", err.msg);
	node->kind = NODE_INT;
	node->text = arena_format(shape->arena, "%u", (unsigned)port);
	return 0;
}

static int take_bytes(struct shape *shape, const struct key *key, struct node *node,
		      const struct path *path)
{
	struct err err = ERR_NONE;
	uint64_t bytes;
	bool unlimited = key->has_minimum && key->minimum < 0;

	if (node->kind == NODE_FLOAT)
		return node_error(shape->problems, PROBLEM_VALUE, node, path,
				  "%s is no whole number of bytes (want 1536, 1.5k, ...)",
				  node->text);
	if (node->kind != NODE_INT && node->kind != NODE_TEXT)
		return scalar_form_refuse(shape, node, path, "a size");
	if (unlimited && strcmp(node->text, "-1") == 0) {
		node->kind = NODE_TEXT;
		return 0;
	}
	if (units_parse_bytes(node->text, &bytes, &err) < 0)
		return node_error(shape->problems, PROBLEM_VALUE, node, path, "%s", err.msg);
	if (shape->is_raw)
		return 0;
	node->kind = NODE_TEXT;
	node->text = arena_format(shape->arena, "%ju", (uintmax_t)bytes);
	return 0;
}

static int take_duration(struct shape *shape, struct node *node, const struct path *path)
{
	char text[UNITS_DURATION_LEN];
	struct err err = ERR_NONE;
	uint64_t us;

	if (node->kind != NODE_TEXT)
		return scalar_form_refuse(shape, node, path, "a duration (10s, 1m30s)");
	if (units_parse_duration(node->text, &us, &err) < 0)
		return node_error(shape->problems, PROBLEM_VALUE, node, path, "%s", err.msg);
	if (shape->is_raw)
		return 0;
	units_print_duration(us, text);
	node->text = arena_strdup(shape->arena, text);
	return 0;
}

static int take_mode(struct shape *shape, struct node *node, const struct path *path)
{
	uint64_t mode = 0;
	int64_t value = 0;
	bool bad = false;

	if (node->kind == NODE_INT) {
		bad = scalar_int(node->text, &value) < 0 || value < 0 || value > MODE_MAX;
		mode = (uint64_t)value;
	} else if (node->kind == NODE_TEXT) {
		const char *at = node->text + (text_starts(node->text, "0o") ? 2 : 0);

		for (bad = !*at; *at && !bad; at++) {
			bad = *at < '0' || *at > '7';
			mode = mode * 8 + (uint64_t)(*at - '0');
			bad |= mode > MODE_MAX;
		}
	} else {
		return scalar_form_refuse(shape, node, path, "a file mode");
	}
	if (bad)
		return node_error(shape->problems, PROBLEM_VALUE, node, path,
				  "\"%.40s\" is no file mode (want 0440)", node->text);
	node->kind = NODE_TEXT;
	node->text = arena_format(shape->arena, "0%03o", (unsigned)mode);
	return 0;
}

static int take_status(struct shape *shape, struct node *node, const struct path *path)
{
	struct err err = ERR_NONE;
	struct slice low, high;
	uint64_t first, last;

	if (node->kind != NODE_INT && node->kind != NODE_TEXT)
		return scalar_form_refuse(shape, node, path, "200, or 200-399");
	slice_split(SLICE(node->text), '-', &low, &high);
	if (num_parse_u64("status", low.at, low.len, 100, 599, &first, &err) < 0)
		return node_error(shape->problems, PROBLEM_VALUE, node, path, "%s", err.msg);
	last = first;
	if (high.len &&
	    (num_parse_u64("status", high.at, high.len, 100, 599, &last, &err) < 0 || last < first))
		return node_error(shape->problems, PROBLEM_VALUE, node, path,
				  "\"%.40s\": want 200, or 200-399", node->text);
	node->kind = NODE_TEXT;
	node->text = arena_format(shape->arena, "%u-%u", (unsigned)first, (unsigned)last);
	return 0;
}

static int take_loose(struct shape *shape, const struct key *key, struct node *node,
		      const struct path *path)
{
	if (!node_is_scalar(node) || node->kind == NODE_NULL)
		return scalar_form_refuse(shape, node, path, "text or a number");
	node->kind = NODE_TEXT;
	return scalar_form_text(shape, key, node, path);
}

int scalar_form(struct shape *shape, const struct key *key, struct node *node,
		const struct path *path)
{
	if (!node_is_scalar(node) && key->kind != KEY_TEXT && key->kind != KEY_LOOSE)
		return scalar_form_refuse(shape, node, path,
					  key->kind == KEY_BOOL || key->kind == KEY_OPT_BOOL
						  ? "true or false"
						  : "one value");
	if (scalar_form_is_raw(shape, node))
		return 0;
	switch (key->kind) {
	case KEY_TEXT:
		return scalar_form_text(shape, key, node, path);
	case KEY_LOOSE:
		return take_loose(shape, key, node, path);
	case KEY_BOOL:
	case KEY_OPT_BOOL:
	case KEY_EXTERNAL:
		return take_bool(shape, node, path);
	case KEY_INT:
	case KEY_INT_TEXT:
		return take_int(shape, key, node, path);
	case KEY_MODE:
		return take_mode(shape, node, path);
	case KEY_NUMBER:
		return take_number(shape, key, node, path);
	case KEY_PORT:
		return take_port(shape, node, path);
	case KEY_BYTES:
		return take_bytes(shape, key, node, path);
	case KEY_DURATION:
		return take_duration(shape, node, path);
	case KEY_STATUS:
		return take_status(shape, node, path);
	default:
		return 0;
	}
}
