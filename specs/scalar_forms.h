/* specs/scalar_forms - scalars of the key tables: types, ranges, canonical texts. */
#pragma once
#include "specs/keys.h"

/* Checks a scalar of such a row and rewrites it. Returns 0 or -1 (the problem is noted). */
int scalar_form(struct shape *shape, const struct key *key, struct node *node,
		const struct path *path);
/* check, choices and text type alone: for texts in lists. */
int scalar_form_text(struct shape *shape, const struct key *key, struct node *node,
		     const struct path *path);
/* "want text, here is a number": a type error. Returns -1. */
int scalar_form_refuse(struct shape *shape, const struct node *node, const struct path *path,
		       const char *want);
/* A text that waits for interpolation: left as it is. */
bool scalar_form_is_raw(const struct shape *shape, const struct node *node);
