/* images/dockerfile/report - what is wrong in a Dockerfile, and where.
 *
 * Owns: the names of the checks, the form of errors and of marked lines.
 * May not touch: files, the log, what the lines mean.
 */
#include "images/dockerfile/report.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/cleanup.h"

#define SNIPPET_BEFORE   2u
#define SNIPPET_AFTER    1u
#define SNIPPET_LINE_MAX 160u

static const char *const check_names[] = {
	[DF_CHECK_STAGE_NAME_CASING] = "StageNameCasing",
	[DF_CHECK_FROM_AS_CASING] = "FromAsCasing",
	[DF_CHECK_NO_EMPTY_CONTINUATION] = "NoEmptyContinuation",
	[DF_CHECK_CONSISTENT_INSTRUCTION_CASING] = "ConsistentInstructionCasing",
	[DF_CHECK_DUPLICATE_STAGE_NAME] = "DuplicateStageName",
	[DF_CHECK_RESERVED_STAGE_NAME] = "ReservedStageName",
	[DF_CHECK_JSON_ARGS_RECOMMENDED] = "JSONArgsRecommended",
	[DF_CHECK_MAINTAINER_DEPRECATED] = "MaintainerDeprecated",
	[DF_CHECK_UNDEFINED_ARG_IN_FROM] = "UndefinedArgInFrom",
	[DF_CHECK_UNDEFINED_VAR] = "UndefinedVar",
	[DF_CHECK_WORKDIR_RELATIVE_PATH] = "WorkdirRelativePath",
	[DF_CHECK_LEGACY_KEY_VALUE_FORMAT] = "LegacyKeyValueFormat",
	[DF_CHECK_MULTIPLE_INSTRUCTIONS] = "MultipleInstructionsDisallowed",
	[DF_CHECK_REDUNDANT_TARGET_PLATFORM] = "RedundantTargetPlatform",
	[DF_CHECK_SECRETS_USED_IN_ARG_OR_ENV] = "SecretsUsedInArgOrEnv",
	[DF_CHECK_INVALID_DEFAULT_ARG_IN_FROM] = "InvalidDefaultArgInFrom",
	[DF_CHECK_FROM_PLATFORM_CONST] = "FromPlatformFlagConstDisallowed",
	[DF_CHECK_COPY_IGNORED_FILE] = "CopyIgnoredFile",
	[DF_CHECK_INVALID_DEFINITION_DESCRIPTION] = "InvalidDefinitionDescription",
	[DF_CHECK_EXPOSE_PROTO_CASING] = "ExposeProtoCasing",
	[DF_CHECK_EXPOSE_INVALID_FORMAT] = "ExposeInvalidFormat",
};
_Static_assert(sizeof(check_names) / sizeof(*check_names) == DF_CHECK_COUNT, "a check has no name");

const char *df_check_name(enum df_check check)
{
	return check < DF_CHECK_COUNT ? check_names[check] : "";
}

static bool same_word(struct slice text, const char *word)
{
	return text.len == strlen(word) && strncasecmp(text.at, word, text.len) == 0;
}

static void skip_checks(struct df_report *report, struct slice names)
{
	struct slice name;

	while (slice_next(&names, ',', &name)) {
		name = slice_trim(name);
		for (int i = 0; i < DF_CHECK_COUNT; i++)
			if (same_word(name, "all") || same_word(name, check_names[i]))
				report->is_skipped[i] = true;
	}
}

int df_report_checks(struct df_report *report, struct slice value, struct slice *out_bad)
{
	struct slice part, key, rest;

	while (slice_next(&value, ';', &part)) {
		part = slice_trim(part);
		*out_bad = part;
		if (!slice_split(part, '=', &key, &rest))
			return -1;
		key = slice_trim(key);
		rest = slice_trim(rest);
		if (same_word(key, "skip"))
			skip_checks(report, rest);
		else if (same_word(key, "error") && same_word(rest, "true"))
			report->warnings_are_errors = true;
		else if (!same_word(key, "error") || !same_word(rest, "false"))
			return -1;
	}
	return 0;
}

void df_report_warn(struct df_report *report, enum df_check check, struct df_place place,
		    const char *fmt, ...)
{
	struct df_warning *warning;
	char text[512];
	va_list ap;

	if (report->is_skipped[check])
		return;
	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	warning = arena_grow(report->arena, &report->warnings, &report->warning_count,
			     sizeof(*warning));
	*warning =
		(struct df_warning){ check, place, arena_strdup(report->arena, text_plain(text)) };
}

int df_report_fail(struct df_report *report, enum err_code code, struct df_place place,
		   struct err *err, const char *fmt, ...)
{
	char text[sizeof(err->msg)];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	text_plain(text);
	report->error_place = place;
	if (place.line)
		return err_set(err, code, "%s:%u:%u: %s", report->file, place.line, place.column,
			       text);
	return err_set(err, code, "%s: %s", report->file, text);
}

static void print_line(FILE *out, unsigned number, bool is_meant, struct slice line)
{
	char text[SNIPPET_LINE_MAX + 1];

	if (line.len && line.at[line.len - 1] == '\r')
		line.len--;
	if (line.len > SNIPPET_LINE_MAX)
		line.len = SNIPPET_LINE_MAX;
	for (size_t i = 0; i < line.len; i++)
		text[i] = (char)(line.at[i] == '\t' ? ' ' : line.at[i] ? line.at[i] : '?');
	text[line.len] = '\0';
	fprintf(out, "%c %3u | %s\n", is_meant ? '>' : ' ', number, text_plain(text));
}

char *df_report_snippet(const struct df_report *report, unsigned first, unsigned last)
{
	AUTO(free) char *text = NULL;
	struct slice rest = report->text, line;
	size_t len = 0;
	FILE *out = open_memstream(&text, &len);

	if (!out)
		return arena_strdup(report->arena, "");
	for (unsigned number = 1; first && slice_next(&rest, '\n', &line); number++) {
		if (number > last && number - last > SNIPPET_AFTER)
			break;
		if (!rest.at && !line.len) /* behind the last line end */
			break;
		if (number + SNIPPET_BEFORE >= first)
			print_line(out, number, number >= first && number <= last, line);
	}
	fclose(out);
	return arena_strndup(report->arena, text, len);
}
