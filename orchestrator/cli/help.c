/* orchestrator/cli/help - help texts from the command tables.
 *
 * Owns: how help looks. May not touch: anything but the stream that it is given.
 */
#include "orchestrator/cli/help.h"

#include <string.h>

#include "base/cleanup.h"

#define HELP_INDENT     2
#define FLAG_COLUMN_MAX 34 /* longer flags push their help to the next line */

/* "-f, --file FILE" or "    --wait"; to be freed. */
static char *flag_text(const struct option_row *row)
{
	char *text = NULL;
	size_t size = 0;
	FILE *out = open_memstream(&text, &size);

	if (row->letter)
		fprintf(out, "-%c, --%s", row->letter, row->name);
	else
		fprintf(out, "    --%s", row->name);
	if (row->kind != OPTION_FLAG)
		fprintf(out, " %s", row->value);
	fclose(out);
	return text;
}

static size_t flag_width(const struct option_row *table)
{
	size_t widest = 0;

	for (const struct option_row *row = table; row && row->name; row++) {
		AUTO(free) char *text = flag_text(row);
		size_t len = strlen(text);

		if (!(row->flags & OPTION_HIDDEN) && len <= FLAG_COLUMN_MAX && len > widest)
			widest = len;
	}
	return widest;
}

static void print_row(FILE *out, const struct option_row *row, size_t width)
{
	AUTO(free) char *text = flag_text(row);
	int indent = HELP_INDENT;

	if (strlen(text) > width)
		fprintf(out, "%*s%s\n%*s", indent, "", text, (int)width + indent + 2, "");
	else
		fprintf(out, "%*s%-*s  ", indent, "", (int)width, text);
	fputs(row->help, out);
	if (row->kind == OPTION_LIST)
		fputs(" (may be repeated)", out);
	if (row->fallback)
		fprintf(out, " (default %s)", row->fallback);
	if (row->env)
		fprintf(out, " [$%s]", row->env);
	fputc('\n', out);
}

static void print_options(FILE *out, const char *title, const struct option_row *table)
{
	size_t width = flag_width(table);

	if (width == 0)
		return;
	fprintf(out, "\n%s:\n", title);
	for (const struct option_row *row = table; row && row->name; row++)
		if (!(row->flags & OPTION_HIDDEN))
			print_row(out, row, width);
}

static const char *heading_of(const struct command *command)
{
	return command->heading ? command->heading : "Commands";
}

static bool first_of_heading(const struct command *children, const struct command *child)
{
	for (const struct command *other = children; other != child; other++)
		if (!(other->flags & COMMAND_HIDDEN) &&
		    strcmp(heading_of(other), heading_of(child)) == 0)
			return false;
	return true;
}

static size_t command_width(const struct command *children)
{
	size_t widest = 0;

	for (const struct command *child = children; child && child->name; child++)
		if (!(child->flags & COMMAND_HIDDEN) && strlen(child->name) > widest)
			widest = strlen(child->name);
	return widest;
}

/* The children below their headings, headings in the order of their first command. */
static void print_children(FILE *out, const struct command *parent)
{
	const struct command *children = parent->children;
	size_t width = command_width(children);

	for (const struct command *first = children; first && first->name; first++) {
		if ((first->flags & COMMAND_HIDDEN) || !first_of_heading(children, first))
			continue;
		fprintf(out, "\n%s:\n", heading_of(first));
		for (const struct command *child = first; child->name; child++)
			if (!(child->flags & COMMAND_HIDDEN) &&
			    strcmp(heading_of(child), heading_of(first)) == 0)
				fprintf(out, "%*s%-*s  %s\n", HELP_INDENT, "", (int)width,
					child->name, child->summary);
	}
}

static void print_examples(FILE *out, const char *const *examples)
{
	size_t width = 0;

	if (!examples || !examples[0])
		return;
	for (const char *const *line = examples; line[0]; line += 2)
		if (strlen(line[0]) > width)
			width = strlen(line[0]);
	fputs("\nExamples:\n", out);
	for (const char *const *line = examples; line[0]; line += 2)
		fprintf(out, "%*s%-*s  %s\n", HELP_INDENT, "", (int)width, line[0], line[1]);
}

void help_print_usage(FILE *out, const struct command *command, const char *path)
{
	fputs(path, out);
	if (command->options)
		fputs(" [OPTIONS]", out);
	if (command->children)
		fputs(command->run ? " [COMMAND]" : " COMMAND", out);
	if (command->arguments && command->arguments[0])
		fprintf(out, " %s", command->arguments);
}

void help_print(FILE *out, const struct options *options)
{
	const struct command *command = options_command(options);
	const char *path = options_path(options);
	const char *root = options_level(options, 0)->name;
	bool is_root = options_level_count(options) == 1;

	fputs("Usage:  ", out);
	help_print_usage(out, command, path);
	fprintf(out, "\n\n%s\n", command->summary);
	if (command->details)
		fprintf(out, "\n%s\n", command->details);
	print_children(out, command);
	print_options(out, is_root ? "Global options" : "Options", command->options);
	print_examples(out, command->examples);
	if (command->children)
		fprintf(out, "\n'%s COMMAND --help' says more about a command.\n", path);
	if (!is_root)
		fprintf(out, "\nGlobal options: see '%s --help'.\n", root);
}
