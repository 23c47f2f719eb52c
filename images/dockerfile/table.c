/* images/dockerfile/table - every instruction and every flag: one row each.
 *
 * Owns: names, forms, numbers of words, who takes which flag.
 * May not touch: text of files.
 */
#include "images/dockerfile/table.h"

#include <stdint.h>
#include <string.h>
#include <strings.h>

#define ANY          SIZE_MAX
#define BIT(k)       (1u << (k))
#define NAME_MAX_LEN 40u

/* clang-format off */
static const struct df_row rows[] = {
	[DF_ADD]         = { "ADD",         DF_FORM_WORDS_JSON,  2, ANY, true,  "ADD [FLAGS] SOURCE... DESTINATION" },
	[DF_ARG]         = { "ARG",         DF_FORM_NAMES,       1, ANY, true,  "ARG NAME[=DEFAULT]..." },
	[DF_CMD]         = { "CMD",         DF_FORM_COMMAND,     0, ANY, false, "CMD [\"PROGRAM\", \"ARGUMENT\"...] or CMD COMMAND" },
	[DF_COPY]        = { "COPY",        DF_FORM_WORDS_JSON,  2, ANY, true,  "COPY [FLAGS] SOURCE... DESTINATION" },
	[DF_ENTRYPOINT]  = { "ENTRYPOINT",  DF_FORM_COMMAND,     0, ANY, false, "ENTRYPOINT [\"PROGRAM\", \"ARGUMENT\"...] or ENTRYPOINT COMMAND" },
	[DF_ENV]         = { "ENV",         DF_FORM_PAIRS,       1, ANY, true,  "ENV NAME=VALUE..." },
	[DF_EXPOSE]      = { "EXPOSE",      DF_FORM_WORDS,       1, ANY, true,  "EXPOSE PORT[/PROTOCOL]..." },
	[DF_FROM]        = { "FROM",        DF_FORM_WORDS,       1, 3,   true,  "FROM [--platform=P] IMAGE [AS NAME]" },
	[DF_HEALTHCHECK] = { "HEALTHCHECK", DF_FORM_HEALTHCHECK, 1, ANY, false, "HEALTHCHECK NONE or HEALTHCHECK [FLAGS] CMD COMMAND" },
	[DF_LABEL]       = { "LABEL",       DF_FORM_PAIRS,       1, ANY, true,  "LABEL NAME=VALUE..." },
	[DF_MAINTAINER]  = { "MAINTAINER",  DF_FORM_TEXT,        1, 1,   false, "MAINTAINER NAME" },
	[DF_ONBUILD]     = { "ONBUILD",     DF_FORM_INSTRUCTION, 1, ANY, false, "ONBUILD INSTRUCTION" },
	[DF_RUN]         = { "RUN",         DF_FORM_COMMAND,     1, ANY, false, "RUN [FLAGS] COMMAND" },
	[DF_SHELL]       = { "SHELL",       DF_FORM_JSON,        1, ANY, false, "SHELL [\"PROGRAM\", \"ARGUMENT\"...]" },
	[DF_STOPSIGNAL]  = { "STOPSIGNAL",  DF_FORM_TEXT,        1, 1,   true,  "STOPSIGNAL SIGNAL" },
	[DF_USER]        = { "USER",        DF_FORM_TEXT,        1, 1,   true,  "USER NAME[:GROUP]" },
	[DF_VOLUME]      = { "VOLUME",      DF_FORM_WORDS_JSON,  1, ANY, true,  "VOLUME PATH..." },
	[DF_WORKDIR]     = { "WORKDIR",     DF_FORM_TEXT,        1, 1,   true,  "WORKDIR PATH" },
};
_Static_assert(sizeof(rows) / sizeof(*rows) == DF_KIND_COUNT, "an instruction has no row");

#define COPIES (BIT(DF_ADD) | BIT(DF_COPY))
static const struct df_flag_row flags[] = { /*                                  bool   repeats expands */
	[DF_FLAG_CHECKSUM]       = { "checksum",       BIT(DF_ADD),         false, false, true  },
	[DF_FLAG_CHMOD]          = { "chmod",          COPIES,              false, false, true  },
	[DF_FLAG_CHOWN]          = { "chown",          COPIES,              false, false, true  },
	[DF_FLAG_EXCLUDE]        = { "exclude",        COPIES,              false, true,  true  },
	[DF_FLAG_FROM]           = { "from",           BIT(DF_COPY),        false, false, false },
	[DF_FLAG_INTERVAL]       = { "interval",       BIT(DF_HEALTHCHECK), false, false, false },
	[DF_FLAG_KEEP_GIT_DIR]   = { "keep-git-dir",   BIT(DF_ADD),         true,  false, false },
	[DF_FLAG_LINK]           = { "link",           COPIES,              true,  false, false },
	[DF_FLAG_MOUNT]          = { "mount",          BIT(DF_RUN),         false, true,  true  },
	[DF_FLAG_NETWORK]        = { "network",        BIT(DF_RUN),         false, false, false },
	[DF_FLAG_PARENTS]        = { "parents",        BIT(DF_COPY),        true,  false, false },
	[DF_FLAG_PLATFORM]       = { "platform",       BIT(DF_FROM),        false, false, true  },
	[DF_FLAG_RETRIES]        = { "retries",        BIT(DF_HEALTHCHECK), false, false, false },
	[DF_FLAG_SECURITY]       = { "security",       BIT(DF_RUN),         false, false, false },
	[DF_FLAG_START_INTERVAL] = { "start-interval", BIT(DF_HEALTHCHECK), false, false, false },
	[DF_FLAG_START_PERIOD]   = { "start-period",   BIT(DF_HEALTHCHECK), false, false, false },
	[DF_FLAG_TIMEOUT]        = { "timeout",        BIT(DF_HEALTHCHECK), false, false, false },
	[DF_FLAG_UNPACK]         = { "unpack",         BIT(DF_ADD),         true,  false, false },
};
/* clang-format on */
_Static_assert(sizeof(flags) / sizeof(*flags) == DF_FLAG_COUNT, "a flag has no row");

const struct df_row *df_row(enum df_kind kind)
{
	return &rows[kind];
}

const struct df_flag_row *df_flag_row(enum df_flag_kind flag)
{
	return &flags[flag];
}

static const char *row_name(const void *ctx, size_t i)
{
	(void)ctx;
	return i < DF_KIND_COUNT ? rows[i].name : NULL;
}

/* The i-th name among the flags of an instruction. */
static const char *flag_name(const void *ctx, size_t i)
{
	const enum df_kind *kind = ctx;

	for (size_t j = 0; j < DF_FLAG_COUNT; j++)
		if ((flags[j].kinds & BIT(*kind)) && i-- == 0)
			return flags[j].name;
	return NULL;
}

static bool copy_name(struct slice word, char out[NAME_MAX_LEN + 1], bool to_upper)
{
	if (word.len > NAME_MAX_LEN)
		return false;
	for (size_t i = 0; i < word.len; i++)
		out[i] = (char)(to_upper && word.at[i] >= 'a' && word.at[i] <= 'z'
					? word.at[i] - 'a' + 'A'
					: word.at[i]);
	out[word.len] = '\0';
	return true;
}

bool df_row_find(struct slice word, enum df_kind *out, const char **out_near)
{
	char name[NAME_MAX_LEN + 1];

	*out_near = NULL;
	if (!copy_name(word, name, true))
		return false;
	for (unsigned i = 0; i < DF_KIND_COUNT; i++)
		if (strcmp(name, rows[i].name) == 0) {
			*out = (enum df_kind)i;
			return true;
		}
	*out_near = text_near(name, row_name, NULL);
	return false;
}

bool df_flag_find(enum df_kind kind, struct slice name, enum df_flag_kind *out,
		  const char **out_near)
{
	char text[NAME_MAX_LEN + 1];

	*out_near = NULL;
	if (!copy_name(name, text, false))
		return false;
	for (unsigned i = 0; i < DF_FLAG_COUNT; i++)
		if ((flags[i].kinds & BIT(kind)) && strcmp(text, flags[i].name) == 0) {
			*out = (enum df_flag_kind)i;
			return true;
		}
	*out_near = text_near(text, flag_name, &kind);
	return false;
}
