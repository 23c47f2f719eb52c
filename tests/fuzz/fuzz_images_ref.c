/* tests/fuzz/fuzz_images_ref - any text as an image name: what is taken comes back the same from
 * both forms. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "images/platform.h"
#include "images/ref.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must_be_same(const char *text, const struct ref *wanted)
{
	struct err err = ERR_NONE;
	struct ref again;

	if (ref_parse(text, &again, &err) < 0 || memcmp(&again, wanted, sizeof(again)) != 0)
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *text = strndup((const char *)data, size), form[REF_TEXT_MAX + 1];
	struct platform platform;
	struct err err = ERR_NONE;
	struct ref ref;

	if (ref_parse(text, &ref, &err) == 0) {
		must_be_same(ref_canonical(&ref, form, sizeof(form)), &ref);
		must_be_same(ref_familiar(&ref, form, sizeof(form)), &ref);
		if (!ref_is_path(ref.path) || (ref.tag[0] && !ref_is_tag(ref.tag)))
			abort();
	} else if (err.code != ERR_INVALID || strpbrk(err.msg, "\n\x1b")) {
		abort();
	}
	(void)ref_may_be_short_id(text);
	err = ERR_NONE;
	if (platform_parse(text, &platform, &err) == 0)
		platform_score(&platform, true, &platform);
	free(text);
	return 0;
}
