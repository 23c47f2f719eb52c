/* orchestrator/cli/words - KEY=VALUE words of the command line: options, labels, filters. Pure. */
#pragma once
#include <json-c/json.h>
#include <stdbool.h>

#include "base/arena.h"
#include "base/err.h"

/* "k=v" in two, in the arena; without a sign the value is "" when a bare key is allowed (labels),
 * else ERR_INVALID that names the flag. */
#define WORD_MAY_BE_BARE 1u
int word_split(struct arena *arena, const char *flag, const char *word, unsigned flags,
	       const char **out_key, const char **out_value, struct err *err);

/* --filter: every word must begin with one of the known keys; ERR_INVALID "unknown filter X" with
 * the known ones. */
int filter_check(const char *const *filters, const char *const *known, struct err *err);
/* Whether the object passes every filter of that key: test(ctx, value). No such filter: true. */
bool filter_passes(const char *const *filters, const char *key,
		   bool (*test)(const void *ctx, const char *value), const void *ctx);
/* Tests: ctx a text that holds the value; ctx a json_object of labels with "key" or "key=value". */
bool filter_holds_text(const void *text, const char *value);
bool filter_is_text(const void *text, const char *value);
bool filter_has_label(const void *labels, const char *value);
