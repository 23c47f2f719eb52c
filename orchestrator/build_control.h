/* orchestrator/build_control - the brake of a build: who runs, how many may, and when all must end.
 *
 * Any thread.
 */
#pragma once
#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"

struct build_control;

/* limit: steps that run at once. runtime_root: of the containers. Never NULL. */
struct build_control *build_control_new(size_t limit, const char *runtime_root, int runtime_fd);
void build_control_free(struct build_control *control);

/* Waits for a turn to run a step; ERR_CANCELLED when the build ends. */
int build_control_enter(struct build_control *control, struct err *err);
void build_control_leave(struct build_control *control);

/* A container that is killed when the build is cancelled. id: borrowed until removed.
 * ERR_CANCELLED: too late, do not start it. */
int build_control_add(struct build_control *control, const char *id, struct err *err);
void build_control_remove(struct build_control *control, const char *id);

/* Everything ends: waiting steps, containers. May be called again. */
void build_control_cancel(struct build_control *control);
bool build_control_is_cancelled(const struct build_control *control);

/* Waits until *condition is true (looked at under the control's lock) or the build is cancelled
 * (-1). Whoever changes it calls build_control_changed. */
int build_control_wait(struct build_control *control, bool (*holds)(void *ctx), void *ctx,
		       struct err *err);
void build_control_change(struct build_control *control, void (*change)(void *ctx), void *ctx);
