/* volumes/transport - whole volumes in and out: prune, export, import, clone, snapshot, restore.
 *
 * Each refuses a volume in use (ERR_BUSY, users listed) unless TRANSPORT_IN_USE says that the
 * caller has frozen or stopped the users. What is interrupted leaves no half volume. Blocks (disk).
 */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "volumes/store.h"

#define TRANSPORT_IN_USE                                                                           \
	1u                   /* export, clone, snapshot: the caller answers for consistency;       \
				import, restore: its containers may be there, but stopped */
#define TRANSPORT_REPLACE 2u /* import: the old content goes */

/* A tar of the content (pax, numeric owner, xattrs, holes). */
int transport_export(const struct volume_store *store, const char *name, unsigned flags, int out_fd,
		     struct err *err);
/* A tar into a new volume, or with REPLACE into one that exists and is unused. */
int transport_import(const struct volume_store *store, const char *name, unsigned flags, int in_fd,
		     struct err *err);
/* *out_reflinked: every file's blocks are shared (btrfs, xfs), else a full copy was made. */
int transport_clone(const struct volume_store *store, const char *from, const char *to,
		    unsigned flags, bool *out_reflinked, struct err *err);
/* Snapshots stand in volumes/NAME/snapshots/TAG. tag NULL: the time, "20261121T105538Z";
 * out_tag[64]. */
int transport_snapshot(const struct volume_store *store, const char *name, const char *tag,
		       unsigned flags, char out_tag[64], bool *out_reflinked, struct err *err);
int transport_snapshot_names(const struct volume_store *store, const char *name, char ***out_tags,
			     size_t *out_count, struct err *err); /* volume_names_free */
int transport_snapshot_remove(const struct volume_store *store, const char *name, const char *tag,
			      struct err *err);
int transport_restore(const struct volume_store *store, const char *name, const char *tag,
		      unsigned flags, bool *out_reflinked, struct err *err);

#define PRUNE_NAMED 1u /* also named ones (-a) */
/* Which volumes a prune would remove: unused, anonymous (or all with NAMED), and not of a project
 * for which keep_project(ctx, project) is true (desired state up or stopped). volume_names_free. */
int transport_prune_list(const struct volume_store *store, unsigned flags,
			 bool (*keep_project)(void *ctx, const char *project), void *ctx,
			 char ***out_names, size_t *out_count, struct err *err);
