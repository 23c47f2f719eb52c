/* bench/floor_pull - what a pull costs when only the work that cannot be left out is done.
 *
 *   floor_pull FOLDER BLOB...    each BLOB is a gzip layer on disk
 *
 * Per layer: read, sha256 of the compressed bytes, inflate, sha256 of the tar, write the tar's
 * bytes to one file in FOLDER. No network, no registry, no files of their own, no index, no fsync.
 * Owns: the figures on stdout (one line of JSON). May not touch: anything outside FOLDER.
 */
#include <fcntl.h>
#include <isa-l/igzip_lib.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum { CHUNK_BYTES = 1 << 20 };

struct totals {
	size_t packed_bytes;
	size_t tar_bytes;
};

static void fail(const char *what)
{
	perror(what);
	exit(2);
}

static double now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (double)now.tv_sec * 1e3 + (double)now.tv_nsec / 1e6;
}

/* One piece of the tar: into the digest and the file. */
static void take(EVP_MD_CTX *digest, int out_fd, const void *bytes, size_t len)
{
	EVP_DigestUpdate(digest, bytes, len);
	if (write(out_fd, bytes, len) != (ssize_t)len)
		fail("write");
}

static void inflate_all(const unsigned char *packed, size_t len, int out_fd, struct totals *totals)
{
	static unsigned char chunk[CHUNK_BYTES];
	EVP_MD_CTX *digest = EVP_MD_CTX_new();
	struct inflate_state state;

	isal_inflate_init(&state);
	state.crc_flag = ISAL_GZIP;
	state.next_in = (unsigned char *)(uintptr_t)packed;
	state.avail_in = (uint32_t)len;
	EVP_DigestInit_ex(digest, EVP_sha256(), NULL);
	do {
		state.next_out = chunk;
		state.avail_out = sizeof chunk;
		if (isal_inflate(&state) != ISAL_DECOMP_OK)
			fail("inflate");
		take(digest, out_fd, chunk, sizeof chunk - state.avail_out);
		totals->tar_bytes += sizeof chunk - state.avail_out;
	} while (state.block_state != ISAL_BLOCK_FINISH);
	EVP_DigestFinal_ex(digest, chunk, NULL);
	EVP_MD_CTX_free(digest);
}

static void unpack(const char *blob, const char *folder, int number, struct totals *totals)
{
	unsigned char digest[EVP_MAX_MD_SIZE];
	int fd = open(blob, O_RDONLY | O_CLOEXEC);
	char path[512];
	struct stat st;
	void *packed;
	int out_fd;

	if (fd < 0 || fstat(fd, &st) < 0)
		fail(blob);
	packed = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE | MAP_POPULATE, fd, 0);
	snprintf(path, sizeof path, "%s/%d.tar", folder, number);
	out_fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	if (packed == MAP_FAILED || out_fd < 0)
		fail(path);
	EVP_Digest(packed, (size_t)st.st_size, digest, NULL, EVP_sha256(), NULL);
	inflate_all(packed, (size_t)st.st_size, out_fd, totals);
	totals->packed_bytes += (size_t)st.st_size;
	munmap(packed, (size_t)st.st_size);
	close(out_fd);
	close(fd);
}

int main(int argc, char **argv)
{
	struct totals totals = { 0, 0 };
	double start = now_ms();

	if (argc < 3) {
		fprintf(stderr, "usage: floor_pull folder blob...\n");
		return 2;
	}
	for (int i = 2; i < argc; i++)
		unpack(argv[i], argv[1], i, &totals);
	printf("{\"pull_ms\": %.2f, \"packed_bytes\": %zu, \"tar_bytes\": %zu}\n", now_ms() - start,
	       totals.packed_bytes, totals.tar_bytes);
	return 0;
}
