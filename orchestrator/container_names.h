/* orchestrator/container_names - one name, one container on this machine. Blocks (reads the records
 * of all projects): for the pool and for commands. */
#pragma once
#include "base/err.h"
#include "orchestrator/roots.h"

/* ERR_EXISTS when a container has that name. service (may be NULL) of project: its replicas do not
 * count, they give way to the new one. ERR_INVALID unless it is a letter or digit, then at least
 * one of these and "_.-". NULL: fine. */
int container_name_check(const struct roots *roots, const char *name, const char *project,
			 const char *service, struct err *err);
