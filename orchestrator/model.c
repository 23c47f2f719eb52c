/* orchestrator/model - models as they were applied.
 *
 * Owns: model.json, history/. May not touch: what a model means.
 */
#include "orchestrator/model.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/file.h"
#include "base/json.h"
#include "specs/model_json.h"

#define MODEL_MAX_BYTES (16u << 20)

struct model *model_from_json(struct json_object *json, struct err *err)
{
	struct model *model = xcalloc(1, sizeof(*model));

	model->refs = 1;
	model->arena = arena_new();
	if (model_json_read(model->arena, json, &model->project, err) < 0) {
		model_unref(model);
		return NULL;
	}
	model->text = xstrdup(json_object_to_json_string_ext(
		json, JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE));
	return model;
}

struct model *model_ref(struct model *model)
{
	model->refs++;
	return model;
}

void model_unref(struct model *model)
{
	if (!model || --model->refs)
		return;
	arena_free(model->arena);
	free(model->text);
	free(model->images);
	free(model);
}

static struct model *load(const struct project_dirs *dirs, const char *path, struct err *err)
{
	AUTO(json)
	struct json_object *json = json_read_file(dirs->state_fd, path, MODEL_MAX_BYTES, err);
	struct json_object *content = NULL;
	struct model *model;

	if (!json)
		return NULL;
	if (!json_object_object_get_ex(json, "model", &content)) {
		err_set(err, ERR_INVALID, "%s/%s is damaged", dirs->state, path);
		return NULL;
	}
	model = model_from_json(content, err);
	if (!model)
		return NULL;
	model->seq = (uint64_t)json_int_or(json, "seq", 0);
	if (json_object_at(json, "images"))
		model->images = xstrdup(json_object_to_json_string_ext(
			json_object_at(json, "images"), JSON_C_TO_STRING_PLAIN));
	return model;
}

struct model *model_load(const struct project_dirs *dirs, uint64_t seq, struct err *err)
{
	char path[64];

	snprintf(path, sizeof(path), "history/%llu.json", (unsigned long long)seq);
	return load(dirs, path, err);
}

struct model *model_load_current(const struct project_dirs *dirs, struct err *err)
{
	return load(dirs, "model.json", err);
}

/* Not known counts as the same: older files say nothing. */
static bool same_images(const struct model *a, const struct model *b)
{
	return !a->images || !b->images || strcmp(a->images, b->images) == 0;
}

void model_prune(const struct project_dirs *dirs, uint64_t newest, uint64_t keep,
		 const uint64_t *in_use, size_t in_use_count)
{
	for (uint64_t seq = newest > keep ? newest - keep : 0; seq > 0; seq--) {
		bool used = false;
		char path[64];

		for (size_t i = 0; i < in_use_count && !used; i++)
			used = in_use[i] == seq;
		snprintf(path, sizeof(path), "history/%llu.json", (unsigned long long)seq);
		if (!used && unlinkat(dirs->state_fd, path, 0) < 0 &&
		    newest - keep - seq > in_use_count + 64)
			return; /* a long row of them is gone already */
	}
}

/* history/N.json is model.json under a second name: its content goes to the disk with it, and a
 * name that a power cut takes is given again by the next save. */
static int keep_in_history(const struct project_dirs *dirs, int history_fd, uint64_t seq,
			   bool is_new, struct err *err)
{
	char name[40];

	snprintf(name, sizeof(name), "%llu.json", (unsigned long long)seq);
	if (is_new) /* of a life before model.json was lost */
		unlinkat(history_fd, name, 0);
	if (linkat(dirs->state_fd, "model.json", history_fd, name, 0) == 0 || errno == EEXIST ||
	    errno == ENOENT)
		return 0;
	return err_sys(err, errno, "keep the model as history/%s", name);
}

int model_save(const struct project_dirs *dirs, struct model *model, const struct model *before,
	       struct err *err)
{
	AUTO(fd) int history_fd = -1;
	AUTO(free) char *text = NULL;

	if (before && strcmp(before->text, model->text) == 0 && same_images(before, model)) {
		model->seq = before->seq;
		return 0;
	}
	model->seq = before ? before->seq + 1 : 1;
	history_fd = file_open_dir(dirs->state_fd, "history", true, err);
	if (history_fd < 0)
		return -1;
	text = xformat("{\"version\":1,\"seq\":%llu,\"images\":%s,\"model\":%s}\n",
		       (unsigned long long)model->seq, model->images ? model->images : "{}",
		       model->text);
	if ((before && keep_in_history(dirs, history_fd, before->seq, false, err) < 0) ||
	    file_replace(dirs->state_fd, "model.json", text, strlen(text), err) < 0)
		return -1;
	return keep_in_history(dirs, history_fd, model->seq, true, err);
}
