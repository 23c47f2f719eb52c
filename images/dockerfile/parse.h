/* images/dockerfile/parse - logical lines to instructions, by the table.
 *
 * Pure; all in the report's arena. Values are as written: variables, quotes and escapes are left
 * for expand (rows and flags say whether they are expanded at all). What the parser takes may still
 * be more than the builder can do; that is the builder's to say before its first step.
 */
#pragma once
#include "images/dockerfile/lex.h"
#include "images/dockerfile/table.h"

struct df_word {
	const char *text; /* NUL-terminated */
	struct df_place place;
	const struct df_heredoc *heredoc; /* COPY and ADD: the word is "<<NAME" */
};

struct df_flag {
	enum df_flag_kind kind;
	struct df_word value; /* quotes are off; bool flags: "true" or "false" */
};

struct df_pair {
	struct df_word key, value;
	bool has_value; /* ARG NAME has none */
};

struct df_instr {
	enum df_kind kind;
	const struct df_line *line; /* lines of the file, heredocs */
	struct df_place place;      /* of the instruction word */
	const char *arguments;      /* all behind the instruction word, flags too: for history */
	struct df_flag *flags;
	size_t flag_count;
	bool is_json; /* words came out of a JSON array: exec form */
	bool is_none; /* HEALTHCHECK NONE */
	struct df_word
		*words; /* shell form: one word, the text for the shell (heredocs are beside it) */
	size_t word_count;
	struct df_pair *pairs; /* ENV, LABEL, ARG */
	size_t pair_count;
	bool is_old_form;         /* ENV NAME VALUE */
	struct df_instr *trigger; /* ONBUILD */
};

struct df_file {
	char escape;
	struct df_instr *instrs;
	size_t instr_count;
};

#define DF_PARSE_TRIGGERS 1u /* ONBUILD texts of a base image: any first instruction, no FROM */

/* Errors: INVALID with the place: unknown words and flags (with what may have been meant), numbers
 * of words, forms. Warns: LegacyKeyValueFormat, JSONArgsRecommended for an array that is none.
 * source stays in use by the result. */
int df_parse(struct df_report *report, const struct df_source *source, unsigned flags,
	     struct df_file *out, struct err *err);

/* The flag's value as written; NULL when it was not given. For repeated flags the first. */
const char *df_instr_flag(const struct df_instr *instr, enum df_flag_kind kind);
/* Whether a bool flag was given and is not "false". */
bool df_instr_has(const struct df_instr *instr, enum df_flag_kind kind);
