/* orchestrator/cli/cmd_secret - the machine's own secrets: create, ls, inspect, rm.
 *
 * Owns: how a value gets in. May not touch: the store (volumes/secret). A value is never printed.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "base/json.h"
#include "orchestrator/cli/cmd_volume.h"
#include "orchestrator/cli/commands.h"
#include "orchestrator/cli/output.h"
#include "volumes/secret.h"
#include "volumes/volume.h"

static int secret_create_command(struct cli *cli, const struct options *options, struct err *err)
{
	AUTO(volume_store) struct volume_store *store = volume_command_store(cli, err);
	const char *name = options_argument(options, 0), *path = options_argument(options, 1);
	AUTO(free) char *value = NULL;
	AUTO(fd) int fd = -1;
	size_t len;
	int status;

	if (!store)
		return -1;
	fd = strcmp(path, "-") == 0 ? dup(STDIN_FILENO) : open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return err_sys(err, errno, "open %s", path);
	if (file_read_fd(fd, path, SECRET_CONTENT_MAX, &value, &len, err) < 0)
		return -1;
	status = secret_create(store, name, value, len, err);
	explicit_bzero(value, len);
	if (status == 0)
		puts(name);
	return status;
}

static int secret_ls_command(struct cli *cli, const struct options *options, struct err *err)
{
	AUTO(volume_store) struct volume_store *store = volume_command_store(cli, err);
	char **names;
	size_t count;

	(void)options;
	if (!store || secret_names(store, &names, &count, err) < 0)
		return -1;
	for (size_t i = 0; i < count; i++)
		puts(names[i]);
	volume_names_free(names, count);
	return 0;
}

static int secret_rm_command(struct cli *cli, const struct options *options, struct err *err)
{
	AUTO(volume_store) struct volume_store *store = volume_command_store(cli, err);

	if (!store)
		return -1;
	for (const char *const *name = options_arguments(options); *name; name++) {
		if (secret_remove(store, *name, err) < 0)
			return -1;
		puts(*name);
	}
	return 0;
}

/* What is known of it, never its value. */
static int secret_inspect_command(struct cli *cli, const struct options *options, struct err *err)
{
	AUTO(volume_store) struct volume_store *store = volume_command_store(cli, err);
	AUTO(json) struct json_object *array = json_object_new_array();
	char **names;
	size_t count;
	int status = 0;

	if (!store || secret_names(store, &names, &count, err) < 0)
		return -1;
	for (const char *const *name = options_arguments(options); *name && status == 0; name++) {
		struct json_object *one;
		bool known = false;

		for (size_t i = 0; i < count; i++)
			known |= strcmp(names[i], *name) == 0;
		if (!known) {
			status = err_set(err, ERR_NOT_FOUND, "secret %s is not in the local store",
					 *name);
			continue;
		}
		one = json_object_new_object();
		json_add_text(one, "ID", *name);
		json_add_text(json_add_object(one, "Spec"), "Name", *name);
		json_object_array_add(array, one);
	}
	volume_names_free(names, count);
	return status < 0 ? -1
			  : output_inspect(stdout, options_text(options, "format"), array, err);
}

static const struct option_row secret_inspect_options[] = {
	OPT_TEXT("format", 'f', "TEMPLATE", "Print by a template"),
	OPT_END,
};

/* clang-format off */
const struct command secret_commands[] = {
	{ "create", NULL, "SECRET FILE|-", "Keep a secret for `external: true`", "The value is kept below the state root, readable by its owner alone.",
	  EXAMPLES("stack secret create db_password password.txt", "from a file", "printf %s \"$PASSWORD\" | stack secret create db_password -", "from a pipe"), NULL,
	  NULL, NULL, secret_create_command, 2, 2, ARGUMENT_FILE, 0 },
	{ "ls", "list", "", "List the names of secrets", NULL, EXAMPLES("stack secret ls", "names alone, never values"), NULL,
	  NULL, NULL, secret_ls_command, 0, 0, ARGUMENT_OTHER, 0 },
	{ "inspect", NULL, "SECRET...", "Show what is known of secrets, never their values", NULL, EXAMPLES("stack secret inspect db_password", "as JSON"), NULL,
	  secret_inspect_options, NULL, secret_inspect_command, 1, ARGUMENTS_ANY, ARGUMENT_OTHER, 0 },
	{ "rm", "remove", "SECRET...", "Forget secrets", NULL, EXAMPLES("stack secret rm db_password", "containers that run keep it"), NULL,
	  NULL, NULL, secret_rm_command, 1, ARGUMENTS_ANY, ARGUMENT_OTHER, 0 },
	{ .name = NULL },
};
/* clang-format on */
