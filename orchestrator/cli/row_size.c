/* orchestrator/cli/row_size - what a container takes on the disk.
 *
 * Owns: the sum. May not touch: files.
 */
#include "orchestrator/cli/row_size.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/file.h"
#include "base/json.h"
#include "base/text.h"
#include "orchestrator/cli/human.h"
#include "volumes/rootfs.h"

static uint64_t layer_bytes(const struct project_dirs *dirs, const char *id)
{
	AUTO(fd) int fd = openat(dirs->containers_fd, id, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	struct err gone = ERR_NONE;
	uint64_t bytes = 0;

	if (fd >= 0)
		rootfs_size(fd, &bytes, &gone);
	return bytes;
}

static uint64_t log_bytes(const struct project_dirs *dirs, const struct record *record)
{
	char slot[300];
	struct err gone = ERR_NONE;
	int fd = file_open_dir(dirs->slots_fd, record_slot_name(record, slot, sizeof(slot)), false,
			       &gone);
	DIR *dir = fd < 0 ? NULL : fdopendir(fd);
	struct dirent *entry;
	uint64_t bytes = 0;

	while (dir && (entry = readdir(dir)) != NULL) {
		struct stat st;

		if (text_starts(entry->d_name, "log.json") &&
		    fstatat(dirfd(dir), entry->d_name, &st, AT_SYMLINK_NOFOLLOW) == 0)
			bytes += (uint64_t)st.st_size;
	}
	if (dir)
		closedir(dir);
	return bytes;
}

void row_add_size(struct json_object *row, const struct project_dirs *dirs,
		  const struct record *record)
{
	char layer[HUMAN_LEN], log[HUMAN_LEN];
	AUTO(free)
	char *text = xformat("%s (log %s)", human_size(layer_bytes(dirs, record->id), layer),
			     human_size(log_bytes(dirs, record), log));

	json_add_text(row, "Size", text);
}
