/* orchestrator/cli/request - requests of the project commands, composed from options and model.
 *
 * Owns: the shape of a request (docs/control.md). May not touch: the socket.
 */
#include "orchestrator/cli/request.h"

#include <stdio.h>
#include <string.h>

#include "base/json.h"
#include "base/num.h"
#include "specs/model_json.h"

#define REPLICAS_MAX 10000

struct json_object *request_new(const char *const *services, struct json_object **out_options)
{
	struct json_object *request = json_object_new_object();
	struct json_object *names = json_add_array(request, "services");

	for (size_t i = 0; services && services[i]; i++)
		json_push_text(names, services[i]);
	*out_options = json_add_object(request, "options");
	return request;
}

void request_add_model(struct json_object *request, const struct project *project)
{
	json_object_object_add(request, "model", model_json_write(project, MODEL_JSON_STATE));
	json_object_object_add(request, "values", model_json_values(project));
}

void request_add_flags(struct json_object *options, const struct options *flags,
		       const char *const *names)
{
	for (; *names; names++) {
		char key[64];

		if (!options_flag(flags, *names))
			continue;
		snprintf(key, sizeof(key), "%s", *names);
		for (char *c = key; *c; c++)
			if (*c == '-')
				*c = '_';
		json_add_bool(options, key, true);
	}
}

void request_add_timeout(struct json_object *options, const struct options *flags, const char *name,
			 const char *key)
{
	if (options_is_set(flags, name))
		json_add_int(options, key, options_number(flags, name) * 1000000);
}

int request_add_scale(struct json_object *options, const char *const *words, struct err *err)
{
	struct json_object *scale = NULL;

	for (; words && *words; words++) {
		const char *sign = strchr(*words, '=');
		char name[256];
		uint64_t count;

		if (!sign || sign == *words || (size_t)(sign - *words) >= sizeof(name))
			return err_set(err, ERR_INVALID, "\"%s\": must be SERVICE=NUMBER", *words);
		if (num_parse_u64("replicas", sign + 1, strlen(sign + 1), 0, REPLICAS_MAX, &count,
				  err) < 0)
			return err_wrap(err, "\"%s\"", *words);
		snprintf(name, sizeof(name), "%.*s", (int)(sign - *words), *words);
		if (!scale)
			scale = json_add_object(options, "scale");
		json_add_int(scale, name, (int64_t)count);
	}
	return 0;
}
