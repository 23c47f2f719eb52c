/* orchestrator/cli/packing - an archive on its way through gzip or zstd, by a thread and a pipe.
 *
 * Whoever writes or reads the plain archive does so by packing_fd; the packed side is a file or
 * another pipe. Blocks in packing_end until all is through.
 */
#pragma once
#include <stdbool.h>

#include "base/cleanup.h"
#include "base/err.h"

struct packing;

/* Its ending is one of .gz, .tgz, .zst. */
bool packing_is_asked(const char *path);
/* To out_fd (stays the caller's), packed as the ending of `path` says (packing_is_asked). NULL with
 * *err. */
struct packing *packing_write(int out_fd, const char *path, struct err *err);
/* From in_fd (stays the caller's): what its first bytes say, gzip, zstd or plain. NULL with *err.
 */
struct packing *packing_read(int in_fd, struct err *err);
/* The plain end; the packing's. */
int packing_fd(const struct packing *packing);
/* Closes the plain end and waits; -1 with *err when packing failed, unless `failed`: the caller has
 * an error of its own, which is kept. Frees. */
int packing_end(struct packing *packing, bool failed, struct err *err);
