/* specs/rules - what the keys of one map mean to each other: defaults, exclusions, what makes it
 * unique.
 *
 * The finish rules run after the merge, on long forms; 0 or -1 with the problem noted.
 */
#pragma once
#include "specs/keys.h"

#define RULE(name) int name(struct shape *shape, struct node *map, const struct path *path)
RULE(settle_mount);
RULE(finish_build);
RULE(finish_config);
RULE(finish_dependency);
RULE(finish_device_request);
RULE(finish_http);
RULE(finish_mount);
RULE(finish_network);
RULE(finish_port);
RULE(finish_probe);
RULE(finish_secret);
RULE(finish_secret_use);
RULE(finish_service);
RULE(finish_ulimit);
RULE(finish_volume);
RULE(finish_watch);
#undef RULE

/* What tells an entry of a list from the others when files are merged; in the arena. */
const char *unique_config(struct arena *arena, const struct node *map);
const char *unique_device(struct arena *arena, const struct node *map);
const char *unique_env_file(struct arena *arena, const struct node *map);
const char *unique_mount(struct arena *arena, const struct node *map);
const char *unique_pool(struct arena *arena, const struct node *map);
const char *unique_port(struct arena *arena, const struct node *map);
const char *unique_secret(struct arena *arena, const struct node *map);
