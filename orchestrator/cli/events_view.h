/* orchestrator/cli/events_view - events.jsonl read and followed. Blocks. */
#pragma once
#include <json-c/json.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "orchestrator/roots.h"

struct events_view {
	const char *const *services; /* none: all */
	uint64_t since_ns, until_ns; /* 0: no bound */
	bool follow;                 /* until INT */
};

/* Hands each event that the view wants to print(). Without since, follow begins with what comes
 * now. */
int events_show(const struct project_dirs *dirs, const struct events_view *view,
		void (*print)(struct json_object *event, bool as_json), bool as_json,
		struct err *err);
/* Of every project of the machine, by time; follow: also of those that come. Events carry the
 * project's name as "project". */
int events_show_all(const struct roots *roots, const struct events_view *view,
		    void (*print)(struct json_object *event, bool as_json), bool as_json,
		    struct err *err);
