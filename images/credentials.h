/* images/credentials - user names and secrets that docker, podman and `stack login` keep.
 *
 * Blocks (files; a credential helper is run for up to 30 s): pool and short commands only. Files in
 * order: REGISTRY_AUTH_FILE; DOCKER_CONFIG/config.json or ~/.docker/config.json;
 * XDG_RUNTIME_DIR/containers/auth.json (root without it: /run/containers/0/auth.json);
 * ~/.config/containers/auth.json. Within a file: credHelpers, credsStore, auths.
 */
#pragma once
#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"

struct credential {
	char *user, *secret;  /* NULL: none */
	char *identity_token; /* for the token server, instead of the secret */
	char *registry_token; /* a bearer token as it is */
};
void credential_clear(struct credential *credential); /* overwrites and frees */
static inline void auto_credential(struct credential *credential)
{
	credential_clear(credential);
}
bool credential_is_empty(const struct credential *credential);

/* What is known for a repository of a domain ("docker.io", "localhost:5000"; path may be NULL).
 * Nothing known: 0 and an empty *out. warn (may be NULL) hears of a broken file, which is then
 * passed over. Errors: a helper that fails. */
int credentials_find(const char *domain, const char *path, struct credential *out,
		     void (*warn)(void *ctx, const char *line), void *ctx, struct err *err);

/* Where the next one would be kept: a helper's name or a file's path, for people. To be freed. */
int credentials_store(const char *domain, const char *user, const char *secret, char **out_where,
		      struct err *err);
/* *out_had: there was something to erase. */
int credentials_erase(const char *domain, bool *out_had, struct err *err);
/* Whether any of the files names a helper, for whatever registry: a program that may want to write
 * files of its own. */
bool credentials_have_helpers(void);
