/* orchestrator/storage_files - configs and secrets of a service as grants and binds; used by
 * storage alone. */
#pragma once
#include "orchestrator/storage.h"
#include "volumes/secret.h"

/* One config or secret of a service: either a plain bind of the host's file, or a grant to be
 * delivered. */
struct file_grant {
	struct secret_grant grant;
	const char *target;
	bool is_bind;
};

/* All of them, in the arena. ERR_NOT_FOUND, ERR_INVALID name the service and the source. */
int storage_grants(struct arena *arena, const struct project *project,
		   const struct service *service, struct file_grant **out, size_t *out_count,
		   struct err *err);
