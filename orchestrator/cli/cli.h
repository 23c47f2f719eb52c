/* orchestrator/cli/cli - what every command needs: roots, the project's name and model, progress,
 * programs.
 *
 * Built by main, one thread. Functions return -1 with *err; an err with an empty message has been
 * told already (the loader's errors, all of them with their lines).
 */
#pragma once
#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/err.h"
#include "orchestrator/cli/options.h"
#include "orchestrator/cli/progress.h"
#include "orchestrator/roots.h"
#include "orchestrator/settings.h"
#include "specs/load.h"

struct cli {
	struct arena *arena; /* dies with the command */
	const struct options *options;
	struct options *settable;              /* the same, for what a project's .env sets */
	struct roots *roots;                   /* cli_roots */
	struct settings *settings;             /* cli_settings */
	char *program, *runtime, *netd, *init; /* paths of stack, stack-runtime, -netd, -init */
	enum progress_form progress;
	bool dry_run;     /* --dry-run: requests ask for the plan alone */
	const char *ansi; /* "auto", "always", "never" */
	int own_argc;
	char **own_argv; /* for the process title of a supervisor */
};

/* Opens the roots once; ERR_DENIED "must be run as root" where that is the reason. */
int cli_roots(struct cli *cli, struct err *err);

/* Reads the settings of the machine once, into cli->settings. */
int cli_settings(struct cli *cli, struct err *err);

/* The project as the files and flags say. services (NULL-terminated or NULL): what the command
 * names, so that their profiles count. Warnings and errors are told on stderr. flags: LOAD_*. */
int cli_load(struct cli *cli, unsigned flags, const char *const *services, struct load_result *out,
	     struct err *err);
/* ansi and progress as --ansi and --progress say. ERR_INVALID: they do not go together. */
int cli_choose_output(struct cli *cli, struct err *err);
/* Whether the command line, the environment or the folder names a project; nothing is told. */
/* What the files say now, without a word; NULL: there are none, or they have mistakes. */
struct project *cli_peek(struct cli *cli);
bool cli_has_project(struct cli *cli);
/* The project's name alone: -p, COMPOSE_PROJECT_NAME, else the files. */
int cli_project_name(struct cli *cli, const char **out_name, struct err *err);
/* Name and folders of a project that exists; ERR_NOT_FOUND when it was never up and must_exist. */
int cli_project_dirs(struct cli *cli, bool must_exist, struct project_dirs **out, struct err *err);

/* ERR_NOT_FOUND "no such service: X" unless the model or a container of the project knows each of
 * them. */
int cli_check_services(struct cli *cli, const struct project_dirs *dirs,
		       const char *const *services, struct err *err);
/* A warning for people on stderr. */
void cli_warn(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
/* Asks on stderr and reads a line; end of input and anything but y/yes is no. */
bool cli_ask(const char *question);
