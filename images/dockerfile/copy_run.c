/* images/dockerfile/copy_run - COPY and ADD, second half: the layer. WORKDIR's folder, too.
 *
 * Owns: where each source ends up, whose it becomes. Declared in copy.h.
 * May not touch: which files are sources (copy, sources).
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/crash.h"
#include "base/num.h"
#include "images/dockerfile/context_inner.h"
#include "images/dockerfile/copy_inner.h"
#include "images/dockerfile/resolve.h"
#include "images/user.h"

struct run {
	struct df_copy *copy;
	struct df_placing placing;
	struct df_placing_change change;
	uint32_t folder;  /* the destination; 0: not known yet */
	const char *leaf; /* one file: its new name in the folder; NULL: its own */
};

/* ---- owners ---- */

static int number(const char *text, size_t len, uint32_t *out, struct err *err)
{
	uint64_t value;

	if (num_parse_u64("--chown", text, len, 0, UINT32_MAX - 1, &value, err) < 0)
		return -1;
	*out = (uint32_t)value;
	return 0;
}

/* "1", "1:2": no look at the image. A number alone is the group, too; a name alone means the
 * user's own group. */
static int resolve_owner(const char *chown, int root_fd, uint32_t *out_uid, uint32_t *out_gid,
			 struct err *err)
{
	const char *colon = strchr(chown, ':');
	size_t len = colon ? (size_t)(colon - chown) : strlen(chown);
	struct image_user user;

	if (*chown && strspn(chown, "0123456789:") == strlen(chown) && len &&
	    (!colon || colon[1])) {
		const char *group = colon ? colon + 1 : chown;

		if (number(chown, len, out_uid, err) < 0)
			return -1;
		return number(group, strlen(group), out_gid, err);
	}
	if (root_fd < 0)
		return err_set(err, ERR_INVALID,
			       "--chown=%.80s: there is no /etc/passwd to look in", chown);
	if (user_resolve(root_fd, chown, NULL, 0, &user, err) < 0)
		return err_wrap(err, "--chown=%.80s", chown);
	*out_uid = user.uid;
	*out_gid = user.gid;
	return 0;
}

static int set_owner(struct run *run, int root_fd, struct err *err)
{
	struct df_placing_change *change = &run->change;
	const char *chown = run->copy->spec.chown;

	change->chmod = run->copy->spec.chmod;
	if (!chown || !*chown)
		return 0;
	if (resolve_owner(chown, root_fd, &change->uid, &change->gid, err) < 0)
		return -1;
	change->has_owner = true;
	run->placing.new_uid = change->uid;
	run->placing.new_gid = change->gid;
	return 0;
}

/* ---- the destination ---- */

/* Whether there is one file alone, which may get the destination's name. */
static bool is_one_file(const struct df_copy *copy)
{
	const struct copy_part *part = &copy->parts[0];

	return copy->part_count == 1 && !part->sources.has_folder && !part->fetched &&
	       part->sources.named <= 1 && !(copy->spec.flags & DF_COPY_PARENTS);
}

static bool has_many(const struct df_copy *copy)
{
	size_t named = 0;

	for (size_t i = 0; i < copy->part_count; i++)
		named += copy->parts[i].sources.named ? copy->parts[i].sources.named : 1;
	return named > 1;
}

static int find_destination(struct run *run, struct err *err)
{
	struct df_copy *copy = run->copy;
	bool needs_folder = copy->wants_folder;

	if (!needs_folder && is_one_file(copy)) {
		run->folder = df_placing_target(&run->placing, copy->destination, &run->leaf, err);
		return run->folder ? 0 : -1;
	}
	if (!needs_folder && has_many(copy) &&
	    !df_placing_has_folder(&run->placing, copy->destination))
		return err_set(err, ERR_INVALID,
			       "several sources: the destination \"%.120s\" has to be a folder and "
			       "end with /",
			       copy->destination);
	run->folder = df_placing_folder(&run->placing, LAYER_TREE_ROOT, copy->destination, err);
	return run->folder ? 0 : -1;
}

/* ---- parts ---- */

static uint32_t only_name(const struct df_tree *tree)
{
	return tree_name(tree->tree, LAYER_TREE_ROOT)->child;
}

/* An archive is unpacked into a folder, whatever its own name is. */
static int archive_folder(struct run *run, struct err *err)
{
	if (!run->leaf)
		return 0;
	run->folder = df_placing_folder(&run->placing, run->folder, run->leaf, err);
	run->leaf = NULL;
	return run->folder ? 0 : -1;
}

static int unpack(struct run *run, int fd, struct err *err)
{
	if (archive_folder(run, err) < 0)
		return -1;
	return df_copy_unpack(run->copy, &run->placing, run->folder, fd, &run->change, err);
}

/* One entry of a part's root: an archive that ADD unpacks, or a file as it is. */
static int place_name(struct run *run, struct copy_part *part, uint32_t name, struct err *err)
{
	const struct df_tree *tree = &part->sources.tree;
	const struct tree_inode *inode = tree_inode_of(tree->tree, name);
	const char *to = run->leaf ? run->leaf : tree_name_text(tree->tree, name);

	if (part->may_unpack && inode->type == NODE_FILE && inode->number) {
		const struct df_content *content = &tree->contents[inode->number - 1];
		AUTO(fd)
		int fd = content->kind == DF_CONTENT_PATH
				 ? df_open_plain(content->root_fd, content->path,
						 O_RDONLY | O_NONBLOCK)
				 : fcntl(content->fd, F_DUPFD_CLOEXEC, 0);
		int rc = fd < 0 ? err_sys(err, errno, "open \"%.120s\"", to)
				: df_copy_is_archive(fd, err);

		if (rc != 0)
			return rc < 0 ? -1 : unpack(run, fd, err);
	}
	return df_placing_graft_one(&run->placing, run->folder, to, tree, name, &run->change, err);
}

static int place_part(struct run *run, struct copy_part *part, struct err *err)
{
	const struct df_tree *tree = &part->sources.tree;

	if (!part->may_unpack && !run->leaf)
		return df_placing_graft(&run->placing, run->folder, tree, LAYER_TREE_ROOT,
					&run->change, err);
	for (uint32_t at = only_name(tree); at; at = tree_name(tree->tree, at)->next)
		if (place_name(run, part, at, err) < 0)
			return -1;
	return 0;
}

/* Files that stood nowhere before get the time of the run. */
static void set_times(struct df_copy *copy, int64_t now_s)
{
	for (size_t i = 0; i < copy->part_count; i++) {
		struct layer_tree *tree = copy->parts[i].sources.tree.tree;

		for (uint32_t k = 1; tree && k < tree->inode_count; k++)
			if (tree->inodes[k].mtime_s == -1)
				tree->inodes[k].mtime_s = now_s;
	}
}

static int fetch(struct df_copy *copy, struct err *err)
{
	for (size_t i = 0; i < copy->part_count; i++)
		if (copy->parts[i].url && df_copy_fetch_url(copy, &copy->parts[i], err) < 0)
			return -1;
	return 0;
}

static int place_all(struct run *run, struct err *err)
{
	for (size_t i = 0; i < run->copy->part_count; i++)
		if (place_part(run, &run->copy->parts[i], err) < 0)
			return -1;
	return 0;
}

int df_copy_run(struct df_copy *copy, int root_fd, const struct df_layer_spec *layer,
		struct df_layer *out, struct err *err)
{
	struct run run = { .copy = copy };
	uint64_t now = df_layer_now(layer);
	int rc;

	*out = (struct df_layer){ 0 };
	if (df_copy_read_sources(copy, err) < 0 || fetch(copy, err) < 0)
		return -1;
	if (copy->part_count == 0)
		return 0;
	set_times(copy, (int64_t)(now / 1000000000u));
	df_placing_init(&run.placing, copy->spec.flags & DF_COPY_LINK ? -1 : root_fd, now);
	rc = set_owner(&run, root_fd, err);
	if (rc == 0)
		rc = find_destination(&run, err);
	if (rc == 0)
		rc = place_all(&run, err);
	crash_point("build", "copy-planned");
	if (rc == 0)
		rc = df_tree_write(&run.placing.tree, layer, out, err);
	if (rc == 0)
		crash_point("build", "copy-written");
	df_placing_clear(&run.placing);
	return rc;
}

int df_copy_mount_source(struct df_copy *copy, const struct df_layer_spec *layer,
			 struct df_layer *out, struct err *err)
{
	struct run run = { .copy = copy, .folder = LAYER_TREE_ROOT };
	int rc;

	*out = (struct df_layer){ 0 };
	if (df_copy_read_sources(copy, err) < 0)
		return -1;
	df_placing_init(&run.placing, -1, df_layer_now(layer));
	rc = place_all(&run, err);
	if (rc == 0)
		rc = df_tree_write(&run.placing.tree, layer, out, err);
	df_placing_clear(&run.placing);
	return rc;
}

int df_copy_workdir(struct lease *lease, int root_fd, const char *path, const char *user,
		    const struct df_layer_spec *layer, struct df_layer *out, struct err *err)
{
	struct df_layer_spec spec = *layer;
	struct df_placing placing;
	int rc = 0;

	*out = (struct df_layer){ 0 };
	spec.lease = lease;
	df_placing_init(&placing, root_fd, df_layer_now(layer));
	if (!df_placing_has_folder(&placing, path)) {
		if (user && *user)
			rc = resolve_owner(user, root_fd, &placing.new_uid, &placing.new_gid, err);
		if (rc == 0 && !df_placing_folder(&placing, LAYER_TREE_ROOT, path, err))
			rc = -1;
		if (rc == 0)
			rc = df_tree_write(&placing.tree, &spec, out, err);
	}
	df_placing_clear(&placing);
	return rc;
}
