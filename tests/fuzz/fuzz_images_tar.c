/* tests/fuzz/fuzz_images_tar - any bytes as a layer: tar, apply and the EROFS index. Read whole and
 * byte by byte they mean the same; the index is written whatever the tree.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "images/apply.h"
#include "images/erofs.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define BLOCK 512

/* Every block gets the sum that it would need as a header, or no input would come past the first.
 */
static void fix_sums(uint8_t *bytes, size_t size)
{
	for (uint8_t *block = bytes; size >= BLOCK; block += BLOCK, size -= BLOCK) {
		unsigned sum = 0;
		char text[8];

		if (block[0] == 0)
			continue;
		memset(block + 148, ' ', 8);
		for (int i = 0; i < BLOCK; i++)
			sum += block[i];
		snprintf(text, sizeof(text), "%06o", sum);
		memcpy(block + 148, text, 7);
	}
}

static struct apply *run(const uint8_t *data, size_t size, size_t step)
{
	struct apply *apply = apply_new(NULL, NULL, 1u << 30);
	AUTO(tar) struct tar *tar = tar_new(&apply_events, apply);
	struct err err = ERR_NONE;
	int rc = 0;

	for (size_t at = 0; at < size && rc == 0; at += step)
		rc = tar_write(tar, data + at, size - at < step ? size - at : step, &err);
	if (rc == 0)
		rc = tar_end(tar, &err);
	if (rc == 0)
		return apply;
	if (err.code != ERR_INVALID && err.code != ERR_UNSUPPORTED)
		abort();
	apply_free(apply);
	return NULL;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	uint8_t *bytes = memcpy(malloc(size + 1), data, size);
	struct apply *whole, *pieces;
	struct err err = ERR_NONE;

	fix_sums(bytes, size);
	whole = run(bytes, size, 1u << 20);
	pieces = run(bytes, size, 7);
	if (!whole != !pieces ||
	    (whole && apply_tree(whole)->alive_names != apply_tree(pieces)->alive_names))
		abort();
	if (whole) {
		int index = memfd_create("index", MFD_CLOEXEC),
		    tar = memfd_create("tar", MFD_CLOEXEC);
		int extra = memfd_create("extra", MFD_CLOEXEC);
		struct erofs_devices devices = { .tar_fd = tar,
						 .tar_bytes = size,
						 .extra_fd = extra };

		if (index < 0 || tar < 0 || extra < 0 || write(tar, bytes, size) != (ssize_t)size)
			abort();
		if (erofs_write(apply_tree(whole), index, &devices, &err) < 0 &&
		    err.code == ERR_INTERNAL)
			abort();
		close(index);
		close(tar);
		close(extra);
	}
	apply_free(whole);
	apply_free(pieces);
	free(bytes);
	return 0;
}
