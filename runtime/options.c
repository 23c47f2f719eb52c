/* runtime/options - flags of the command line by tables.
 *
 * Owns: --flag value, --flag=value, -f value, -fvalue, --. May not touch: what flags mean.
 */
#include "runtime/options.h"

#include <stdint.h>
#include <string.h>

#include "base/num.h"

static const struct option_row *find_long(const struct option_row *table, const char *name,
					  size_t len)
{
	for (; table->name; table++)
		if (strlen(table->name) == len && strncmp(table->name, name, len) == 0)
			return table;
	return NULL;
}

static const struct option_row *find_letter(const struct option_row *table, char letter)
{
	for (; table->name; table++)
		if (table->letter && table->letter == letter)
			return table;
	return NULL;
}

static int store(const struct option_row *row, void *target, const char *value, struct err *err)
{
	char *at = (char *)target + row->offset;
	struct option_texts *texts;
	uint64_t number;

	switch (row->type) {
	case OPTION_BOOL:
		if (value && strcmp(value, "true") != 0 && strcmp(value, "false") != 0)
			return err_set(err, ERR_INVALID, "--%s is true or false", row->name);
		*(bool *)at = !value || strcmp(value, "true") == 0;
		return 0;
	case OPTION_TEXT:
		memcpy(at, &value, sizeof(value));
		return 0;
	case OPTION_TEXTS:
		texts = (struct option_texts *)(void *)at;
		if (texts->count == sizeof(texts->at) / sizeof(texts->at[0]))
			return err_set(err, ERR_INVALID, "--%s is given too often", row->name);
		texts->at[texts->count++] = value;
		return 0;
	case OPTION_COUNT:
		if (!value ||
		    num_parse_u64(row->name, value, strlen(value), 0, 65535, &number, err) < 0)
			return -1;
		*(unsigned *)(void *)at = (unsigned)number;
		return 0;
	}
	return -1;
}

struct cursor {
	int argc, index;
	char **argv;
};

static int take_value(struct cursor *cursor, const struct option_row *row, const char *attached,
		      const char **out, struct err *err)
{
	*out = attached;
	if (attached || row->type == OPTION_BOOL)
		return 0;
	if (cursor->index + 1 >= cursor->argc)
		return err_set(err, ERR_INVALID, "flag needs an argument: --%s", row->name);
	*out = cursor->argv[++cursor->index];
	return 0;
}

static int parse_one(const struct option_row *table, void *target, struct cursor *cursor,
		     struct err *err)
{
	const char *word = cursor->argv[cursor->index], *equals, *value = NULL;
	const struct option_row *row;

	/* One dash before a long name is taken too, as other runtimes do. */
	if (word[1] == '-' || (word[1] && word[2] && word[2] != '=')) {
		const char *name = word + (word[1] == '-' ? 2 : 1);

		equals = strchr(name, '=');
		row = find_long(table, name, equals ? (size_t)(equals - name) : strlen(name));
		if (!row && word[1] != '-' && (row = find_letter(table, word[1])) &&
		    row->type != OPTION_BOOL) /* -p8080 */
			return store(row, target, word + 2, err);
		if (row && take_value(cursor, row, equals ? equals + 1 : NULL, &value, err) < 0)
			return -1;
	} else {
		row = find_letter(table, word[1]);
		if (row && take_value(cursor, row, word[2] ? word + 3 : NULL, &value, err) < 0)
			return -1;
	}
	if (!row)
		return err_set(err, ERR_INVALID, "flag provided but not defined: %.60s", word);
	return store(row, target, value, err);
}

int options_parse(const struct option_row *table, void *target, int argc, char **argv, int *index,
		  bool stop_early, const char **out_rest, size_t *out_rest_count, struct err *err)
{
	struct cursor cursor = { argc, *index, argv };
	bool plain = false;

	if (out_rest)
		*out_rest_count = 0;
	for (; cursor.index < argc; cursor.index++) {
		const char *word = argv[cursor.index];

		if (!plain && strcmp(word, "--") == 0) {
			plain = true;
			continue;
		}
		if (plain || word[0] != '-' || !word[1]) {
			if (!out_rest)
				break;
			if (stop_early &&
			    !*out_rest_count) /* all that follows is the command's own */
				plain = true;
			out_rest[(*out_rest_count)++] = word;
			continue;
		}
		if (parse_one(table, target, &cursor, err) < 0)
			return -1;
	}
	*index = cursor.index;
	return 0;
}
