/* images/dockerfile/scope - which value a name has: ENV, ARG, build arguments, what is predefined.
 *
 * Pure; all in the caller's arena, one thread. One global scope for the file and one scope per
 * stage, in the order of the instructions: declare and set as they come, so that a value is what
 * stood before the instruction. Source: Dockerfile reference, "ARG", "Predefined ARGs".
 *
 *	struct df_scope *global = df_scope_new_global(&inputs);    ARGs before the first FROM:
 *declare struct df_scope *stage = df_scope_new_stage(global, NULL); parent: the stage it is built
 *FROM
 */
#pragma once
#include <stdbool.h>
#include <stddef.h>

#include "base/arena.h"

struct df_build_arg {
	const char *name, *value; /* value NULL: the name counts as unset */
};

/* What the caller gives; the arrays outlive the scopes. */
struct df_inputs {
	struct arena *arena;
	const struct df_build_arg
		*build_args; /* the last of a name wins; "--build-arg X" is resolved */
	size_t build_arg_count;
	const struct df_build_arg *platform_args; /* TARGETPLATFORM, BUILDOS ...: seen by FROM and
						   * by "ARG NAME" in a stage */
	size_t platform_arg_count;
};

struct df_scope;

struct df_scope *df_scope_new_global(const struct df_inputs *inputs);
/* parent NULL: FROM an image; else its ENV and its declared ARGs are inherited as they are now. */
struct df_scope *df_scope_new_stage(const struct df_scope *global, const struct df_scope *parent);

/* ARG name[=value]; default_value NULL when there is none. A build argument beats the default; in a
 * stage without both, the global value is taken. Texts are borrowed. */
void df_scope_declare(struct df_scope *scope, const char *name, const char *default_value);
/* ENV, and each "NAME=VALUE" of the base image's config. */
void df_scope_set_env(struct df_scope *scope, const char *name, const char *value);

/* ENV, then ARGs declared so far, then (predefined) proxy arguments that were given. NULL: unset.
 */
const char *df_scope_get(const struct df_scope *scope, const char *name);

#define DF_SCOPE_WITH_PROXIES 1u /* the environment of RUN; without: what counts for its key */
/* "NAME=VALUE" sorted by name, NULL-terminated: ENV, declared ARGs that have a value and are not
 * ENV, and with the flag proxies that were given and not declared. */
const char **df_scope_environment(const struct df_scope *scope, unsigned flags, size_t *out_count);
/* The ARGs that were declared and have a value, sorted, "NAME=VALUE": for history and keys. */
const char **df_scope_args(const struct df_scope *scope, size_t *out_count);

/* Whether a name is one of the proxies that need no ARG, in either case. */
bool df_scope_is_proxy(const char *name);
/* Build arguments that no scope of this file declared (proxies and docker's own names left out),
 * NULL-terminated, for one warning. */
const char **df_scope_unused(const struct df_scope *global, size_t *out_count);
