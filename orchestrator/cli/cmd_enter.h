/* orchestrator/cli/cmd_enter - programs and terminals in a container that was found already. */
#pragma once
#include "orchestrator/cli/cli.h"
#include "orchestrator/observe.h"

#define ENTER_TTY      1u /* a terminal */
#define ENTER_NO_STDIN 2u /* nothing to read */
#define ENTER_DETACH   4u

/* command (NULL-terminated) with env, user, workdir and privileged of the options; its status. */
int enter_exec(struct cli *cli, const struct options *options, const struct record *record,
	       const char *const *command, unsigned flags, struct err *err);
/* Streams of the main process, with no-stdin, sig-proxy and detach-keys of the options; its status,
 * 0 when the keys detached. */
int enter_attach(struct cli *cli, const struct options *options,
		 const struct observed_container *container, struct err *err);
