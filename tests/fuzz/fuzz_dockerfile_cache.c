/* tests/fuzz/fuzz_dockerfile_cache - any bytes as what a build takes from elsewhere: a manifest
 * with keys of steps, the config of a base image, a packed archive.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "images/dockerfile/codec.h"
#include "images/dockerfile/image.h"
#include "images/dockerfile/share.h"

#define INPUT_MAX  65536u
#define OUTPUT_MAX (8u << 20)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int count(void *ctx, const void *data, size_t len, struct err *err)
{
	size_t *total = ctx;

	(void)data;
	*total += len;
	return *total > OUTPUT_MAX ? err_set(err, ERR_INVALID, "enough") : 0;
}

static void try_codec(const uint8_t *data, size_t size)
{
	struct err err = ERR_NONE;
	size_t total = 0;
	AUTO(df_codec) struct df_codec *codec = NULL;

	if (!df_codec_is(data, size))
		return;
	codec = df_codec_new(data, size, count, &total, &err);
	for (size_t at = 0; codec && at < size; at += 100)
		if (df_codec_write(codec, data + at, size - at < 100 ? size - at : 100, &err) < 0)
			return;
	if (codec)
		df_codec_end(codec, &err);
}

static void try_manifest(const char *text, size_t size)
{
	static const char key[] =
		"0000000000000000000000000000000000000000000000000000000000000000";
	struct err err = ERR_NONE;
	AUTO(df_shared) struct df_shared *shared = df_shared_parse(text, size, &err);
	struct df_shared_step step;

	if (!shared)
		return;
	if (df_shared_find(shared, key, &step) && step.digest &&
	    (!digest_is_valid(step.digest) || !digest_is_valid(step.diff_id)))
		abort();
}

static void try_config(const char *text, size_t size)
{
	static const struct df_image_commit commit = { 0 };
	struct err err = ERR_NONE;
	AUTO(df_image) struct df_image *image = df_image_parse(text, size, &err);
	size_t n;
	char *json;

	if (!image)
		return;
	df_image_set_env(image, "A", "1");
	df_image_set_label(image, "l", "2");
	df_image_take_triggers(image, &n);
	df_image_shell(image, &n);
	df_image_layers(image, &n);
	df_image_add_step(image, &(struct df_image_step){ "x", NULL, 0 });
	json = df_image_json(image, &commit);
	free(json);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (size > INPUT_MAX)
		return 0;
	try_codec(data, size);
	try_manifest((const char *)data, size);
	try_config((const char *)data, size);
	return 0;
}
