/* volumes/hard_links - which files were met already under another name.
 *
 * Owns: the table of inodes. May not touch: files.
 */
#include "volumes/hard_links.h"

#include <stdlib.h>
#include <uthash.h>

#include "base/alloc.h"

struct linked {
	struct file_key {
		dev_t dev;
		ino_t ino;
	} key;
	char *path;
	UT_hash_handle hh;
};

const char *hard_links_first(struct hard_links *links, const struct stat *st, const char *path)
{
	const struct file_key key = { st->st_dev, st->st_ino };
	struct linked *known = NULL;

	if (st->st_nlink < 2)
		return NULL;
	/* analyzer: the key is set above, all of it */
	HASH_FIND(hh, links->table, &key, sizeof(key), known);
	if (known)
		return known->path;
	known = xcalloc(1, sizeof(*known));
	known->key = key;
	known->path = xstrdup(path);
	HASH_ADD(hh, links->table, key, sizeof(known->key), known);
	return NULL;
}

void hard_links_clear(struct hard_links *links)
{
	struct linked *linked = NULL, *next = NULL;

	HASH_ITER(hh, links->table, linked, next)
	{
		/* analyzer: it leaves the table before it is freed */
		HASH_DEL(links->table, linked);
		free(linked->path);
		free(linked);
	}
}
