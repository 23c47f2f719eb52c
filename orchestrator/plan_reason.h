/* orchestrator/plan_reason - why a container must be recreated, in words. Pure. */
#pragma once
#include "base/arena.h"
#include "specs/model.h"

/* What differs between two configurations of a service: "image: nginx:1 -> nginx:2; environment:
 * +DEBUG -OLD ~MODE". Values of environment, labels and the like are never told, only their names.
 * before NULL: "the configuration changed". */
const char *plan_reason(struct arena *arena, const struct service *before,
			const struct service *after);
