/* volumes/tmpfs - the options of a tmpfs mount as an OCI mount wants them. Pure. */
#pragma once
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/err.h"

struct tmpfs_spec {
	const char *text; /* after the colon of `tmpfs: /run:size=64m,mode=1770,exec`; NULL: none */
	bool has_size;    /* long form: tmpfs.size */
	uint64_t size_bytes;
	bool has_mode; /* long form: tmpfs.mode */
	mode_t mode;
	mode_t target_mode; /* of the folder that it covers in the image (seed_stat); 0: there is
			       none */
};

/* "nosuid,nodev,noexec,mode=1777,size=67108864", to be freed; mount type is "tmpfs". Unknown words:
 * NULL with ERR_INVALID and a near miss. */
char *tmpfs_options(const struct tmpfs_spec *spec, struct err *err);
