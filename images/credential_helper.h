/* images/credential_helper - programs that keep secrets: docker-credential-NAME.
 *
 * Blocks: runs the program found through PATH, at most 30 s. The child gets the caller's
 * environment, an empty signal mask and nothing but three descriptors. Source:
 * docker-credential-helpers' protocol.
 */
#pragma once
#include <stdbool.h>

#include "base/err.h"
#include "images/credentials.h"

/* NAME is [A-Za-z0-9._-]+. *out stays empty when the helper knows nothing. */
int credential_helper_get(const char *name, const char *server, struct credential *out,
			  struct err *err);
int credential_helper_store(const char *name, const char *server, const char *user,
			    const char *secret, struct err *err);
/* *out_had: false when it said that there was nothing. */
int credential_helper_erase(const char *name, const char *server, bool *out_had, struct err *err);
