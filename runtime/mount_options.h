/* runtime/mount_options - the options of a mount, split by one table. Pure. */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/mount.h"
#include "runtime/config.h"

struct mount_options {
	uint64_t attr_set, attr_clear; /* MOUNT_ATTR_*, of the mount itself */
	uint64_t attr_named;           /* every attribute that was named, set or cleared */
	uint64_t rec_set, rec_clear;   /* of it and of all below */
	unsigned long propagation[4];  /* in order; each MS_SHARED ... */
	bool propagation_recursive[4];
	size_t propagation_count;
	bool bind, recursive_bind, remount;
	bool tmpcopyup, copy_symlink;
	bool idmap, recursive_idmap;
	struct mount_option *data; /* for the file system */
	size_t data_count;
};

/* Unknown words are data for the file system, as in mount(8). Allocates in arena. */
void mount_options_parse(struct arena *arena, const struct config_texts *words,
			 struct mount_options *out);
/* The names of all options that are no data, for `features`; NULL at the end. */
const char *mount_option_name(size_t index);
