/* orchestrator/cli/cli - what every command needs.
 *
 * Owns: the way from flags and environment to roots and a project. May not touch: what a command
 * does.
 */
#include "orchestrator/cli/cli.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/text.h"
#include "orchestrator/observe.h"
#include "specs/problem.h"

extern char **environ;

/* Workers and supervisors find the settings by the environment. */
static void export_config(const char *path)
{
	char *absolute = path && *path ? realpath(path, NULL) : NULL;

	if (path && *path)
		setenv("STACK_CONFIG", absolute ? absolute : path, 1);
	free(absolute);
}

/* What belongs to the machine is root's; a store of one's own is asked for by name. */
static int refuse_user(struct err *err)
{
	return err_set(
		err, ERR_DENIED,
		"stack needs root to run containers and to see them: use sudo (or --root and "
		"--runtime-root for images in folders of your own)");
}

int cli_roots(struct cli *cli, struct err *err)
{
	const struct options *globals = options_globals(cli->options);

	if (cli->roots)
		return 0;
	export_config(options_text(globals, "config"));
	if (geteuid() != 0 && !options_is_set(globals, "root"))
		return refuse_user(err);
	cli->roots = roots_open(options_text(globals, "root"),
				options_text(globals, "runtime-root"), err);
	if (cli->roots)
		return 0;
	if (geteuid() != 0 && err->code == ERR_DENIED)
		return refuse_user(err);
	return -1;
}

int cli_settings(struct cli *cli, struct err *err)
{
	if (!cli->settings)
		cli->settings =
			settings_load(options_text(options_globals(cli->options), "config"), err);
	return cli->settings ? 0 : -1;
}

static void tell_problems(struct cli *cli, const struct problems *problems)
{
	const struct problem *problem;
	size_t shown = problems->error_count < PROBLEMS_MAX ? problems->error_count : PROBLEMS_MAX;

	for (size_t i = 0; i < problems->warning_count; i++) {
		problem = &problems->warnings[i];
		fprintf(stderr, "warning: %s\n", problem_text(cli->arena, problem));
	}
	for (size_t i = 0; i < shown; i++)
		fprintf(stderr, "%s%s\n", problems->errors[i].place.file ? "" : "stack: ",
			problem_text(cli->arena, &problems->errors[i]));
	if (problems->error_count > shown)
		fprintf(stderr, "... and %zu more\n", problems->error_count - shown);
}

static void fill(struct cli *cli, struct load_options *load)
{
	const struct options *globals = options_globals(cli->options);
	char *directory = getcwd(NULL, 0);

	if (options_flag(globals, "all-resources"))
		load->flags |= LOAD_ALL_RESOURCES;
	load->working_dir = arena_strdup(cli->arena, directory ? directory : "/");
	free(directory);
	load->files = options_list(globals, "file", &load->file_count);
	load->project_directory = options_text(globals, "project-directory");
	load->project_name = options_text(globals, "project-name");
	load->env = (const char *const *)environ;
	load->env_files = options_list(globals, "env-file", &load->env_file_count);
	load->profiles = options_list(globals, "profile", &load->profile_count);
	load->uid = getuid();
	load->gid = getgid();
	load->stdin_fd = STDIN_FILENO;
}

/* What the loader has read for itself. */
static const char *const loaders[] = { "COMPOSE_FILE", "COMPOSE_PROFILES", "COMPOSE_ENV_FILES",
				       "COMPOSE_PROJECT_NAME", NULL };

static const char *project_variable(void *ctx, const char *name)
{
	for (const char *const *own = loaders; *own; own++)
		if (strcmp(*own, name) == 0)
			return NULL;
	return pairs_get(ctx, name);
}

/* COMPOSE_* of the .env set flags, too, below the environment. */
static int take_env_file(struct cli *cli, struct pairs *environment, struct err *err)
{
	if (!cli->settable)
		return 0;
	if (options_apply_env(cli->settable, project_variable, environment, err) < 0)
		return err_wrap(err, ".env");
	return cli_choose_output(cli, err);
}

int cli_choose_output(struct cli *cli, struct err *err)
{
	const struct options *globals = options_globals(cli->options);

	cli->ansi = options_flag(globals, "no-ansi") ? "never" : options_text(globals, "ansi");
	return progress_form_choose(options_text(globals, "progress"), cli->ansi, stderr,
				    &cli->progress, err);
}

int cli_load(struct cli *cli, unsigned flags, const char *const *services, struct load_result *out,
	     struct err *err)
{
	struct load_options load = { .flags = flags };

	fill(cli, &load);
	load.services = services;
	while (services && services[load.service_count])
		load.service_count++;
	if (project_load(cli->arena, &load, out) < 0) {
		tell_problems(cli, &out->problems);
		return err_set(err, ERR_INVALID, "%s", "");
	}
	tell_problems(cli, &out->problems);
	return take_env_file(cli, &out->environment, err);
}

struct project *cli_peek(struct cli *cli)
{
	struct load_options load = { .flags = 0 };
	struct load_result result;

	fill(cli, &load);
	return project_load(cli->arena, &load, &result) < 0 ? NULL : result.project;
}

bool cli_has_project(struct cli *cli)
{
	struct load_options load = { .flags = LOAD_NAME_ONLY };
	struct load_result result;

	fill(cli, &load);
	return project_load(cli->arena, &load, &result) == 0 || result.name;
}

int cli_project_name(struct cli *cli, const char **out_name, struct err *err)
{
	struct load_options load = { .flags = LOAD_NAME_ONLY };
	struct load_result result;

	fill(cli, &load);
	if (project_load(cli->arena, &load, &result) < 0 && !result.name) {
		tell_problems(cli, &result.problems);
		return err_set(err, ERR_INVALID, "%s", "");
	}
	*out_name = result.name;
	return take_env_file(cli, &result.environment, err);
}

int cli_project_dirs(struct cli *cli, bool must_exist, struct project_dirs **out, struct err *err)
{
	const char *name;

	if (cli_roots(cli, err) < 0 || cli_project_name(cli, &name, err) < 0)
		return -1;
	*out = project_dirs_open(cli->roots, name, false, err);
	if (*out)
		return 0;
	if (err->code == ERR_NOT_FOUND && !must_exist) {
		*err = ERR_NONE;
		return 0;
	}
	return -1;
}

int cli_check_services(struct cli *cli, const struct project_dirs *dirs,
		       const char *const *services, struct err *err)
{
	struct observed *observed;
	int status = 0;

	if (!services || !services[0])
		return 0;
	observed = observe_project(dirs, err);
	if (!observed)
		return -1;
	for (size_t i = 0; services[i] && status == 0; i++)
		if (!observed_has_service(observed, services[i]))
			status = err_set(err, ERR_NOT_FOUND, "no such service: %s", services[i]);
	observed_free(observed);
	(void)cli;
	return status;
}

void cli_warn(const char *fmt, ...)
{
	va_list ap;

	fputs("warning: ", stderr);
	va_start(ap, fmt);
	vfprintf(stderr, fmt, ap);
	va_end(ap);
	fputc('\n', stderr);
}

bool cli_ask(const char *question)
{
	char answer[16] = "";

	fprintf(stderr, "%s [yN] ", question);
	fflush(stderr);
	if (!fgets(answer, sizeof(answer), stdin))
		return false;
	answer[strcspn(answer, "\n")] = '\0';
	return strcasecmp(answer, "y") == 0 || strcasecmp(answer, "yes") == 0;
}
