/* orchestrator/cli/request - requests of the project commands, composed from options and model. */
#pragma once
#include <json-c/json.h>

#include "orchestrator/cli/cli.h"

/* {"services":[arguments],"options":{}}; *out_options is the inner object, borrowed. */
struct json_object *request_new(const char *const *services, struct json_object **out_options);
/* Adds "model" and "values" of a loaded project. */
void request_add_model(struct json_object *request, const struct project *project);
/* Flags of the command by name: "force-recreate" becomes "force_recreate": true when it is set. */
void request_add_flags(struct json_object *options, const struct options *flags,
		       const char *const *names);
/* -t SECONDS as "timeout_us", when it is set. */
void request_add_timeout(struct json_object *options, const struct options *flags, const char *name,
			 const char *key);
/* "SVC=N" words as "scale". ERR_INVALID. */
int request_add_scale(struct json_object *options, const char *const *words, struct err *err);
