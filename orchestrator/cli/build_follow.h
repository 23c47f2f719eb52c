/* orchestrator/cli/build_follow - a build worker started and followed to its end; the services of a
 * project built. Blocks. */
#pragma once
#include <json-c/json.h>
#include <stdbool.h>
#include <stddef.h>

#include "orchestrator/build.h"
#include "orchestrator/build_service.h"
#include "orchestrator/cli/cli.h"

/* Forks the worker (the caller has one thread), shows its events on stderr, waits for it. A signal
 * that comes to us goes on to it. *out_images (or NULL): the "image" events, to be put. An error
 * has been told: the message is empty. */
int build_follow(struct cli *cli, const struct build_spec *specs, size_t count,
		 enum progress_form form, size_t jobs, struct json_object **out_images,
		 struct err *err);

/* The caller's environment; fits build_service_options.lookup. */
const char *build_lookup(const char *name);

/* Which services a command builds. */
#define BUILD_ALL                                                                                  \
	1u /* every selected one that has `build`; else those whose image is missing,              \
	      or whose pull_policy is build */
#define BUILD_WITH_DEPENDENCIES 2u
/* Builds those of the named services (none: all) of the project that have to be. What a context
 * "service:NAME" names is built along. *out_images as above. */
int build_services(struct cli *cli, const struct project *project, const char *const *services,
		   unsigned which, const struct build_service_options *how, enum progress_form form,
		   struct json_object **out_images, struct err *err);

/* For up, create, run: their flags build, no-build and quiet-build (where the command has them). */
int build_before(struct cli *cli, const struct options *options, const struct project *project,
		 const char *const *services, bool with_dependencies, struct err *err);
