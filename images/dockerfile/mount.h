/* images/dockerfile/mount - the value of RUN --mount: type=cache,target=/x,...
 *
 * Pure. Source: Dockerfile reference, "RUN --mount".
 */
#pragma once
#include <stdint.h>

#include "images/dockerfile/report.h"

enum df_mount_type { DF_MOUNT_BIND, DF_MOUNT_CACHE, DF_MOUNT_TMPFS, DF_MOUNT_SECRET, DF_MOUNT_SSH };
enum df_sharing { DF_SHARING_SHARED, DF_SHARING_PRIVATE, DF_SHARING_LOCKED };

struct df_mount {
	enum df_mount_type type;
	const char *target; /* as written, may be relative to WORKDIR; NULL for ssh and secrets
			       without one */
	const char *source; /* NULL: the root of `from` */
	const char *from;   /* stage, image or context; NULL: the context (bind), nothing (cache) */
	const char *id;     /* cache: NULL is the target; secret: never NULL; ssh: "default" */
	const char *env;    /* secret: variable to set, or NULL */
	enum df_sharing sharing;
	bool read_only; /* bind: true unless rw */
	bool required;  /* secret, ssh */
	unsigned mode;  /* permission bits: cache 0755, secret 0400, ssh 0600 unless given */
	unsigned uid, gid;
	uint64_t size_bytes; /* tmpfs; 0: the kernel's default */
};

/* text is expanded already. Errors: INVALID at the place: unknown or doubled keys (with what may
 * have been meant), values, keys that the type does not take, a missing target or id. */
int df_mount_parse(struct df_report *report, struct df_place place, const char *text,
		   struct df_mount *out, struct err *err);

/* The value of from= in a text that is not expanded yet: in the arena, or NULL. */
const char *df_mount_from(struct arena *arena, const char *text);
