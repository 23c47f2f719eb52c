/* orchestrator/cli/manual_file - the manual page of the stack file.
 *
 * Owns: the way from the page's lines to roff. May not touch: what the keys mean (specs).
 */
#include "orchestrator/cli/manual_file.h"

#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/cleanup.h"
#include "base/text.h"
#include "specs/support.h"

enum { CELL_KEY, CELL_FORM, CELL_MEANING, CELL_CLASS, CELL_STATE, CELL_COUNT };

/* Without the marks of code, and nothing that roff takes for its own. */
static void write_cell(FILE *out, struct slice cell)
{
	cell = slice_trim(cell);
	for (size_t i = 0; i < cell.len; i++) {
		char c = cell.at[i];

		if (c == '`' || (c == '\\' && i + 1 < cell.len && cell.at[i + 1] == '|'))
			continue;
		fputs(c == '\\' ? "\\e" : c == '-' ? "\\-" : "", out);
		if (c != '\\' && c != '-')
			fputc(c, out);
	}
}

/* "| a | b |" to its cells; an escaped bar parts nothing. */
static size_t split_cells(const char *line, struct slice cells[CELL_COUNT])
{
	const char *begin = line + 1;
	size_t count = 0;

	for (const char *c = begin; *c && count < CELL_COUNT; c++)
		if (*c == '|' && c[-1] != '\\') {
			cells[count++] = (struct slice){ begin, (size_t)(c - begin) };
			begin = c + 1;
		}
	return count;
}

static void write_row(FILE *out, const char *line)
{
	struct slice cells[CELL_COUNT];

	if (split_cells(line, cells) < CELL_COUNT || strstr(line, "|---") ||
	    text_starts(line, "| key |"))
		return;
	fputs(".TP\n.B ", out);
	write_cell(out, cells[CELL_KEY]);
	fputs("\n(", out);
	write_cell(out, cells[CELL_FORM]);
	fputs(") ", out);
	write_cell(out, cells[CELL_MEANING]);
	fputs("; ", out);
	write_cell(out, cells[CELL_STATE]);
	fputs(".\n", out);
}

void manual_file_print(FILE *out, const char *version)
{
	char *text = NULL, *save = NULL;
	size_t size = 0;
	FILE *page = open_memstream(&text, &size);
	AUTO(free) char *owned = NULL;

	support_write_page(page);
	fclose(page);
	owned = text;
	fprintf(out,
		".TH STACK\\-FILE 5 \"\" \"stack %s\" \"File formats\"\n"
		".SH NAME\nstack\\-file \\- what stack reads: the Compose file\n"
		".ad l\n.SH DESCRIPTION\nA stack file is a Compose file. These are its keys, with "
		"their "
		"form and what becomes of them.\nAny key that begins with x\\- is accepted at "
		"every "
		"level and carried along.\n",
		version);
	for (char *line = strtok_r(text, "\n", &save); line; line = strtok_r(NULL, "\n", &save))
		if (text_starts(line, "## "))
			fprintf(out, ".SH %s\n", line + 3);
		else if (line[0] == '|')
			write_row(out, line);
	fputs(".SH SEE ALSO\n.BR stack (1)\n", out);
}
