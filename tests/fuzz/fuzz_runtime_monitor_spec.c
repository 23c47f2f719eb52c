/* tests/fuzz/fuzz_runtime_monitor_spec - any text as monitor.json: a struct or a reason, nothing
 * else. */
#include <stdint.h>
#include <stdlib.h>

#include "runtime/monitor_spec.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct err err = ERR_NONE;
	struct monitor_spec *spec = monitor_spec_parse((const char *)data, size, &err);

	if (!spec && err.code != ERR_INVALID && err.code != ERR_UNSUPPORTED)
		abort();
	if (!spec)
		return 0;
	if (!spec->id || !spec->run_dir || !spec->container_dir || spec->log.max_file_count < 1)
		abort();
	monitor_spec_free(spec);
	return 0;
}
