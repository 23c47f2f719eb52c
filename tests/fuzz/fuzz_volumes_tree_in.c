/* tests/fuzz/fuzz_volumes_tree_in - a foreign archive placed in a folder: nothing beside the folder
 * ever changes. */
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/file.h"
#include "base/tree.h"
#include "volumes/folder.h"
#include "volumes/tree_in.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* DIR/{in,out/precious}, made once. */
static int open_ground(void)
{
	static char dir[] = "/dev/shm/fuzz_tree_in.XXXXXX";
	struct err err = ERR_NONE;
	int fd, out;

	if (!mkdtemp(dir))
		abort();
	fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	out = file_open_dir(fd, "out", true, &err);
	if (out < 0 || file_replace(out, "precious", "x", 1, &err) < 0)
		abort();
	close(out);
	return fd;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static int ground = -1;
	struct err err = ERR_NONE;
	AUTO(fd) int in = memfd_create("archive", MFD_CLOEXEC);
	AUTO(fd) int root = -1;
	AUTO(free) char *text = NULL;
	size_t len;

	if (ground < 0)
		ground = open_ground();
	if (file_write_all(in, data, size) < 0 || lseek(in, 0, SEEK_SET) != 0)
		abort();
	mkdirat(ground, "in", 0700);
	symlinkat("../out", ground, "in/way-out");
	root = openat(ground, "in", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	tree_in(root, ".", size % 2 ? TREE_IN_OWNERS : 0, in, &err);
	if (folder_count(ground, "out") != 1 || folder_count(ground, ".") != 2)
		abort();
	if (file_read(ground, "out/precious", 16, &text, &len, &err) < 0 || len != 1)
		abort();
	err = ERR_NONE;
	if (tree_remove(ground, "in", &err) < 0)
		abort();
	return 0;
}
