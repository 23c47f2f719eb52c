/* orchestrator/cli/options_parse - words and variables to values.
 *
 * Owns: how words of a command line become commands, values and arguments; which source of a value
 * wins (command line, then variables in the order of the calls, then the default). May not touch:
 * streams, files, what an option means.
 */
#include <stdio.h>
#include <string.h>

#include "base/text.h"
#include "orchestrator/cli/options_inner.h"
#include "orchestrator/cli/options_value.h"

/* The words not yet read. */
struct words {
	char **at;
	size_t left;
};

static void add_word(struct options *options, const char ***list, size_t *count, const char *text)
{
	size_t slots = *count + 1;

	/* Doubling: 1, 2, 4 ... with one more for the NULL; lists are as long as a command line. */
	if ((*count & (*count - 1)) == 0) {
		const char **wider = arena_alloc(options->arena, (2 * slots + 1) * sizeof(*wider));

		if (*count)
			memcpy(wider, *list, *count * sizeof(*wider));
		*list = wider;
	}
	(*list)[(*count)++] = text;
	(*list)[*count] = NULL;
}

/* Copied: whoever gives the process another title writes over argv. */
static void add_argument(struct options *options, const char *text)
{
	add_word(options, &options->arguments, &options->argument_count,
		 arena_strdup(options->arena, text));
}

static int store(struct options *options, const struct option_row *row, struct value *value,
		 const char *text, struct err *err)
{
	switch (row->kind) {
	case OPTION_FLAG:
		return option_bool(row, text, &value->flag, err);
	case OPTION_NUMBER:
		return option_number(row, text, &value->number, err);
	case OPTION_CHOICE:
		if (!option_choice_has(row, text))
			return err_set(err, ERR_INVALID, "--%s: \"%s\" is none of %s", row->name,
				       text, row->value);
		value->text = text;
		return 0;
	case OPTION_LIST:
		add_word(options, &value->list, &value->list_count, text);
		return 0;
	case OPTION_TEXT:
	case OPTION_KIND_COUNT:
		break;
	}
	value->text = text;
	return 0;
}

static const struct option_row *find_lettered(const struct options *options, char letter,
					      struct value **out_value)
{
	for (size_t i = options->level_count; i-- > 0;) {
		const struct level *level = &options->levels[i];
		const struct option_row *row = option_row_lettered(level->command->options, letter);

		if (row) {
			*out_value = &level->values[row - level->command->options];
			return row;
		}
	}
	return NULL;
}

/* All long names that hold here, for near misses. */
static const char *name_candidate(const void *ctx, size_t i)
{
	const struct options *options = ctx;

	for (size_t level = options->level_count; level-- > 0;) {
		const struct option_row *table = options->levels[level].command->options;
		size_t rows = options_row_count(table);

		if (i < rows)
			return table[i].name;
		i -= rows;
	}
	return i == 0 ? "help" : NULL;
}

static int see_help(const struct options *options, struct err *err)
{
	size_t len = strlen(err->msg);

	snprintf(err->msg + len, sizeof(err->msg) - len, "; see '%s --help'", options->path);
	return -1;
}

static int unknown_flag(const struct options *options, const char *name, size_t len,
			struct err *err)
{
	char word[65];
	const char *near;

	snprintf(word, sizeof(word), "%.*s", (int)(len < 64 ? len : 64), name);
	near = text_near(word, name_candidate, options);
	if (near)
		err_set(err, ERR_INVALID, "unknown flag: --%s (did you mean --%s?)", word, near);
	else
		err_set(err, ERR_INVALID, "unknown flag: --%s", word);
	return see_help(options, err);
}

static int take_value(struct options *options, const struct option_row *row, struct value *value,
		      const char *text, struct err *err)
{
	if (store(options, row, value, arena_strdup(options->arena, text), err) < 0)
		return see_help(options, err);
	value->given = true;
	value->set = true;
	return 0;
}

static int next_word(const struct options *options, const struct option_row *row,
		     struct words *words, const char **out, struct err *err)
{
	if (words->left == 0) {
		err_set(err, ERR_INVALID, "--%s needs a value: %s", row->name, row->value);
		return see_help(options, err);
	}
	*out = *words->at++;
	words->left--;
	return 0;
}

static int parse_long(struct options *options, const char *word, struct words *words,
		      struct err *err)
{
	const char *equals = strchr(word, '='), *text;
	size_t len = equals ? (size_t)(equals - word) : strlen(word);
	const struct option_row *row;
	struct value *value = NULL;

	row = options_find(options, word, len, &value);
	if (!row && len == 4 && memcmp(word, "help", 4) == 0) {
		options->wants_help = true;
		return 0;
	}
	if (!row)
		return unknown_flag(options, word, len, err);
	if (equals)
		text = equals + 1;
	else if (row->kind == OPTION_FLAG)
		text = "true";
	else if (next_word(options, row, words, &text, err) < 0)
		return -1;
	return take_value(options, row, value, text, err);
}

/* -dT, -fv, -f=v, -f v, -d=false */
static int parse_letters(struct options *options, const char *letters, struct words *words,
			 struct err *err)
{
	for (const char *letter = letters; *letter; letter++) {
		const struct option_row *row;
		struct value *value = NULL;
		const char *text = letter + 1;

		row = find_lettered(options, *letter, &value);
		if (!row && *letter == 'h') {
			options->wants_help = true;
			continue;
		}
		if (!row) {
			err_set(err, ERR_INVALID, "unknown flag: -%c in -%s", *letter, letters);
			return see_help(options, err);
		}
		if (row->kind == OPTION_FLAG && *text != '=') {
			if (take_value(options, row, value, "true", err) < 0)
				return -1;
			continue;
		}
		if (*text == '=')
			text++;
		else if (!*text && next_word(options, row, words, &text, err) < 0)
			return -1;
		return take_value(options, row, value, text, err);
	}
	return 0;
}

static const char *child_candidate(const void *ctx, size_t i)
{
	const struct command *parent = ctx;

	return parent->children[i].name;
}

static int unknown_command(struct options *options, const char *name, struct err *err)
{
	const struct command *parent = options_command(options);
	const char *near = text_near(name, child_candidate, parent);

	options->unknown = name;

	if (near)
		err_set(err, ERR_NOT_FOUND, "unknown command: %s %.60s (did you mean \"%s %s\"?)",
			options->path, name, options->path, near);
	else
		err_set(err, ERR_NOT_FOUND, "unknown command: %s %.60s", options->path, name);
	return -1;
}

/* A word that is no flag: a command's name or an argument. */
static int parse_word(struct options *options, const char *word, struct words *words,
		      struct err *err)
{
	const struct command *command = options_command(options);

	if (command->children && options->argument_count == 0) {
		const struct command *child = command_child(command, word);

		if (child)
			return options_push_level(options, child, err);
		if (options->level_count == 1 && strcmp(word, "help") == 0) {
			options->wants_help = true;
			return 0;
		}
		if (!command->run)
			return unknown_command(options, word, err);
	}
	add_argument(options, word);
	if (command->flags & COMMAND_STOPS)
		for (; words->left; words->left--)
			add_argument(options, *words->at++);
	return 0;
}

static int check_arguments(const struct options *options, struct err *err)
{
	const struct command *command = options_command(options);
	size_t count = options->argument_count;

	if (count < command->arguments_min)
		err_set(err, ERR_INVALID, "\"%s\" needs %s %u argument%s: %s %s", options->path,
			command->arguments_max == command->arguments_min ? "exactly" : "at least",
			command->arguments_min, command->arguments_min == 1 ? "" : "s",
			options->path, command->arguments ? command->arguments : "");
	else if (count > command->arguments_max && command->arguments_max == 0)
		err_set(err, ERR_INVALID, "\"%s\" takes no arguments, but got \"%.60s\"",
			options->path, options->arguments[0]);
	else if (count > command->arguments_max)
		err_set(err, ERR_INVALID, "\"%s\" takes at most %u argument%s, but got %zu",
			options->path, command->arguments_max,
			command->arguments_max == 1 ? "" : "s", count);
	else
		return 0;
	return see_help(options, err);
}

int options_parse(struct options *options, int argc, char **argv, struct err *err)
{
	struct words words = { argv + 1, argc > 1 ? (size_t)argc - 1 : 0 };
	bool flags_ended = false;

	while (words.left) {
		const char *word = *words.at++;
		int result;

		words.left--;
		if (!flags_ended && strcmp(word, "--") == 0) {
			flags_ended = true;
			continue;
		}
		if (!flags_ended && word[0] == '-' && word[1] == '-')
			result = parse_long(options, word + 2, &words, err);
		else if (!flags_ended && word[0] == '-' && word[1])
			result = parse_letters(options, word + 1, &words, err);
		else
			result = parse_word(options, word, &words, err);
		if (result < 0)
			return -1;
	}
	if (!options_command(options)->run)
		options->wants_help = true;
	return options->wants_help ? 0 : check_arguments(options, err);
}

static char env_separator(const struct option_row *row,
			  const char *(*lookup)(void *ctx, const char *name), void *ctx)
{
	const char *separator;

	if (!(row->flags & OPTION_PATHS))
		return ',';
	separator = lookup(ctx, "COMPOSE_PATH_SEPARATOR");
	return separator && *separator ? *separator : ':';
}

static int apply_variable(struct options *options, const struct option_row *row,
			  struct value *value, const char *text, char separator, struct err *err)
{
	const char *copy = arena_strdup(options->arena, text);
	struct slice rest = SLICE(copy), part;

	if (row->kind != OPTION_LIST) {
		if (store(options, row, value, copy, err) < 0)
			return err_wrap(err, "%s", row->env);
	} else {
		while (slice_next(&rest, separator, &part))
			if (part.len)
				add_word(options, &value->list, &value->list_count,
					 arena_strndup(options->arena, part.at, part.len));
	}
	value->set = true;
	return 0;
}

int options_apply_env(struct options *options, const char *(*lookup)(void *ctx, const char *name),
		      void *ctx, struct err *err)
{
	for (size_t i = 0; i < options->level_count; i++) {
		const struct option_row *row = options->levels[i].command->options;

		for (struct value *value = options->levels[i].values; row && row->name;
		     row++, value++) {
			const char *text = row->env && !value->set ? lookup(ctx, row->env) : NULL;

			if (text && *text &&
			    apply_variable(options, row, value, text,
					   env_separator(row, lookup, ctx), err) < 0)
				return -1;
		}
	}
	return 0;
}
