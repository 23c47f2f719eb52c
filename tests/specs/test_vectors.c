/* tests/specs/test_vectors - every folder of tests/compose-vectors through the loader, one test
 * each.
 *
 * A case is run in a copy of its input folder that is called "proj"; README.md there has the
 * format. test_vectors [PART OF AN ID] runs those alone and shows what came out.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tests/specs/vector_case.h"

static bool json_equal(struct json_object *want, struct json_object *got, const char *path,
		       struct run *run);

static bool differ(struct run *run, const char *path, struct json_object *want,
		   struct json_object *got)
{
	print_message("%s: %s: want %s, got %s\n", run->id, path,
		      json_object_to_json_string_ext(want, JSON_C_TO_STRING_PLAIN),
		      json_object_to_json_string_ext(got, JSON_C_TO_STRING_PLAIN));
	return false;
}

static bool objects_equal(struct json_object *want, struct json_object *got, const char *path,
			  struct run *run)
{
	bool equal = true;

	json_each(want, key, value) {
		const char *here = arena_format(run->arena, "%s.%s", path, key);
		struct json_object *other;

		if (!json_object_object_get_ex(got, key, &other)) {
			print_message("%s: %s is missing, want %s\n", run->id, here,
				      json_object_to_json_string(value));
			equal = false;
		} else {
			equal &= json_equal(value, other, here, run);
		}
	}
	json_each(got, name, extra) {
		if (!json_object_object_get_ex(want, name, NULL)) {
			print_message("%s: %s.%s is not wanted: %s\n", run->id, path, name,
				      json_object_to_json_string(extra));
			equal = false;
		}
	}
	return equal;
}

static bool is_number(struct json_object *json)
{
	return json_object_is_type(json, json_type_int) ||
	       json_object_is_type(json, json_type_double);
}

static bool json_equal(struct json_object *want, struct json_object *got, const char *path,
		       struct run *run)
{
	bool equal = true;

	if (is_number(want) && is_number(got))
		return fabs(json_object_get_double(want) - json_object_get_double(got)) < 1e-9 ||
		       differ(run, path, want, got);
	if (json_object_get_type(want) != json_object_get_type(got))
		return differ(run, path, want, got);
	if (json_object_is_type(want, json_type_object))
		return objects_equal(want, got, path, run);
	if (!json_object_is_type(want, json_type_array))
		return json_object_equal(want, got) || differ(run, path, want, got);
	if (json_object_array_length(want) != json_object_array_length(got))
		return differ(run, path, want, got);
	for (size_t i = 0; i < json_object_array_length(want); i++)
		equal &= json_equal(json_object_array_get_idx(want, i),
				    json_object_array_get_idx(got, i),
				    arena_format(run->arena, "%s[%zu]", path, i), run);
	return equal;
}

static int compare_texts(const void *left, const void *right)
{
	const char *const *a = left, *const *b = right;

	return strcmp(*a, *b);
}

/* Non-empty lines as a JSON list, sorted when their order is free. */
static struct json_object *lines_of(struct run *run, bool sorted)
{
	struct json_object *list = json_object_new_array();
	struct slice rest = SLICE(run->text), line;
	const char *lines[256];
	size_t count = 0;

	while (slice_next(&rest, '\n', &line))
		if (line.len && count < 256)
			lines[count++] = arena_strndup(run->arena, line.at, line.len);
	if (sorted)
		qsort(lines, count, sizeof(*lines), compare_texts);
	for (size_t i = 0; i < count; i++)
		json_object_array_add(list, json_object_new_string(lines[i]));
	return list;
}

static bool mentions(const struct run *run, const char *text, const char *what)
{
	if (strcasestr(run->messages, text))
		return true;
	print_message("%s: the message lacks %s \"%s\": %s\n", run->id, what, text, run->messages);
	return false;
}

static bool error_fits(struct run *run)
{
	struct json_object *error = json_object_at(run->json, "error");
	struct json_object *list = json_array_at(error, "mentions");
	const char *path = json_text_or(error, "path", NULL);
	const char *kind = json_text_or(error, "kind", "");
	bool fits = run->status < 0, kind_found = run->result.problems.error_count == 0;

	if (!fits)
		print_message("%s: an error was wanted, got %s\n", run->id, run->text);
	for (size_t i = 0; i < json_array_count(list); i++)
		fits &= mentions(run, json_object_get_string(json_object_array_get_idx(list, i)),
				 "text");
	if (path)
		fits &= mentions(run, path, "path");
	for (size_t i = 0; i < run->result.problems.error_count && i < PROBLEMS_MAX; i++)
		kind_found |=
			strcmp(problem_kind_name(run->result.problems.errors[i].kind), kind) == 0;
	if (!kind_found)
		print_message("%s: no error of kind %s: %s\n", run->id, kind, run->messages);
	return fits && kind_found;
}

static bool output_fits(struct run *run)
{
	struct err err = ERR_NONE;
	const char *how = json_text_or(run->json, "compare", "");
	AUTO(json)
	struct json_object *want = json_read_file(
		AT_FDCWD, arena_format(run->arena, VECTORS "/%s/expected.json", run->id), BYTES_MAX,
		&err);
	AUTO(json) struct json_object *got = NULL;

	if (run->status < 0) {
		print_message("%s: %s\n", run->id, run->messages);
		return false;
	}
	if (strcmp(how, "json") == 0)
		got = json_parse(run->id, run->text, strlen(run->text), &err);
	else if (strcmp(how, "text") == 0)
		got = json_object_new_string(run->text);
	else
		got = lines_of(run, strcmp(how, "set") == 0);
	return json_equal(want, got, "", run);
}

static bool warnings_fit(struct run *run)
{
	struct json_object *list = json_array_at(run->json, "warn");
	bool fit = true;

	for (size_t i = 0; i < json_array_count(list); i++)
		fit &= mentions(run, json_object_get_string(json_object_array_get_idx(list, i)),
				"warning");
	return fit;
}

static bool run_case(const char *id)
{
	AUTO(arena) struct arena *arena = arena_new();
	struct run run;
	bool fits;

	run_open(&run, arena, id);
	execute(&run);
	if (strcmp(json_text_or(run.json, "compare", ""), "error") == 0)
		fits = error_fits(&run);
	else
		fits = output_fits(&run);
	fits &= warnings_fit(&run);
	run_close(&run);
	return fits;
}

static void vector_gives_what_is_expected(void **state)
{
	if (!run_case(*state))
		fail();
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
				.test_func = vector_gives_what_is_expected,
				.initial_state = entries[i]->d_name,
			};
	status = count == 0 ? 1 : _cmocka_run_group_tests("vectors", tests, count, NULL, NULL);
	for (int i = 0; i < found; i++)
		free(entries[i]);
	free(entries);
	free(tests);
	return status;
}
