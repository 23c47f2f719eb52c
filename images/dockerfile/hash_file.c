/* images/dockerfile/hash_file - the digest of one file of a context.
 *
 * Owns: reading it once, and the proof that it stayed the same meanwhile. May not touch: links,
 * fifos, devices.
 */
#include "images/dockerfile/hash_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/cleanup.h"
#include "base/sha.h"
#include "base/stamp.h"

#define READ_BYTES  (256u << 10)
#define SMALL_BYTES (16u << 10)

static bool is_same(const struct stat *a, const struct stat *b)
{
	return S_ISREG(b->st_mode) && a->st_dev == b->st_dev && a->st_ino == b->st_ino &&
	       a->st_size == b->st_size && a->st_ctim.tv_sec == b->st_ctim.tv_sec &&
	       a->st_ctim.tv_nsec == b->st_ctim.tv_nsec && a->st_mtim.tv_sec == b->st_mtim.tv_sec &&
	       a->st_mtim.tv_nsec == b->st_mtim.tv_nsec;
}

static int digest_fd(int fd, uint64_t size, uint8_t out[HASHES_BYTES], struct err *err)
{
	AUTO(sha) struct sha *sha = sha_new(SHA_256);
	char small[SMALL_BYTES];
	AUTO(free) char *large = size > sizeof(small) ? xrealloc(NULL, READ_BYTES, 1) : NULL;
	char *buffer = large ? large : small;
	size_t room = large ? READ_BYTES : sizeof(small);

	for (uint64_t at = 0; at < size;) {
		ssize_t n = read(fd, buffer, room);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return err_sys(err, errno, "read");
		if (n == 0)
			break; /* shorter: the look at its times will tell */
		sha_update(sha, buffer, (size_t)n);
		at += (uint64_t)n;
	}
	sha_get(sha, out);
	return 0;
}

void df_hash_bytes(const void *data, size_t len, uint8_t out[HASHES_BYTES])
{
	sha_256(data, len, out);
}

int df_hash_file(struct df_hashes *hashes, int dir_fd, const char *name, const struct stat *st,
		 uint8_t out[HASHES_BYTES], struct err *err)
{
	uint64_t now;
	AUTO(fd) int fd = -1;
	struct stat before, after;
	bool has_xattrs;

	if (hashes && df_hashes_find(hashes, st, out, NULL))
		return 0;
	now = stamp_now_ns();
	fd = openat(dir_fd, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
	if (fd < 0 || fstat(fd, &before) < 0)
		return err_sys(err, errno, "open \"%.120s\"", name);
	if (!is_same(st, &before))
		return err_set(err, ERR_BUSY, "\"%.120s\" changed while it was looked at", name);
	has_xattrs = flistxattr(fd, NULL, 0) > 0;
	if (digest_fd(fd, (uint64_t)before.st_size, out, err) < 0)
		return err_wrap(err, "\"%.120s\"", name);
	if (fstat(fd, &after) < 0 || !is_same(&before, &after))
		return err_set(err, ERR_BUSY, "\"%.120s\" changed while it was read", name);
	if (hashes)
		df_hashes_add(hashes, st, now, out, has_xattrs);
	return 0;
}
