/* tests/fuzz/fuzz_template - any text as a --format template over a value with every type. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "orchestrator/cli/template.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char value_text[] = "{\"Name\":\"web\",\"On\":true,\"N\":3,\"Null\":null,\"List\":["
				 "\"a\",1,[]],\"Labels\":\"a=b,c\","
				 "\"State\":{\"Pid\":7,\"Deep\":{\"x\":1.5}}}";

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct err err = ERR_NONE;
	char *text = strndup((const char *)data, size), *printed = NULL;
	struct template *template = template_parse(text, &err);
	struct json_object *value;
	size_t len = 0;
	FILE *out;

	free(text);
	if (!template)
		return 0;
	value = json_parse("value", value_text, strlen(value_text), &err);
	out = open_memstream(&printed, &len);
	template_print(template, out, value, &err);
	fclose(out);
	free(printed);
	json_object_put(value);
	template_free(template);
	return 0;
}
