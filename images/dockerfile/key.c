/* images/dockerfile/key - the cache key of a step.
 *
 * Owns: which input counts, and the bytes that are hashed.
 * May not touch: files, records of the cache.
 */
#include "images/dockerfile/key.h"

#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "images/digest.h"

#define HEAD_BYTES  9u
#define SMALL_BYTES 119u /* fields that go with their head in one piece */

/* What a field is. Numbers are never used again: a new meaning is a new number or a new version. */
enum tag {
	TAG_VERSION = 1,
	TAG_STEP,
	TAG_PARENT,
	TAG_IMAGE,
	TAG_PLATFORM,
	TAG_ARGV,
	TAG_ENV,
	TAG_USER,
	TAG_CWD,
	TAG_NETWORK,
	TAG_SECURITY,
	TAG_MOUNTS,
	TAG_MOUNT_OPTIONS,
	TAG_MOUNT_CONTENT,
	TAG_DESTINATION,
	TAG_CHOWN,
	TAG_CHMOD,
	TAG_COMMIT,
	TAG_COPY_FLAGS,
	TAG_ENTRIES,
	TAG_PATH,
	TAG_TYPE,
	TAG_MODE,
	TAG_UID,
	TAG_GID,
	TAG_DEVICE,
	TAG_LINK,
	TAG_CONTENT,
	TAG_XATTRS,
	TAG_XATTR_NAME,
	TAG_XATTR_VALUE,
	TAG_VALUES,
	TAG_VALUE,
	TAG_EXEC_FORM,
};

static void put_bytes(struct digest *digest, enum tag tag, const void *data, size_t len)
{
	unsigned char bytes[HEAD_BYTES + SMALL_BYTES] = { (unsigned char)tag };
	bool is_small = len <= SMALL_BYTES;

	for (unsigned i = 0; i < 8; i++)
		bytes[1 + i] = (unsigned char)((uint64_t)len >> (8 * i));
	if (is_small && len)
		memcpy(bytes + HEAD_BYTES, data, len);
	digest_update(digest, bytes, HEAD_BYTES + (is_small ? len : 0));
	if (!is_small)
		digest_update(digest, data, len);
}

/* NULL is "". */
static void put_text(struct digest *digest, enum tag tag, const char *text)
{
	put_bytes(digest, tag, text, text ? strlen(text) : 0);
}

static void put_number(struct digest *digest, enum tag tag, uint64_t number)
{
	unsigned char bytes[8];

	for (unsigned i = 0; i < 8; i++)
		bytes[i] = (unsigned char)(number >> (8 * i));
	put_bytes(digest, tag, bytes, sizeof(bytes));
}

static void put_list(struct digest *digest, enum tag tag, const char *const *items, size_t count)
{
	put_number(digest, tag, count);
	for (size_t i = 0; i < count; i++)
		put_text(digest, TAG_VALUE, items[i]);
}

static int compare_texts(const void *left, const void *right)
{
	const char *const *a = left, *const *b = right;

	return strcmp(*a, *b);
}

static void put_sorted(struct digest *digest, enum tag tag, const struct df_key_list *list)
{
	AUTO(free) const char **sorted = xcalloc(list->count + 1, sizeof(*sorted));

	for (size_t i = 0; i < list->count; i++)
		sorted[i] = list->items[i];
	qsort(sorted, list->count, sizeof(*sorted), compare_texts);
	put_list(digest, tag, sorted, list->count);
}

static struct digest *begin(const char *step, const char *parent)
{
	struct digest *digest = digest_new(NULL);

	put_number(digest, TAG_VERSION, DF_KEY_VERSION);
	put_text(digest, TAG_STEP, step);
	put_text(digest, TAG_PARENT, parent);
	return digest;
}

static void end(const struct digest *digest, char out[DF_KEY_SIZE])
{
	char text[DIGEST_TEXT_MAX];

	digest_text(digest, text);
	memcpy(out, digest_hex(text), DF_KEY_SIZE - 1);
	out[DF_KEY_SIZE - 1] = '\0';
}

/* -- entries -------------------------------------------------------------------------------------
 */

static int compare_xattrs(const void *left, const void *right)
{
	const struct df_key_xattr *a = left, *b = right;

	return strcmp(a->name, b->name);
}

static void put_xattrs(struct digest *digest, const struct df_key_entry *entry)
{
	AUTO(free) struct df_key_xattr *sorted = xcalloc(entry->xattr_count + 1, sizeof(*sorted));

	for (size_t i = 0; i < entry->xattr_count; i++)
		sorted[i] = entry->xattrs[i];
	qsort(sorted, entry->xattr_count, sizeof(*sorted), compare_xattrs);
	put_number(digest, TAG_XATTRS, entry->xattr_count);
	for (size_t i = 0; i < entry->xattr_count; i++) {
		put_text(digest, TAG_XATTR_NAME, sorted[i].name);
		put_bytes(digest, TAG_XATTR_VALUE, sorted[i].value, sorted[i].len);
	}
}

static void put_entry(struct digest *digest, const struct df_key_entry *entry, unsigned flags)
{
	bool is_device = entry->type == 'c' || entry->type == 'b';

	put_text(digest, TAG_PATH, entry->path);
	put_bytes(digest, TAG_TYPE, &entry->type, 1);
	/* Links have no mode of their own. */
	put_number(digest, TAG_MODE, entry->type == 'l' ? 0 : entry->mode);
	put_number(digest, TAG_UID, flags & DF_KEY_OWNERS ? entry->uid : 0);
	put_number(digest, TAG_GID, flags & DF_KEY_OWNERS ? entry->gid : 0);
	put_number(digest, TAG_DEVICE, is_device ? entry->device : 0);
	put_text(digest, TAG_LINK, entry->link);
	put_text(digest, TAG_CONTENT, entry->content);
	put_xattrs(digest, entry);
}

static int compare_entries(const void *left, const void *right)
{
	const struct df_key_entry *const *a = left, *const *b = right;

	return strcmp((*a)->path, (*b)->path);
}

static void put_entries(struct digest *digest, const struct df_key_entry *entries, size_t count,
			unsigned flags)
{
	AUTO(free) const struct df_key_entry **sorted = xcalloc(count + 1, sizeof(*sorted));

	for (size_t i = 0; i < count; i++)
		sorted[i] = &entries[i];
	qsort(sorted, count, sizeof(*sorted), compare_entries);
	put_number(digest, TAG_ENTRIES, count);
	for (size_t i = 0; i < count; i++)
		put_entry(digest, sorted[i], flags);
}

/* -- steps ---------------------------------------------------------------------------------------
 */

void df_key_tree(const struct df_key_entry *entries, size_t count, unsigned flags,
		 char out[DF_KEY_SIZE])
{
	AUTO(digest) struct digest *digest = begin("tree", NULL);

	put_entries(digest, entries, count, flags);
	end(digest, out);
}

void df_key_from(const char *image, const char *platform, char out[DF_KEY_SIZE])
{
	AUTO(digest) struct digest *digest = begin("FROM", NULL);

	put_text(digest, TAG_IMAGE, image);
	put_text(digest, TAG_PLATFORM, platform);
	end(digest, out);
}

void df_key_run(const char *parent, const struct df_key_run *run, char out[DF_KEY_SIZE])
{
	AUTO(digest) struct digest *digest = begin("RUN", parent);

	put_list(digest, TAG_ARGV, run->argv.items, run->argv.count);
	put_sorted(digest, TAG_ENV, &run->env);
	put_text(digest, TAG_USER, run->user);
	put_text(digest, TAG_CWD, run->cwd);
	put_text(digest, TAG_NETWORK, run->network);
	put_text(digest, TAG_SECURITY, run->security);
	put_text(digest, TAG_PLATFORM, run->platform);
	put_number(digest, TAG_MOUNTS, run->mount_count);
	for (size_t i = 0; i < run->mount_count; i++) {
		put_text(digest, TAG_MOUNT_OPTIONS, run->mounts[i].options);
		put_text(digest, TAG_MOUNT_CONTENT, run->mounts[i].content);
	}
	end(digest, out);
}

void df_key_copy(const char *parent, const struct df_key_copy *copy, char out[DF_KEY_SIZE])
{
	AUTO(digest)
	struct digest *digest = begin(df_row(copy->kind)->name, copy->is_link ? NULL : parent);
	uint64_t flags = (uint64_t)copy->keeps_git_dir | (uint64_t)copy->unpacks << 1 |
			 (uint64_t)copy->has_parents << 2 | (uint64_t)copy->is_link << 3;

	put_text(digest, TAG_DESTINATION, copy->destination);
	put_text(digest, TAG_CHOWN, copy->chown);
	put_text(digest, TAG_CHMOD, copy->chmod);
	put_text(digest, TAG_COMMIT, copy->commit);
	put_number(digest, TAG_COPY_FLAGS, flags);
	put_entries(digest, copy->entries, copy->entry_count, copy->flags);
	end(digest, out);
}

void df_key_config(const char *parent, enum df_kind kind, bool exec_form,
		   const struct df_key_list *values, char out[DF_KEY_SIZE])
{
	AUTO(digest) struct digest *digest = begin(df_row(kind)->name, parent);

	put_number(digest, TAG_EXEC_FORM, exec_form);
	put_list(digest, TAG_VALUES, values->items, values->count);
	end(digest, out);
}
