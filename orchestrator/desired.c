/* orchestrator/desired - what the user wants of a project over reboots.
 *
 * Owns: the file `desired`. May not touch: what follows from it.
 */
#include "orchestrator/desired.h"

#include <string.h>

#include "base/json.h"

#define FILE_NAME      "desired"
#define FILE_MAX_BYTES (1u << 20)

int desired_read(const struct project_dirs *dirs, struct arena *arena, const char **out_state,
		 struct texts *out_stopped, struct err *err)
{
	AUTO(json)
	struct json_object *json = json_read_file(dirs->state_fd, FILE_NAME, FILE_MAX_BYTES, err);
	struct json_object *stopped;

	*out_state = "down";
	*out_stopped = (struct texts){ NULL, 0 };
	if (!json)
		return err->code == ERR_NOT_FOUND ? 0 : -1;
	*out_state = arena_strdup(arena, json_text_or(json, "state", "down"));
	stopped = json_array_at(json, "stopped");
	for (size_t i = 0; i < json_array_count(stopped); i++)
		*(const char **)arena_grow(arena, &out_stopped->items, &out_stopped->count,
					   sizeof(char *)) =
			arena_strdup(arena, json_array_text(stopped, i));
	return 0;
}

static bool names(const struct plan_options *options, const char *service)
{
	for (size_t i = 0; i < options->service_count; i++)
		if (strcmp(options->services[i], service) == 0)
			return true;
	return false;
}

/* The list without those named, and with them at the end when they are stopped now. */
static void change_list(struct arena *arena, struct texts *list, const struct plan_options *options,
			bool stopped)
{
	struct texts out = { NULL, 0 };

	for (size_t i = 0; i < list->count; i++)
		if (!names(options, list->items[i]))
			*(const char **)arena_grow(arena, &out.items, &out.count, sizeof(char *)) =
				list->items[i];
	for (size_t i = 0; stopped && i < options->service_count; i++)
		*(const char **)arena_grow(arena, &out.items, &out.count, sizeof(char *)) =
			options->services[i];
	*list = out;
}

static int write_file(const struct project_dirs *dirs, const char *state,
		      const struct texts *stopped, struct err *err)
{
	AUTO(json) struct json_object *json = json_object_new_object();
	struct json_object *array;

	json_add_int(json, "version", 1);
	json_add_text(json, "state", state);
	array = json_add_array(json, "stopped");
	for (size_t i = 0; i < stopped->count; i++)
		json_push_text(array, stopped->items[i]);
	return json_write_file(dirs->state_fd, FILE_NAME, json, 0, err);
}

int desired_write(const struct project_dirs *dirs, const struct plan_options *options,
		  const char *op, struct err *err)
{
	struct arena *arena = arena_new();
	const char *before, *state;
	struct texts stopped;
	size_t count;
	bool stops = options->op == PLAN_STOP;
	int status = 0;

	(void)op;
	if (options->container_count) { /* their records remember it */
		arena_free(arena);
		return 0;
	}
	if (desired_read(dirs, arena, &before, &stopped, err) < 0) {
		arena_free(arena);
		return -1;
	}
	state = before;
	count = stopped.count;
	if (options->op == PLAN_DOWN && !options->service_count)
		state = "down";
	else if (options->op == PLAN_UP || options->op == PLAN_START || options->op == PLAN_RESTART)
		state = "up";
	else if (stops && !options->service_count)
		state = "stopped";
	if (options->service_count && (stops || strcmp(state, "up") == 0))
		change_list(arena, &stopped, options, stops);
	else if (!stops && strcmp(state, "up") == 0)
		stopped.count = 0;
	if (strcmp(state, before) != 0 || stopped.count != count ||
	    (stops && options->service_count))
		status = write_file(dirs, state, &stopped, err);
	arena_free(arena);
	return status;
}
