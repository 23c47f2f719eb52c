/* tests/fuzz/fuzz_log_line - any bytes as a line of a log; the record lies inside the line. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "orchestrator/log_line.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *line = malloc(size + 1); /* exactly as long as the line: reads beyond it are found */
	struct log_record record;

	memcpy(line, data, size);
	log_line_is_whole(line, size);
	if (log_line_decode(line, size, &record) &&
	    (record.text < line || record.text + record.text_len > line + size))
		abort();
	free(line);
	return 0;
}
