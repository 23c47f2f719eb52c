/* orchestrator/cli/complete - what may stand next on a command line, and the shells' scripts that
 * ask.
 *
 * The scripts are small: they hand the words to the hidden command `stack __complete WORD...` (the
 * last one is the unfinished one, maybe empty) and offer what it prints:
 * "candidate<TAB>description" a line, the last line
 * ":files", ":folders" or ":none" says whether the shell shall add names of files.
 */
#pragma once
#include <stdio.h>

#include "orchestrator/cli/options.h"

/* Names of services, images ... for an argument: prints them by calling add(add_ctx, name). May do
 * nothing. */
typedef void complete_names(void *ctx, enum argument_kind kind, const struct options *so_far,
			    void (*add)(void *add_ctx, const char *name), void *add_ctx);

/* words[0..count-1]: all behind the program's name, the last one unfinished. names may be NULL. */
void complete_print(FILE *out, const struct command *root, int count, char **words,
		    complete_names *names, void *ctx);
/* "bash", "zsh", "fish"; another: ERR_INVALID. */
int complete_print_script(FILE *out, const struct command *root, const char *shell,
			  struct err *err);
