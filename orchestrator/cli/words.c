/* orchestrator/cli/words - KEY=VALUE words of the command line.
 *
 * Owns: their grammar. May not touch: what they mean.
 */
#include "orchestrator/cli/words.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"

int word_split(struct arena *arena, const char *flag, const char *word, unsigned flags,
	       const char **out_key, const char **out_value, struct err *err)
{
	const char *sign = strchr(word, '=');

	if (sign == word || !*word || (!sign && !(flags & WORD_MAY_BE_BARE)))
		return err_set(err, ERR_INVALID, "--%s \"%s\": must be KEY=VALUE", flag, word);
	*out_key = sign ? arena_strndup(arena, word, (size_t)(sign - word))
			: arena_strdup(arena, word);
	*out_value = sign ? arena_strdup(arena, sign + 1) : "";
	return 0;
}

/* The value behind "key=", or NULL. */
static const char *value_of(const char *filter, const char *key)
{
	size_t len = strlen(key);

	return strncmp(filter, key, len) == 0 && filter[len] == '=' ? filter + len + 1 : NULL;
}

static int unknown(const char *filter, const char *const *known, struct err *err)
{
	AUTO(free) char *text = NULL;
	size_t size;
	FILE *out = open_memstream(&text, &size);

	for (size_t i = 0; known[i]; i++)
		fprintf(out, "%s%s=", i ? ", " : "", known[i]);
	fclose(out);
	return err_set(err, ERR_INVALID, "unknown filter %s (there are: %s)", filter, text);
}

int filter_check(const char *const *filters, const char *const *known, struct err *err)
{
	for (; *filters; filters++) {
		size_t i = 0;

		while (known[i] && !value_of(*filters, known[i]))
			i++;
		if (!known[i])
			return unknown(*filters, known, err);
	}
	return 0;
}

bool filter_passes(const char *const *filters, const char *key,
		   bool (*test)(const void *ctx, const char *value), const void *ctx)
{
	for (; *filters; filters++) {
		const char *value = value_of(*filters, key);

		if (value && !test(ctx, value))
			return false;
	}
	return true;
}

bool filter_holds_text(const void *text, const char *value)
{
	return strstr(text, value) != NULL;
}

bool filter_is_text(const void *text, const char *value)
{
	return strcmp(text, value) == 0;
}

bool filter_has_label(const void *labels, const char *value)
{
	const char *sign = strchr(value, '=');
	AUTO(free) char *key = sign ? strndup(value, (size_t)(sign - value)) : strdup(value);
	const char *found = key ? json_text_or(labels, key, NULL) : NULL;

	return found && (!sign || strcmp(found, sign + 1) == 0);
}
