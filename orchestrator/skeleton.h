/* orchestrator/skeleton - the empty layer below every image: what a container's mounts stand on
 * (/proc, /dev, /sys, /etc/hosts, ...), there once for all, so that no start makes these in the
 * container's own writable layer.
 *
 * RUNTIME_ROOT/images/.skeleton, in memory. Blocks (some system calls the first time after a boot,
 * one later).
 */
#pragma once
#include "base/arena.h"
#include "base/err.h"
#include "orchestrator/roots.h"

/* Makes it when it is absent; its path, in the arena. NULL with *err. */
const char *skeleton_ensure(struct arena *arena, const struct roots *roots, struct err *err);
