/* orchestrator/cli/template - text of a template to its tree.
 *
 * Owns: the grammar. May not touch: values (template_print).
 */
#include "orchestrator/cli/template.h"

#include <ctype.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/text.h"
#include "orchestrator/cli/template_tree.h"

struct reader {
	struct arena *arena;
	const char *at;
	const char *end;
	unsigned depth;
	struct err *err;
};

/* What ended a list of nodes. */
enum ending { ENDING_TEXT, ENDING_END, ENDING_ELSE };

static int wrong(struct reader *reader, const char *what)
{
	return err_set(reader->err, ERR_INVALID, "template: %s near \"%.24s\"", what, reader->at);
}

static void skip_blanks(struct reader *reader)
{
	while (reader->at < reader->end && isspace((unsigned char)*reader->at))
		reader->at++;
}

static bool at_closing(const struct reader *reader)
{
	return reader->end - reader->at >= 2 &&
	       (memcmp(reader->at, "}}", 2) == 0 || memcmp(reader->at, "-}", 2) == 0);
}

static bool is_word(char c)
{
	return isalnum((unsigned char)c) || c == '_';
}

static const char *read_word(struct reader *reader)
{
	const char *from = reader->at;

	while (reader->at < reader->end && is_word(*reader->at))
		reader->at++;
	return arena_strndup(reader->arena, from, (size_t)(reader->at - from));
}

/* .A.B behind a dot, a variable or a parenthesis */
static int read_keys(struct reader *reader, struct operand *operand)
{
	while (reader->at < reader->end && *reader->at == '.') {
		const char **key;

		reader->at++;
		if (!is_word(*reader->at)) {
			if (operand->key_count == 0 && operand->kind == OPERAND_DOT)
				return 0; /* "." alone */
			return wrong(reader, "a field's name is missing");
		}
		key = arena_grow(reader->arena, &operand->keys, &operand->key_count, sizeof(*key));
		*key = read_word(reader);
	}
	return 0;
}

static int read_quoted(struct reader *reader, struct operand *operand)
{
	char quote = *reader->at++;
	const char *from = reader->at;
	char *text, *to;

	while (reader->at < reader->end && *reader->at != quote)
		reader->at +=
			quote == '"' && *reader->at == '\\' && reader->at + 1 < reader->end ? 2 : 1;
	if (reader->at >= reader->end)
		return wrong(reader, "a text is not closed");
	text = arena_strndup(reader->arena, from, (size_t)(reader->at - from));
	reader->at++;
	if (quote == '"') {
		to = text;
		for (const char *c = text; *c; c++)
			*to++ = *c == '\\' && c[1] ? *++c : *c;
		*to = '\0';
	}
	operand->kind = OPERAND_TEXT;
	operand->text = text;
	return 0;
}

static int read_pipeline(struct reader *reader, struct pipeline **out);

static int read_parenthesis(struct reader *reader, struct operand *operand)
{
	reader->at++;
	operand->kind = OPERAND_PIPELINE;
	if (++reader->depth > TEMPLATE_DEPTH_MAX)
		return wrong(reader, "nested too deeply");
	if (read_pipeline(reader, &operand->pipeline) < 0)
		return -1;
	reader->depth--;
	if (reader->at >= reader->end || *reader->at != ')')
		return wrong(reader, "')' is missing");
	reader->at++;
	return read_keys(reader, operand);
}

static int read_operand(struct reader *reader, struct operand *operand)
{
	char c = *reader->at;

	if (c == '.') {
		operand->kind = OPERAND_DOT;
		return read_keys(reader, operand);
	}
	if (c == '$') {
		reader->at++;
		operand->text = read_word(reader);
		operand->kind = operand->text[0] ? OPERAND_VARIABLE : OPERAND_ROOT;
		return read_keys(reader, operand);
	}
	if (c == '"' || c == '`')
		return read_quoted(reader, operand);
	if (c == '(')
		return read_parenthesis(reader, operand);
	if (isdigit((unsigned char)c) || (c == '-' && isdigit((unsigned char)reader->at[1]))) {
		const char *from = reader->at++;

		read_word(reader);
		operand->kind = OPERAND_NUMBER;
		operand->text = arena_strndup(reader->arena, from, (size_t)(reader->at - from));
		return 0;
	}
	if (!is_word(c))
		return wrong(reader, "unexpected character");
	operand->text = read_word(reader);
	operand->kind = strcmp(operand->text, "true") == 0 || strcmp(operand->text, "false") == 0
				? OPERAND_BOOL
				: OPERAND_FUNCTION;
	return 0;
}

/* "$k, $v :=" in front of a pipeline; nothing is read when there is none. */
static void read_variables(struct reader *reader, struct pipeline *pipeline)
{
	struct reader ahead = *reader;
	const char *names[2] = { NULL, NULL };
	size_t count = 0;

	while (count < 2 && ahead.at < ahead.end && *ahead.at == '$') {
		ahead.at++;
		names[count++] = read_word(&ahead);
		skip_blanks(&ahead);
		if (ahead.at < ahead.end && *ahead.at == ',')
			ahead.at++;
		skip_blanks(&ahead);
	}
	if (count == 0 || ahead.end - ahead.at < 2 || memcmp(ahead.at, ":=", 2) != 0)
		return;
	reader->at = ahead.at + 2;
	pipeline->variables[0] = count == 2 ? names[0] : NULL;
	pipeline->variables[1] = names[count - 1];
}

static int read_pipeline(struct reader *reader, struct pipeline **out)
{
	struct pipeline *pipeline = arena_alloc(reader->arena, sizeof(*pipeline));
	struct call *call = NULL;

	skip_blanks(reader);
	read_variables(reader, pipeline);
	for (;;) {
		struct operand *operand;

		skip_blanks(reader);
		if (reader->at >= reader->end)
			return wrong(reader, "\"}}\" is missing");
		if (at_closing(reader) || *reader->at == ')')
			break;
		if (*reader->at == '|') {
			if (!call)
				return wrong(reader, "nothing stands before the pipe");
			reader->at++;
			call = NULL;
			continue;
		}
		if (!call)
			call = arena_grow(reader->arena, &pipeline->calls, &pipeline->count,
					  sizeof(*call));
		operand =
			arena_grow(reader->arena, &call->operands, &call->count, sizeof(*operand));
		if (read_operand(reader, operand) < 0)
			return -1;
	}
	if (!call)
		return wrong(reader, "a value is missing");
	*out = pipeline;
	return 0;
}

/* Behind the closing braces; "-}}" eats the blanks that follow. */
static int read_closing(struct reader *reader)
{
	bool eats;

	skip_blanks(reader);
	if (!at_closing(reader))
		return wrong(reader, "\"}}\" is missing");
	eats = *reader->at == '-';
	if (eats && (reader->end - reader->at < 3 || reader->at[2] != '}'))
		return wrong(reader, "\"}}\" is missing");
	reader->at += eats ? 3 : 2;
	if (eats)
		skip_blanks(reader);
	return 0;
}

static bool take_word(struct reader *reader, const char *word)
{
	size_t len = strlen(word);

	if ((size_t)(reader->end - reader->at) < len || memcmp(reader->at, word, len) != 0 ||
	    is_word(reader->at[len]))
		return false;
	reader->at += len;
	return true;
}

static int read_nodes(struct reader *reader, struct node **out_first, enum ending *out_ending);

/* if, with, range: pipeline, body, else, end */
static int read_block(struct reader *reader, struct node *node)
{
	enum ending ending;

	if (++reader->depth > TEMPLATE_DEPTH_MAX)
		return wrong(reader, "nested too deeply");
	if (read_pipeline(reader, &node->pipeline) < 0 || read_closing(reader) < 0 ||
	    read_nodes(reader, &node->body, &ending) < 0)
		return -1;
	if (ending == ENDING_ELSE) {
		skip_blanks(reader);
		if (take_word(reader,
			      "if")) { /* "else if" is an if inside the else, with one end */
			node->otherwise = arena_alloc(reader->arena, sizeof(*node));
			node->otherwise->kind = NODE_IF;
			return read_block(reader, node->otherwise);
		}
		if (read_closing(reader) < 0 || read_nodes(reader, &node->otherwise, &ending) < 0)
			return -1;
	}
	if (ending != ENDING_END)
		return wrong(reader, "\"end\" is missing");
	reader->depth--;
	return read_closing(reader);
}

static const struct {
	const char *word;
	enum node_kind kind;
} blocks[] = {
	{"if",     NODE_IF   },
        { "with",  NODE_WITH },
        { "range", NODE_RANGE}
};

/* Inside the braces. *out_ending other than ENDING_TEXT: the list ends here. */
static int read_action(struct reader *reader, struct node *node, enum ending *out_ending)
{
	*out_ending = ENDING_TEXT;
	skip_blanks(reader);
	if (reader->end - reader->at >= 2 && memcmp(reader->at, "/*", 2) == 0) {
		const char *close = memmem(reader->at, (size_t)(reader->end - reader->at), "*/", 2);

		if (!close)
			return wrong(reader, "a comment is not closed");
		reader->at = close + 2;
		node->kind = NODE_TEXT;
		return read_closing(reader);
	}
	if (take_word(reader, "end")) {
		*out_ending = ENDING_END;
		return 0;
	}
	if (take_word(reader, "else")) {
		*out_ending = ENDING_ELSE;
		return 0;
	}
	for (size_t i = 0; i < sizeof(blocks) / sizeof(blocks[0]); i++)
		if (take_word(reader, blocks[i].word)) {
			node->kind = blocks[i].kind;
			return read_block(reader, node);
		}
	node->kind = NODE_PRINT;
	if (read_pipeline(reader, &node->pipeline) < 0)
		return -1;
	return read_closing(reader);
}

/* The text up to the next braces, without its last blanks before "{{-". */
static void read_text(struct reader *reader, struct node *node)
{
	size_t left = (size_t)(reader->end - reader->at);
	const char *open = memmem(reader->at, left, "{{", 2);
	size_t len = open ? (size_t)(open - reader->at) : left;

	node->kind = NODE_TEXT;
	node->text = reader->at;
	node->text_len = len;
	reader->at += len;
	if (open && reader->end - open > 3 && open[2] == '-' && isspace((unsigned char)open[3])) {
		while (node->text_len && isspace((unsigned char)node->text[node->text_len - 1]))
			node->text_len--;
	}
}

static int read_nodes(struct reader *reader, struct node **out_first, enum ending *out_ending)
{
	struct node **place = out_first;

	*out_ending = ENDING_TEXT;
	while (reader->at < reader->end) {
		struct node *node = arena_alloc(reader->arena, sizeof(*node));

		if (reader->end - reader->at < 2 || memcmp(reader->at, "{{", 2) != 0) {
			read_text(reader, node);
		} else {
			reader->at += 2;
			if (*reader->at == '-' && isspace((unsigned char)reader->at[1]))
				reader->at++;
			if (read_action(reader, node, out_ending) < 0)
				return -1;
			if (*out_ending != ENDING_TEXT)
				return 0;
		}
		*place = node;
		place = &node->next;
	}
	return 0;
}

/* The two characters \t and \n become what they mean; shells make them hard to type. */
static char *with_escapes(struct arena *arena, const char *text)
{
	char *copy = arena_strdup(arena, text), *to = copy;

	for (const char *c = copy; *c; c++)
		if (c[0] == '\\' && (c[1] == 't' || c[1] == 'n'))
			*to++ = *++c == 't' ? '\t' : '\n';
		else
			*to++ = *c;
	*to = '\0';
	return copy;
}

struct template *template_parse(const char *text, struct err *err)
{
	AUTO(arena) struct arena *arena = arena_new();
	struct template *template = arena_alloc(arena, sizeof(*template));
	const char *copy = with_escapes(arena, text);
	struct reader reader = { arena, copy, copy + strlen(copy), 0, err };
	enum ending ending;

	if (read_nodes(&reader, &template->first, &ending) < 0)
		return NULL;
	if (ending != ENDING_TEXT) {
		wrong(&reader, "\"end\" or \"else\" without its block");
		return NULL;
	}
	template->arena = TAKE(arena);
	return template;
}

void template_free(struct template *template)
{
	if (template)
		arena_free(template->arena);
}
