/* orchestrator/cli/run_definition - a service as the flags of `run` change it. Blocks only for
 * --env-from-file. */
#pragma once
#include "orchestrator/cli/cli.h"

extern const struct option_row run_options[];

/* Lays -v, -p, -P, -l, --cap-add, --cap-drop, -e, --env-from-file, -u, -w, --entrypoint and the
 * words of the command over the service, in the cli's arena. ERR_INVALID names the flag. */
int run_define(struct cli *cli, const struct options *options, struct service *service,
	       struct err *err);
