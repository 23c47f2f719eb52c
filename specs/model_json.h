/* specs/model_json - a project as JSON and back.
 *
 * The shape is the specification's canonical long form, keys as in the file. model_json_write with
 * MODEL_JSON_STATE is what model.json and the control socket carry: it adds the extension keys at
 * every level (x-stack is one) and a member "stack" {version, working_dir, files, env_files,
 * profiles, disabled_services}; model_json_read understands it and touches no file. Values of
 * secrets from the environment are never in it: they travel beside it. Never blocks.
 */
#pragma once
#include <json-c/json.h>

#include "base/arena.h"
#include "base/err.h"
#include "specs/model.h"

#define MODEL_JSON_STATE    1u /* everything that model_json_read needs */
#define MODEL_JSON_NESTED_X 2u /* x- keys below the top, too (YAML output) */
#define MODEL_JSON_DOLLARS  4u /* every $ of a value doubled, as `config` prints */
#define MODEL_JSON_NO_NULLS 8u /* unset commands left out (YAML output) */
#define MODEL_JSON_VERSION  1

/* A new object; the caller puts it. */
struct json_object *model_json_write(const struct project *project, unsigned flags);
/* One service in canonical form; the caller puts it. */
struct json_object *model_json_service(const struct service *service, unsigned flags);

/* The project that MODEL_JSON_STATE wrote (a newer version is refused by name). Everything in the
 * arena. Errors: ERR_INVALID with the key path. */
int model_json_read(struct arena *arena, const struct json_object *json,
		    struct project **out_project, struct err *err);

/* {"SECRET-KEY": "value", ...} of the secrets whose value is known; and back into a project that
 * was read. */
struct json_object *model_json_values(const struct project *project);
void model_json_take_values(struct arena *arena, struct project *project,
			    const struct json_object *values);
