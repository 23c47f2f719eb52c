/* runtime/verb_show - state, list, ps, features, checkpoint.
 *
 * Owns: what is printed. May not touch: containers.
 */
#include <errno.h>
#include <fcntl.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/file.h"
#include "base/json.h"
#include "base/num.h"
#include "base/stamp.h"
#include "runtime/features.h"
#include "runtime/verbs.h"

static void print_json(struct json_object *json)
{
	printf("%s\n", json_object_to_json_string_ext(
			       json, JSON_C_TO_STRING_PRETTY | JSON_C_TO_STRING_SPACED |
					     JSON_C_TO_STRING_NOSLASHESCAPE));
}

int verb_state(struct runtime *runtime, struct flags *flags, const char **args, size_t count,
	       struct err *err)
{
	AUTO(state) struct state *state = runtime_state(runtime, args[0], err);
	AUTO(json) struct json_object *json = NULL;

	(void)flags;
	(void)count;
	if (!state)
		return err_wrap(err, "state of %.64s", args[0]);
	json = state_to_oci(state, state_status(state));
	print_json(json);
	return 0;
}

struct ids {
	char **at;
	size_t count;
};

static void ids_free(struct ids *ids)
{
	for (size_t i = 0; i < ids->count; i++)
		free(ids->at[i]);
	free(ids->at);
}
AUTO_TYPE(ids, ids_free);

static void print_row(struct state *state, enum status status)
{
	char created[STAMP_TEXT_LEN];

	printf("%-24s %-8d %-10s %-32s %-32s %s\n", state->id,
	       status == STATUS_STOPPED ? 0 : (int)state->init.pid, status_name(status),
	       state->bundle, stamp_rfc3339(state->created_unix_ns, created), state->owner);
}

int verb_list(struct runtime *runtime, struct flags *flags, const char **args, size_t count,
	      struct err *err)
{
	struct ids ids = { NULL, 0 };
	AUTO(ids) struct ids *owner = &ids;
	const char *format = flags->format ? flags->format : "table";
	bool as_json = strcmp(format, "json") == 0;
	AUTO(json) struct json_object *array = json_object_new_array();

	(void)args;
	(void)count;
	(void)owner;
	if (!as_json && strcmp(format, "table") != 0)
		return err_set(err, ERR_INVALID, "invalid format option: %.40s", format);
	if (runtime->root_given && access(runtime->root, F_OK) < 0)
		return err_sys(err, errno, "--root %s", runtime->root);
	if (state_list(runtime->root, &ids.at, &ids.count, err) < 0)
		return -1;
	if (!as_json && !flags->quiet)
		printf("%-24s %-8s %-10s %-32s %-32s %s\n", "ID", "PID", "STATUS", "BUNDLE",
		       "CREATED", "OWNER");
	for (size_t i = 0; i < ids.count; i++) {
		struct err one = ERR_NONE;
		AUTO(state) struct state *state = state_read(runtime->root, ids.at[i], &one);
		enum status status;

		if (!state) {
			err_wrap(&one, "list: %.64s", ids.at[i]);
			runtime_log(runtime, "warning", one.msg);
			continue;
		}
		status = state_status(state);
		if (flags->quiet)
			printf("%s\n", state->id);
		else if (as_json)
			json_object_array_add(array, state_to_oci(state, status));
		else
			print_row(state, status);
	}
	if (as_json && !flags->quiet)
		printf("%s\n",
		       json_object_to_json_string_ext(
			       array, JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE));
	return 0;
}

/* The column of the header line that says PID, counted in words; -1 without one. */
static int pid_column(const char *header)
{
	AUTO(free) char *copy = xstrdup(header);
	char *save = NULL;
	int column = 0;

	for (char *word = strtok_r(copy, " \t", &save); word; word = strtok_r(NULL, " \t", &save)) {
		if (strcmp(word, "PID") == 0)
			return column;
		column++;
	}
	return -1;
}

static bool is_in(const char *line, int column, const pid_t *pids, size_t count)
{
	AUTO(free) char *copy = xstrdup(line);
	struct err ignored = ERR_NONE;
	char *save = NULL, *word = strtok_r(copy, " \t", &save);
	uint64_t pid;

	for (int i = 0; word && i < column; i++)
		word = strtok_r(NULL, " \t", &save);
	if (!word || num_parse_u64("pid", word, strlen(word), 1, INT32_MAX, &pid, &ignored) < 0)
		return false;
	for (size_t i = 0; i < count; i++)
		if ((uint64_t)pids[i] == pid)
			return true;
	return false;
}

/* ps with the caller's arguments; its output. To be freed. */
static char *run_ps(const char **args, size_t count, struct err *err)
{
	const char **argv = xcalloc(count + 3, sizeof(char *));
	AUTO(free) const char **owner = argv;
	posix_spawn_file_actions_t actions;
	int ends[2], status = 0, failed;
	char *text = NULL;
	size_t len;
	pid_t child;

	(void)owner;
	argv[0] = "ps";
	argv[1] = "-ef";
	for (size_t i = 0; i < count; i++)
		argv[i + 1] = args[i];
	if (pipe2(ends, O_CLOEXEC) < 0) {
		err_sys(err, errno, "pipe");
		return NULL;
	}
	posix_spawn_file_actions_init(&actions);
	posix_spawn_file_actions_adddup2(&actions, ends[1], 1);
	failed =
		posix_spawnp(&child, "ps", &actions, NULL, (char *const *)(uintptr_t)argv, environ);
	posix_spawn_file_actions_destroy(&actions);
	close(ends[1]);
	if (failed)
		err_sys(err, failed, "ps");
	else if (file_read_fd(ends[0], "output of ps", 64u << 20, &text, &len, err) == 0)
		while (waitpid(child, &status, 0) < 0 && errno == EINTR)
			;
	close(ends[0]);
	if (text && status) {
		free(text);
		text = NULL;
		err_set(err, ERR_SYSTEM, "ps ended with status %d", WEXITSTATUS(status));
	}
	return text;
}

int verb_ps(struct runtime *runtime, struct flags *flags, const char **args, size_t count,
	    struct err *err)
{
	AUTO(state) struct state *state = runtime_state(runtime, args[0], err);
	const char *format = flags->format ? flags->format : "table";
	AUTO(free) pid_t *pids = NULL;
	AUTO(free) char *text = NULL;
	char *save = NULL, *line;
	size_t pid_count = 0;
	int column;

	if (!state)
		return err_wrap(err, "ps %.64s", args[0]);
	if (strcmp(format, "json") != 0 && strcmp(format, "table") != 0)
		return err_set(err, ERR_INVALID, "invalid format option: %.40s", format);
	if (state->cgroup && cgroup_pids(state->cgroup, &pids, &pid_count, err) < 0)
		return -1;
	if (strcmp(format, "json") == 0) {
		printf("[");
		for (size_t i = 0; i < pid_count; i++)
			printf("%s%d", i ? "," : "", (int)pids[i]);
		printf("]\n");
		return 0;
	}
	text = run_ps(args + 1, count - 1, err);
	if (!text)
		return -1;
	line = strtok_r(text, "\n", &save);
	column = line ? pid_column(line) : -1;
	if (column < 0)
		return err_set(err, ERR_INVALID, "couldn't find PID field in ps output");
	for (printf("%s\n", line); (line = strtok_r(NULL, "\n", &save));)
		if (is_in(line, column, pids, pid_count))
			printf("%s\n", line);
	return 0;
}

int verb_features(struct runtime *runtime, struct flags *flags, const char **args, size_t count,
		  struct err *err)
{
	AUTO(json) struct json_object *json = features_json();

	(void)runtime;
	(void)flags;
	(void)args;
	(void)count;
	(void)err;
	print_json(json);
	return 0;
}

int verb_checkpoint(struct runtime *runtime, struct flags *flags, const char **args, size_t count,
		    struct err *err)
{
	(void)runtime;
	(void)flags;
	(void)args;
	(void)count;
	return err_set(err, ERR_UNSUPPORTED,
		       "checkpoint and restore are not supported: this build has no CRIU");
}
