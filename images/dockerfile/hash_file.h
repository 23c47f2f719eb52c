/* images/dockerfile/hash_file - the digest of one file of a context. For images/dockerfile only. */
#pragma once
#include <stdint.h>
#include <sys/stat.h>

#include "base/err.h"
#include "images/dockerfile/hashes.h"

/* sha256 of the regular file dir_fd/name, out of hashes (NULL: none) where that knows it. st is
 * what stat said. Errors: BUSY when it is another file meanwhile, or changes while it is read; from
 * errno. */
int df_hash_file(struct df_hashes *hashes, int dir_fd, const char *name, const struct stat *st,
		 uint8_t out[HASHES_BYTES], struct err *err);

/* sha256 of bytes. */
void df_hash_bytes(const void *data, size_t len, uint8_t out[HASHES_BYTES]);
