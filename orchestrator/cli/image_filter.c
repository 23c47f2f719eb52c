/* orchestrator/cli/image_filter - `image ls --filter`.
 *
 * Owns: what docker's keys mean. May not touch: the store's records.
 */
#include "orchestrator/cli/image_filter.h"

#include <fnmatch.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/cleanup.h"
#include "images/config.h"
#include "images/media.h"
#include "images/ref.h"
#include "orchestrator/cli/words.h"

static int created_of(struct store *store, const char *text, uint64_t *out, struct err *err)
{
	struct image_record **images = NULL;
	char id[DIGEST_TEXT_MAX];
	size_t count;

	if (store_resolve(store, text, id, err) < 0 || store_list(store, &images, &count, err) < 0)
		return -1;
	for (size_t i = 0; i < count; i++)
		if (strcmp(images[i]->id, id) == 0)
			*out = images[i]->created_unix_ns;
	image_records_free(images, count);
	return 0;
}

int image_filter_read(struct store *store, const char *const *words, struct arena *arena,
		      struct image_filter *out, struct err *err)
{
	static const char *const known[] = { "dangling", "label", "reference",
					     "before",   "since", NULL };

	*out = (struct image_filter){ .store = store, .words = words };
	if (filter_check(words, known, err) < 0)
		return -1;
	for (; *words; words++) {
		const char *key, *value;

		if (word_split(arena, "filter", *words, 0, &key, &value, err) < 0)
			return -1;
		if (strcmp(key, "dangling") == 0 && strcmp(value, "true") != 0 &&
		    strcmp(value, "false") != 0)
			return err_set(err, ERR_INVALID, "--filter dangling: true or false");
		if (strcmp(key, "before") == 0 &&
		    created_of(store, value, &out->before_ns, err) < 0)
			return -1;
		if (strcmp(key, "since") == 0 && created_of(store, value, &out->since_ns, err) < 0)
			return -1;
	}
	return 0;
}

static bool is_dangling(const void *name, const char *value)
{
	return (strcmp(value, "true") == 0) == (name == NULL);
}

/* As people write it: "nginx", "nginx:1*", "127.0.0.1:5000/app". */
static bool has_reference(const void *name, const char *pattern)
{
	char repository[REF_TEXT_MAX + 1];
	AUTO(free) char *tagged = NULL;
	struct err ignored = ERR_NONE;
	struct ref ref;

	if (!name || ref_parse(name, &ref, &ignored) < 0)
		return false;
	ref_familiar_repository(&ref, repository, sizeof(repository));
	tagged = xformat("%s:%s", repository, ref.tag);
	return fnmatch(pattern, repository, FNM_PATHNAME) == 0 ||
	       fnmatch(pattern, tagged, FNM_PATHNAME) == 0;
}

static bool has_label(const void *config, const char *value)
{
	AUTO(free) char *key = xstrdup(value);
	char *sign = strchr(key, '=');
	const char *have;

	if (sign)
		*sign++ = '\0';
	have = config_label(config, key);
	return have && (!sign || strcmp(have, sign) == 0);
}

static bool passes_label(const struct image_filter *filter, const struct image_record *image)
{
	struct arena *arena = arena_new();
	struct image_config *config = NULL;
	struct err ignored = ERR_NONE;
	AUTO(free) char *text = NULL;
	size_t len;
	bool passes = store_image_config(filter->store, image->id, &text, &len, &ignored) == 0 &&
		      config_parse(arena, text, len, image->layer_count, &config, &ignored) == 0 &&
		      filter_passes(filter->words, "label", has_label, config);

	arena_free(arena);
	return passes;
}

static bool mentions(const struct image_filter *filter, const char *start)
{
	for (const char *const *word = filter->words; *word; word++)
		if (strncmp(*word, start, strlen(start)) == 0)
			return true;
	return false;
}

bool image_filter_wants_nameless(const struct image_filter *filter)
{
	return mentions(filter, "dangling=true");
}

bool image_filter_passes(const struct image_filter *filter, const struct image_record *image,
			 const char *name)
{
	if ((filter->before_ns && image->created_unix_ns >= filter->before_ns) ||
	    (filter->since_ns && image->created_unix_ns <= filter->since_ns))
		return false;
	return filter_passes(filter->words, "dangling", is_dangling, name) &&
	       filter_passes(filter->words, "reference", has_reference, name) &&
	       (!mentions(filter, "label=") || passes_label(filter, image));
}
