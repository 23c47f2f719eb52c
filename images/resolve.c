/* images/resolve - from what people type to an image's id.
 *
 * Owns: that a name wins over a prefix of an id, what is ambiguous. Declared in images/store.h. May
 * not touch: files of the store (images/name and images/record read them).
 */
#include <string.h>

#include "images/ref.h"
#include "images/store_internal.h"

struct prefix_search {
	const char *prefix;
	size_t matches;
	char id[DIGEST_TEXT_MAX];
	char candidates[160];
};

static int match_prefix(void *ctx, const char *file, struct err *err)
{
	struct prefix_search *search = ctx;
	char key[STORE_KEY_MAX];
	size_t len = strlen(file), used = strlen(search->candidates);

	(void)err;
	if (len <= 5 || len - 5 >= sizeof(key) ||
	    strncmp(file, search->prefix, strlen(search->prefix)) != 0)
		return 0;
	memcpy(key, file, len - 5);
	key[len - 5] = '\0';
	if (!store_key_digest(key, search->id))
		return 0;
	if (search->matches++ < 8)
		snprintf(search->candidates + used, sizeof(search->candidates) - used, " %.12s",
			 key);
	return 0;
}

static int resolve_prefix(struct store *store, const char *text, char out_id[DIGEST_TEXT_MAX],
			  struct err *err)
{
	struct prefix_search search = { .prefix = strncmp(text, "sha256:", 7) == 0 ? text + 7
										   : text };

	if (store_each(store->records_fd, match_prefix, &search, err) < 0)
		return -1;
	if (search.matches > 1)
		return err_set(err, ERR_INVALID, "image id %.64s is ambiguous:%s", text,
			       search.candidates);
	if (search.matches == 0)
		return err_set(err, ERR_NOT_FOUND, "no image %.100s", text);
	snprintf(out_id, DIGEST_TEXT_MAX, "%s", search.id);
	return 0;
}

/* "name@digest": by what a name's answer hashed to, or the manifest's or config's own digest. */
static int resolve_digest(struct store *store, const struct ref *ref, char out_id[DIGEST_TEXT_MAX],
			  struct err *err)
{
	struct image_record **records;
	char repository[REF_TEXT_MAX + 1], wanted[2 * REF_TEXT_MAX];
	size_t count;
	int rc = err_set(err, ERR_NOT_FOUND, "no image %.120s@%.19s", ref->path, ref->digest);

	if (store_list(store, &records, &count, err) < 0)
		return -1;
	snprintf(wanted, sizeof(wanted), "%s@%s",
		 ref_repository(ref, repository, sizeof(repository)), ref->digest);
	for (size_t i = 0; i < count && rc < 0; i++)
		for (size_t k = 0; k < records[i]->repo_digest_count && rc < 0; k++)
			if (strcmp(records[i]->repo_digests[k], wanted) == 0) {
				snprintf(out_id, DIGEST_TEXT_MAX, "%s", records[i]->id);
				*err = ERR_NONE;
				rc = 0;
			}
	image_records_free(records, count);
	return rc;
}

int store_resolve(struct store *store, const char *text, char out_id[DIGEST_TEXT_MAX],
		  struct err *err)
{
	struct image_name name;
	struct ref ref;
	struct err parse_err = ERR_NONE;
	char canonical[REF_TEXT_MAX + 1];
	bool is_ref = ref_parse(text, &ref, &parse_err) == 0;

	if (is_ref) {
		ref_canonical(&ref, canonical, sizeof(canonical));
		if (store_name(store, canonical, &name, err) == 0) {
			snprintf(out_id, DIGEST_TEXT_MAX, "%s", name.id);
			return 0;
		}
		if (err->code != ERR_NOT_FOUND)
			return -1;
	}
	*err = ERR_NONE;
	if (ref_may_be_short_id(text) && (resolve_prefix(store, text, out_id, err) == 0 ||
					  err->code != ERR_NOT_FOUND || !is_ref))
		return err->code == ERR_OK ? 0 : -1;
	*err = ERR_NONE;
	if (!is_ref) {
		*err = parse_err;
		return -1;
	}
	if (*ref.digest)
		return resolve_digest(store, &ref, out_id, err);
	return err_set(err, ERR_NOT_FOUND, "no image %.200s", text);
}
