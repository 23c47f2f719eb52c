/* orchestrator/transfer_resolve - what registries have under names, without fetching it.
 *
 * A whole command with a loop of its own, as orchestrator/transfer: not for the supervisor.
 */
#pragma once
#include "orchestrator/transfer.h"

/* out_pinned[i]: the i-th reference with the digest that its registry has for it now, canonical
 * ("docker.io/library/nginx:1@sha256:…"), to be freed; one that has a digest stays as it is. All
 * are asked at once. -1 with the first failure ("image nginx:none: not found in …"); nothing is to
 * be freed then. options: paths and settings alone are looked at. */
int transfer_resolve(const char *const *refs, size_t count, const struct transfer_options *options,
		     char **out_pinned, struct err *err);
