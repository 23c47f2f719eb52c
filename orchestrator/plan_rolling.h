/* orchestrator/plan_rolling - deploy.update_config: replicas of a service are replaced in groups,
 * each group proves itself before the next one begins. Pure; part of plan. */
#pragma once
#include "orchestrator/plan_inner.h"

struct rolling {
	struct planner *p;
	const struct service *service;
	const struct update_config *config; /* NULL: all at once, nothing is proved */
	bool start_first;
	size_t *settles; /* one for each replica so far */
	size_t count;
};

/* moves_network: a network is made anew with it; then nothing can run side by side. */
void rolling_begin(struct rolling *rolling, struct planner *p, const struct service *service,
		   bool moves_network);
/* Only what runs is replaced step by step. */
bool rolling_takes(const struct rolling *rolling, const struct seen_container *seen);
/* The actions of one replica. free_slot: for the newcomer of a start-first update. */
void rolling_replace(struct rolling *rolling, const struct seen_container *seen, const char *reason,
		     unsigned free_slot);
