/* specs/paths - relative paths of a model to absolute ones. Pure: no file is looked at. */
#pragma once
#include "specs/node.h"

struct path_base {
	struct arena *arena;
	struct problems *problems;
	const char *directory;
	const char *home; /* for ~; NULL: unknown */
};

/* All paths of a shaped document. Returns -1 when there is a ~user. */
int paths_resolve(const struct path_base *base, struct node *root);
