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

#include <dirent.h>
#include <fcntl.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/file.h"
#include "base/json.h"
#include "base/text.h"
#include "base/tree.h"
#include "specs/config_view.h"
#include "specs/load.h"

#define VECTORS   "tests/compose-vectors"
#define ARGS_MAX  32
#define BYTES_MAX (4u << 20)

/* One case while it runs. */
struct run {
	struct arena *arena;
	const char *id;
	struct json_object *json;
	const char *tmp, *proj; /* $UP and $DIR */
	struct load_options load;
	struct config_options view;
	struct load_result result;
	struct err err;
	const char *text, *messages;
	int status;
};

static void copy_file(const char *from, const char *to)
{
	struct err err = ERR_NONE;
	char *text;
	size_t len;
	int fd;

	assert_int_equal(file_read(AT_FDCWD, from, BYTES_MAX, &text, &len, &err), 0);
	fd = open(to, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	assert_true(fd >= 0);
	assert_int_equal(file_write_all(fd, text, len), 0);
	close(fd);
	free(text);
}

static void copy_tree(struct arena *arena, const char *from, const char *to)
{
	DIR *dir = opendir(from);
	struct dirent *entry;

	assert_int_equal(mkdir(to, 0700), 0);
	while (dir && (entry = readdir(dir))) {
		const char *source = arena_format(arena, "%s/%s", from, entry->d_name);
		const char *target = arena_format(arena, "%s/%s", to, entry->d_name);

		if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
			continue;
		if (entry->d_type == DT_DIR)
			copy_tree(arena, source, target);
		else
			copy_file(source, target);
	}
	closedir(dir);
}

static const char *replace(struct arena *arena, const char *text, const char *what,
			   const char *with)
{
	const char *found;
	const char *out = "";

	while ((found = strstr(text, what))) {
		out = arena_format(arena, "%s%.*s%s", out, (int)(found - text), text, with);
		text = found + strlen(what);
	}
	return arena_format(arena, "%s%s", out, text);
}

struct flag {
	const char *name;
	unsigned load;
	enum config_what what;
};

static const struct flag flags[] = {
	{"--no-interpolate",      LOAD_NO_INTERPOLATE, CONFIG_MODEL    },
	{ "--no-normalize",       LOAD_NO_NORMALIZE,   CONFIG_MODEL    },
	{ "--no-path-resolution", LOAD_NO_PATHS,       CONFIG_MODEL    },
	{ "--no-consistency",     LOAD_NO_CONSISTENCY, CONFIG_MODEL    },
	{ "--no-env-resolution",  0,                   CONFIG_MODEL    },
	{ "--all-resources",      LOAD_ALL_RESOURCES,  CONFIG_MODEL    },
	{ "--services",           0,                   CONFIG_SERVICES },
	{ "--volumes",            0,                   CONFIG_VOLUMES  },
	{ "--networks",           0,                   CONFIG_NETWORKS },
	{ "--images",             0,                   CONFIG_IMAGES   },
	{ "--profiles",           0,                   CONFIG_PROFILES },
	{ "--variables",          0,                   CONFIG_VARIABLES},
	{ "-q",		   0,		   CONFIG_QUIET    },
};

static void push(struct run *run, const char *const **list, size_t *count, const char *text)
{
	const char **items = arena_alloc(run->arena, (*count + 1) * sizeof(*items));

	for (size_t i = 0; i < *count; i++)
		items[i] = (*list)[i];
	items[(*count)++] = text;
	*list = items;
}

static bool take_flag(struct run *run, const char *name)
{
	for (size_t i = 0; i < sizeof(flags) / sizeof(*flags); i++)
		if (strcmp(flags[i].name, name) == 0) {
			run->load.flags |= flags[i].load;
			if (flags[i].what != CONFIG_MODEL)
				run->view.what = flags[i].what;
			return true;
		}
	return false;
}

static void take_arguments(struct run *run, struct json_object *argv)
{
	struct load_options *load = &run->load;

	for (size_t i = 0; i < json_object_array_length(argv); i++) {
		const char *name = json_object_get_string(json_object_array_get_idx(argv, i));
		const char *next = json_object_get_string(json_object_array_get_idx(argv, i + 1));

		i++;
		if (strcmp(name, "-f") == 0)
			push(run, &load->files, &load->file_count, next);
		else if (strcmp(name, "--env-file") == 0)
			push(run, &load->env_files, &load->env_file_count, next);
		else if (strcmp(name, "--profile") == 0)
			push(run, &load->profiles, &load->profile_count, next);
		else if (strcmp(name, "-p") == 0)
			load->project_name = next;
		else if (strcmp(name, "--project-directory") == 0)
			load->project_directory = next;
		else if (strcmp(name, "--format") == 0)
			run->view.format = next;
		else
			i--;
		if (name[0] != '-' && strcmp(name, "config") != 0)
			push(run, &load->services, &load->service_count, name);
		else if (name[0] == '-' && name[1] == '-')
			take_flag(run, name);
		else if (strcmp(name, "-q") == 0)
			take_flag(run, name);
	}
}

static void take_environment(struct run *run)
{
	struct json_object *env = json_object_at(run->json, "env");
	size_t count = 0;
	const char *const *list = NULL;

	push(run, &list, &count, arena_format(run->arena, "HOME=%s/home", run->proj));
	push(run, &list, &count, "PATH=/usr/bin:/bin");
	if (env) {
		json_each(env, name, value) {
			push(run, &list, &count,
			     arena_format(run->arena, "%s=%s", name,
					  replace(run->arena, json_object_get_string(value), "$DIR",
						  run->proj)));
		}
	}
	push(run, &list, &count, NULL);
	run->load.env = list;
}

static void gather_messages(struct run *run)
{
	const struct problems *problems = &run->result.problems;
	const char *all = run->err.msg;

	for (size_t i = 0; i < problems->error_count && i < PROBLEMS_MAX; i++)
		all = arena_format(run->arena, "%s\n%s", all,
				   problem_text(run->arena, &problems->errors[i]));
	for (size_t i = 0; i < problems->warning_count; i++)
		all = arena_format(run->arena, "%s\nwarning: %s", all,
				   problem_text(run->arena, &problems->warnings[i]));
	run->messages =
		replace(run->arena, replace(run->arena, all, run->proj, "$DIR"), run->tmp, "$UP");
}

static void execute(struct run *run)
{
	const char *cwd = json_text_or(run->json, "cwd", NULL);
	const char *input = json_text_or(run->json, "stdin", NULL);
	int fd = -1;

	run->load.working_dir = cwd ? arena_format(run->arena, "%s/%s", run->proj, cwd) : run->proj;
	if (input)
		fd = open(arena_format(run->arena, "%s/%s", run->proj, input),
			  O_RDONLY | O_CLOEXEC);
	run->load.stdin_fd = fd;
	take_environment(run);
	take_arguments(run, json_array_at(run->json, "argv"));
	run->load.flags |= config_load_flags(&run->view);
	run->status = project_load(run->arena, &run->load, &run->result);
	if (run->status == 0)
		run->status =
			config_view(run->arena, &run->result, &run->view, &run->text, &run->err);
	if (run->text)
		run->text = replace(run->arena, replace(run->arena, run->text, run->proj, "$DIR"),
				    run->tmp, "$UP");
	gather_messages(run);
	if (fd >= 0)
		close(fd);
}

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

static void remove_folder(const char *path)
{
	AUTO(fd) int fd = open("/tmp", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	struct err err = ERR_NONE;

	if (tree_remove(fd, path + strlen("/tmp/"), &err) < 0)
		fail_msg("%s", err.msg);
}

static bool run_case(const char *id)
{
	AUTO(arena) struct arena *arena = arena_new();
	struct run run = { .arena = arena, .id = id };
	char tmp[] = "/tmp/vector-XXXXXX";
	bool fits;

	assert_non_null(mkdtemp(tmp));
	run.tmp = tmp;
	run.proj = arena_format(arena, "%s/proj", tmp);
	copy_tree(arena, arena_format(arena, VECTORS "/%s/in", id), run.proj);
	run.json = json_read_file(AT_FDCWD, arena_format(arena, VECTORS "/%s/case.json", id),
				  BYTES_MAX, &run.err);
	assert_non_null(run.json);
	execute(&run);
	if (strcmp(json_text_or(run.json, "compare", ""), "error") == 0)
		fits = error_fits(&run);
	else
		fits = output_fits(&run);
	fits &= warnings_fit(&run);
	json_object_put(run.json);
	remove_folder(tmp);
	return fits;
}

static void vector_gives_what_is_expected(void **state)
{
	if (!run_case(*state))
		fail();
}

static int is_case(const struct dirent *entry)
{
	return entry->d_type == DT_DIR && entry->d_name[0] != '.';
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
