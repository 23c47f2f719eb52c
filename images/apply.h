/* images/apply - tar entries become the tree of a layer, by the OCI rules.
 *
 * Source: OCI image-spec, "Image Layer Filesystem Changeset". Names are cleaned and resolved inside
 * the layer (links are followed inside its root), later entries replace earlier ones, whiteouts
 * hide lower layers only. A sink does on disk what the tree says (the folder back-end); without a
 * sink the tree alone is made (EROFS). Blocks as the sink does.
 *
 * A layer that leans on what is below it (a parent folder without an entry of its own, a hard link
 * to a lower file) is made in two steps: first without `lower`, when apply_needs_lower() tells so;
 * then, when the layers below are known, again from its tar with `lower`.
 */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/cleanup.h"
#include "base/err.h"
#include "base/tar.h"
#include "images/layer_tree.h"

/* What the layers below show at a path (no link in it is followed). */
struct lower_entry {
	enum node_type type;
	uint32_t mode, uid, gid, major, minor, mtime_ns;
	int64_t mtime_s;
	uint64_t size;
	char *link;               /* symlink's target */
	struct tar_xattr *xattrs; /* kept names only */
	size_t xattr_count;
};
void lower_entry_clear(struct lower_entry *entry);

struct apply_lower {
	/* 1 and *out (to be cleared), 0 nothing there, -1. path is "usr/bin", without a link in it.
	 */
	int (*look)(void *ctx, const char *path, struct lower_entry *out, struct err *err);
	/* The content of a lower file, for reading. */
	int (*open)(void *ctx, const char *path, struct err *err);
	/* EROFS: keeps the bytes of a lower file beside the index and tells where they begin. NULL
	 * with a sink. */
	int (*keep)(void *ctx, int fd, uint64_t size, uint64_t *out_at, struct err *err);
	void *ctx;
};

/* What has to happen on disk, after the tree has changed (remove: before). `name` is in the tree.
 */
struct apply_sink {
	int (*make)(void *ctx, const struct layer_tree *tree, uint32_t name, struct err *err);
	int (*link)(void *ctx, const struct layer_tree *tree, uint32_t target, uint32_t name,
		    struct err *err);
	int (*remove)(void *ctx, const struct layer_tree *tree, uint32_t name, struct err *err);
	int (*data)(void *ctx, uint64_t offset, const void *data, size_t len, struct err *err);
	/* The file made last is complete. */
	int (*done)(void *ctx, const struct layer_tree *tree, struct err *err);
	/* Content of a lower file into the file made last. */
	int (*copy)(void *ctx, int lower_fd, uint64_t size, struct err *err);
	void *ctx;
};

struct apply;

/* sink and lower may be NULL; both are copied. max_bytes bounds the sum of all file sizes, holes
 * included. */
struct apply *apply_new(const struct apply_sink *sink, const struct apply_lower *lower,
			uint64_t max_bytes);
void apply_free(struct apply *apply);
AUTO_TYPE(apply, apply_free);

/* For tar_new(): context is the struct apply. */
extern const struct tar_events apply_events;

/* The tree so far; stays the apply's. */
struct layer_tree *apply_tree(struct apply *apply);
/* True when the result depends on lower layers. */
bool apply_needs_lower(const struct apply *apply);
/* Entries below another one of whose names a link waits for. For the message when there is nothing
 * below. */
const char *apply_missing_link(const struct apply *apply);
/* xattr names that an image may set: user.* but user.overlay.*, capabilities, ACLs. */
bool apply_keeps_xattr(const char *name);
