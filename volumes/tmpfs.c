/* volumes/tmpfs - the options of a tmpfs mount as an OCI mount wants them.
 *
 * Owns: defaults, the words of `tmpfs:`. May not touch: mounts.
 */
#include "volumes/tmpfs.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/cleanup.h"
#include "base/text.h"

/* Words without a value; a row's second word is what it takes the place of. */
static const char *const flags[][2] = {
	{"nosuid",       "suid"      },
	{ "suid",        "nosuid"    },
	{ "nodev",       "dev"       },
	{ "dev",         "nodev"     },
	{ "noexec",      "exec"      },
	{ "exec",        "noexec"    },
	{ "ro",          "rw"        },
	{ "rw",          "ro"        },
	{ "noatime",     "atime"     },
	{ "atime",       "noatime"   },
	{ "nodiratime",  "diratime"  },
	{ "diratime",    "nodiratime"},
	{ "relatime",    ""          },
	{ "strictatime", ""          },
	{ "sync",        "async"     },
	{ "async",       "sync"      },
	{ "noswap",      ""          },
};

static const char *const values[] = { "size",      "mode",      "uid",  "gid",
				      "nr_inodes", "nr_blocks", "mpol", "huge" };

static const char *nth_word(const void *ctx, size_t i)
{
	size_t flag_count = sizeof(flags) / sizeof(*flags);

	(void)ctx;
	if (i < flag_count)
		return flags[i][0];
	i -= flag_count;
	return i < sizeof(values) / sizeof(*values) ? values[i] : NULL;
}

/* A list of words in which a later one of the same meaning takes the earlier one's place. */
struct words {
	char *at[64];
	size_t count;
};

static bool is_key(const char *word, const char *key)
{
	size_t len = strlen(key);

	return *key && strncmp(word, key, len) == 0 && (word[len] == '\0' || word[len] == '=');
}

static void put(struct words *words, char *word, const char *key, const char *instead)
{
	for (size_t i = 0; i < words->count; i++)
		if (is_key(words->at[i], key) || is_key(words->at[i], instead)) {
			free(words->at[i]);
			words->at[i] = word;
			return;
		}
	words->at[words->count++] = word; /* there are fewer meanings than places */
}

static int put_word(struct words *words, struct slice word, struct err *err)
{
	struct slice key, value;
	AUTO(free) char *name = NULL;
	const char *near;

	slice_split(word, '=', &key, &value);
	for (size_t i = 0; key.len == word.len && i < sizeof(flags) / sizeof(*flags); i++)
		if (slice_is(word, flags[i][0])) {
			put(words, xstrndup(word.at, word.len), flags[i][0], flags[i][1]);
			return 0;
		}
	for (size_t i = 0; value.len && i < sizeof(values) / sizeof(*values); i++)
		if (slice_is(key, values[i])) {
			put(words, xstrndup(word.at, word.len), values[i], "");
			return 0;
		}
	name = xstrndup(key.at, key.len);
	near = text_near(name, nth_word, NULL);
	return err_set(err, ERR_INVALID, "tmpfs: option \"%.60s\" is not known%s%s%s", name,
		       near ? " (did you mean \"" : "", near ? near : "", near ? "\"?)" : "");
}

static char *join(const struct words *words)
{
	char *text = NULL;
	size_t len;
	FILE *file = open_memstream(&text, &len);

	for (size_t i = 0; file && i < words->count; i++)
		fprintf(file, "%s%s", i ? "," : "", words->at[i]);
	if (!file)
		abort();
	fclose(file);
	return text;
}

char *tmpfs_options(const struct tmpfs_spec *spec, struct err *err)
{
	struct words words = { .count = 0 };
	struct slice rest = SLICE(spec->text ? spec->text : ""), word;
	char *out = NULL;
	int status = 0;

	put(&words, xstrdup("nosuid"), "nosuid", "suid");
	put(&words, xstrdup("nodev"), "nodev", "dev");
	put(&words, xstrdup("noexec"), "noexec", "exec");
	put(&words,
	    xformat("mode=%o", (unsigned)(spec->target_mode ? spec->target_mode & 07777 : 01777)),
	    "mode", "");
	while (status == 0 && slice_next(&rest, ',', &word))
		if ((word = slice_trim(word)).len)
			status = put_word(&words, word, err);
	if (spec->has_size)
		put(&words, xformat("size=%" PRIu64, spec->size_bytes), "size", "");
	if (spec->has_mode)
		put(&words, xformat("mode=%o", (unsigned)spec->mode & 07777), "mode", "");
	if (status == 0)
		out = join(&words);
	while (words.count)
		free(words.at[--words.count]);
	return out;
}
