/* volumes/secret_store - the machine's own secrets, STATE_ROOT/secrets/NAME (0600), and its key.
 * Blocks (disk). Public functions: secret.h. */
#pragma once
#include "volumes/secret.h"

/* Opened for reading; ERR_NOT_FOUND names the command that makes it. */
int secret_open(const struct volume_store *store, const char *name, struct err *err);
