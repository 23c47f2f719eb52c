/* orchestrator/container_find - a container of any project, and whose network it has.
 *
 * Owns: the search over all projects' records. May not touch: anything: it only reads.
 */
#include "orchestrator/container_find.h"

#include <string.h>

#include "base/json.h"
#include "base/text.h"
#include "orchestrator/records.h"

#define ID_MIN   4 /* digits of an ID that may stand for it */
#define HOPS_MAX 8 /* containers that use each other's network */

/* A name is meant before the beginning of an ID that looks like it. */
enum way { BY_NAME, BY_ID };

static bool is_called(const struct record *record, const char *text, enum way way)
{
	size_t len = strlen(text);

	return way == BY_NAME ? strcmp(record->name, text) == 0
			      : len >= ID_MIN && strncmp(record->id, text, len) == 0;
}

/* *out_mode: network_mode of what was found, NULL when it has none. */
static bool find_in(struct arena *arena, const struct roots *roots, const char *project,
		    const char *text, enum way way, struct container_place *out,
		    const char **out_mode)
{
	struct err ignored = ERR_NONE;
	AUTO(project_dirs)
	struct project_dirs *dirs = project_dirs_open(roots, project, false, &ignored);
	size_t count = 0;
	struct record **records = dirs ? records_read(dirs->containers_fd, &count, &ignored) : NULL;
	bool found = false;

	for (size_t i = 0; records && i < count && !found; i++) {
		char *slot = arena_alloc(arena, 256);
		AUTO(json) struct json_object *info = NULL;

		if (!is_called(records[i], text, way))
			continue;
		info = record_info(records[i]);
		*out = (struct container_place){ .project = arena_strdup(arena, project),
						 .slot = record_slot_name(records[i], slot, 256) };
		*out_mode = arena_strdup(arena, json_text_or(info, "network_mode", NULL));
		found = true;
	}
	if (records)
		records_free(records, count);
	return found;
}

static bool find_anywhere(struct arena *arena, const struct roots *roots, const char *text,
			  struct container_place *out, const char **out_mode)
{
	struct err ignored = ERR_NONE;
	AUTO(names) char **names = project_names(roots, &ignored);

	for (enum way way = BY_NAME; way <= BY_ID; way++)
		for (char **name = names; names && *name; name++)
			if (find_in(arena, roots, *name, text, way, out, out_mode))
				return true;
	return false;
}

int container_find_network(struct arena *arena, const struct roots *roots, const char *text,
			   struct container_place *out, struct err *err)
{
	for (int hop = 0; hop < HOPS_MAX; hop++) {
		const char *mode = NULL;

		if (!find_anywhere(arena, roots, text, out, &mode))
			return err_set(err, ERR_NOT_FOUND, "no such container: %s", text);
		out->is_host = mode && strcmp(mode, "host") == 0;
		if (mode && text_starts(mode, "service:"))
			out->slot = arena_format(arena, "%s.1", mode + strlen("service:"));
		if (!mode || !text_starts(mode, "container:"))
			return 0;
		text = mode + strlen("container:");
	}
	return err_set(err, ERR_INVALID,
		       "network_mode: containers use each other's network in a circle");
}
