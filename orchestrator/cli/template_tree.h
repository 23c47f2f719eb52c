/* orchestrator/cli/template_tree - a parsed template; shared by template (text to tree) and
 * template_print. */
#pragma once
#include <stdbool.h>
#include <stddef.h>

#include "base/arena.h"
#include "orchestrator/cli/template.h"

#define TEMPLATE_DEPTH_MAX 32 /* nested blocks and parentheses */

enum operand_kind {
	OPERAND_DOT,      /* . or .A.B: keys below the present value */
	OPERAND_ROOT,     /* $ or $.A */
	OPERAND_VARIABLE, /* $name or $name.A */
	OPERAND_TEXT,
	OPERAND_NUMBER,
	OPERAND_BOOL,
	OPERAND_FUNCTION,
	OPERAND_PIPELINE /* in parentheses */
};

struct operand {
	enum operand_kind kind;
	const char *text; /* name or literal */
	const char **keys;
	size_t key_count;
	struct pipeline *pipeline;
};

/* One function or value with its arguments. */
struct call {
	struct operand *operands;
	size_t count;
};

struct pipeline {
	const char *variables[2]; /* $k, $v := ...; a single one stands in [1] */
	struct call *calls;
	size_t count;
};

enum node_kind { NODE_TEXT, NODE_PRINT, NODE_IF, NODE_WITH, NODE_RANGE };

struct node {
	enum node_kind kind;
	const char *text;
	size_t text_len;
	struct pipeline *pipeline;
	struct node *body, *otherwise;
	struct node *next;
};

struct template
{
	struct arena *arena;
	struct node *first;
};
