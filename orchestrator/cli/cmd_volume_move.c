/* orchestrator/cli/cmd_volume_move - whole volumes in and out: export, import, clone, snapshot,
 * restore.
 *
 * Owns: their flags, the files they read and write. May not touch: content (volumes/transport).
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/json.h"
#include "orchestrator/cli/cmd_volume.h"
#include "orchestrator/cli/commands.h"
#include "orchestrator/cli/hold.h"
#include "orchestrator/cli/packing.h"
#include "volumes/transport.h"
#include "volumes/volume.h"

/* clang-format off */
#define OPT_PAUSE OPT_FLAG("pause", 0, "Freeze the containers that use it meanwhile")
#define OPT_STOP  OPT_FLAG("stop", 0, "Stop the services that use it meanwhile")

const struct option_row volume_export_options[] = {
	OPT_TEXT("output", 'o', "FILE|-", "Archive to write (default: stdout)"),
	OPT_PAUSE, OPT_STOP, OPT_END,
};
const struct option_row volume_import_options[] = {
	OPT_FLAG("replace", 0, "Into a volume that exists: its content is lost"),
	OPT_STOP, OPT_END,
};
const struct option_row volume_restore_options[] = { OPT_STOP, OPT_END };
const struct option_row volume_hold_options[] = { OPT_PAUSE, OPT_STOP, OPT_END };
/* clang-format on */

#define EITHER (HOLD_PAUSE | HOLD_STOP)

static unsigned in_use(const struct options *options, unsigned ways)
{
	return hold_is_asked(options, ways) ? TRANSPORT_IN_USE : 0;
}

static void tell_copy(bool reflinked)
{
	if (!reflinked)
		fputs("the file system cannot share blocks: this is a full copy\n", stderr);
}

int volume_export_command(struct cli *cli, const struct options *options, struct err *err)
{
	AUTO(volume_store) struct volume_store *store = volume_command_store(cli, err);
	const char *path = options_text(options, "output"), *name = options_argument(options, 0);
	bool to_stdout = !path || strcmp(path, "-") == 0;
	AUTO(hold) struct hold *hold = NULL;
	AUTO(json) struct json_object *volume = NULL;
	AUTO(fd) int fd = -1;
	struct packing *packing;
	bool failed;

	if (!store)
		return -1;
	if (to_stdout && isatty(STDOUT_FILENO))
		return err_set(err, ERR_INVALID,
			       "an archive is not for a terminal: -o FILE, or a pipe");
	volume = volume_find(store, name, 0, err);
	hold = volume ? hold_begin(cli, options, EITHER, store, name, err) : NULL;
	if (!hold)
		return -1;
	fd = to_stdout ? dup(STDOUT_FILENO)
		       : open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	if (fd < 0)
		return err_sys(err, errno, "open %s", path);
	if (!packing_is_asked(path))
		return transport_export(store, name, in_use(options, EITHER), fd, err);
	packing = packing_write(fd, path, err);
	if (!packing)
		return -1;
	failed = transport_export(store, name, in_use(options, EITHER), packing_fd(packing), err) <
		 0;
	return packing_end(packing, failed, err);
}

/* The end of a stream that is no archive is the unpacker's error, which says more. */
int volume_import_command(struct cli *cli, const struct options *options, struct err *err)
{
	AUTO(volume_store) struct volume_store *store = volume_command_store(cli, err);
	const char *name = options_argument(options, 0), *path = options_argument(options, 1);
	unsigned flags = (options_flag(options, "replace") ? TRANSPORT_REPLACE : 0) |
			 in_use(options, HOLD_STOP);
	AUTO(hold) struct hold *hold = NULL;
	struct err damaged = ERR_NONE;
	struct packing *packing;
	AUTO(fd) int fd = -1;
	bool failed;

	if (!store)
		return -1;
	fd = strcmp(path, "-") == 0 ? dup(STDIN_FILENO) : open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return err_sys(err, errno, "open %s", path);
	hold = hold_begin(cli, options, HOLD_STOP, store, name, err);
	packing = hold ? packing_read(fd, err) : NULL;
	if (!packing)
		return -1;
	failed = transport_import(store, name, flags, packing_fd(packing), err) < 0;
	if (packing_end(packing, false, &damaged) < 0 && failed && damaged.code == ERR_INVALID)
		*err = damaged;
	if (failed)
		return -1;
	puts(name);
	return 0;
}

int volume_clone_command(struct cli *cli, const struct options *options, struct err *err)
{
	AUTO(volume_store) struct volume_store *store = volume_command_store(cli, err);
	const char *from = options_argument(options, 0), *to = options_argument(options, 1);
	AUTO(hold)
	struct hold *hold = store ? hold_begin(cli, options, EITHER, store, from, err) : NULL;
	bool reflinked;

	if (!hold || transport_clone(store, from, to, in_use(options, EITHER), &reflinked, err) < 0)
		return -1;
	tell_copy(reflinked);
	puts(to);
	return 0;
}

int volume_snapshot_command(struct cli *cli, const struct options *options, struct err *err)
{
	AUTO(volume_store) struct volume_store *store = volume_command_store(cli, err);
	const char *name = options_argument(options, 0);
	AUTO(hold)
	struct hold *hold = store ? hold_begin(cli, options, EITHER, store, name, err) : NULL;
	bool reflinked;
	char tag[64];

	if (!hold || transport_snapshot(store, name, options_argument(options, 1),
					in_use(options, EITHER), tag, &reflinked, err) < 0)
		return -1;
	tell_copy(reflinked);
	puts(tag);
	return 0;
}

static int snapshot_ls(struct cli *cli, const struct options *options, struct err *err)
{
	AUTO(volume_store) struct volume_store *store = volume_command_store(cli, err);
	char **tags;
	size_t count;

	if (!store ||
	    transport_snapshot_names(store, options_argument(options, 0), &tags, &count, err) < 0)
		return -1;
	for (size_t i = 0; i < count; i++)
		puts(tags[i]);
	volume_names_free(tags, count);
	return 0;
}

static int snapshot_rm(struct cli *cli, const struct options *options, struct err *err)
{
	AUTO(volume_store) struct volume_store *store = volume_command_store(cli, err);

	if (!store || transport_snapshot_remove(store, options_argument(options, 0),
						options_argument(options, 1), err) < 0)
		return -1;
	puts(options_argument(options, 1));
	return 0;
}

int volume_restore_command(struct cli *cli, const struct options *options, struct err *err)
{
	AUTO(volume_store) struct volume_store *store = volume_command_store(cli, err);
	const char *name = options_argument(options, 0);
	AUTO(hold)
	struct hold *hold = store ? hold_begin(cli, options, HOLD_STOP, store, name, err) : NULL;
	bool reflinked;

	if (!hold || transport_restore(store, name, options_argument(options, 1),
				       in_use(options, HOLD_STOP), &reflinked, err) < 0)
		return -1;
	tell_copy(reflinked);
	return 0;
}

/* clang-format off */
const struct command volume_snapshot_commands[] = {
	{ "ls", "list", "VOLUME", "List the snapshots of a volume", NULL, EXAMPLES("stack volume snapshot ls shop_data", "oldest name first"), NULL,
	  NULL, NULL, snapshot_ls, 1, 1, ARGUMENT_VOLUME, 0 },
	{ "rm", "remove", "VOLUME TAG", "Remove a snapshot", NULL, EXAMPLES("stack volume snapshot rm shop_data before-update", "one of them"), NULL,
	  NULL, NULL, snapshot_rm, 2, 2, ARGUMENT_VOLUME, 0 },
	{ .name = NULL },
};
/* clang-format on */
