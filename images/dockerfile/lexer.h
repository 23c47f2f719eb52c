/* images/dockerfile/lexer - what the three files of lex share: the state and the raw lines.
 *
 * For lex, lex_directive and lex_heredoc alone.
 */
#pragma once
#include "images/dockerfile/lex.h"

struct lexer {
	struct df_report *report;
	struct df_source *source;
	struct slice rest;    /* at == NULL: the end */
	unsigned line;        /* of the raw line last read */
	struct slice *pieces; /* of the logical line, on the heap */
	size_t piece_count;
	struct df_piece *places;
	size_t place_count;
	bool has_escape_directive, has_check_directive;
};

/* Cuts a raw line with its line end off the rest; false at the end. */
bool lexer_next_raw(struct lexer *lexer, struct slice *out_raw);
/* The raw line without LF or CR LF. */
struct slice lexer_without_line_end(struct slice raw);

/* Reads the directives at the top and leaves the rest at the first other line. */
int lexer_read_directives(struct lexer *lexer, struct err *err);
/* Reads the texts of the heredocs that the line opens; sets its last line. */
int lexer_read_heredocs(struct lexer *lexer, struct df_line *line, struct err *err);
