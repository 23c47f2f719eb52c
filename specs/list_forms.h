/* specs/list_forms - lists of texts and maps of texts: commands, environment, options, hosts. */
#pragma once
#include "specs/keys.h"

/* Checks a value of such a row and brings it to its canonical form. 0 or -1. */
int list_form(struct shape *shape, const struct key *key, struct node *node,
	      const struct path *path);
/* A name of a resource limit: "nofile". */
bool list_form_is_limit(const char *name);
