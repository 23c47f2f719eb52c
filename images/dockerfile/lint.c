/* images/dockerfile/lint - what docker's build checks say about single instructions.
 *
 * Owns: these checks. May not touch: what is an error (parse).
 */
#include "images/dockerfile/lint.h"

#include <string.h>

/* What the checks remember of the stage at work. */
struct lint {
	struct df_report *report;
	size_t upper_count, lower_count;
	bool has_workdir; /* an absolute one in this stage */
	const struct df_instr *last[DF_KIND_COUNT];
};

static void count_case(const struct df_instr *instr, size_t *upper, size_t *lower)
{
	size_t len = strlen(df_row(instr->kind)->name);

	*upper = *lower = 0;
	for (size_t i = 0; i < len && instr->line->text[i]; i++) {
		*upper += instr->line->text[i] >= 'A' && instr->line->text[i] <= 'Z';
		*lower += instr->line->text[i] >= 'a' && instr->line->text[i] <= 'z';
	}
}

static void check_casing(struct lint *lint, const struct df_instr *instr)
{
	bool wants_lower = lint->lower_count > lint->upper_count;
	size_t upper, lower;

	count_case(instr, &upper, &lower);
	if (wants_lower ? upper : lower)
		df_report_warn(lint->report, DF_CHECK_CONSISTENT_INSTRUCTION_CASING, instr->place,
			       "%s should be in %s case as most instructions of the file",
			       df_row(instr->kind)->name, wants_lower ? "lower" : "upper");
}

static void check_command(struct lint *lint, const struct df_instr *instr)
{
	const struct df_instr *before = lint->last[instr->kind];

	if (before)
		df_report_warn(lint->report, DF_CHECK_MULTIPLE_INSTRUCTIONS, before->place,
			       "only the last %s of a stage counts, it is in line %u",
			       df_row(instr->kind)->name, instr->place.line);
	lint->last[instr->kind] = instr;
	if (instr->kind != DF_HEALTHCHECK && !instr->is_json && instr->word_count)
		df_report_warn(lint->report, DF_CHECK_JSON_ARGS_RECOMMENDED, instr->place,
			       "%s in shell form: the shell gets the signals, not the program",
			       df_row(instr->kind)->name);
}

static void check_maintainer(struct lint *lint, const struct df_instr *instr)
{
	df_report_warn(lint->report, DF_CHECK_MAINTAINER_DEPRECATED, instr->place,
		       "MAINTAINER is of old: LABEL org.opencontainers.image.authors says it");
}

static void check_workdir(struct lint *lint, const struct df_instr *instr)
{
	const char *path = instr->words[0].text;

	if (strchr("/$\"'", *path))
		lint->has_workdir = true;
	else if (!lint->has_workdir)
		df_report_warn(lint->report, DF_CHECK_WORKDIR_RELATIVE_PATH, instr->words[0].place,
			       "%s hangs on the base image's working folder", path);
}

static bool has_word(const char *name, const char *word)
{
	size_t len = strlen(word);

	for (const char *at = name; (at = strcasestr(at, word)) != NULL; at++)
		if ((at == name || at[-1] == '_') && (at[len] == '\0' || at[len] == '_'))
			return true;
	return false;
}

static void check_secrets(struct lint *lint, const struct df_instr *instr)
{
	static const char *const words[] = { "apikey", "auth",     "credential", "credentials",
					     "key",    "password", "pword",      "passwd",
					     "secret", "token" };

	for (size_t i = 0; i < instr->pair_count; i++)
		for (size_t j = 0; j < sizeof(words) / sizeof(*words); j++)
			if (has_word(instr->pairs[i].key.text, words[j]) &&
			    !has_word(instr->pairs[i].key.text, "public")) {
				df_report_warn(lint->report, DF_CHECK_SECRETS_USED_IN_ARG_OR_ENV,
					       instr->pairs[i].key.place,
					       "%s looks like a secret: %s keeps it in the image; "
					       "RUN --mount=type=secret does not",
					       instr->pairs[i].key.text, df_row(instr->kind)->name);
				break;
			}
}

static void check_expose(struct lint *lint, const struct df_instr *instr)
{
	for (size_t i = 0; i < instr->word_count; i++) {
		const char *text = instr->words[i].text, *protocol = strchr(text, '/');

		if (protocol && strpbrk(protocol, "ABCDEFGHIJKLMNOPQRSTUVWXYZ") &&
		    !strchr(protocol, '$'))
			df_report_warn(lint->report, DF_CHECK_EXPOSE_PROTO_CASING,
				       instr->words[i].place, "%s: the protocol in lower case",
				       text);
		if (strchr(text, ':') && !strchr(text, '$'))
			df_report_warn(lint->report, DF_CHECK_EXPOSE_INVALID_FORMAT,
				       instr->words[i].place,
				       "%s: a port of the container alone, without host", text);
	}
}

static void (*const checks[DF_KIND_COUNT])(struct lint *lint, const struct df_instr *instr) = {
	[DF_ARG] = check_secrets,           [DF_CMD] = check_command,
	[DF_ENTRYPOINT] = check_command,    [DF_ENV] = check_secrets,
	[DF_EXPOSE] = check_expose,         [DF_HEALTHCHECK] = check_command,
	[DF_MAINTAINER] = check_maintainer, [DF_WORKDIR] = check_workdir,
};

void df_lint(struct df_report *report, const struct df_file *file)
{
	struct lint lint = { .report = report };

	for (size_t i = 0; i < file->instr_count; i++) {
		size_t upper, lower;

		count_case(&file->instrs[i], &upper, &lower);
		lint.upper_count += lower == 0;
		lint.lower_count += upper == 0;
	}
	for (size_t i = 0; i < file->instr_count; i++) {
		const struct df_instr *instr = &file->instrs[i];

		if (instr->kind == DF_FROM) {
			memset(lint.last, 0, sizeof(lint.last));
			lint.has_workdir = false;
		}
		check_casing(&lint, instr);
		if (checks[instr->kind])
			checks[instr->kind](&lint, instr);
	}
}
