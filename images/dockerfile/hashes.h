/* images/dockerfile/hashes - digests of files by what stat says of them, kept between builds.
 *
 * A digest is known for (device, inode, size, mtime, ctime); whoever changes a file changes one of
 * them. What is younger than two seconds when it is hashed is not kept, since it may change again
 * within the same tick of the clock. One file per context, read at once and written at the end.
 * Thread-safe. Blocks (disk, hashing).
 */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/stat.h>

#include "base/cleanup.h"
#include "base/err.h"

#define HASHES_BYTES   32u /* sha256 */
#define HASHES_UNUSED  8u  /* a digest that so many builds did not ask for is dropped */
#define HASHES_RACE_NS 2000000000ull

struct df_hashes;

/* The digests of the context name (any text) below folder, which is made when absent. A damaged
 * file counts as none. Never NULL: without a folder (NULL) nothing is kept. */
struct df_hashes *df_hashes_open(const char *folder, const char *name);
/* Writes what was learnt, when that is anything; a failure costs the next build time, no more. */
void df_hashes_close(struct df_hashes *hashes);
AUTO_TYPE(df_hashes, df_hashes_close);

/* What is known of a file. *out_has_xattrs (or NULL): the file had attributes when it was hashed.
 */
bool df_hashes_find(struct df_hashes *hashes, const struct stat *st, uint8_t out[HASHES_BYTES],
		    bool *out_has_xattrs);
/* now_unix_ns: a clock reading from before the file was read. */
void df_hashes_add(struct df_hashes *hashes, const struct stat *st, uint64_t now_unix_ns,
		   const uint8_t digest[HASHES_BYTES], bool has_xattrs);
