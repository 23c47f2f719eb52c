/* tests/fuzz/fuzz_runtime_config - config.json, process files and resources from foreign hands. */
#include <stddef.h>
#include <stdint.h>

#include "runtime/config.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const char *text = (const char *)data;
	struct err err = ERR_NONE;

	if (size > 65536)
		return 0;
	config_free(config_parse(text, size, &err));
	config_free(config_parse_process(text, size, &err));
	config_free(config_parse_resources(text, size, &err));
	return 0;
}
