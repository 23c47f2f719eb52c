/* images/dockerfile/configure - instructions that change the config alone, and the words of all.
 *
 * ARG CMD ENTRYPOINT ENV EXPOSE HEALTHCHECK LABEL MAINTAINER ONBUILD SHELL STOPSIGNAL USER VOLUME
 * WORKDIR: expanded, applied to image and scope, put into key and history. For RUN, COPY and ADD
 * see run.h and df_state_copy. Pure; all results in the report's arena. One thread per state.
 *
 *	FROM image    df_state_begin(state, df_image_parse(config)), df_key_from -> state.key,
 *	              then the image's ONBUILD triggers, then the stage's instructions
 *	FROM stage    df_state_begin(state, df_image_copy(other.image)), key of the other stage
 *	each instr    config:  df_configure (adds the history entry itself; WORKDIR: see below)
 *	              RUN:     df_run_read, df_run_key, ask steps, run, df_state_add
 *	              COPY:    df_state_copy, df_copy_plan, df_copy_key, ask steps, run,
 *df_state_add
 */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "images/dockerfile/copy.h"
#include "images/dockerfile/graph.h"
#include "images/dockerfile/image.h"
#include "images/dockerfile/key.h"
#include "images/dockerfile/parse.h"
#include "images/dockerfile/scope.h"

struct df_state {
	struct df_report *report; /* borrowed; its arena takes the results */
	char escape;              /* of the file; '\\' for triggers of a base image */
	struct df_scope *scope;   /* borrowed: df_scope_new_stage */
	struct df_image *image;   /* owned */
	char key[DF_KEY_SIZE];    /* of the last step */
	bool has_cmd;             /* CMD was set in this stage */
};

/* Takes the image, and puts its environment into the scope. */
void df_state_begin(struct df_state *state, struct df_report *report, char escape,
		    struct df_scope *scope, struct df_image *image);
/* Frees the image. */
void df_state_end(struct df_state *state);

/* Expands one word of an instruction by the table's rule for it. Errors: INVALID at the place.
 * Warns: UndefinedVar. */
int df_state_expand(struct df_state *state, const struct df_word *word, const char **out,
		    struct err *err);
/* The same, parted at blanks, also those out of a value: EXPOSE $PORTS. */
int df_state_expand_words(struct df_state *state, const struct df_word *word,
			  const char ***out_words, size_t *out_count, struct err *err);
/* The flag's value, expanded where the table says so; NULL when it was not given. */
int df_state_flag(struct df_state *state, const struct df_instr *instr, enum df_flag_kind kind,
		  const char **out, struct err *err);

struct df_configured {
	const char *created_by;
	/* WORKDIR: the folder that must be there. The state's key is that of the step; ask
	 * steps_find for it, else df_copy_workdir, steps_save; then df_state_add. NULL for all
	 * others: their history is written already. */
	const char *folder;
};
/* Errors: INVALID at the place (bad port, unknown signal, duration ...). The state is unchanged on
 * error, but for the scope. */
int df_configure(struct df_state *state, const struct df_instr *instr, struct df_configured *out,
		 struct err *err);
/* A step that made a layer, or may have: key and history. created_unix_ns: of the step's record. */
void df_state_add(struct df_state *state, const char key[DF_KEY_SIZE], const char *created_by,
		  const char *diff_id, uint64_t created_unix_ns);

/* Fills a copy spec from the instruction: words, flags, heredocs, cwd. context and lease are the
 * caller's to set, by --from (df_instr_flag, and the stage's edges of df_graph).
 * *out_created_by is for df_state_add. */
int df_state_copy(struct df_state *state, const struct df_instr *instr, struct df_copy_spec *out,
		  const char **out_created_by, struct err *err);
