/* tests/specs/test_roundtrip - what is printed reads back as the same, for every vector that loads.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tests/specs/vector_case.h"

#include "specs/hash.h"
#include "specs/model_json.h"

/* Loads a text in place of the case's files. */
static const char *reload(struct run *run, const char *text, const char *format)
{
	struct config_options view = { .format = format };
	struct load_options load = run->load;
	const char *file = "-", *out = NULL;
	struct load_result result;
	struct err err = ERR_NONE;
	AUTO(fd) int fd = open(run->tmp, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);

	assert_int_equal(file_write_all(fd, text, strlen(text)), 0);
	lseek(fd, 0, SEEK_SET);
	load.files = &file;
	load.file_count = 1;
	load.stdin_fd = fd;
	load.flags = 0;
	load.project_directory = run->result.project->working_dir;
	if (project_load(run->arena, &load, &result) < 0)
		fail_msg("%s: %s\n%s", run->id,
			 problem_text(run->arena, &result.problems.errors[0]), text);
	assert_int_equal(config_view(run->arena, &result, &view, &out, &err), 0);
	return out;
}

/* Cases that do not print a whole model, or one that no file can say: a key with a $ (keys are
 * never interpolated, but printed doubled), a dependency on a service that is off. */
static bool is_partial(const struct run *run)
{
	return strcmp(run->id, "c10-keys-not") == 0 || strcmp(run->id, "h08-dep-optional") == 0 ||
	       run->status < 0 || !run->result.project || run->load.flags != 0;
}

static const char *print(struct run *run, const char *format)
{
	struct config_options view = { .format = format };
	const char *text;

	assert_int_equal(config_view(run->arena, &run->result, &view, &text, &run->err), 0);
	return text;
}

static void check_same(const struct run *run, const char *first, const char *second)
{
	if (strcmp(first, second) != 0)
		fail_msg("%s: printed\n%s\nread back\n%s", run->id, first, second);
}

/* The stored model gives the same model, hashes included. */
static void check_state(struct run *run)
{
	struct project *project = NULL;
	AUTO(json)
	struct json_object *first = model_json_write(run->result.project, MODEL_JSON_STATE);
	AUTO(json) struct json_object *second = NULL;

	if (model_json_read(run->arena, first, &project, &run->err) < 0)
		fail_msg("%s: %s\n%s", run->id, run->err.msg, json_object_to_json_string(first));
	second = model_json_write(project, MODEL_JSON_STATE);
	check_same(run, json_object_to_json_string(first), json_object_to_json_string(second));
	for (size_t i = 0; i < project->service_count; i++) {
		char before[SERVICE_HASH_LEN + 1], after[SERVICE_HASH_LEN + 1];

		service_hash(&run->result.project->services[i], before);
		service_hash(&project->services[i], after);
		assert_string_equal(before, after);
	}
}

static void printed_model_reads_back(void **state)
{
	AUTO(arena) struct arena *arena = arena_new();
	struct run run;
	const char *text;

	run_open(&run, arena, *state);
	execute(&run);
	if (is_partial(&run)) {
		run_close(&run);
		return;
	}
	text = print(&run, "yaml");
	check_same(&run, text, reload(&run, text, "yaml"));
	text = print(&run, "json");
	check_same(&run, text, reload(&run, text, "json"));
	check_state(&run);
	run_close(&run);
}

int main(int argc, char **argv)
{
	struct dirent **entries;
	int found = scandir(VECTORS, &entries, is_case, alphasort), status;
	struct CMUnitTest *tests = xcalloc((size_t)(found > 0 ? found : 0) + 1, sizeof(*tests));
	size_t count = 0;

	for (int i = 0; i < found; i++)
		if (argc < 2 || strstr(entries[i]->d_name, argv[1]))
			tests[count++] = (struct CMUnitTest){
				.name = entries[i]->d_name,
				.test_func = printed_model_reads_back,
				.initial_state = entries[i]->d_name,
			};
	status = count == 0 ? 1 : _cmocka_run_group_tests("round trip", tests, count, NULL, NULL);
	for (int i = 0; i < found; i++)
		free(entries[i]);
	free(entries);
	free(tests);
	return status;
}
