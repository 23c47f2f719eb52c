/* orchestrator/plan_graph - the edges of a plan: who waits for whom. Pure; used by plan alone. */
#pragma once
#include "orchestrator/plan.h"

/* Appends an action and returns its index. */
size_t graph_add(struct arena *arena, struct plan *plan, const struct action *action);
/* first must be over before then begins. NO_ACTION as either: nothing. */
void graph_edge(struct arena *arena, struct plan *plan, size_t then, size_t first);
/* All edges that follow from what the actions are: starts after their dependencies' starts, stops
 * after their dependents' stops, containers after networks and volumes, and these go last. */
void graph_connect(struct arena *arena, struct plan *plan, const struct project *project);
