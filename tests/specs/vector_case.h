/* tests/specs/vector_case - one folder of tests/compose-vectors, opened and run. For tests alone.
 */
#pragma once
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
	char tmp[32];     /* $UP */
	const char *proj; /* $DIR */
	struct load_options load;
	struct config_options view;
	struct load_result result;
	struct err err;
	const char *text, *messages;
	int status;
};

static inline void copy_file(const char *from, const char *to)
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

static inline void copy_tree(struct arena *arena, const char *from, const char *to)
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

static inline const char *replace(struct arena *arena, const char *text, const char *what,
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

static inline void push(struct run *run, const char *const **list, size_t *count, const char *text)
{
	const char **items = arena_alloc(run->arena, (*count + 1) * sizeof(*items));

	for (size_t i = 0; i < *count; i++)
		items[i] = (*list)[i];
	items[(*count)++] = text;
	*list = items;
}

static inline bool take_flag(struct run *run, const char *name)
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

static inline void take_arguments(struct run *run, struct json_object *argv)
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

static inline void take_environment(struct run *run)
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

static inline void gather_messages(struct run *run)
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

static inline void execute(struct run *run)
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

static inline void remove_folder(const char *path)
{
	AUTO(fd) int fd = open("/tmp", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	struct err err = ERR_NONE;

	if (tree_remove(fd, path + strlen("/tmp/"), &err) < 0)
		fail_msg("%s", err.msg);
}

static inline void run_open(struct run *run, struct arena *arena, const char *id)
{
	*run = (struct run){ .arena = arena, .id = id, .tmp = "/tmp/vector-XXXXXX" };
	assert_non_null(mkdtemp(run->tmp));
	run->proj = arena_format(arena, "%s/proj", run->tmp);
	copy_tree(arena, arena_format(arena, VECTORS "/%s/in", id), run->proj);
	run->json = json_read_file(AT_FDCWD, arena_format(arena, VECTORS "/%s/case.json", id),
				   BYTES_MAX, &run->err);
	assert_non_null(run->json);
}

static inline void run_close(struct run *run)
{
	json_object_put(run->json);
	remove_folder(run->tmp);
}

static inline int is_case(const struct dirent *entry)
{
	return entry->d_type == DT_DIR && entry->d_name[0] != '.';
}
