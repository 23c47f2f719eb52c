/* base/tar_header - one 512-byte tar header and the pax records in front of it. Pure; for
 * base/tar only. */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/tar.h"

#define TAR_BLOCK_BYTES 512

struct tar_header {
	char path[256 + 2]; /* prefix, '/' and name */
	char link[100 + 1];
	char type;
	bool is_gnu;
	uint32_t mode, uid, gid, major, minor;
	int64_t mtime_s;
	uint64_t size;
};

/* Checks the sum and reads the fields. ERR_INVALID names the field. */
int tar_header_read(const uint8_t *block, struct tar_header *out, struct err *err);
bool tar_block_is_zero(const uint8_t *block);
/* An octal or base-256 field, not negative. */
int tar_number(const char *what, const uint8_t *field, size_t len, uint64_t max, uint64_t *out,
	       struct err *err);

/* What pax records and GNU long names said about the next entry. */
struct tar_pax {
	char *path, *link; /* NULL: not said */
	char *sparse_name;
	bool has_size, has_uid, has_gid, has_mtime, has_real_size;
	uint64_t size, real_size;
	uint32_t uid, gid;
	int64_t mtime_s;
	uint32_t mtime_ns;
	unsigned sparse_major; /* 1: the map stands in front of the data */
	bool is_sparse;
	struct tar_xattr *xattrs; /* names and values of their own */
	size_t xattr_count;
	struct tar_region *regions; /* formats 0.0 and 0.1 */
	size_t region_count;
	bool region_open; /* 0.0: an offset waits for its length */
};

void tar_pax_clear(struct tar_pax *pax);
/* Reads one block of "LEN KEY=VALUE\n" records into pax; later ones win. */
int tar_pax_read(struct tar_pax *pax, const char *text, size_t len, struct err *err);
/* One more region of a sparse map; checks order and bounds against the last. */
int tar_region_add(struct tar_region **regions, size_t *count, uint64_t offset, uint64_t len,
		   struct err *err);
