/* orchestrator/cli/commit_image - an image out of a container's writable layer.
 *
 * Owns: which paths of it the runtime made. May not touch: the container's life, how a layer is
 * written (images/dockerfile/capture).
 */
#include "orchestrator/cli/commit_image.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/json.h"
#include "base/stamp.h"
#include "images/dockerfile/capture.h"
#include "images/dockerfile/configure.h"
#include "images/dockerfile/lex.h"
#include "images/ref.h"
#include "images/snapshot.h"
#include "orchestrator/transfer.h"

/* What the runtime makes for its mounts in every container. */
static const char *const runtime_paths[] = {
	"/dev",       "/dev/shm",      "/dev/pts",         "/dev/mqueue",    "/proc",        "/sys",
	"/etc/hosts", "/etc/hostname", "/etc/resolv.conf", "/sys/fs/cgroup", "/run/secrets",
};

/* docker's list of what --change may say. */
static const enum df_kind changeable[] = { DF_CMD,     DF_ENTRYPOINT, DF_ENV,        DF_EXPOSE,
					   DF_LABEL,   DF_ONBUILD,    DF_USER,       DF_VOLUME,
					   DF_WORKDIR, DF_STOPSIGNAL, DF_HEALTHCHECK };

static const char **mount_points(struct arena *arena, const struct observed_container *container,
				 size_t *out_count)
{
	struct json_object *mounts = json_array_at(container->info, "mounts");
	const char **list = NULL;

	*out_count = 0;
	for (size_t i = 0; i < sizeof(runtime_paths) / sizeof(*runtime_paths); i++)
		*(const char **)arena_grow(arena, &list, out_count, sizeof(char *)) =
			runtime_paths[i];
	for (size_t i = 0; i < json_array_count(mounts); i++)
		*(const char **)arena_grow(arena, &list, out_count, sizeof(char *)) = arena_strdup(
			arena, json_text_or(json_object_array_get_idx(mounts, i), "target", ""));
	return list;
}

static bool may_change(enum df_kind kind)
{
	for (size_t i = 0; i < sizeof(changeable) / sizeof(*changeable); i++)
		if (changeable[i] == kind)
			return true;
	return false;
}

static int apply_instr(struct df_state *state, const char *text, const struct df_instr *instr,
		       struct err *err)
{
	struct df_configured configured = { 0 };

	if (!may_change(instr->kind))
		return err_set(err, ERR_INVALID, "--change: \"%s\" changes no setting of an image",
			       text);
	if (df_configure(state, instr, &configured, err) < 0)
		return err_wrap(err, "--change");
	if (configured.folder) /* WORKDIR: the folder is the container's to have */
		df_state_add(state, state->key, configured.created_by, NULL, stamp_now_ns());
	return 0;
}

/* The image is the state's from here on, also on error. */
static int apply_changes(struct arena *arena, struct df_state *state, const char *const *changes,
			 struct df_image *image, struct err *err)
{
	const struct df_inputs inputs = { .arena = arena };
	struct df_scope *global = df_scope_new_global(&inputs);
	struct df_report *report = arena_alloc(arena, sizeof(*report));

	*report = (struct df_report){ .arena = arena, .file = "--change" };
	df_state_begin(state, report, '\\', df_scope_new_stage(global, NULL), image);
	for (; *changes; changes++) {
		struct df_source source;
		struct df_file file;

		if (df_lex(report, *changes, strlen(*changes), &source, err) < 0 ||
		    df_parse(report, &source, DF_PARSE_TRIGGERS, &file, err) < 0)
			return -1;
		for (size_t i = 0; i < file.instr_count; i++)
			if (apply_instr(state, *changes, &file.instrs[i], err) < 0)
				return -1;
	}
	return 0;
}

/* The lease keeps the image that the new one stands on. */
static struct df_image *base_image(struct lease *lease, const char *id, struct err *err)
{
	struct store *store = lease_store(lease);
	AUTO(image_record) struct image_record *record = store_image(store, id, err);
	AUTO(free) char *config = NULL;
	size_t len;

	if (!record || store_image_config(store, id, &config, &len, err) < 0 ||
	    lease_add(lease, id, err) < 0)
		return NULL;
	for (size_t i = 0; i < record->layer_count; i++)
		if (lease_add(lease, record->layers[i].diff_id, err) < 0)
			return NULL;
	return df_image_parse(config, len, err);
}

static int capture(struct lease *lease, struct arena *arena, const struct project_dirs *dirs,
		   const struct observed_container *container, struct df_layer *out,
		   struct err *err)
{
	const struct record *record = container->record;
	struct df_layer_spec spec = { .lease = lease, .lower_fd = -1 };
	AUTO(snapshot)
	struct snapshot *snapshot = snapshot_open(lease_store(lease), record->image_id, NULL, err);
	AUTO(fd) int lower_fd = snapshot ? snapshot_mount(snapshot, err) : -1;
	AUTO(free) char *path = xformat("%s/upper", record->id);
	AUTO(fd)
	int upper_fd = openat(dirs->containers_fd, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (lower_fd < 0)
		return -1;
	if (upper_fd < 0)
		return err_sys(err, errno, "open what %s wrote", record->name);
	spec.lower_fd = lower_fd;
	spec.mount_points = mount_points(arena, container, &spec.mount_point_count);
	return df_capture(upper_fd, &spec, out, err);
}

static int write_image(struct lease *lease, struct df_image *image, const struct commit_wish *wish,
		       char *out_id, struct err *err)
{
	char name[REF_TEXT_MAX + 1];
	const char *names[] = { name };
	struct df_image_commit how = { .names = names,
				       .name_count = wish->name ? 1 : 0,
				       .author = wish->author };
	struct ref ref;

	if (wish->name) {
		if (ref_parse(wish->name, &ref, err) < 0)
			return -1;
		ref_canonical(&ref, name, sizeof(name));
	}
	return df_image_commit(image, lease, &how, out_id, err);
}

static int make(struct lease *lease, struct arena *arena, const struct project_dirs *dirs,
		const struct observed_container *container, const struct commit_wish *wish,
		char *out_id, struct err *err)
{
	struct df_image *image = base_image(lease, container->record->image_id, err);
	struct df_state state = { 0 };
	struct df_layer layer;
	int status;

	if (!image)
		return -1;
	status = apply_changes(arena, &state, wish->changes, image, err);
	if (status == 0)
		status = capture(lease, arena, dirs, container, &layer, err);
	if (status == 0) {
		df_image_add_step(state.image,
				  &(struct df_image_step){
					  .created_by = wish->message ? wish->message : "commit",
					  .diff_id = layer.diff_id,
					  .created_unix_ns = stamp_now_ns() });
		status = write_image(lease, state.image, wish, out_id, err);
	}
	df_state_end(&state);
	return status;
}

int commit_image(struct cli *cli, const struct project_dirs *dirs,
		 const struct observed_container *container, const struct commit_wish *wish,
		 char *out_id, struct err *err)
{
	AUTO(arena) struct arena *arena = arena_new();
	AUTO(store)
	struct store *store =
		transfer_store_open(cli->roots->state, cli->roots->run,
				    options_text(options_globals(cli->options), "config"), err);
	struct lease *lease = store ? lease_begin(store, err) : NULL;
	int status = -1;

	if (lease)
		status = make(lease, arena, dirs, container, wish, out_id, err);
	lease_end(lease, 0);
	return status;
}
