/* images/dockerfile/table - every instruction and every flag: one row each.
 *
 * Constant data. Source: Dockerfile reference. Help texts, errors and the parser read these rows.
 */
#pragma once
#include <stdbool.h>
#include <stddef.h>

#include "base/text.h"

enum df_kind {
	DF_ADD,
	DF_ARG,
	DF_CMD,
	DF_COPY,
	DF_ENTRYPOINT,
	DF_ENV,
	DF_EXPOSE,
	DF_FROM,
	DF_HEALTHCHECK,
	DF_LABEL,
	DF_MAINTAINER,
	DF_ONBUILD,
	DF_RUN,
	DF_SHELL,
	DF_STOPSIGNAL,
	DF_USER,
	DF_VOLUME,
	DF_WORKDIR,
	DF_KIND_COUNT
};

enum df_form {
	DF_FORM_WORDS,       /* parted at blanks */
	DF_FORM_WORDS_JSON,  /* the same, or a JSON array */
	DF_FORM_COMMAND,     /* a JSON array (exec form) or a text for the shell */
	DF_FORM_JSON,        /* a JSON array and nothing else */
	DF_FORM_TEXT,        /* the rest of the line is one word */
	DF_FORM_PAIRS,       /* NAME=VALUE ..., or the old NAME VALUE */
	DF_FORM_NAMES,       /* NAME[=VALUE] ... */
	DF_FORM_HEALTHCHECK, /* NONE, or CMD and a command */
	DF_FORM_INSTRUCTION  /* another instruction */
};

struct df_row {
	const char *name; /* "ADD" */
	enum df_form form;
	size_t min, max; /* words or pairs */
	bool expands;    /* the words; see df_flag_row for flags */
	const char *usage;
};

enum df_flag_kind {
	DF_FLAG_CHECKSUM,
	DF_FLAG_CHMOD,
	DF_FLAG_CHOWN,
	DF_FLAG_EXCLUDE,
	DF_FLAG_FROM,
	DF_FLAG_INTERVAL,
	DF_FLAG_KEEP_GIT_DIR,
	DF_FLAG_LINK,
	DF_FLAG_MOUNT,
	DF_FLAG_NETWORK,
	DF_FLAG_PARENTS,
	DF_FLAG_PLATFORM,
	DF_FLAG_RETRIES,
	DF_FLAG_SECURITY,
	DF_FLAG_START_INTERVAL,
	DF_FLAG_START_PERIOD,
	DF_FLAG_TIMEOUT,
	DF_FLAG_UNPACK,
	DF_FLAG_COUNT
};

struct df_flag_row {
	const char *name; /* "chown", without the dashes */
	unsigned kinds;   /* bit 1u << enum df_kind: who takes it */
	bool is_bool;     /* --link, --link=true, --link=false */
	bool repeats;
	bool expands;
};

/* Never NULL for a kind below the count. */
const struct df_row *df_row(enum df_kind kind);
const struct df_flag_row *df_flag_row(enum df_flag_kind flag);
/* In any case. False when there is none; *out_near is then a name that may have been meant, or
 * NULL. */
bool df_row_find(struct slice word, enum df_kind *out, const char **out_near);
/* Of those that the instruction takes; *out_near as above. */
bool df_flag_find(enum df_kind kind, struct slice name, enum df_flag_kind *out,
		  const char **out_near);
