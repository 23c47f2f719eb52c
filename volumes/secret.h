/* volumes/secret - configs and secrets as files of a container, never on a disk.
 *
 * How they get in: secret_deliver makes one small tmpfs (0755, nosuid, nodev, noexec, noswap where
 * the kernel knows it), writes the files into it while it is detached, and attaches it in the
 * container's stage (stage.h). Each file's path there becomes the source of one read-only bind in
 * config.json. After "created" stage_drop takes the tmpfs out of the host's tree: from then on only
 * the container's binds hold it, so it is gone when the container is, whoever died in between.
 * Every start delivers anew: `file` sources are read again, `environment` ones come from the
 * supervisor's memory.
 *
 * Configs of type `file` without uid, gid and mode stay binds of the host's file (V-73): the caller
 * does not hand them in here. Values appear in no error text. Blocks (disk, kernel).
 */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "base/err.h"
#include "volumes/stage.h"
#include "volumes/store.h"

#define SECRET_DEFAULT_MODE 0444
#define SECRET_CONTENT_MAX  (1u << 20)   /* environment, content, external */
#define SECRET_FILE_MAX     (500u << 20) /* file */

enum secret_kind {
	SECRET_FILE,     /* source: a path on the host */
	SECRET_VALUE,    /* value: from the environment or inline content */
	SECRET_EXTERNAL, /* source: a name in our store */
};

struct secret_grant {
	const char *name; /* for messages: `secret db_password` */
	enum secret_kind kind;
	const char *source;
	const void *value; /* any bytes; the caller wipes its own copy */
	size_t value_len;
	uid_t uid;
	gid_t gid;
	mode_t mode;
	char *out_source; /* set by secret_deliver: the path for config.json, to be freed */
};

/* Before anything starts: does every source exist, is it a file, is it small enough. ERR_NOT_FOUND
 * names it (and `stack secret create NAME` for external ones). */
int secret_check(const struct volume_store *store, const struct secret_grant *grant,
		 struct err *err);
int secret_deliver(const struct volume_store *store, struct volume_stage *stage,
		   struct secret_grant *grants, size_t count, struct err *err);
/* The target in the container, to be freed: NULL or relative ones go below /run/secrets (secrets)
 * or / (configs), a missing one is the grant's name. */
char *secret_target(bool is_config, const char *name, const char *target);

/* Keyed digest (HMAC-SHA-256 with STATE_ROOT/key, made when absent, 0600) of the source's content,
 * as 64 hex digits in out[65]: for "contents" of record.json, which decides on a recreate. */
int secret_digest(const struct volume_store *store, const struct secret_grant *grant, char out[65],
		  struct err *err);

/* The local store, STATE_ROOT/secrets/NAME, 0600. */
int secret_create(const struct volume_store *store, const char *name, const void *value, size_t len,
		  struct err *err); /* ERR_EXISTS */
int secret_remove(const struct volume_store *store, const char *name, struct err *err);
int secret_names(const struct volume_store *store, char ***out_names, size_t *out_count,
		 struct err *err); /* volume_names_free */
