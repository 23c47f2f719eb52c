/* images/dockerfile/report - what is wrong in a Dockerfile, and where: errors, warnings, marked
 * lines.
 *
 * One report belongs to one file and one thread; all its texts live in its arena. Pure. Warnings
 * have the names of docker's build checks, so that "# check=skip=NAME" works on them.
 */
#pragma once
#include <stdbool.h>
#include <stddef.h>

#include "base/arena.h"
#include "base/err.h"
#include "base/text.h"

/* Lines and columns count from 1, columns in bytes. line 0: nowhere in the file. */
struct df_place {
	unsigned line, column;
};

enum df_check {
	DF_CHECK_STAGE_NAME_CASING,
	DF_CHECK_FROM_AS_CASING,
	DF_CHECK_NO_EMPTY_CONTINUATION,
	DF_CHECK_CONSISTENT_INSTRUCTION_CASING,
	DF_CHECK_DUPLICATE_STAGE_NAME,
	DF_CHECK_RESERVED_STAGE_NAME,
	DF_CHECK_JSON_ARGS_RECOMMENDED,
	DF_CHECK_MAINTAINER_DEPRECATED,
	DF_CHECK_UNDEFINED_ARG_IN_FROM,
	DF_CHECK_UNDEFINED_VAR,
	DF_CHECK_WORKDIR_RELATIVE_PATH,
	DF_CHECK_LEGACY_KEY_VALUE_FORMAT,
	DF_CHECK_MULTIPLE_INSTRUCTIONS,
	DF_CHECK_REDUNDANT_TARGET_PLATFORM,
	DF_CHECK_SECRETS_USED_IN_ARG_OR_ENV,
	DF_CHECK_INVALID_DEFAULT_ARG_IN_FROM,
	DF_CHECK_FROM_PLATFORM_CONST,
	DF_CHECK_COPY_IGNORED_FILE,
	DF_CHECK_INVALID_DEFINITION_DESCRIPTION,
	DF_CHECK_EXPOSE_PROTO_CASING,
	DF_CHECK_EXPOSE_INVALID_FORMAT,
	DF_CHECK_COUNT
};

struct df_warning {
	enum df_check check;
	struct df_place place;
	const char *text;
};

struct df_report {
	struct arena *arena; /* borrowed */
	const char *file;    /* for messages: "Dockerfile" */
	struct slice text;   /* the whole file, borrowed, for the marked lines */
	struct df_warning *warnings;
	size_t warning_count;
	bool is_skipped[DF_CHECK_COUNT]; /* by the file's check directive */
	bool warnings_are_errors;        /* "error=true" there: for the caller, when all is read */
	struct df_place error_place;     /* of the last error; line 0 when there was none */
};

/* "JSONArgsRecommended"; never NULL. */
const char *df_check_name(enum df_check check);
/* One value of a check directive, "skip=A,B" or "skip=all" and "error=true", joined by ';'. Unknown
 * names of checks are ignored as docker does. -1 without err: another key or value; *out_bad says
 * which. */
int df_report_checks(struct df_report *report, struct slice value, struct slice *out_bad);

/* Notes one warning unless the file skips that check. */
void df_report_warn(struct df_report *report, enum df_check check, struct df_place place,
		    const char *fmt, ...) __attribute__((format(printf, 4, 5)));
/* Fills *err with "FILE:LINE:COLUMN: text", control bytes made plain; returns -1. */
int df_report_fail(struct df_report *report, enum err_code code, struct df_place place,
		   struct err *err, const char *fmt, ...) __attribute__((format(printf, 5, 6)));
/* The lines first..last with two before and one after, each numbered, the meant ones marked:
 *	  11 | WORKDIR /src
 *	> 12 | RUN make
 * "" for a place outside the file. Lines are cut at 160 bytes, control bytes made plain. In the
 * arena. */
char *df_report_snippet(const struct df_report *report, unsigned first, unsigned last);
