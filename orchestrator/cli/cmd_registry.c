/* orchestrator/cli/cmd_registry - what goes to registries: image push, login, logout.
 *
 * Owns: their flags, the asking for a password. May not touch: how credentials are kept
 * (images/credentials).
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <termios.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/file.h"
#include "orchestrator/cli/commands.h"
#include "orchestrator/cli/transfer_view.h"
#include "orchestrator/transfer.h"
#include "orchestrator/transfer_tags.h"

#define SECRET_MAX 65536

/* clang-format off */
const struct option_row image_push_options[] = {
	OPT_FLAG("quiet", 'q', "Print the reference only"),
	OPT_FLAG("all-tags", 'a', "Every tag of the repository that is here"),
	OPT_CHOICE("compression", 0, "gzip|zstd", "For layers that are kept uncompressed", .fallback = "gzip"),
	OPT_END,
};
const struct option_row login_options[] = {
	OPT_TEXT("username", 'u', "NAME", "User name"),
	OPT_TEXT("password", 'p', "PASSWORD", "Password (others may see it in the list of processes)"),
	OPT_FLAG("password-stdin", 0, "Read the password from stdin"),
	OPT_END,
};
/* clang-format on */

static struct transfer_options transfer_of(struct cli *cli)
{
	return (struct transfer_options){ .root = cli->roots->state,
					  .runtime_root = cli->roots->run,
					  .config_path = options_text(options_globals(cli->options),
								      "config") };
}

/* One after the other; the first failure ends it. */
static int push_refs(struct cli *cli, const char *const *refs, size_t count,
		     const struct options *options, struct err *err)
{
	struct transfer_push_options push = { .compression = options_text(options, "compression") };
	struct transfer_view view = { .form = options_flag(options, "quiet") ? PROGRESS_QUIET
									     : cli->progress };
	struct transfer_options transfer = transfer_of(cli);
	int status = 0;

	transfer.progress = transfer_progress_json;
	transfer.progress_ctx = stdout;
	if (cli->progress != PROGRESS_JSON) {
		view.progress = progress_new(stderr, view.form, "Pushing", 0);
		transfer.progress = transfer_view_show;
		transfer.progress_ctx = &view;
	}
	for (size_t i = 0; status == 0 && i < count; i++)
		status = transfer_push(refs[i], &push, &transfer, err);
	if (cli->progress == PROGRESS_JSON)
		return status;
	progress_free(view.progress);
	for (size_t i = 0; status == 0 && i < count; i++)
		puts(refs[i]);
	return status;
}

int image_push_command(struct cli *cli, const struct options *options, struct err *err)
{
	struct transfer_options transfer;
	char **tags;
	size_t count;
	int status;

	if (cli_roots(cli, err) < 0)
		return -1;
	if (!options_flag(options, "all-tags"))
		return push_refs(cli, options_arguments(options), 1, options, err);
	transfer = transfer_of(cli);
	if (transfer_tags_local(options_argument(options, 0), &transfer, &tags, &count, err) < 0)
		return -1;
	status = push_refs(cli, (const char *const *)tags, count, options, err);
	transfer_tags_free(tags, count);
	return status;
}

/* ---- login ---- */

static int read_line(const char *prompt, bool hidden, char **out, struct err *err)
{
	struct termios before, quiet;
	bool is_terminal = tcgetattr(STDIN_FILENO, &before) == 0;
	size_t room = 0;
	ssize_t n;

	if (!is_terminal)
		return err_set(err, ERR_INVALID,
			       "%s is needed: stdin is no terminal (see -u and --password-stdin)",
			       prompt);
	fprintf(stderr, "%s: ", prompt);
	fflush(stderr);
	if (hidden) {
		quiet = before;
		quiet.c_lflag &= ~(tcflag_t)ECHO;
		tcsetattr(STDIN_FILENO, TCSAFLUSH, &quiet);
	}
	*out = NULL;
	n = getline(out, &room, stdin);
	if (hidden) {
		tcsetattr(STDIN_FILENO, TCSAFLUSH, &before);
		fputc('\n', stderr);
	}
	if (n <= 0) {
		free(*out);
		*out = NULL;
		return err_set(err, ERR_CANCELLED, "no %s was given", prompt);
	}
	(*out)[strcspn(*out, "\r\n")] = '\0';
	return 0;
}

static int find_secret(const struct options *options, char **out, struct err *err)
{
	if (options_flag(options, "password-stdin")) {
		if (file_read_fd(STDIN_FILENO, "stdin", SECRET_MAX, out, NULL, err) < 0)
			return -1;
		(*out)[strcspn(*out, "\r\n")] = '\0';
		return 0;
	}
	if (options_text(options, "password")) {
		cli_warn("a password on the command line can be seen by others: use "
			 "--password-stdin");
		*out = xstrdup(options_text(options, "password"));
		return 0;
	}
	return read_line("Password", true, out, err);
}

int login_command(struct cli *cli, const struct options *options, struct err *err)
{
	AUTO(free) char *user = xstrdup(options_text(options, "username"));
	AUTO(free) char *secret = NULL;
	AUTO(free) char *where = NULL;
	struct transfer_options transfer;

	if (cli_roots(cli, err) < 0)
		return -1;
	if (options_flag(options, "password-stdin") && !user)
		return err_set(err, ERR_INVALID, "--password-stdin needs --username");
	if (!user && read_line("Username", false, &user, err) < 0)
		return -1;
	if (find_secret(options, &secret, err) < 0)
		return -1;
	transfer = transfer_of(cli);
	if (transfer_login(options_argument(options, 0), user, secret, &transfer, &where, err) < 0)
		return -1;
	explicit_bzero(secret, strlen(secret));
	fprintf(stderr, "The password is kept in %s\n", where);
	puts("Login Succeeded");
	return 0;
}

int logout_command(struct cli *cli, const struct options *options, struct err *err)
{
	const char *registry = options_argument(options, 0);
	bool had;

	(void)cli;
	if (transfer_logout(registry, &had, err) < 0)
		return -1;
	printf(had ? "Removing login credentials for %s\n" : "Not logged in to %s\n",
	       registry ? registry : "docker.io");
	return 0;
}
