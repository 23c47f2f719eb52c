/* orchestrator/cli/options_table - look-ups in the option tables, and their check.
 *
 * Owns: which name means which row or command; what a sound table is.
 * May not touch: argv, the environment, streams.
 */
#include <string.h>

#include "base/num.h"
#include "base/text.h"
#include "orchestrator/cli/options.h"
#include "orchestrator/cli/options_value.h"

static bool same_name(const char *name, const char *text, size_t len)
{
	return name && strlen(name) == len && memcmp(name, text, len) == 0;
}

const struct option_row *option_row_named(const struct option_row *table, const char *name,
					  size_t len)
{
	for (const struct option_row *row = table; row && row->name; row++)
		if (same_name(row->name, name, len) || same_name(row->alias, name, len))
			return row;
	return NULL;
}

const struct option_row *option_row_lettered(const struct option_row *table, char letter)
{
	for (const struct option_row *row = table; row && row->name; row++)
		if (letter && row->letter == letter)
			return row;
	return NULL;
}

static bool is_called(const struct command *command, const char *name)
{
	struct slice rest, word;

	if (strcmp(command->name, name) == 0)
		return true;
	if (!command->alias)
		return false;
	rest = SLICE(command->alias);
	while (slice_next(&rest, '|', &word))
		if (slice_is(word, name))
			return true;
	return false;
}

const struct command *command_child(const struct command *parent, const char *name)
{
	for (const struct command *child = parent->children; child && child->name; child++)
		if (is_called(child, name))
			return child;
	return NULL;
}

bool option_choice_has(const struct option_row *row, const char *text)
{
	struct slice rest = SLICE(row->value), word;

	while (slice_next(&rest, '|', &word))
		if (slice_is(word, text))
			return true;
	return false;
}

int option_number(const struct option_row *row, const char *text, int64_t *out, struct err *err)
{
	bool negative = text[0] == '-';
	bool bounded = row->min != 0 || row->max != 0;
	struct err why = ERR_NONE;
	uint64_t number;
	int64_t value;

	if (num_parse_u64(row->name, text + negative, strlen(text + negative), 0, INT64_MAX,
			  &number, &why) < 0)
		return err_set(err, ERR_INVALID, "--%s: \"%s\" is no whole number", row->name,
			       text);
	value = negative ? -(int64_t)number : (int64_t)number;
	if (bounded && (value < row->min || value > row->max))
		return err_set(err, ERR_INVALID, "--%s: %lld is outside %lld..%lld", row->name,
			       (long long)value, (long long)row->min, (long long)row->max);
	*out = value;
	return 0;
}

int option_bool(const struct option_row *row, const char *text, bool *out, struct err *err)
{
	static const struct {
		const char *word;
		bool value;
	} words[] = {
		{"true",   true },
                { "1",     true },
                { "t",     true },
                { "yes",   true },
		{ "y",     true },
                { "on",    true },
                { "false", false},
                { "0",     false},
		{ "f",     false},
                { "no",    false},
                { "n",     false},
                { "off",   false},
	};

	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
		if (strcasecmp(words[i].word, text) == 0) {
			*out = words[i].value;
			return 0;
		}
	return err_set(err, ERR_INVALID, "--%s: \"%s\" is neither true nor false", row->name, text);
}

static int check_row(const struct option_row *table, const struct option_row *row, struct err *err)
{
	int64_t number;
	bool flag;

	for (const struct option_row *other = table; other != row; other++) {
		if (same_name(other->name, row->name, strlen(row->name)) ||
		    same_name(other->alias, row->name, strlen(row->name)))
			return err_set(err, ERR_INTERNAL, "--%s stands twice", row->name);
		if (row->letter && other->letter == row->letter)
			return err_set(err, ERR_INTERNAL, "-%c stands for --%s and --%s",
				       row->letter, other->name, row->name);
	}
	if (!row->help || !row->help[0])
		return err_set(err, ERR_INTERNAL, "--%s has no help", row->name);
	if (row->kind != OPTION_FLAG && !row->value)
		return err_set(err, ERR_INTERNAL, "--%s does not name its value", row->name);
	if (!row->fallback)
		return 0;
	if (row->kind == OPTION_FLAG)
		return option_bool(row, row->fallback, &flag, err);
	if (row->kind == OPTION_NUMBER)
		return option_number(row, row->fallback, &number, err);
	if (row->kind == OPTION_CHOICE && !option_choice_has(row, row->fallback))
		return err_set(err, ERR_INTERNAL, "--%s: its default is none of its words",
			       row->name);
	return 0;
}

static int check_command(const struct command *command, struct err *err)
{
	size_t words = 0;

	if (!command->summary)
		return err_set(err, ERR_INTERNAL, "no summary");
	if (!command->run && !command->children)
		return err_set(err, ERR_INTERNAL, "neither function nor commands");
	for (const char *const *text = command->examples; text && *text; text++)
		words++;
	if (words % 2)
		return err_set(err, ERR_INTERNAL, "an example lacks its explanation");
	if (command->run && !(command->flags & COMMAND_HIDDEN) && words == 0)
		return err_set(err, ERR_INTERNAL, "no example");
	if (command->arguments_min > command->arguments_max)
		return err_set(err, ERR_INTERNAL, "more arguments needed than allowed");
	for (const struct option_row *row = command->options; row && row->name; row++)
		if (check_row(command->options, row, err) < 0)
			return -1;
	return 0;
}

/* The tree is as deep as the table's author wrote it: two or three. */
int options_check(const struct command *root, struct err *err)
{
	if (check_command(root, err) < 0)
		return err_wrap(err, "%s", root->name);
	for (const struct command *child = root->children; child && child->name; child++) {
		if (command_child(root, child->name) != child) {
			err_set(err, ERR_INTERNAL, "\"%s\" stands twice", child->name);
			return err_wrap(err, "%s", root->name);
		}
		if (options_check(child, err) < 0)
			return err_wrap(err, "%s", root->name);
	}
	return 0;
}
