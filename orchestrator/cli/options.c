/* orchestrator/cli/options - the values of a command line by name.
 *
 * Owns: where values lie, which level's row a name means, what stands for a value that nobody set.
 * May not touch: argv and variables (options_parse), streams, what an option means.
 */
#include "orchestrator/cli/options.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "orchestrator/cli/options_inner.h"
#include "orchestrator/cli/options_value.h"

static const char *const no_words[] = { NULL };

size_t options_row_count(const struct option_row *table)
{
	size_t count = 0;

	while (table && table[count].name)
		count++;
	return count;
}

int options_push_level(struct options *options, const struct command *command, struct err *err)
{
	size_t rows = options_row_count(command->options);
	struct level *level;

	if (options->level_count == LEVELS_MAX)
		return err_set(err, ERR_INTERNAL, "commands nested too deeply");
	level = &options->levels[options->level_count++];
	level->command = command;
	level->values = arena_alloc(options->arena, (rows + 1) * sizeof(*level->values));
	options->path =
		options->path ? arena_format(options->arena, "%s %s", options->path, command->name)
			      : command->name;
	return 0;
}

const struct option_row *options_find(const struct options *options, const char *name, size_t len,
				      struct value **out_value)
{
	for (size_t i = options->level_count; i-- > 0;) {
		const struct level *level = &options->levels[i];
		const struct option_row *row = option_row_named(level->command->options, name, len);

		if (row) {
			*out_value = &level->values[row - level->command->options];
			return row;
		}
	}
	return NULL;
}
struct options *options_new(const struct command *root)
{
	struct arena *arena = arena_new();
	struct options *options = arena_alloc(arena, sizeof(*options));
	struct err err = ERR_NONE;

	options->arena = arena;
	options_push_level(options, root, &err); /* the first level always fits */
	options->globals = arena_alloc(arena, sizeof(*options));
	*options->globals = *options;
	options->globals->globals = options->globals;
	return options;
}

void options_free(struct options *options)
{
	if (options)
		arena_free(options->arena); /* with options itself */
}

const char *options_unknown(const struct options *options)
{
	return options->unknown;
}

bool options_wants_help(const struct options *options)
{
	return options->wants_help;
}

const struct command *options_command(const struct options *options)
{
	return options->levels[options->level_count - 1].command;
}

const char *options_path(const struct options *options)
{
	return options->path;
}

size_t options_level_count(const struct options *options)
{
	return options->level_count;
}

const struct command *options_level(const struct options *options, size_t level)
{
	return options->levels[level].command;
}

const struct options *options_globals(const struct options *options)
{
	return options->globals;
}

size_t options_argument_count(const struct options *options)
{
	return options->argument_count;
}

const char *const *options_arguments(const struct options *options)
{
	return options->arguments ? (const char *const *)options->arguments : no_words;
}

const char *options_argument(const struct options *options, size_t i)
{
	return i < options->argument_count ? options->arguments[i] : NULL;
}

/* What a command asks for must be in its tables: anything else is a slip of ours. */
static const struct option_row *need(const struct options *options, const char *name,
				     unsigned kinds, struct value **out_value)
{
	const struct option_row *row = options_find(options, name, strlen(name), out_value);

	if (!row || !(kinds & (1u << row->kind))) {
		fprintf(stderr, "stack: internal: \"%s\" has no option --%s of that kind\n",
			options->path, name);
		abort();
	}
	return row;
}

#define KIND(kind) (1u << (kind))

bool options_flag(const struct options *options, const char *name)
{
	struct value *value = NULL;
	const struct option_row *row = need(options, name, KIND(OPTION_FLAG), &value);
	struct err err = ERR_NONE;
	bool flag = false;

	if (value->set)
		return value->flag;
	return row->fallback && option_bool(row, row->fallback, &flag, &err) == 0 && flag;
}

const char *options_text(const struct options *options, const char *name)
{
	struct value *value = NULL;
	const struct option_row *row =
		need(options, name, KIND(OPTION_TEXT) | KIND(OPTION_CHOICE), &value);

	return value->set ? value->text : row->fallback;
}

int64_t options_number(const struct options *options, const char *name)
{
	struct value *value = NULL;
	const struct option_row *row = need(options, name, KIND(OPTION_NUMBER), &value);
	struct err err = ERR_NONE;
	int64_t number = 0;

	if (value->set)
		return value->number;
	if (row->fallback)
		option_number(row, row->fallback, &number, &err);
	return number;
}

const char *const *options_list(const struct options *options, const char *name, size_t *out_count)
{
	struct value *value = NULL;

	need(options, name, KIND(OPTION_LIST), &value);
	if (out_count)
		*out_count = value->list_count;
	return value->list ? (const char *const *)value->list : no_words;
}

bool options_is_given(const struct options *options, const char *name)
{
	struct value *value = NULL;

	need(options, name, ~0u, &value);
	return value->given;
}

bool options_is_set(const struct options *options, const char *name)
{
	struct value *value = NULL;

	need(options, name, ~0u, &value);
	return value->set;
}
