/* images/dockerfile/lex - bytes to logical lines: directives, comments, continuations, heredocs.
 *
 * Pure; one thread per arena. Source: Dockerfile reference, "Format", "Parser directives",
 * "Here-documents".
 */
#pragma once
#include "images/dockerfile/report.h"

#define DF_FILE_MAX    (4u << 20) /* bytes of a file */
#define DF_LINE_MAX    (1u << 20) /* bytes of a logical line */
#define DF_HEREDOC_MAX (1u << 20) /* bytes of one heredoc's text */

/* Text from offset on in a logical line stands at that place of the file. */
struct df_piece {
	size_t offset;
	struct df_place place;
};

struct df_heredoc {
	const char *name;  /* the word that ends it, without quotes */
	struct slice text; /* NUL-terminated, every line with its line end; tabs are cut already */
	const char *descriptor; /* digits before "<<", "" when none */
	bool is_quoted;         /* a quoted word: the text is not expanded */
	bool cuts_tabs;         /* "<<-" */
	size_t offset;          /* of the word in the logical line */
	size_t word_len;        /* bytes of the word ("3<<-EOF") */
	unsigned first_line;    /* of the text */
};

/* One instruction's text: continuations joined, comments inside dropped, blanks cut at both ends.
 */
struct df_line {
	const char *text; /* NUL-terminated */
	size_t len;
	unsigned first_line, last_line; /* heredocs included */
	struct df_piece *pieces;
	size_t piece_count;
	struct df_heredoc *heredocs;
	size_t heredoc_count;
};

struct df_source {
	char escape;        /* '\\' or '`' */
	const char *syntax; /* value of the syntax directive, or NULL */
	struct df_line *lines;
	size_t line_count;
};

/* Reads the whole file; all is in the report's arena and text may go afterwards. A byte order mark
 * and CR LF are understood. Heredocs are looked for in RUN, COPY and ADD, behind ONBUILD too. Sets
 * the report's text to a copy. Syntax names other than docker/dockerfile are refused. Errors:
 * INVALID with the place (NUL byte, limits, a directive twice or wrong, a heredoc without an end:
 * at its opening line); UNSUPPORTED for another syntax. Warns: NoEmptyContinuation. */
int df_lex(struct df_report *report, const char *text, size_t len, struct df_source *out,
	   struct err *err);

/* Where a byte of the logical line stands in the file. */
struct df_place df_line_place(const struct df_line *line, size_t offset);

/* The next word of text from *offset on: blanks skipped, quotes and escapes respected but left as
 * they are; *offset is moved behind it. False at the end. *out_open (or NULL): a quote had no end.
 */
bool df_next_word(const char *text, size_t len, char escape, size_t *offset, struct slice *out_word,
		  bool *out_open);
