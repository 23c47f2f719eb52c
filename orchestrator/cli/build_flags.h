/* orchestrator/cli/build_flags - the flags of `image build` as a build_spec. In the command's
 * arena; standard input is read for -f -. */
#pragma once
#include "orchestrator/build.h"
#include "orchestrator/cli/cli.h"

/* Errors: INVALID naming the flag; NOT_FOUND for files that are not there. */
int build_flags_read(struct cli *cli, const struct options *options, struct build_spec *out,
		     struct err *err);
