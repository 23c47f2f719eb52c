/* specs/deploy_keys - rows of deploy, build and develop.
 *
 * Owns: names, forms, fields and meanings. May not touch: how rows are run.
 * Source: Compose Specification, deploy, build, develop.
 */
#include "specs/checks.h"
#include "specs/expand.h"
#include "specs/keys.h"
#include "specs/model.h"
#include "specs/rules.h"

#define EXTENSIONS(type) .extensions_offset = offsetof(struct type, extensions)
#define PLAIN            .place_offset = NO_FIELD, .null_offset = NO_FIELD

/* clang-format off */
#define AT(field) offsetof(struct generic_resource_spec, field)
static const struct key generic_spec_rows[] = {
	{ "kind", KEY_TEXT, 0, AT(kind), .doc = "D no effect on one host" },
	{ "value", KEY_NUMBER, 0, AT(value), .doc = "D no effect on one host" },
};
static const struct table generic_spec_table = {
	.what = "discrete_resource_spec", TABLE_KEYS(generic_spec_rows),
	.size = sizeof(struct generic_resource_spec), PLAIN, EXTENSIONS(generic_resource_spec),
};
#undef AT
static const struct key generic_rows[] = {
	{ "discrete_resource_spec", KEY_OBJECT, 0, offsetof(struct generic_resource,
	    discrete_resource_spec), &generic_spec_table,
	  .doc = "D no effect on one host" },
};
static const struct table generic_table = {
	.what = "a generic resource", TABLE_KEYS(generic_rows),
	.size = sizeof(struct generic_resource), PLAIN, EXTENSIONS(generic_resource),
};

#define AT(field) offsetof(struct resource_limits, field)
static const struct key limit_rows[] = {
	{ "cpus", KEY_NUMBER, KEY_ZERO_UNSET, AT(cpus), .has_minimum = true,
	  .doc = "A as cpus of the service" },
	{ "memory", KEY_BYTES, KEY_ZERO_UNSET, AT(memory), .doc = "A as mem_limit" },
	{ "pids", KEY_INT, KEY_ZERO_UNSET, AT(pids), .doc = "A as pids_limit" },
};
static const struct key reservation_rows[] = {
	{ "cpus", KEY_NUMBER, KEY_ZERO_UNSET, AT(cpus), .has_minimum = true, .doc = "B weight" },
	{ "memory", KEY_BYTES, KEY_ZERO_UNSET, AT(memory), .doc = "B as mem_reservation" },
	{ "devices", KEY_OBJECTS, 0, AT(devices), &device_request_table,
	  .doc = "C device requests, as gpus" },
	{ "generic_resources", KEY_OBJECTS, KEY_WARNED, AT(generic_resources), &generic_table,
	  .doc = "D no effect on one host" },
};
static const struct table limit_table = {
	.what = "limits", TABLE_KEYS(limit_rows),
	.size = sizeof(struct resource_limits), PLAIN, EXTENSIONS(resource_limits),
};
static const struct table reservation_table = {
	.what = "reservations", TABLE_KEYS(reservation_rows),
	.size = sizeof(struct resource_limits), PLAIN, EXTENSIONS(resource_limits),
};
#undef AT
static const struct key resource_rows[] = {
	{ "limits", KEY_OBJECT, 0, offsetof(struct resources, limits), &limit_table,
	  .doc = "A limits" },
	{ "reservations", KEY_OBJECT, 0, offsetof(struct resources, reservations),
	  &reservation_table,
	  .doc = "A reservations" },
};
static const struct table resource_table = {
	.what = "resources", TABLE_KEYS(resource_rows),
	.size = sizeof(struct resources), PLAIN, EXTENSIONS(resources),
};

#define AT(field) offsetof(struct deploy_restart, field)
static const struct key restart_rows[] = {
	{ "condition", KEY_TEXT, 0, AT(condition), .choices = "none on-failure any",
	  .doc = "A default any" },
	{ "delay", KEY_DURATION, 0, AT(delay), .doc = "B pause before a restart" },
	{ "max_attempts", KEY_INT, 0, AT(max_attempts), .has_minimum = true, .doc = "A tries" },
	{ "window", KEY_DURATION, 0, AT(window), .doc = "B time to count as a success" },
};
static const struct table restart_table = {
	.what = "restart_policy", TABLE_KEYS(restart_rows),
	.size = sizeof(struct deploy_restart), PLAIN, EXTENSIONS(deploy_restart),
};
#undef AT

#define AT(field) offsetof(struct update_config, field)
#define UPDATE_ROWS(letter) \
	{ "parallelism", KEY_INT, 0, AT(parallelism), .has_minimum = true, \
	  .doc = letter " how many at once; 0: all" }, \
	{ "delay", KEY_DURATION, 0, AT(delay), .doc = letter " pause between" }, \
	{ "failure_action", KEY_TEXT, 0, AT(failure_action), .choices = "continue pause rollback", \
	  .doc = letter " when one fails" }, \
	{ "monitor", KEY_DURATION, 0, AT(monitor), \
	  .doc = letter " how long to watch for a failure" }, \
	{ "max_failure_ratio", KEY_NUMBER, KEY_ZERO_UNSET, AT(max_failure_ratio), \
	  .has_minimum = true, .doc = letter " failures to bear" }, \
	{ "order", KEY_TEXT, 0, AT(order), .choices = "start-first stop-first", \
	  .doc = letter " which goes first" }
static const struct key update_rows[] = { UPDATE_ROWS("B") };
static const struct key rollback_rows[] = { UPDATE_ROWS("B") };
static const struct table update_table = {
	.what = "update_config", TABLE_KEYS(update_rows),
	.size = sizeof(struct update_config), PLAIN, EXTENSIONS(update_config),
};
static const struct table rollback_table = {
	.what = "rollback_config", TABLE_KEYS(rollback_rows),
	.size = sizeof(struct update_config), PLAIN, EXTENSIONS(update_config),
};
#undef AT

static const struct key preference_rows[] = {
	{ "spread", KEY_TEXT, 0, offsetof(struct preference, spread),
	  .doc = "D no effect on one host" },
};
static const struct table preference_table = {
	.what = "a preference", TABLE_KEYS(preference_rows),
	.size = sizeof(struct preference), PLAIN, EXTENSIONS(preference),
};
#define AT(field) offsetof(struct placement, field)
static const struct key placement_rows[] = {
	{ "constraints", KEY_TEXTS, 0, AT(constraints), .doc = "D no effect on one host" },
	{ "preferences", KEY_OBJECTS, 0, AT(preferences), &preference_table,
	  .doc = "D no effect on one host" },
	{ "max_replicas_per_node", KEY_INT, KEY_ZERO_UNSET, AT(max_replicas_per_node),
	  .doc = "D no effect on one host" },
};
static const struct table placement_table = {
	.what = "placement", TABLE_KEYS(placement_rows),
	.size = sizeof(struct placement), PLAIN, EXTENSIONS(placement),
};
#undef AT

#define AT(field) offsetof(struct deploy, field)
static const struct key deploy_rows[] = {
	{ "mode", KEY_TEXT, 0, AT(mode), .choices = "replicated global replicated-job global-job",
	  .doc = "B global: one; *-job: run once" },
	{ "replicas", KEY_INT, 0, AT(replicas), .has_minimum = true,
	  .doc = "A number of containers" },
	{ "labels", KEY_PAIRS, KEY_NULL_TO_EMPTY, AT(labels),
	  .doc = "C labels of the service, not of its containers" },
	{ "update_config", KEY_OBJECT, 0, AT(update_config), &update_table,
	  .doc = "B how `up` replaces containers" },
	{ "rollback_config", KEY_OBJECT, 0, AT(rollback_config), &rollback_table,
	  .doc = "B how `rollback`, and an update that failed, replace containers" },
	{ "resources", KEY_OBJECT, KEY_JSON_EMPTY, AT(resources), &resource_table,
	  .doc = "A limits and reservations" },
	{ "restart_policy", KEY_OBJECT, 0, AT(restart_policy), &restart_table,
	  .doc = "A wins over restart" },
	{ "placement", KEY_OBJECT, KEY_JSON_EMPTY | KEY_WARNED, AT(placement), &placement_table,
	  .doc = "D no effect on one host" },
	{ "endpoint_mode", KEY_TEXT, 0, AT(endpoint_mode), .choices = "vip dnsrr",
	  .doc = "D names give all addresses (dnsrr) in any case" },
};
const struct table deploy_table = {
	.what = "deploy", TABLE_KEYS(deploy_rows),
	.size = sizeof(struct deploy), PLAIN, EXTENSIONS(deploy),
};
#undef AT

#define AT(field) offsetof(struct build, field)
static const struct key build_rows[] = {
	{ "context", KEY_TEXT, 0, AT(context), .doc = "A folder or URL; default ." },
	{ "dockerfile", KEY_TEXT, 0, AT(dockerfile),
	  .doc = "A file below the context; default Dockerfile" },
	{ "dockerfile_inline", KEY_TEXT, 0, AT(dockerfile_inline),
	  .doc = "B text of the Dockerfile" },
	{ "entitlements", KEY_TEXTS, KEY_UNIQUE, AT(entitlements),
	  .doc = "C RUN with more rights" },
	{ "args", KEY_PAIRS, 0, AT(args), .doc = "A NAME alone: the caller's value, else dropped" },
	{ "provenance", KEY_LOOSE, KEY_WARNED, AT(provenance), .doc = "D attestation; no effect" },
	{ "sbom", KEY_LOOSE, KEY_WARNED, AT(sbom), .doc = "D attestation; no effect" },
	{ "ssh", KEY_SSH, 0, AT(ssh), .doc = "C agent for RUN --mount=type=ssh" },
	{ "labels", KEY_PAIRS, KEY_NULL_TO_EMPTY, AT(labels), .doc = "B labels of the image" },
	{ "cache_from", KEY_TEXTS, 0, AT(cache_from), .doc = "C registry or local cache" },
	{ "cache_to", KEY_TEXTS, 0, AT(cache_to), .doc = "C registry or local cache" },
	{ "no_cache", KEY_BOOL, 0, AT(no_cache), .doc = "B build all steps anew" },
	{ "no_cache_filter", KEY_TEXT_OR_LIST, KEY_UNIQUE, AT(no_cache_filter),
	  .doc = "C stages to build anew" },
	{ "additional_contexts", KEY_PAIRS, 0, AT(additional_contexts),
	  .doc = "C NAME= path, URL, docker-image://REF, service:NAME" },
	{ "pull", KEY_BOOL, 0, AT(pull), .doc = "B pull base images anew" },
	{ "extra_hosts", KEY_HOSTS, KEY_UNIQUE, AT(extra_hosts),
	  .doc = "C lines of /etc/hosts in RUN" },
	{ "isolation", KEY_TEXT, KEY_WARNED, AT(isolation), .doc = "D Windows only" },
	{ "network", KEY_TEXT, 0, AT(network), .doc = "B network of RUN: default, none, host" },
	{ "target", KEY_TEXT, 0, AT(target), .doc = "A stage to build" },
	{ "secrets", KEY_OBJECTS, 0, AT(secrets), &file_use_table,
	  .doc = "B for RUN --mount=type=secret" },
	{ "shm_size", KEY_BYTES, KEY_ZERO_UNSET, AT(shm_size), .doc = "C /dev/shm of RUN" },
	{ "tags", KEY_TEXTS, KEY_UNIQUE, AT(tags), .check = check_image,
	  .doc = "B further names of the image" },
	{ "ulimits", KEY_ULIMITS, 0, AT(ulimits), &ulimit_table, .doc = "C limits of RUN" },
	{ "platforms", KEY_TEXTS, KEY_UNIQUE, AT(platforms), .check = check_platform,
	  .doc = "C one of them is built; another architecture needs binfmt" },
	{ "privileged", KEY_BOOL, 0, AT(privileged), .doc = "C RUN with all rights" },
};
const struct table build_table = {
	.what = "build", TABLE_KEYS(build_rows),
	.size = sizeof(struct build), PLAIN, EXTENSIONS(build),
	.expand = expand_build, .finish = finish_build,
};
#undef AT

#define AT(field) offsetof(struct watch_rule, field)
static const struct key watch_rows[] = {
	{ "path", KEY_TEXT, KEY_NEEDED, AT(path), .doc = "B what to watch" },
	{ "action", KEY_TEXT, KEY_NEEDED, AT(action),
	  .choices = "rebuild sync restart sync+restart sync+exec", .doc = "B what to do" },
	{ "target", KEY_TEXT, 0, AT(target), .doc = "B path in the container; needed with sync" },
	{ "exec", KEY_OBJECT, KEY_JSON_EMPTY, AT(exec), &hook_table,
	  .doc = "C command of sync+exec" },
	{ "include", KEY_TEXT_OR_LIST, KEY_UNIQUE, AT(include), .doc = "B patterns to keep to" },
	{ "ignore", KEY_TEXT_OR_LIST, KEY_UNIQUE, AT(ignore), .doc = "B patterns to leave out" },
	{ "initial_sync", KEY_BOOL, 0, AT(initial_sync), .doc = "B sync once at the start" },
};
static const struct table watch_table = {
	.what = "a watch rule", TABLE_KEYS(watch_rows),
	.size = sizeof(struct watch_rule), PLAIN, EXTENSIONS(watch_rule),
	.finish = finish_watch,
};
#undef AT
static const struct key develop_rows[] = {
	{ "watch", KEY_OBJECTS, 0, offsetof(struct develop, watch), &watch_table,
	  .doc = "B rules of `watch`" },
};
const struct table develop_table = {
	.what = "develop", TABLE_KEYS(develop_rows),
	.size = sizeof(struct develop), PLAIN, EXTENSIONS(develop),
};
/* clang-format on */
