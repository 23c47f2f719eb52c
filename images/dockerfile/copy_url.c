/* images/dockerfile/copy_url - ADD of a URL: its digest with as few bytes as possible.
 *
 * Owns: what is remembered of a URL between builds (ETag, time, digest). Declared in copy_inner.h.
 * May not touch: the network but through download.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/num.h"
#include "base/text.h"
#include "images/digest.h"
#include "images/dockerfile/copy_inner.h"
#include "images/dockerfile/download.h"
#include "images/steps.h"

#define URL_MODE   0600u
#define READ_BYTES (256u << 10)
#define NOTE_PARTS 4u

static void note_key(const char *url, char out[DF_KEY_SIZE])
{
	const char *const items[] = { "url", url };
	struct df_key_list list = { items, 2 };

	df_key_config(NULL, DF_ADD, false, &list, out);
}

/* "DIGEST\nETAG\nLAST-MODIFIED\nSECONDS" */
struct known {
	char digest[DF_KEY_SIZE], etag[256], modified[64];
	int64_t modified_s;
};

static bool read_note(struct df_copy *copy, const char *url, struct known *out)
{
	char key[DF_KEY_SIZE], text[1024];
	struct err ignored = ERR_NONE;
	struct slice rest, part[NOTE_PARTS] = { { 0 } };
	uint64_t seconds;
	size_t n = 0;

	memset(out, 0, sizeof(*out));
	note_key(url, key);
	if (steps_note_find(lease_store(copy->spec.lease), key, text, sizeof(text), &ignored) != 1)
		return false;
	rest = SLICE(text);
	while (n < NOTE_PARTS && slice_next(&rest, '\n', &part[n]))
		n++;
	if (n != NOTE_PARTS || part[0].len != DF_KEY_SIZE - 1)
		return false;
	snprintf(out->digest, sizeof(out->digest), "%.*s", SLICE_ARG(part[0]));
	snprintf(out->etag, sizeof(out->etag), "%.*s", SLICE_ARG(part[1]));
	snprintf(out->modified, sizeof(out->modified), "%.*s", SLICE_ARG(part[2]));
	if (num_parse_u64("time", part[3].at, part[3].len, 0, INT64_MAX, &seconds, &ignored) < 0)
		return false;
	out->modified_s = *out->modified ? (int64_t)seconds : -1;
	return true;
}

static void write_note(struct df_copy *copy, const struct copy_part *part,
		       const struct df_download *got)
{
	char key[DF_KEY_SIZE];
	struct err ignored = ERR_NONE;
	AUTO(free) char *text = NULL;

	if (!*got->etag && !*got->modified)
		return; /* nothing to ask with the next time */
	note_key(part->url, key);
	text = xformat("%s\n%s\n%s\n%lld", part->digest, got->etag, got->modified,
		       (long long)(got->modified_s < 0 ? 0 : got->modified_s));
	steps_note_save(lease_store(copy->spec.lease), key, text, &ignored);
}

static int digest_file(int fd, char out[DF_KEY_SIZE], struct err *err)
{
	AUTO(digest) struct digest *digest = digest_new(NULL);
	AUTO(free) char *buffer = xcalloc(1, READ_BYTES);
	char text[DIGEST_TEXT_MAX];
	off_t at = 0;
	ssize_t n;

	while ((n = pread(fd, buffer, READ_BYTES, at)) > 0) {
		digest_update(digest, buffer, (size_t)n);
		at += n;
	}
	if (n < 0)
		return err_sys(err, errno, "read temporary file");
	digest_text(digest, text);
	snprintf(out, DF_KEY_SIZE, "%.64s", digest_hex(text));
	return 0;
}

static int check(const struct df_copy *copy, const struct copy_part *part, const char *digest,
		 struct err *err)
{
	const char *wanted = copy->spec.checksum;

	if (wanted && strcmp(digest_hex(wanted), digest) != 0)
		return err_set(err, ERR_INVALID,
			       "%.100s: digest is sha256:%s, --checksum wants "
			       "%.80s",
			       part->url, digest, wanted);
	return 0;
}

/* known NULL: whatever the server has. 1: it came; 0: it is as known. */
static int load(struct df_copy *copy, struct copy_part *part, const struct known *known,
		struct err *err)
{
	AUTO(fd) int fd = df_copy_temp_file(copy, err);
	struct df_download got;
	char digest[DF_KEY_SIZE];

	if (fd < 0 || df_download(part->url, fd, known ? known->etag : NULL,
				  known ? known->modified : NULL, &got, err) < 0)
		return -1;
	if (known && got.status == 304) {
		memcpy(part->digest, known->digest, sizeof(part->digest));
		part->mtime_s = known->modified_s;
		return 0;
	}
	if (digest_file(fd, digest, err) < 0 || check(copy, part, digest, err) < 0)
		return -1;
	memcpy(part->digest, digest, sizeof(part->digest));
	part->mtime_s = got.modified_s;
	part->fd = TAKE_FD(fd);
	write_note(copy, part, &got);
	return 1;
}

int df_copy_plan_url(struct df_copy *copy, const char *url, struct err *err)
{
	struct copy_part *part = df_copy_new_part(copy);
	const char *checksum = copy->spec.checksum;
	struct known known;
	bool is_known;

	part->url = url;
	part->may_unpack = copy->spec.flags & DF_COPY_UNPACK;
	part->sources.named = 1;
	df_tree_init(&part->sources.tree);
	if (checksum && strncmp(checksum, "sha256:", 7) != 0)
		return err_set(err, ERR_INVALID, "--checksum=%.80s: wanted is sha256:HEX",
			       checksum);
	if (checksum) { /* what it has to be is known: it is fetched when the step runs */
		snprintf(part->digest, sizeof(part->digest), "%.64s", digest_hex(checksum));
		return 0;
	}
	is_known = read_note(copy, url, &known);
	return load(copy, part, is_known ? &known : NULL, err) < 0 ? -1 : 0;
}

/* The last part of the URL's path. */
static const char *name_of(struct df_copy *copy, const char *url)
{
	const char *path = strstr(url, "://");
	const char *end, *slash;

	path = path ? strchr(path + 3, '/') : NULL;
	if (!path)
		return NULL;
	end = path + strcspn(path, "?#");
	for (slash = end; slash > path && slash[-1] != '/'; slash--)
		;
	if (slash == end || memchr(slash, '\0', (size_t)(end - slash)))
		return NULL;
	return arena_strndup(copy->arena, slash, (size_t)(end - slash));
}

static int add_name(struct df_copy *copy, struct copy_part *part, struct err *err)
{
	struct layer_tree *tree = part->sources.tree.tree;
	const char *name = name_of(copy, part->url);
	uint32_t inode = layer_tree_inode(tree, NODE_FILE, err);
	struct df_content *content;
	off_t size = lseek(part->fd, 0, SEEK_END);

	if (!inode || size < 0)
		return -1;
	if (!name && copy->wants_folder)
		return err_set(err, ERR_INVALID,
			       "%.120s: its name is not known: the destination "
			       "must not end with /",
			       part->url);
	if (!name || strcmp(name, ".") == 0 || strcmp(name, "..") == 0)
		name = "file";
	tree->inodes[inode].mode = URL_MODE;
	tree->inodes[inode].size = (uint64_t)size;
	tree->inodes[inode].mtime_s = part->mtime_s >= 0 ? part->mtime_s : -1;
	content = df_tree_content(&part->sources.tree, inode, DF_CONTENT_RANGE);
	content->fd = part->fd;
	return layer_tree_add(tree, LAYER_TREE_ROOT, name, strlen(name), inode, err) ? 0 : -1;
}

int df_copy_fetch_url(struct df_copy *copy, struct copy_part *part, struct err *err)
{
	char before[DF_KEY_SIZE];

	if (part->fd < 0) {
		memcpy(before, part->digest, sizeof(before));
		if (load(copy, part, NULL, err) < 0)
			return -1;
		if (strcmp(before, part->digest) != 0)
			return err_set(err, ERR_BUSY, "%.120s changed while it was fetched",
				       part->url);
	}
	return tree_name(part->sources.tree.tree, LAYER_TREE_ROOT)->child
		       ? 0
		       : add_name(copy, part, err);
}
