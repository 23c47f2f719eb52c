/* orchestrator/build_step - what the steps of a stage have in common: begin, cache, end. For
 * build_step, build_step_run and build_mount alone.
 */
#pragma once
#include "images/snapshot.h"
#include "orchestrator/build_inner.h"

/* How a step that the cache does not have is made. */
struct build_making {
	int (*make)(struct build_stage *stage, void *ctx, struct df_layer *out, struct err *err);
	void *ctx;
};

/* Tells the step; its number for events. */
unsigned build_step_begin(struct build_stage *stage, const struct df_instr *instr);
/* Under the key's lock: the record, or the step is made (in its turn) and recorded. */
int build_step_cached(struct build_stage *stage, const char *key, struct build_making *making,
		      struct step *out, bool *out_hit, struct err *err);
/* Into image, history and events. */
void build_step_end(struct build_stage *stage, unsigned step, bool hit, const char *key,
		    const char *created_by, const struct step *made);

/* The stage's layers as a read-only tree: its descriptor, and the lower folders. */
int build_step_root(struct build_stage *stage, struct snapshot **out, struct err *err);
/* Times and lease of a layer of this build. */
void build_step_layer(const struct build_stage *stage, struct df_layer_spec *out);
