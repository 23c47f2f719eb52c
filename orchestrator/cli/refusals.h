/* orchestrator/cli/refusals - what cannot work, said before anything is begun. */
#pragma once
#include "base/err.h"
#include "orchestrator/cli/options.h"

/* The command makes or changes something that root alone can, and we are not: ERR_DENIED. */
int refusal_of_rights(const struct options *options, struct err *err);
/* Why a command of docker compose is not here (publish, bridge ...); NULL: it is none of those. */
const char *refusal_of_command(const char *name);
