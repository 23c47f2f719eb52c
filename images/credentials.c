/* images/credentials - what docker's and podman's files and helpers know about a registry.
 *
 * Owns: the order of the files, the forms of their keys. Runs helpers through credential_helper.
 * May not touch: the network, other keys of those files (kept as they are).
 */
#include "images/credentials.h"

#include <stdlib.h>
#include <string.h>

#include "images/auth.h"

void credential_clear(struct credential *credential)
{
	auth_forget(credential->user);
	auth_forget(credential->secret);
	auth_forget(credential->identity_token);
	auth_forget(credential->registry_token);
	memset(credential, 0, sizeof(*credential));
}

bool credential_is_empty(const struct credential *credential)
{
	return !credential->user && !credential->identity_token && !credential->registry_token;
}
