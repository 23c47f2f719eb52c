/* images/dockerfile/graph - the stages of a file: what they are built from, which are needed, in
 * which order.
 *
 * Pure; all in the report's arena. Source: Dockerfile reference, "FROM"; docker's multi-stage
 * builds. A stage can use earlier ones only, so the order of the file is an order of the graph.
 */
#pragma once
#include "images/dockerfile/parse.h"
#include "images/dockerfile/scope.h"

enum df_ref_kind { DF_REF_SCRATCH, DF_REF_STAGE, DF_REF_IMAGE, DF_REF_CONTEXT };

/* What stands behind FROM, --from= or from=. */
struct df_ref {
	enum df_ref_kind kind;
	size_t stage;     /* index, for DF_REF_STAGE */
	const char *name; /* image reference or name of a build context; "scratch" */
};

/* A use inside a stage: COPY --from, RUN --mount from=. */
struct df_edge {
	struct df_ref ref;
	const struct df_instr *instr;
};

struct df_stage {
	size_t index;
	const char *name; /* lower case, or NULL */
	const struct df_instr *from;
	struct df_ref base;
	const char *platform;          /* expanded --platform, or NULL */
	const struct df_instr *instrs; /* behind FROM; borrowed from the file */
	size_t instr_count;
	struct df_edge *edges;
	size_t edge_count;
	bool is_needed;
};

struct df_graph {
	struct df_scope *global; /* with the ARGs before the first FROM */
	struct df_stage *stages;
	size_t stage_count;
	size_t target;
	size_t *order; /* needed stages; whoever is used stands before the user */
	size_t order_count;
};

struct df_graph_spec {
	const char *target;             /* name or number; NULL: the last */
	const struct df_inputs *inputs; /* borrowed by the scope */
	const char *const *contexts; /* names of --build-context: they replace stages and images */
	size_t context_count;
};

/* Errors: INVALID with the place: names of stages, a use of a later stage or of the stage itself
 * (with both lines), --from with a number or a variable that cannot be; NOT_FOUND: no such target
 * (with what may have been meant). Warns about names, casing and platforms of FROM. */
int df_graph_build(struct df_report *report, const struct df_file *file,
		   const struct df_graph_spec *spec, struct df_graph *out, struct err *err);
