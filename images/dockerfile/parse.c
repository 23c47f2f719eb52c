/* images/dockerfile/parse - logical lines to instructions, by the table.
 *
 * Owns: instruction words, flags, JSON and shell forms, pairs; the errors that a form can have.
 * May not touch: variables (expand), stages (graph), files.
 */
#include "images/dockerfile/parse.h"

#include <string.h>
#include <strings.h>

#include "base/json.h"

struct parser {
	struct df_report *report;
	const struct df_line *line;
	char escape;
	bool is_trigger; /* behind ONBUILD, or out of a base image */
	struct err *err;
};

static struct df_place place_at(const struct parser *parser, const char *at)
{
	return df_line_place(parser->line, (size_t)(at - parser->line->text));
}

static struct df_word word_of(const struct parser *parser, struct slice text)
{
	return (struct df_word){ arena_strndup(parser->report->arena, text.at, text.len),
				 place_at(parser, text.at), NULL };
}

static struct df_word *add_word(const struct parser *parser, struct df_instr *instr)
{
	return arena_grow(parser->report->arena, &instr->words, &instr->word_count,
			  sizeof(*instr->words));
}

/* -- flags ---------------------------------------------------------------------------------------
 */

/* Quotes and escapes off, variables left. */
static const char *unquoted(const struct parser *parser, struct slice text)
{
	char *out = arena_alloc(parser->report->arena, text.len + 1), quote = 0;
	size_t n = 0;

	for (size_t i = 0; i < text.len; i++) {
		char c = text.at[i];

		if ((quote && c == quote) || (!quote && (c == '"' || c == '\''))) {
			quote = quote ? 0 : c;
			continue;
		}
		if (c == parser->escape && quote != '\'' && i + 1 < text.len) {
			if (text.at[i + 1] == '$') /* stays escaped for expand */
				out[n++] = c;
			c = text.at[++i];
		}
		out[n++] = c;
	}
	return out;
}

static int bool_value(const struct parser *parser, const struct df_flag_row *row,
		      struct df_word *value)
{
	static const char *const words[] = { "false", "true", "0", "1" };

	for (size_t i = 0; i < sizeof(words) / sizeof(*words); i++)
		if (strcasecmp(value->text, words[i]) == 0) {
			value->text = words[i % 2];
			return 0;
		}
	return df_report_fail(parser->report, ERR_INVALID, value->place, parser->err,
			      "--%s takes true or false, not \"%.60s\"", row->name, value->text);
}

static int read_flag(const struct parser *parser, struct df_instr *instr, struct slice word)
{
	struct df_place place = place_at(parser, word.at);
	const struct df_flag_row *row;
	const char *near;
	struct slice name, value;
	struct df_flag flag;
	bool has_value;

	has_value = slice_split((struct slice){ word.at + 2, word.len - 2 }, '=', &name, &value);
	if (!df_flag_find(instr->kind, name, &flag.kind, &near))
		return df_report_fail(parser->report, ERR_INVALID, place, parser->err,
				      "%s has no flag --%.*s%s%s%s", df_row(instr->kind)->name,
				      name.len > 60 ? 60 : (int)name.len, name.at,
				      near ? " (did you mean --" : "", near ? near : "",
				      near ? "?)" : "");
	row = df_flag_row(flag.kind);
	if (!row->repeats && df_instr_flag(instr, flag.kind))
		return df_report_fail(parser->report, ERR_INVALID, place, parser->err,
				      "--%s stands here a second time", row->name);
	if (!has_value && !row->is_bool)
		return df_report_fail(parser->report, ERR_INVALID, place, parser->err,
				      "--%s needs a value: --%s=VALUE", row->name, row->name);
	flag.value = (struct df_word){ has_value ? unquoted(parser, value) : "true",
				       has_value ? place_at(parser, value.at) : place, NULL };
	if (row->is_bool && bool_value(parser, row, &flag.value) < 0)
		return -1;
	*(struct df_flag *)arena_grow(parser->report->arena, &instr->flags, &instr->flag_count,
				      sizeof(flag)) = flag;
	return 0;
}

/* Takes the flags at the front of *rest. "--" alone ends them. */
static int read_flags(const struct parser *parser, struct df_instr *instr, struct slice *rest)
{
	size_t offset = 0;
	struct slice word;
	bool open;

	while (df_next_word(rest->at, rest->len, parser->escape, &offset, &word, &open)) {
		if (word.len < 2 || memcmp(word.at, "--", 2) != 0)
			break;
		if (word.len > 2 && open)
			return df_report_fail(parser->report, ERR_INVALID,
					      place_at(parser, word.at), parser->err,
					      "the quote in this flag has no end");
		if (word.len > 2 && read_flag(parser, instr, word) < 0)
			return -1;
		rest->len -= offset;
		rest->at += offset;
		offset = 0;
		if (word.len == 2)
			break;
	}
	*rest = slice_trim(*rest);
	return 0;
}

/* -- forms ---------------------------------------------------------------------------------------
 */

/* A JSON array of texts becomes the words. False, with nothing added, for anything else. */
static bool read_json(const struct parser *parser, struct df_instr *instr, struct slice rest)
{
	AUTO(json) struct json_object *array = NULL;
	struct err ignored = ERR_NONE;

	if (!rest.len || rest.at[0] != '[')
		return false;
	array = json_parse("", rest.at, rest.len, &ignored);
	if (!json_object_is_type(array, json_type_array))
		return false;
	for (size_t i = 0; i < json_array_count(array); i++) {
		struct json_object *item = json_object_array_get_idx(array, i);

		if (!json_object_is_type(item, json_type_string) ||
		    strlen(json_object_get_string(item)) !=
			    (size_t)json_object_get_string_len(item))
			return false;
	}
	for (size_t i = 0; i < json_array_count(array); i++)
		*add_word(parser, instr) = (struct df_word){
			arena_strdup(parser->report->arena,
				     json_object_get_string(json_object_array_get_idx(array, i))),
			place_at(parser, rest.at), NULL
		};
	instr->is_json = true;
	return true;
}

static void warn_near_json(const struct parser *parser, struct slice rest)
{
	if (rest.len > 1 && rest.at[0] == '[' && rest.at[rest.len - 1] == ']')
		df_report_warn(parser->report, DF_CHECK_JSON_ARGS_RECOMMENDED,
			       place_at(parser, rest.at),
			       "this is no JSON array of \"texts\", so it is taken as shell form");
}

static void read_words(const struct parser *parser, struct df_instr *instr, struct slice rest)
{
	size_t at = 0, start;

	for (;;) {
		while (at < rest.len && strchr(" \t\r\n", rest.at[at]))
			at++;
		if (at >= rest.len)
			return;
		for (start = at; at < rest.len && !strchr(" \t\r\n", rest.at[at]);)
			at++;
		*add_word(parser, instr) =
			word_of(parser, (struct slice){ rest.at + start, at - start });
	}
}

static int form_words(const struct parser *parser, struct df_instr *instr, struct slice rest)
{
	read_words(parser, instr, rest);
	return 0;
}

/* Heredoc words are known by their place in the line. */
static int form_words_json(const struct parser *parser, struct df_instr *instr, struct slice rest)
{
	size_t offset = 0, at = 0;
	struct slice word;

	if (read_json(parser, instr, rest))
		return 0;
	warn_near_json(parser, rest);
	if (!parser->line->heredoc_count) {
		read_words(parser, instr, rest);
		return 0;
	}
	while (df_next_word(rest.at, rest.len, parser->escape, &offset, &word, NULL)) {
		struct df_word *added = add_word(parser, instr);

		*added = word_of(parser, word);
		if (at < parser->line->heredoc_count &&
		    parser->line->heredocs[at].offset == (size_t)(word.at - parser->line->text))
			added->heredoc = &parser->line->heredocs[at++];
		if (added->heredoc && *added->heredoc->descriptor)
			return df_report_fail(parser->report, ERR_INVALID, added->place,
					      parser->err,
					      "%s takes a heredoc without a number in front of <<",
					      df_row(instr->kind)->name);
	}
	return 0;
}

static int form_command(const struct parser *parser, struct df_instr *instr, struct slice rest)
{
	if (read_json(parser, instr, rest))
		return 0;
	warn_near_json(parser, rest);
	if (rest.len)
		*add_word(parser, instr) = word_of(parser, rest);
	return 0;
}

static int form_json(const struct parser *parser, struct df_instr *instr, struct slice rest)
{
	if (read_json(parser, instr, rest))
		return 0;
	return df_report_fail(parser->report, ERR_INVALID, instr->place, parser->err,
			      "%s needs a JSON array of texts: %s", df_row(instr->kind)->name,
			      df_row(instr->kind)->usage);
}

static int form_text(const struct parser *parser, struct df_instr *instr, struct slice rest)
{
	if (rest.len)
		*add_word(parser, instr) = word_of(parser, rest);
	return 0;
}

static void add_pair(const struct parser *parser, struct df_instr *instr, struct slice key,
		     struct slice value, bool has_value)
{
	struct df_pair *pair =
		arena_grow(parser->report->arena, &instr->pairs, &instr->pair_count, sizeof(*pair));

	pair->key = word_of(parser, key);
	pair->has_value = has_value;
	pair->value =
		has_value ? word_of(parser, value) : (struct df_word){ "", pair->key.place, NULL };
}

static int bad_pair(const struct parser *parser, const struct df_instr *instr, struct slice word,
		    const char *what)
{
	return df_report_fail(parser->report, ERR_INVALID, place_at(parser, word.at), parser->err,
			      "\"%.*s\" %s: %s", word.len > 60 ? 60 : (int)word.len, word.at, what,
			      df_row(instr->kind)->usage);
}

/* NAME VALUE WITH BLANKS, the form without '='. */
static int old_pair(const struct parser *parser, struct df_instr *instr, struct slice name,
		    struct slice rest)
{
	struct slice value = { name.at + name.len,
			       rest.len - (size_t)(name.at + name.len - rest.at) };

	value = slice_trim(value);
	if (!value.len)
		return bad_pair(parser, instr, name, "has no value");
	add_pair(parser, instr, name, value, true);
	instr->is_old_form = true;
	df_report_warn(parser->report, DF_CHECK_LEGACY_KEY_VALUE_FORMAT, instr->place,
		       "\"%s NAME VALUE\" is the old form: write %s NAME=VALUE",
		       df_row(instr->kind)->name, df_row(instr->kind)->name);
	return 0;
}

static int form_pairs(const struct parser *parser, struct df_instr *instr, struct slice rest)
{
	size_t offset = 0;
	struct slice word, key, value;
	bool open, needs_value = df_row(instr->kind)->form == DF_FORM_PAIRS;

	while (df_next_word(rest.at, rest.len, parser->escape, &offset, &word, &open)) {
		bool has_value = slice_split(word, '=', &key, &value);

		if (needs_value && !has_value && instr->pair_count == 0)
			return old_pair(parser, instr, word, rest);
		if (open)
			return bad_pair(parser, instr, word, "has a quote without an end");
		if (needs_value && !has_value)
			return bad_pair(parser, instr, word, "has no =");
		if (!key.len)
			return bad_pair(parser, instr, word, "has no name");
		add_pair(parser, instr, key, value, has_value);
	}
	return 0;
}

static int form_healthcheck(const struct parser *parser, struct df_instr *instr, struct slice rest)
{
	size_t offset = 0;
	struct slice word = { rest.at, 0 };

	df_next_word(rest.at, rest.len, parser->escape, &offset, &word, NULL);
	rest.at += offset;
	rest.len -= offset;
	rest = slice_trim(rest);
	if (word.len == 4 && strncasecmp(word.at, "NONE", 4) == 0) {
		instr->is_none = true;
		if (rest.len || instr->flag_count)
			return df_report_fail(parser->report, ERR_INVALID, instr->place,
					      parser->err, "HEALTHCHECK NONE takes nothing else");
		*add_word(parser, instr) = word_of(parser, word);
		return 0;
	}
	if (word.len != 3 || strncasecmp(word.at, "CMD", 3) != 0)
		return df_report_fail(parser->report, ERR_INVALID, place_at(parser, word.at),
				      parser->err, "\"%.*s\" is neither NONE nor CMD: %s",
				      word.len > 60 ? 60 : (int)word.len, word.at,
				      df_row(instr->kind)->usage);
	return form_command(parser, instr, rest);
}

static int parse_instr(struct parser *parser, struct slice text, struct df_instr *out);

static int form_instruction(const struct parser *parser, struct df_instr *instr, struct slice rest)
{
	struct parser inner = *parser;

	if (!rest.len)
		return 0; /* the number of words says it */
	inner.is_trigger = true;
	instr->trigger = arena_alloc(parser->report->arena, sizeof(*instr->trigger));
	*add_word(parser, instr) = word_of(parser, rest);
	return parse_instr(&inner, rest, instr->trigger);
}

static int (*const forms[])(const struct parser *parser, struct df_instr *instr,
			    struct slice rest) = {
	[DF_FORM_WORDS] = form_words,
	[DF_FORM_WORDS_JSON] = form_words_json,
	[DF_FORM_COMMAND] = form_command,
	[DF_FORM_JSON] = form_json,
	[DF_FORM_TEXT] = form_text,
	[DF_FORM_PAIRS] = form_pairs,
	[DF_FORM_NAMES] = form_pairs,
	[DF_FORM_HEALTHCHECK] = form_healthcheck,
	[DF_FORM_INSTRUCTION] = form_instruction,
};

/* -- instructions --------------------------------------------------------------------------------
 */

static int check_count(const struct parser *parser, const struct df_instr *instr)
{
	const struct df_row *row = df_row(instr->kind);
	bool has_pairs = row->form == DF_FORM_PAIRS || row->form == DF_FORM_NAMES;
	size_t count = has_pairs ? instr->pair_count : instr->word_count;

	if (count < row->min)
		return df_report_fail(
			parser->report, ERR_INVALID, instr->place, parser->err, "%s needs %s: %s",
			row->name, row->min > 1 ? "at least two words" : "an argument", row->usage);
	if (count > row->max || (instr->kind == DF_FROM && count == 2) ||
	    (instr->kind == DF_FROM && count == 3 && strcasecmp(instr->words[1].text, "AS") != 0))
		return df_report_fail(parser->report, ERR_INVALID, instr->words[1].place,
				      parser->err, "%s has too many words or a wrong one: %s",
				      row->name, row->usage);
	return 0;
}

static int check_trigger(const struct parser *parser, const struct df_instr *instr)
{
	if (parser->is_trigger &&
	    (instr->kind == DF_FROM || instr->kind == DF_ONBUILD || instr->kind == DF_MAINTAINER))
		return df_report_fail(parser->report, ERR_INVALID, instr->place, parser->err,
				      "%s cannot stand behind ONBUILD", df_row(instr->kind)->name);
	return 0;
}

static int parse_instr(struct parser *parser, struct slice text, struct df_instr *out)
{
	size_t offset = 0;
	struct slice word = { text.at, 0 }, rest;
	const char *near;

	*out = (struct df_instr){ .line = parser->line, .place = place_at(parser, text.at) };
	df_next_word(text.at, text.len, '\0', &offset, &word, NULL);
	if (!df_row_find(word, &out->kind, &near))
		return df_report_fail(
			parser->report, ERR_INVALID, out->place, parser->err,
			"unknown instruction: %.*s%s%s%s", word.len > 60 ? 60 : (int)word.len,
			word.at, near ? " (did you mean " : "", near ? near : "", near ? "?)" : "");
	rest = slice_trim((struct slice){ text.at + offset, text.len - offset });
	out->arguments = arena_strndup(parser->report->arena, rest.at, rest.len);
	if (check_trigger(parser, out) < 0 || read_flags(parser, out, &rest) < 0 ||
	    forms[df_row(out->kind)->form](parser, out, rest) < 0)
		return -1;
	return check_count(parser, out);
}

int df_parse(struct df_report *report, const struct df_source *source, unsigned flags,
	     struct df_file *out, struct err *err)
{
	bool is_trigger = flags & DF_PARSE_TRIGGERS, has_from = false;

	*out = (struct df_file){ .escape = source->escape };
	for (size_t i = 0; i < source->line_count; i++) {
		const struct df_line *line = &source->lines[i];
		struct parser parser = { report, line, source->escape, is_trigger, err };
		struct df_instr instr;

		if (parse_instr(&parser, (struct slice){ line->text, line->len }, &instr) < 0)
			return -1;
		has_from = has_from || instr.kind == DF_FROM;
		if (!is_trigger && !has_from && instr.kind != DF_ARG)
			return df_report_fail(report, ERR_INVALID, instr.place, err,
					      "%s stands before the first FROM",
					      df_row(instr.kind)->name);
		*(struct df_instr *)arena_grow(report->arena, &out->instrs, &out->instr_count,
					       sizeof(instr)) = instr;
	}
	if (!is_trigger && !has_from)
		return err_set(err, ERR_INVALID, "no build stage in %s: FROM is missing",
			       report->file);
	return 0;
}

const char *df_instr_flag(const struct df_instr *instr, enum df_flag_kind kind)
{
	for (size_t i = 0; i < instr->flag_count; i++)
		if (instr->flags[i].kind == kind)
			return instr->flags[i].value.text;
	return NULL;
}

bool df_instr_has(const struct df_instr *instr, enum df_flag_kind kind)
{
	const char *value = df_instr_flag(instr, kind);

	return value && strcmp(value, "false") != 0;
}
