/* tests/fuzz/fuzz_specs_yaml - hostile stack files: bytes to a project and back to text.
 *
 * The loader gets the bytes on a descriptor, as standard input; other files are not there to be
 * found. What loads must print, and what was printed must load again.
 */
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/file.h"
#include "specs/config_view.h"
#include "specs/model_json.h"

#define INPUT_MAX 65536u

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int load(struct arena *arena, const void *text, size_t len, unsigned flags,
		struct load_result *out)
{
	static const char *const env[] = { "A=a", "EMPTY=", "HOME=/nonexistent", NULL };
	const char *file = "-";
	int fd = memfd_create("input", MFD_CLOEXEC), status;
	struct load_options options = {
		.working_dir = "/nonexistent/fuzz",
		.files = &file,
		.file_count = 1,
		.env = env,
		.stdin_fd = fd,
		.flags = flags,
	};

	if (fd < 0 || file_write_all(fd, text, len) < 0)
		abort();
	lseek(fd, 0, SEEK_SET);
	status = project_load(arena, &options, out);
	close(fd);
	for (size_t i = 0; i < out->problems.error_count && i < PROBLEMS_MAX; i++)
		problem_text(arena, &out->problems.errors[i]);
	return status;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	AUTO(arena) struct arena *arena = arena_new();
	struct config_options view = { .format = "yaml" };
	struct load_result result;
	struct err err = ERR_NONE;
	struct project *project;
	struct json_object *json;
	const char *text;

	if (size > INPUT_MAX)
		return 0;
	load(arena, data, size, LOAD_NO_INTERPOLATE, &result);
	if (load(arena, data, size, LOAD_NO_CONSISTENCY, &result) < 0)
		return 0;
	if (config_view(arena, &result, &view, &text, &err) < 0)
		abort();
	json = model_json_write(result.project, MODEL_JSON_STATE);
	if (model_json_read(arena, json, &project, &err) < 0)
		abort();
	json_object_put(json);
	return 0;
}
