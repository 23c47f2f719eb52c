/* orchestrator/cli/manual - man pages from the command tables (roff, man(7) macros).
 *
 * Owns: the page's form. May not touch: anything but its stream.
 */
#include "orchestrator/cli/manual.h"

#include <ctype.h>
#include <string.h>

#include "base/alloc.h"
#include "base/cleanup.h"
#include "orchestrator/cli/help.h"

/* Text with what roff would take for its own made plain. */
static void write_text(FILE *out, const char *text)
{
	bool at_start = true;

	for (const char *c = text; *c; c++) {
		if (at_start && (*c == '.' || *c == '\''))
			fputs("\\&", out);
		if (*c == '-')
			fputs("\\-", out);
		else if (*c == '\\')
			fputs("\\e", out);
		else
			fputc(*c, out);
		at_start = *c == '\n';
	}
}

static void write_option(FILE *out, const struct option_row *row)
{
	fputs(".TP\n", out);
	if (row->letter)
		fprintf(out, "\\fB\\-%c\\fR, ", row->letter);
	fputs("\\fB\\-\\-", out);
	write_text(out, row->name);
	fputs("\\fR", out);
	if (row->kind != OPTION_FLAG) {
		fputs(" \\fI", out);
		write_text(out, row->value);
		fputs("\\fR", out);
	}
	fputc('\n', out);
	write_text(out, row->help);
	if (row->kind == OPTION_LIST)
		fputs("; may be repeated", out);
	if (row->fallback) {
		fputs("; default ", out);
		write_text(out, row->fallback);
	}
	if (row->env) {
		fputs("; variable ", out);
		write_text(out, row->env);
	}
	fputs(".\n", out);
}

static void write_options(FILE *out, const struct option_row *table)
{
	for (const struct option_row *row = table; row && row->name; row++)
		if (!(row->flags & OPTION_HIDDEN))
			write_option(out, row);
}

static void write_examples(FILE *out, const char *const *examples)
{
	for (const char *const *line = examples; line && line[0]; line += 2) {
		fputs(".PP\n", out);
		write_text(out, line[1]);
		fputs(":\n.RS 4\n.EX\n", out);
		write_text(out, line[0]);
		fputs("\n.EE\n.RE\n", out);
	}
}

static void write_command(FILE *out, const struct command *command, const char *path)
{
	AUTO(free) char *usage = NULL;
	size_t size = 0;
	FILE *stream = open_memstream(&usage, &size);

	help_print_usage(stream, command, path);
	fclose(stream);
	fputs(".SS ", out);
	write_text(out, usage);
	fputc('\n', out);
	write_text(out, command->summary);
	fputs(".\n", out);
	if (command->details) {
		fputs(".PP\n", out);
		write_text(out, command->details);
		fputc('\n', out);
	}
	write_options(out, command->options);
	write_examples(out, command->examples);
}

/* Depth is that of the tables. */
static void write_children(FILE *out, const struct command *parent, const char *path)
{
	for (const struct command *child = parent->children; child && child->name; child++) {
		AUTO(free) char *child_path = xformat("%s %s", path, child->name);

		if (child->flags & COMMAND_HIDDEN)
			continue;
		if (child->run)
			write_command(out, child, child_path);
		write_children(out, child, child_path);
	}
}

void manual_print(FILE *out, const struct command *root, const char *version)
{
	AUTO(free) char *title = xstrdup(root->name);

	for (char *c = title; *c; c++)
		*c = (char)toupper((unsigned char)*c);
	fprintf(out, ".TH %s 1 \"\" \"%s %s\" \"User commands\"\n", title, root->name, version);
	fprintf(out, ".SH NAME\n%s \\- ", root->name);
	write_text(out, root->summary);
	fputs("\n.SH SYNOPSIS\n.B ", out);
	help_print_usage(out, root, root->name);
	fputs("\n.SH DESCRIPTION\n", out);
	write_text(out, root->details ? root->details : root->summary);
	fputs("\n.SH GLOBAL OPTIONS\n", out);
	write_options(out, root->options);
	fputs(".SH COMMANDS\n", out);
	write_children(out, root, root->name);
	fputs(".SH SEE ALSO\n.BR stack-file (5)\n", out);
}
