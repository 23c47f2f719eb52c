/* orchestrator/cli/graph - services and what each depends on as a drawing's source.
 *
 * Owns: the words of Graphviz and Mermaid. May not touch: what is drawn.
 */
#include "orchestrator/cli/graph.h"

#include <string.h>

struct graph_language {
	const char *head, *tail;
	void (*node)(FILE *out, size_t number, const char *name, const char *state,
		     const char *colour);
	void (*edge)(FILE *out, size_t from, size_t to, const char *condition, bool required);
};

/* The worst comes last. */
static const struct {
	const char *state, *colour;
} looks[] = {
	{"running",     "#b7e1cd"},
        { "healthy",    "#7bc99a"},
        { "created",    "#e8eaed"},
	{ "absent",     "#ffffff"},
        { "paused",     "#c9daf8"},
        { "starting",   "#fff2cc"},
	{ "exited",     "#f4cccc"},
        { "restarting", "#f9cb9c"},
        { "unhealthy",  "#ea9999"},
};

static const struct {
	const char *condition, *word;
} words[] = {
	{"service_started",                 "started"   },
	{ "service_healthy",                "healthy"   },
	{ "service_completed_successfully", "ended well"},
};

static size_t look_of(const char *state)
{
	for (size_t i = 0; i < sizeof(looks) / sizeof(*looks); i++)
		if (strcmp(looks[i].state, state) == 0)
			return i;
	return 0;
}

static const char *state_of(const struct observed_container *container)
{
	const char *health = health_name(container->record->health);

	return container->alive && *health && !container->record->paused ? health
									 : container->status;
}

static size_t service_look(const struct observed *observed, const char *name)
{
	size_t worst = look_of("absent");
	bool any = false;

	for (size_t i = 0; i < observed->count; i++) {
		const struct observed_container *container = &observed->containers[i];
		size_t look;

		if (container->record->oneoff || strcmp(container->record->service, name) != 0)
			continue;
		look = look_of(state_of(container));
		worst = any && worst > look ? worst : look;
		any = true;
	}
	return worst;
}

/* ---- the two languages ---- */

/* Names of services hold letters, digits, '.', '_' and '-' alone: no quoting is needed. */
static void dot_node(FILE *out, size_t number, const char *name, const char *state,
		     const char *colour)
{
	fprintf(out, "  s%zu [label=\"%s\\n%s\", fillcolor=\"%s\"];\n", number, name, state,
		colour);
}

static void dot_edge(FILE *out, size_t from, size_t to, const char *condition, bool required)
{
	fprintf(out, "  s%zu -> s%zu [label=\"%s\"%s];\n", from, to, condition,
		required ? "" : ", style=dashed");
}

const struct graph_language graph_dot = {
	"digraph stack {\n  rankdir=LR;\n  node [shape=box, style=\"rounded,filled\"];\n",
	"}\n",
	dot_node,
	dot_edge,
};

static void mermaid_node(FILE *out, size_t number, const char *name, const char *state,
			 const char *colour)
{
	fprintf(out, "  s%zu[\"%s<br/>%s\"]\n  style s%zu fill:%s\n", number, name, state, number,
		colour);
}

static void mermaid_edge(FILE *out, size_t from, size_t to, const char *condition, bool required)
{
	fprintf(out, "  s%zu %s|%s| s%zu\n", from, required ? "-->" : "-.->", condition, to);
}

const struct graph_language graph_mermaid = { "flowchart LR\n", "", mermaid_node, mermaid_edge };

/* ---- the walk ---- */

static void print_edges(FILE *out, const struct project *project, size_t from,
			const struct graph_language *language)
{
	const struct service *service = &project->services[from];

	for (size_t i = 0; i < service->depends_on_count; i++) {
		const struct dependency *dependency = &service->depends_on[i];
		const struct service *other = project_find_service(project, dependency->service);
		const char *word = dependency->condition;

		for (size_t w = 0; w < sizeof(words) / sizeof(*words); w++)
			if (strcmp(words[w].condition, dependency->condition) == 0)
				word = words[w].word;
		if (other)
			language->edge(out, from, (size_t)(other - project->services), word,
				       dependency->required);
	}
}

void graph_print(FILE *out, const struct project *project, const struct observed *observed,
		 const struct graph_language *language)
{
	fputs(language->head, out);
	for (size_t i = 0; i < project->service_count; i++) {
		size_t look = service_look(observed, project->services[i].name);

		language->node(out, i, project->services[i].name, looks[look].state,
			       looks[look].colour);
	}
	for (size_t i = 0; i < project->service_count; i++)
		print_edges(out, project, i, language);
	fputs(language->tail, out);
}
