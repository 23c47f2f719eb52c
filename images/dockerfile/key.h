/* images/dockerfile/key - the cache key of a step: equal keys, equal result.
 *
 * Pure; thread-safe. A key is the sha256 of a list of tagged fields, each with its length in front,
 *under a version, so that no two different inputs give the same bytes. What does not stand in these
 *structs (mtimes, inodes, names of stages, secrets, proxies) can change no key.
 *
 *	FROM image          df_key_from
 *	RUN                 df_key_run
 *	COPY, ADD           df_key_copy
 *	ENV, CMD, USER ...  df_key_config
 *	ARG                 none: the step has its parent's key; its value counts where RUN or an
 *	                    expanded word sees it
 */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "images/dockerfile/table.h"

#define DF_KEY_VERSION 1u
#define DF_KEY_SIZE    65u /* 64 hex digits and a NUL */

struct df_key_list {
	const char *const *items; /* NUL-terminated texts */
	size_t count;
};

struct df_key_xattr {
	const char *name;
	const void *value;
	size_t len;
};

/* One file, folder or link that a step takes in. */
struct df_key_entry {
	const char *path; /* below the destination; with the file's own name: COPY a /d/ is not COPY
			     b /d/ */
	char type;        /* 'f' file, 'd' folder, 'l' link; 'p', 'c', 'b' out of another stage */
	uint32_t mode;    /* permission bits */
	uint32_t uid, gid;
	uint64_t device;     /* 'c' and 'b' */
	const char *link;    /* target of 'l'; path of the first name of a hard link; or NULL */
	const char *content; /* digest of 'f', or NULL */
	const struct df_key_xattr *xattrs;
	size_t xattr_count;
};

#define DF_KEY_OWNERS 1u /* owners of entries count: COPY --from. Out of a context they do not */

/* Digest of a set of entries, whatever their order: contents of from= of a mount. */
void df_key_tree(const struct df_key_entry *entries, size_t count, unsigned flags,
		 char out[DF_KEY_SIZE]);

/* image: digest of the manifest of the platform; NULL for scratch. platform: "linux/amd64". */
void df_key_from(const char *image, const char *platform, char out[DF_KEY_SIZE]);

struct df_key_mount {
	const char *options; /* after expansion, as written */
	const char *content; /* df_key_tree of what from= or the context gives; NULL: cache, tmpfs,
				secret, ssh */
};

struct df_key_run {
	struct df_key_list
		argv; /* with the shell in front in shell form; scripts of heredocs as they run */
	struct df_key_list env; /* df_scope_environment without proxies; in any order */
	const char *user, *cwd, *network, *security, *platform; /* NULL and "" are the same */
	const struct df_key_mount *mounts;
	size_t mount_count;
};
void df_key_run(const char *parent, const struct df_key_run *run, char out[DF_KEY_SIZE]);

struct df_key_copy {
	enum df_kind kind;       /* DF_COPY or DF_ADD: the latter unpacks */
	const char *destination; /* after expansion and WORKDIR; with its last '/' */
	const char *chown,
		*chmod;     /* after expansion, with numbers for names where known; or NULL */
	const char *commit; /* ADD of a git repository: then without entries; else NULL */
	bool keeps_git_dir, unpacks, has_parents;
	bool is_link; /* --link: the parent does not count */
	unsigned flags;
	const struct df_key_entry *entries; /* in any order */
	size_t entry_count;
};
void df_key_copy(const char *parent, const struct df_key_copy *copy, char out[DF_KEY_SIZE]);

/* An instruction that changes the config alone, WORKDIR too: what it sets, after expansion and in
 * its order. exec_form tells CMD ["a b"] from CMD a b. */
void df_key_config(const char *parent, enum df_kind kind, bool exec_form,
		   const struct df_key_list *values, char out[DF_KEY_SIZE]);
