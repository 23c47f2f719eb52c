/* tests/fuzz/fuzz_json - foreign bytes as JSON: what is taken must survive a second reading. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct err err = ERR_NONE;
	struct json_object *value = json_parse("fuzz", (const char *)data, size, &err);
	struct json_object *again;
	const char *text;

	if (!value) {
		if (err.code != ERR_INVALID)
			abort(); /* refused without a reason */
		return 0;
	}
	text = json_object_to_json_string_ext(value, JSON_C_TO_STRING_PLAIN);
	again = json_parse("again", text, strlen(text), &err);
	if (!again)
		abort();
	json_object_put(again);
	json_object_put(value);
	return 0;
}
