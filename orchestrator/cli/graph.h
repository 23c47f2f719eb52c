/* orchestrator/cli/graph - services, what each depends on and how it is, as a drawing's source.
 * Pure. */
#pragma once
#include <stdio.h>

#include "orchestrator/observe.h"

struct graph_language;
extern const struct graph_language graph_dot, graph_mermaid;

/* One node a service, coloured by the worst state of its containers; one arrow a dependency, with
 * its condition. */
void graph_print(FILE *out, const struct project *project, const struct observed *observed,
		 const struct graph_language *language);
