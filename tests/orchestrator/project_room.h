/* tests/orchestrator/project_room - both roots in a temporary folder, and the folders of the
 * project "shop". */
#pragma once
#include "base/json.h"
#include "orchestrator/model.h"
#include "orchestrator/roots.h"
#include "tests/runtime/folder.h"

struct project_room {
	struct folder folder;
	struct roots *roots;
	struct project_dirs *dirs;
};

static inline void room_make(struct project_room *room)
{
	struct err err = ERR_NONE;
	AUTO(free) char *state = NULL;
	AUTO(free) char *run = NULL;

	folder_make(&room->folder);
	state = xformat("%s/state", room->folder.path);
	run = xformat("%s/run", room->folder.path);
	room->roots = roots_open(state, run, &err);
	room->dirs = room->roots ? project_dirs_open(room->roots, "shop", true, &err) : NULL;
	if (!room->dirs) {
		fprintf(stderr, "%s\n", err.msg);
		abort();
	}
}

static inline void room_drop(struct project_room *room)
{
	project_dirs_close(room->dirs);
	roots_close(room->roots);
	folder_drop(&room->folder);
}

/* A model of project "shop" whose services are this JSON object. */
static inline struct model *room_model(const char *services)
{
	struct err err = ERR_NONE;
	AUTO(free)
	char *text =
		xformat("{\"name\":\"shop\",\"services\":%s,\"stack\":{\"version\":1}}", services);
	struct json_object *json = json_parse("model", text, strlen(text), &err);
	struct model *model = json ? model_from_json(json, &err) : NULL;

	json_object_put(json);
	if (!model) {
		fprintf(stderr, "%s: %s\n", services, err.msg);
		abort();
	}
	return model;
}
