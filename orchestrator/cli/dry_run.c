/* orchestrator/cli/dry_run - what --dry-run shows instead of doing it.
 *
 * Owns: which commands have no plan and are told instead, the words of a plan. May not touch: the
 * supervisor.
 */
#include "orchestrator/cli/dry_run.h"

#include <stdio.h>
#include <string.h>

#include "base/json.h"

/* By what stands behind "stack ". */
static const char *const changing[] = {
	"attach",
	"build",
	"commit",
	"cp",
	"disable",
	"enable",
	"exec",
	"export",
	"login",
	"logout",
	"publish",
	"pull",
	"push",
	"restore",
	"rollback",
	"wait",
	"watch",
	"container cp",
	"container exec",
	"container export",
	"container prune",
	"container rename",

	"container update",
	"container commit",
	"container run",
	"image build",
	"image export",
	"image import",
	"image load",
	"image prune",
	"image pull",
	"image push",
	"image rm",
	"image save",
	"image tag",
	"image verify",
	"network connect",
	"network create",
	"network disconnect",
	"network prune",
	"network rm",
	"secret create",
	"secret rm",
	"supervisor reload",
	"supervisor stop",
	"system check",
	"system prune",
	"volume clone",
	"volume create",
	"volume export",
	"volume import",
	"volume prune",
	"volume restore",
	"volume rm",
	"volume snapshot",
};

static const struct {
	const char *action, *kind, *verb, *recreate_verb;
} verbs[] = {
	{"create-network",  "Network",   "Created", "Created"  },
	{ "create-volume",  "Volume",    "Created", "Created"  },
	{ "create",         "Container", "Created", "Recreated"},
	{ "start",          "Container", "Started", "Started"  },
	{ "stop",           "Container", "Stopped", NULL       },
	{ "remove",         "Container", "Removed", NULL       },
	{ "remove-network", "Network",   "Removed", NULL       },
	{ "remove-volume",  "Volume",    "Removed", NULL       },
};

bool dry_run_replaces(const struct options *options)
{
	const char *path = strchr(options_path(options), ' ');

	for (size_t i = 0; path && i < sizeof(changing) / sizeof(*changing); i++) {
		if (strcmp(changing[i], path + 1) != 0)
			continue;
		fprintf(stderr, "DRY-RUN MODE -  %s", path + 1);
		for (const char *const *word = options_arguments(options); *word; word++)
			fprintf(stderr, " %s", *word);
		fputc('\n', stderr);
		return true;
	}
	return false;
}

void dry_run_show(struct progress *progress, struct json_object *plan)
{
	struct json_object *actions = json_array_at(plan, "actions");

	for (size_t i = 0; i < json_array_count(actions); i++) {
		struct json_object *action = json_object_array_get_idx(actions, i);
		const char *word = json_text_or(action, "action", "");
		bool recreate = json_bool_or(action, "recreate", false);

		for (size_t v = 0; v < sizeof(verbs) / sizeof(*verbs); v++) {
			struct progress_event event = {
				.kind = verbs[v].kind,
				.name = json_text_or(action, "real_name",
						     json_text_or(action, "name", "")),
				.verb = recreate ? verbs[v].recreate_verb : verbs[v].verb,
				.detail = json_text_or(action, "reason", NULL),
				.state = PROGRESS_DONE,
			};

			if (strcmp(verbs[v].action, word) == 0 && event.verb)
				progress_event(progress, &event);
		}
	}
}
