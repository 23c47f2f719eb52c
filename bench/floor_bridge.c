/* bench/floor_bridge - what disk and kernel alone ask for making one network.
 *
 * floor_bridge FOLDER NAME NUMBER: a file of a record's size, renamed into place and synced, then a
 * bridge NAME that is up and has an address.
 *
 * Owns: that file, that bridge. May not touch: the initial network namespace (the caller sees to
 * it).
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "bench/floor.h"

enum { RECORD_BYTES = 470, FIRST_ADDRESS = 0x0ad60001 };

static void fail(const char *what)
{
	fprintf(stderr, "floor_bridge: %s: %s\n", what, strerror(errno));
	exit(2);
}

static void write_record(const char *folder, const char *name)
{
	char bytes[RECORD_BYTES], temp[64], final[64];
	int dir = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC), fd;

	memset(bytes, ' ', sizeof bytes);
	snprintf(temp, sizeof temp, ".%.40s.tmp", name);
	snprintf(final, sizeof final, "%.40s.floor", name);
	fd = dir < 0 ? -1 : openat(dir, temp, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	if (fd < 0 || write(fd, bytes, sizeof bytes) != sizeof bytes ||
	    renameat(dir, temp, dir, final) < 0 || fsync(fd) < 0 || fsync(dir) < 0)
		fail("write the record");
	unlinkat(dir, final, 0); /* small beside the syncs, and nobody else tidies up */
	close(fd);
	close(dir);
}

int main(int argc, char **argv)
{
	int fd = net_open();

	if (argc != 4) {
		fputs("usage: floor_bridge FOLDER NAME NUMBER\n", stderr);
		return 2;
	}
	write_record(argv[1], argv[2]);
	/* Networks of 16 bits in 10.214.0.0 and above; only ever inside a private namespace. */
	if (fd < 0 ||
	    net_make_bridge_of(fd, argv[2],
			       FIRST_ADDRESS + ((unsigned)argv[3][0] - '0') * 0x10000) < 0)
		fail("make the bridge");
	return 0;
}
