/* images/unpack - the tree of a layer on disk, as one lower folder of an overlay.
 *
 * The sink of images/apply for extracted layers. All access goes through root_fd with openat2; what
 * the layer calls "/etc" is below it. Owner, mode, attributes and times are set as they are (umask
 * does not count); whiteouts become character devices 0:0, opaque folders get
 * trusted.overlay.opaque. Needs root. Blocks (disk).
 */
#pragma once
#include "base/cleanup.h"
#include "base/err.h"
#include "images/apply.h"

struct unpack;

/* root_fd: an empty folder, stays the caller's. Never NULL. */
struct unpack *unpack_new(int root_fd);
void unpack_free(struct unpack *unpack);
AUTO_TYPE(unpack, unpack_free);
struct apply_sink unpack_sink(struct unpack *unpack);
/* After the last entry: attributes of the folders, children first. */
int unpack_finish(struct unpack *unpack, const struct layer_tree *tree, struct err *err);
