/* images/probe - whether this kernel mounts EROFS images straight from files.
 *
 * Owns: the small image, the cached answer RUNTIME_ROOT/images/.erofs. May not touch: layers. Never
 * by version number: the option may be built out, the store's file system may not allow it.
 */
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/file.h"
#include "base/mount.h"
#include "base/tree.h"
#include "images/erofs.h"
#include "images/store_internal.h"

static bool try_mount(struct store *store, struct err *err)
{
	AUTO(layer_tree) struct layer_tree *tree = layer_tree_new();
	char name[32];
	AUTO(fd) int dir = store_tmp_dir(store, name, err);
	AUTO(fd) int index = -1;
	AUTO(fd) int tar = -1;
	AUTO(fd) int mounted = -1;
	struct erofs_devices devices = { .tar_bytes = 4096, .extra_fd = -1 };
	struct err ignored = ERR_NONE;

	if (dir < 0)
		return false;
	index = openat(dir, "index", O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	tar = openat(dir, "data", O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	if (index >= 0 && tar >= 0 && ftruncate(tar, 4096) == 0 &&
	    erofs_write(tree, index, &devices, err) == 0) {
		AUTO(free) char *image = xformat("%s/tmp/%s/index", store->path, name);
		AUTO(free) char *data = xformat("%s/tmp/%s/data", store->path, name);
		const char *paths[] = { data };

		mounted = mount_erofs(image, paths, 1, err);
	}
	tree_remove(store->tmp_fd, name, &ignored);
	return mounted >= 0;
}

/* The answer holds for one boot and one file system at one place: tmpfs, for one, cannot do it. */
bool erofs_probe(struct store *store)
{
	struct err ignored = ERR_NONE;
	struct stat st;
	AUTO(fd) int dir = file_open_dir(AT_FDCWD, store->runtime_path, true, &ignored);
	unsigned long long device = fstat(store->root_fd, &st) == 0 ? st.st_dev : 0;
	AUTO(free) char *yes = xformat("yes %s %llu %s\n", store->boot_id, device, store->path);
	AUTO(free) char *no = xformat("no %s %llu %s\n", store->boot_id, device, store->path);
	AUTO(free) char *text = NULL;
	bool works;

	if (geteuid() != 0)
		return false;
	if (dir >= 0 && file_read(dir, ".erofs", 8192, &text, NULL, &ignored) == 0) {
		if (strcmp(text, yes) == 0)
			return true;
		if (strcmp(text, no) == 0)
			return false;
	}
	works = try_mount(store, &ignored);
	if (dir >= 0)
		file_replace(dir, ".erofs", works ? yes : no, strlen(works ? yes : no), &ignored);
	return works;
}
