/* specs/export/swarm - what the rooms of the swarm export share. One thread. */
#pragma once
#include "specs/export/names.h"
#include "specs/export/report.h"

struct swarm {
	struct arena *arena;
	const struct project *project;
	const struct export_options *options;
	struct report *report;
	struct export_result *result;
};

/* Puts the keys of a service where a stack file has them, in its JSON; networks that it needs go
 * into the document. false: the service is refused. */
bool swarm_fit_service(struct swarm *swarm, const struct service *service,
		       struct json_object *entry, struct json_object *document);
/* Removes a member; fine when there is no object, or no such member. */
void swarm_drop(struct json_object *object, const char *key);
