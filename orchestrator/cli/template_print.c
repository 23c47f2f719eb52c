/* orchestrator/cli/template_print - a template's tree with a value becomes text.
 *
 * Owns: scopes and the way of values through pipes. May not touch: the grammar, the functions.
 */
#include <stdio.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/json.h"
#include "base/text.h"
#include "orchestrator/cli/template_call.h"
#include "orchestrator/cli/template_tree.h"

#define ARGUMENTS_MAX 16

struct variable {
	const char *name;
	struct json_object *value; /* borrowed from the node that declared it */
	const struct variable *outer;
};

struct scope {
	FILE *out;
	struct json_object *root;
	struct json_object *dot;
	const struct variable *variables;
	struct err *err;
};

static const char *key_candidate(const void *ctx, size_t i)
{
	const struct json_object *object = ctx;

	json_each(object, key, value) {
		(void)value;
		if (i-- == 0)
			return key;
	}
	return NULL;
}

static int no_field(const struct scope *scope, const char *name)
{
	const char *near = text_near(name, key_candidate, scope->root);

	return err_set(scope->err, ERR_INVALID, "template: there is no field \"%.60s\"%s%s%s", name,
		       near ? " (did you mean \"" : "", near ? near : "", near ? "\"?)" : "");
}

/* Follows the keys; *out is borrowed. The first key of the top object must be there. */
static int follow(const struct scope *scope, const struct operand *operand,
		  struct json_object *value, struct json_object **out)
{
	for (size_t i = 0; i < operand->key_count; i++) {
		struct json_object *member = NULL;
		bool found = json_object_is_type(value, json_type_object) &&
			     json_object_object_get_ex(value, operand->keys[i], &member);

		if (!found && i == 0 && value == scope->root)
			return no_field(scope, operand->keys[i]);
		value = member;
	}
	*out = value;
	return 0;
}

static int variable_value(const struct scope *scope, const char *name, struct json_object **out)
{
	for (const struct variable *v = scope->variables; v; v = v->outer)
		if (strcmp(v->name, name) == 0) {
			*out = v->value;
			return 0;
		}
	return err_set(scope->err, ERR_INVALID, "template: variable $%.40s is not set", name);
}

static int pipeline_value(const struct scope *scope, const struct pipeline *pipeline,
			  struct json_object **out);

/* *out is the caller's to put. */
static int operand_value(const struct scope *scope, const struct operand *operand,
			 struct json_object **out)
{
	struct json_object *value = NULL, *inner = NULL;
	int result = 0;

	switch (operand->kind) {
	case OPERAND_DOT:
		result = follow(scope, operand, scope->dot, &value);
		break;
	case OPERAND_ROOT:
		result = follow(scope, operand, scope->root, &value);
		break;
	case OPERAND_VARIABLE:
		result = variable_value(scope, operand->text, &inner);
		if (result == 0)
			result = follow(scope, operand, inner, &value);
		break;
	case OPERAND_PIPELINE:
		result = pipeline_value(scope, operand->pipeline, &inner);
		if (result == 0)
			result = follow(scope, operand, inner, &value);
		*out = json_object_get(value);
		json_object_put(inner);
		return result;
	case OPERAND_TEXT:
		*out = json_object_new_string(operand->text);
		return 0;
	case OPERAND_NUMBER:
		*out = json_tokener_parse(operand->text);
		return 0;
	case OPERAND_BOOL:
		*out = json_object_new_boolean(operand->text[0] == 't');
		return 0;
	case OPERAND_FUNCTION:
		return template_call(operand->text, NULL, 0, out, scope->err);
	}
	*out = json_object_get(value);
	return result;
}

/* {{.Label "key"}}: one of "key=value,key=value" in .Labels. */
static struct json_object *label_value(const struct scope *scope, struct json_object *key)
{
	const char *name = json_object_get_string(key);
	const char *labels = json_text_or(scope->dot, "Labels", "");
	struct slice rest = SLICE(labels), part, left, right;

	while (name && slice_next(&rest, ',', &part)) {
		slice_split(part, '=', &left, &right);
		if (slice_is(left, name))
			return json_object_new_string_len(right.at, (int)right.len);
	}
	return json_object_new_string("");
}

static bool is_label_call(const struct operand *first, size_t argument_count)
{
	return first->kind == OPERAND_DOT && first->key_count == 1 && argument_count == 1 &&
	       strcmp(first->keys[0], "Label") == 0;
}

/* One call of a pipeline; `piped` is its last argument when there is one before it. */
static int call_value(const struct scope *scope, const struct call *call, bool has_piped,
		      struct json_object *piped, struct json_object **out)
{
	const struct operand *first = &call->operands[0];
	struct json_object *arguments[ARGUMENTS_MAX] = { NULL };
	size_t count = 0;
	int result = 0;

	if (call->count + 1 > ARGUMENTS_MAX)
		return err_set(scope->err, ERR_INVALID, "template: too many arguments");
	for (size_t i = 1; i < call->count && result == 0; i++) {
		arguments[count] = NULL;
		result = operand_value(scope, &call->operands[i], &arguments[count]);
		count++;
	}
	if (has_piped && result == 0)
		arguments[count++] = json_object_get(piped);
	if (result == 0) {
		if (first->kind == OPERAND_FUNCTION)
			result = template_call(first->text, arguments, count, out, scope->err);
		else if (is_label_call(first, count))
			*out = label_value(scope, arguments[0]);
		else if (count)
			result = err_set(scope->err, ERR_INVALID,
					 "template: a value cannot be called with arguments");
		else
			result = operand_value(scope, first, out);
	}
	while (count)
		json_object_put(arguments[--count]);
	return result;
}

static int pipeline_value(const struct scope *scope, const struct pipeline *pipeline,
			  struct json_object **out)
{
	AUTO(json) struct json_object *piped = NULL;

	for (size_t i = 0; i < pipeline->count; i++) {
		struct json_object *value = NULL;

		if (call_value(scope, &pipeline->calls[i], i > 0, piped, &value) < 0)
			return -1;
		json_object_put(piped);
		piped = value;
	}
	*out = TAKE(piped);
	return 0;
}

static int print_nodes(struct scope *scope, const struct node *first);

/* The body for one element; key is borrowed. */
static int print_element(const struct scope *outer, const struct node *node,
			 struct json_object *key, struct json_object *element)
{
	struct variable value = { node->pipeline->variables[1], element, outer->variables };
	struct variable index = { node->pipeline->variables[0], key, &value };
	struct scope scope = *outer;

	scope.dot = element;
	if (value.name)
		scope.variables = index.name ? &index : &value;
	return print_nodes(&scope, node->body);
}

static int print_range(struct scope *scope, const struct node *node, struct json_object *value)
{
	if (!template_is_true(value))
		return print_nodes(scope, node->otherwise);
	if (json_object_is_type(value, json_type_array)) {
		for (size_t i = 0; i < json_object_array_length(value); i++) {
			AUTO(json) struct json_object *index = json_object_new_int64((int64_t)i);

			if (print_element(scope, node, index, json_object_array_get_idx(value, i)) <
			    0)
				return -1;
		}
		return 0;
	}
	if (!json_object_is_type(value, json_type_object))
		return err_set(scope->err, ERR_INVALID, "template: range needs a list or a map");
	json_each(value, key, member) {
		AUTO(json) struct json_object *name = json_object_new_string(key);

		if (print_element(scope, node, name, member) < 0)
			return -1;
	}
	return 0;
}

static int print_node(struct scope *scope, const struct node *node, struct json_object *value)
{
	struct scope inner = *scope;

	switch (node->kind) {
	case NODE_PRINT: {
		AUTO(free) char *text = template_text_of(value);

		fputs(text, scope->out);
		return 0;
	}
	case NODE_RANGE:
		return print_range(scope, node, value);
	case NODE_WITH:
		if (template_is_true(value))
			inner.dot = value;
		break;
	case NODE_IF:
	case NODE_TEXT:
		break;
	}
	return print_nodes(&inner, template_is_true(value) ? node->body : node->otherwise);
}

static int print_nodes(struct scope *scope, const struct node *first)
{
	for (const struct node *node = first; node; node = node->next) {
		AUTO(json) struct json_object *value = NULL;

		if (node->kind == NODE_TEXT) {
			if (node->text_len)
				fwrite(node->text, 1, node->text_len, scope->out);
			continue;
		}
		if (pipeline_value(scope, node->pipeline, &value) < 0)
			return -1;
		if (node->kind == NODE_PRINT && node->pipeline->variables[1]) {
			/* {{$x := ...}} holds to the end of this list of nodes */
			struct variable set = { node->pipeline->variables[1], value,
						scope->variables };
			struct scope rest = *scope;

			rest.variables = &set;
			return print_nodes(&rest, node->next);
		}
		if (print_node(scope, node, value) < 0)
			return -1;
	}
	return 0;
}

int template_print(const struct template *template, FILE *out, struct json_object *value,
		   struct err *err)
{
	struct scope scope = { out, value, value, NULL, err };

	return print_nodes(&scope, template->first);
}
