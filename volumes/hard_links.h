/* volumes/hard_links - which files were met already under another name. Pure but for its memory. */
#pragma once
#include <sys/stat.h>

struct hard_links {
	struct linked *table; /* zero: nothing yet */
};

/* The path under which this file came first; NULL when this is the first time (then `path` is
 * remembered) or when it has one name alone. Borrowed. */
const char *hard_links_first(struct hard_links *links, const struct stat *st, const char *path);
void hard_links_clear(struct hard_links *links);
