/* orchestrator/model_merge - a model that speaks of some services, and the one in force.
 *
 * Owns: what stays of the former. May not touch: the disk, what a plan does with it.
 */
#include "orchestrator/model_merge.h"

#include <string.h>

#include "base/json.h"

static const char *const sections[] = { "networks", "volumes", "secrets", "configs" };

/* Keys of `from` that `to` lacks. */
static void add_missing(struct json_object *to, struct json_object *from)
{
	json_each(from, key, value)
		if (!json_object_object_get_ex(to, key, NULL))
			json_object_object_add(to, key, json_object_get(value));
}

int model_merge(struct json_object *wanted, const struct model *before, struct err *err)
{
	AUTO(json)
	struct json_object *former =
		json_parse("the model in force", before->text, strlen(before->text), err);
	struct json_object *aside =
		json_object_at(json_object_at(wanted, "stack"), "disabled_services");
	struct json_object *services = json_object_at(wanted, "services");
	struct json_object *running = json_object_at(former, "services");
	AUTO(json) struct json_object *back = json_object_new_array();

	if (!former)
		return -1;
	if (!aside || !running)
		return 0;
	if (!services)
		services = json_add_object(wanted, "services");
	json_each(aside, name, described) {
		(void)described;
		if (json_object_at(running, name))
			json_push_text(back, name);
	}
	for (size_t i = 0; i < json_array_count(back); i++) {
		const char *stays = json_array_text(back, i);

		json_object_object_add(services, stays,
				       json_object_get(json_object_at(running, stays)));
		json_object_object_del(aside, stays);
	}
	for (size_t i = 0; json_array_count(back) && i < sizeof(sections) / sizeof(*sections);
	     i++) {
		struct json_object *from = json_object_at(former, sections[i]);
		struct json_object *to = json_object_at(wanted, sections[i]);

		if (from)
			add_missing(to ? to : json_add_object(wanted, sections[i]), from);
	}
	return 0;
}
