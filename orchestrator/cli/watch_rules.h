/* orchestrator/cli/watch_rules - develop.watch of a project's services: which rule a path concerns.
 * Reads .dockerignore files; else pure. */
#pragma once
#include <stdbool.h>

#include "base/arena.h"
#include "base/err.h"
#include "specs/model.h"

struct df_ignore;

struct watch_item {
	const struct service *service;
	const struct watch_rule *rule;
	const char *context;              /* of the service's build, NULL: none */
	const struct df_ignore *ignored;  /* the rule's own, relative to its path */
	const struct df_ignore *included; /* NULL: everything */
	const struct df_ignore *left_out; /* .dockerignore of the context */
	const struct df_ignore *common;   /* what editors and git make */
};
struct watch_rules {
	struct watch_item *items;
	size_t count;
};

/* Rules of the services (NULL-terminated; none: all), in the arena. A rule that syncs what is
 * mounted in the container anyway is left out, with a line in *out_notes. ERR_INVALID: no rule at
 * all, or a pattern that is none. */
int watch_rules_make(struct arena *arena, const struct project *project,
		     const char *const *services, struct watch_rules *out, struct texts *out_notes,
		     struct err *err);
/* Whether a change at the absolute path concerns the rule. */
bool watch_item_takes(const struct watch_item *item, const char *path);
/* No rule wants to know of that folder, nor of anything below it. */
bool watch_rules_skip(const struct watch_rules *rules, const char *folder);
/* Where a path of this machine lies in the container, of a rule that syncs; in the arena. */
const char *watch_item_target(struct arena *arena, const struct watch_item *item, const char *path);
bool watch_item_syncs(const struct watch_item *item);
