/* orchestrator/model - models as they were applied: counted in memory, numbered on disk.
 *
 * model.json is the one in force; history/SEQ.json keeps the last ones and every one that a
 * container was made from, so that a restart never needs the user's file. Blocks (disk).
 */
#pragma once
#include <json-c/json.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/err.h"
#include "orchestrator/roots.h"
#include "specs/model.h"

struct model {
	unsigned refs; /* on the loop's thread only */
	uint64_t seq;
	struct arena *arena;
	struct project *project;
	char *text;   /* canonical JSON, for "is it the same" */
	char *images; /* {"SERVICE":"sha256:..."}: what its references meant then; NULL: not known
		       */
};

/* From JSON (model_json_write with MODEL_JSON_STATE), seq 0, one reference. */
struct model *model_from_json(struct json_object *json, struct err *err);
struct model *model_ref(struct model *model);
void model_unref(struct model *model); /* NULL is fine */

/* history/SEQ.json; ERR_NOT_FOUND. */
struct model *model_load(const struct project_dirs *dirs, uint64_t seq, struct err *err);
/* model.json, or NULL with ERR_NOT_FOUND when the project was never up. */
struct model *model_load_current(const struct project_dirs *dirs, struct err *err);
/* Makes it the one in force: a new seq unless it equals `before`, whose seq it takes then. Written
 * when it returns; the change syncs it (change_sync). */
int model_save(const struct project_dirs *dirs, struct model *model, const struct model *before,
	       struct err *err);
/* Former models beyond the last `keep`, those in_use (seqs) apart, are forgotten; a failure is only
 * told. */
void model_prune(const struct project_dirs *dirs, uint64_t newest, uint64_t keep,
		 const uint64_t *in_use, size_t in_use_count);
