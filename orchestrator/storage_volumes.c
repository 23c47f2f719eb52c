/* orchestrator/storage_volumes - named and anonymous volumes of a container.
 *
 * Owns: their definitions, slot.json's list of anonymous ones. May not touch: how volumes are made
 * (volumes/).
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "orchestrator/storage_inner.h"
#include "volumes/seed.h"

#define SLOT_MAX_BYTES (1u << 20)

int builder_read_slot(struct builder *b, struct err *err)
{
	AUTO(json)
	struct json_object *slot =
		json_read_file(b->env->slot_fd, "slot.json", SLOT_MAX_BYTES, err);
	struct json_object *anonymous = json_object_at(slot, "anonymous");

	if (!slot && err->code != ERR_NOT_FOUND)
		return -1;
	*err = ERR_NONE;
	b->anonymous = anonymous ? json_object_get(anonymous) : json_object_new_object();
	return 0;
}

int builder_write_slot(struct builder *b, struct err *err)
{
	AUTO(json) struct json_object *slot = NULL;

	if (!b->anonymous_changed)
		return 0;
	slot = json_object_new_object();
	json_add_int(slot, "version", 1);
	json_object_object_add(slot, "anonymous", json_object_get(b->anonymous));
	return json_write_file(b->env->slot_fd, "slot.json", slot, JSON_SYNC, err);
}

int storage_anonymous(int slot_fd, struct arena *arena, struct texts *out, struct err *err)
{
	AUTO(json)
	struct json_object *slot = json_read_file(slot_fd, "slot.json", SLOT_MAX_BYTES, err);
	struct json_object *anonymous = json_object_at(slot, "anonymous");

	*out = (struct texts){ NULL, 0 };
	if (!slot)
		return err->code == ERR_NOT_FOUND ? 0 : -1;
	if (!anonymous)
		return 0;
	json_each(anonymous, target, name) {
		(void)target;
		if (json_object_is_type(name, json_type_string))
			*(const char **)arena_grow(arena, &out->items, &out->count,
						   sizeof(char *)) =
				arena_strdup(arena, json_object_get_string(name));
	}
	return 0;
}

static struct volume_pair *pairs_of(struct arena *arena, const struct pairs *pairs, size_t more)
{
	struct volume_pair *out = arena_alloc(arena, (pairs->count + more + 1) * sizeof(*out));

	for (size_t i = 0; i < pairs->count; i++)
		out[i] = (struct volume_pair){ pairs->items[i].name,
					       pairs->items[i].value ? pairs->items[i].value : "" };
	return out;
}

static void define_named(struct arena *arena, const struct project *project,
			 const struct volume *volume, struct volume_def *out)
{
	struct volume_pair *labels = pairs_of(arena, &volume->labels, 2);

	labels[volume->labels.count] =
		(struct volume_pair){ "com.docker.compose.project", project->name };
	labels[volume->labels.count + 1] =
		(struct volume_pair){ "com.docker.compose.volume", volume->key };
	*out = (struct volume_def){ .name = volume->name,
				    .driver = volume->driver,
				    .options = pairs_of(arena, &volume->driver_opts, 0),
				    .option_count = volume->driver_opts.count,
				    .labels = labels,
				    .label_count = volume->labels.count + 2,
				    .project = project->name,
				    .key = volume->key,
				    .external = volume->external };
}

/* The slot's volume for that target; a new name the first time. */
void builder_define_anonymous(struct builder *b, const char *target, struct volume_def *out)
{
	const char *name = json_text_or(b->anonymous, target, NULL);

	if (!name) {
		char fresh[STAMP_ID_LEN + 1];

		stamp_id(fresh, STAMP_ID_LEN);
		json_add_text(b->anonymous, target, fresh);
		b->anonymous_changed = true;
		name = arena_strdup(b->out->arena, fresh);
	}
	*out = (struct volume_def){ .name = name,
				    .project = b->env->project->name,
				    .anonymous = true };
}

static int seed(struct builder *b, const char *volume, const char *subpath, const char *target,
		bool nocopy, struct err *err)
{
	struct seed_spec spec = { .volume = volume,
				  .subpath = subpath,
				  .lower_fds = b->lower_fds,
				  .lower_count = b->lower_count,
				  .target = target,
				  .nocopy = nocopy };

	return seed_volume(b->env->volumes, &spec, NULL, err);
}

static void fill_user(const struct builder *b, struct volume_user *out)
{
	const struct record *record = b->env->record;

	*out = (struct volume_user){ .running = true };
	snprintf(out->id, sizeof(out->id), "%s", record->id);
	snprintf(out->project, sizeof(out->project), "%s", b->env->project->name);
	snprintf(out->container, sizeof(out->container), "%s", record->name);
}

int builder_add_volume(struct builder *b, const struct volume_def *def, const struct mount *mount,
		       const char *target, struct err *err)
{
	const char *subpath = mount && mount->volume ? mount->volume->subpath : NULL;
	bool nocopy = mount && mount->volume && mount->volume->nocopy;
	enum volume_outcome outcome;
	struct volume_user user;
	char *source;

	fill_user(b, &user);
	if (builder_write_slot(b, err) < 0 ||
	    volume_ensure(b->env->volumes, def, 0, &outcome, err) < 0 ||
	    volume_activate(b->env->volumes, def->name, &user, err) < 0)
		return -1;
	*(const char **)arena_grow(b->out->arena, &b->out->volumes, &b->out->volume_count,
				   sizeof(char *)) = arena_strdup(b->out->arena, def->name);
	*(const char **)arena_grow(b->out->arena, &b->out->targets, &b->out->target_count,
				   sizeof(char *)) = arena_strdup(b->out->arena, target);
	if (seed(b, def->name, subpath, target, nocopy, err) < 0)
		return -1;
	source = volume_source(b->env->volumes, def->name, subpath, b->out->stage, err);
	if (!source)
		return -1;
	builder_add_mount(b, target, "bind", builder_keep(b, source),
			  mount && mount->read_only ? "rbind,rprivate,ro" : "rbind,rprivate");
	return 0;
}

int builder_add_named(struct builder *b, const struct mount *mount, struct err *err)
{
	struct volume_def def;
	const struct volume *volume;

	if (!mount->source) {
		builder_define_anonymous(b, mount->target, &def);
		return builder_add_volume(b, &def, mount, mount->target, err);
	}
	volume = project_find_volume(b->env->project, mount->source);
	if (!volume)
		return err_set(err, ERR_NOT_FOUND, "volume %s is not declared", mount->source);
	define_named(b->out->arena, b->env->project, volume, &def);
	return builder_add_volume(b, &def, mount, mount->target, err);
}

int storage_make_volume(const struct volume_store *volumes, const struct project *project,
			const struct volume *volume, struct err *err)
{
	struct arena *arena = arena_new();
	enum volume_outcome outcome;
	struct volume_def def;
	int status;

	define_named(arena, project, volume, &def);
	status = volume_ensure(volumes, &def, 0, &outcome, err);
	arena_free(arena);
	return status;
}
