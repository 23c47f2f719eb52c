/* images/check_layer - is a stored layer what it says? For images/check only. */
#pragma once
#include <stdbool.h>

#include "images/layer_dir.h"

/* ERR_INVALID or ERR_NOT_FOUND with what is wrong. fast: presence and sizes; else every byte: the
 * tar's digest, and the index or the extracted files against what the tar gives. */
int check_layer(struct store *store, const struct layer_place *place, bool fast, struct err *err);
