/* orchestrator/build_result - the end of a build: the image, its names, what else was asked for.
 *
 * Owns: commit, -o outputs. May not touch: how archives look (images/archive).
 */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/crash.h"
#include "base/file.h"
#include "base/json.h"
#include "images/archive.h"
#include "images/ref.h"
#include "orchestrator/build_inner.h"
#include "volumes/tree_in.h"

/* ---- the image ---- */

static int canonical_names(struct build_job *job, const char ***out, size_t *out_count,
			   struct err *err)
{
	const struct texts *tags = &job->spec->tags;

	*out = arena_alloc(job->arena, (tags->count + 1) * sizeof(**out));
	*out_count = 0;
	for (size_t i = 0; i < tags->count; i++) {
		char *text = arena_alloc(job->arena, REF_TEXT_MAX + 1);
		struct ref ref;

		if (ref_parse(tags->items[i], &ref, err) < 0)
			return err_wrap(err, "tag %s", tags->items[i]);
		(*out)[(*out_count)++] = ref_canonical(&ref, text, REF_TEXT_MAX + 1);
	}
	return 0;
}

static void tell_image(struct build_job *job)
{
	const struct build_spec *spec = job->spec;
	struct json_object *object = json_object_new_object(), *tags;
	struct err ignored = ERR_NONE;
	AUTO(image_record)
	struct image_record *record = store_image(job->build->store, job->image_id, &ignored);

	json_add_text(object, "event", "image");
	json_add_text(object, "name", spec->name ? spec->name : "");
	json_add_text(object, "id", job->image_id);
	json_add_text(object, "digest", record ? record->manifest_digest : NULL);
	tags = json_add_array(object, "tags");
	for (size_t i = 0; i < spec->tags.count; i++)
		json_push_text(tags, spec->tags.items[i]);
	build_event_send(job->build->events, object);
}

static int commit(struct build_job *job, struct err *err)
{
	const struct build_spec *spec = job->spec;
	struct build_stage *stage = &job->stages[job->graph.target];
	struct df_image_commit how = {
		.created_unix_ns = spec->epoch_s >= 0 ? (uint64_t)spec->epoch_s * 1000000000ull : 0
	};
	AUTO(free) char *annotations = NULL;
	const char **names;

	if (canonical_names(job, &names, &how.name_count, err) < 0)
		return -1;
	how.names = names;
	for (size_t i = 0; i < spec->labels.count; i++)
		df_image_set_label(stage->state.image, spec->labels.items[i].name,
				   spec->labels.items[i].value ? spec->labels.items[i].value : "");
	annotations = build_share_annotations(job);
	how.annotations = annotations;
	crash_point("build", "commit");
	if (df_image_commit(stage->state.image, job->build->lease, &how, job->image_id, err) < 0)
		return -1;
	tell_image(job);
	return 0;
}

/* ---- outputs ---- */

static int open_dest(struct build_job *job, const struct build_output *output, struct err *err)
{
	int fd;

	if (strcmp(output->dest, "-") == 0)
		fd = fcntl(job->build->env->out_fd, F_DUPFD_CLOEXEC, 3);
	else
		fd = open(output->dest, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
	return fd < 0 ? err_sys(err, errno, "open %s", output->dest) : fd;
}

static int write_tar(struct build_job *job, const struct build_output *output, struct err *err)
{
	AUTO(fd) int fd = open_dest(job, output, err);

	return fd < 0 ? -1 : archive_export(job->build->store, job->image_id, fd, err);
}

static int write_archive(struct build_job *job, const struct build_output *output, struct err *err)
{
	AUTO(fd) int fd = open_dest(job, output, err);
	struct archive_item item = { .id = job->image_id };
	char name[REF_TEXT_MAX + 1];
	struct ref ref;

	if (fd < 0)
		return -1;
	if (job->spec->tags.count && ref_parse(job->spec->tags.items[0], &ref, err) == 0)
		item.name = ref_canonical(&ref, name, sizeof(name));
	return archive_save(job->build->store, &item, 1,
			    strcmp(output->type, "oci") == 0 ? ARCHIVE_OCI : 0, fd, err);
}

/* A tar that one function writes is unpacked below a folder as it comes. */
struct unpack {
	int root_fd, in_fd, status;
	struct err err;
};

static void *unpack_main(void *data)
{
	struct unpack *unpack = data;

	unpack->status = tree_in(unpack->root_fd, ".", TREE_IN_OWNERS, unpack->in_fd, &unpack->err);
	close(unpack->in_fd); /* a writer that goes on is told */
	return NULL;
}

static int unpack_into(struct build_worker *build, const char *dest, const char *id,
		       int (*write)(struct build_worker *build, const char *id, int fd,
				    struct err *err),
		       struct err *err)
{
	AUTO(fd) int root = file_open_dir(AT_FDCWD, dest, true, err);
	struct unpack unpack = { .root_fd = root };
	pthread_t thread;
	int ends[2], status;

	if (root < 0)
		return -1;
	if (pipe2(ends, O_CLOEXEC) < 0)
		return err_sys(err, errno, "pipe");
	unpack.in_fd = ends[0];
	if (pthread_create(&thread, NULL, unpack_main, &unpack) != 0) {
		close(ends[0]);
		close(ends[1]);
		return err_set(err, ERR_SYSTEM, "start a thread");
	}
	status = write(build, id, ends[1], err);
	close(ends[1]);
	pthread_join(thread, NULL);
	if (unpack.status < 0) {
		*err = unpack.err;
		return -1;
	}
	return status;
}

static int flat_tar(struct build_worker *build, const char *id, int fd, struct err *err)
{
	return archive_export(build->store, id, fd, err);
}

static int layout_tar(struct build_worker *build, const char *id, int fd, struct err *err)
{
	struct archive_item item = { .id = id };

	return archive_save(build->store, &item, 1, ARCHIVE_OCI, fd, err);
}

int build_result_layout(struct build_worker *build, const char *id, const char *folder,
			struct err *err)
{
	return unpack_into(build, folder, id, layout_tar, err);
}

static int write_local(struct build_job *job, const struct build_output *output, struct err *err)
{
	return unpack_into(job->build, output->dest, job->image_id, flat_tar, err);
}

static const struct {
	const char *type;
	int (*write)(struct build_job *job, const struct build_output *output, struct err *err);
} writers[] = {
	{"local",   write_local  },
	{ "tar",    write_tar    },
	{ "oci",    write_archive},
	{ "docker", write_archive},
};

static int write_output(struct build_job *job, const struct build_output *output, struct err *err)
{
	if (strcmp(output->type, "image") == 0)
		return 0;
	for (size_t i = 0; i < sizeof(writers) / sizeof(*writers); i++)
		if (strcmp(writers[i].type, output->type) == 0)
			return writers[i].write(job, output, err) < 0
				       ? err_wrap(err, "output %s", output->type)
				       : 0;
	return err_set(err, ERR_UNSUPPORTED,
		       "output type \"%s\": must be image, local, tar, oci or docker",
		       output->type);
}

int build_result_make(struct build_job *job, struct err *err)
{
	if (commit(job, err) < 0)
		return -1;
	for (size_t i = 0; i < job->spec->output_count; i++)
		if (write_output(job, &job->spec->outputs[i], err) < 0)
			return -1;
	return build_share_export(job, err);
}
