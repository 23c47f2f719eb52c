/* tests/fuzz/fuzz_specs_dotenv - hostile env files. The first byte chooses raw lines or statements.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "specs/dotenv.h"

#define INPUT_MAX 16384u

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	AUTO(arena) struct arena *arena = arena_new();
	struct problems problems = { .arena = arena };
	struct vars first = { .arena = arena }, into = { .arena = arena };
	int status;

	if (size == 0 || size > INPUT_MAX)
		return 0;
	vars_set(&first, "A", "a");
	status = dotenv_parse(&problems, "env", "", (const char *)data + 1, size - 1,
			      data[0] & 1 ? DOTENV_RAW : 0, &first, &into);
	if ((status < 0) != (problems.error_count > 0))
		abort();
	for (size_t i = 0; i < into.pairs.count; i++)
		if (!into.pairs.items[i].name || !into.pairs.items[i].value)
			abort();
	return 0;
}
