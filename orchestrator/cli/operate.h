/* orchestrator/cli/operate - a request about what exists of a project. Blocks. */
#pragma once
#include <json-c/json.h>

#include "orchestrator/cli/cli.h"

#define OPT_STOP_TIMEOUT                                                                           \
	OPT_NUMBER("timeout", 't', "SECONDS", "Stop time-out, over stop_grace_period", .min = 0,   \
		   .max = 86400)

/* Sends op for the services that the command names, with those of its flags that are listed and,
 * when it has one, its time-out; a project that was never up has nothing to do. *out (may be NULL)
 * gets the result, to be put. */
int operate(struct cli *cli, const struct options *options, const char *op, const char *title,
	    const char *const *flags, bool has_timeout, struct json_object **out, struct err *err);
