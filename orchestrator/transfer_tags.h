/* orchestrator/transfer_tags - which tags a repository has, at its registry and in the store.
 *
 * Whole commands with a loop of their own, as orchestrator/transfer: not for the supervisor.
 */
#pragma once
#include <stddef.h>

#include "orchestrator/transfer.h"

#define TRANSFER_TAGS_MAX 10000 /* more of one repository are refused */

/* "REPOSITORY:TAG" for every tag that the repository's registry (its origin, not a mirror) lists
 * now, in its order, as familiar as `repository` was written. A repository with a tag or a digest:
 * ERR_INVALID. One without tags: ERR_NOT_FOUND. *out and each of its texts are to be freed
 * (transfer_tags_free). options: paths and settings alone are looked at.
 * Source: distribution-spec 1.1, "Listing Tags". Blocks on the network. */
int transfer_tags_remote(const char *repository, const struct transfer_options *options,
			 char ***out, size_t *out_count, struct err *err);
/* The same of the store of this machine. */
int transfer_tags_local(const char *repository, const struct transfer_options *options, char ***out,
			size_t *out_count, struct err *err);
void transfer_tags_free(char **tags, size_t count);

/* The tags of one answer {"name", "tags": [...]}, put behind those that are there; those that are
 * there already or are no tags are left out. Returns how many came, -1 with ERR_INVALID. */
int transfer_tags_read(const char *body, size_t len, const char *repository, char ***tags,
		       size_t *count, struct err *err);
