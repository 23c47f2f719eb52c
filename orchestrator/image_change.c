/* orchestrator/image_change - what an image says of itself, in a Dockerfile's words.
 *
 * Owns: which instructions may be given without a build. May not touch: the store.
 */
#include "orchestrator/image_change.h"

#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/json.h"
#include "images/dockerfile/configure.h"
#include "images/dockerfile/lex.h"

#define BIT(kind) (1u << (kind))
#define ALLOWED                                                                                    \
	(BIT(DF_CMD) | BIT(DF_ENTRYPOINT) | BIT(DF_ENV) | BIT(DF_EXPOSE) | BIT(DF_HEALTHCHECK) |   \
	 BIT(DF_LABEL) | BIT(DF_ONBUILD) | BIT(DF_SHELL) | BIT(DF_STOPSIGNAL) | BIT(DF_USER) |     \
	 BIT(DF_VOLUME) | BIT(DF_WORKDIR))

/* Not df_image_scratch: a build gives an empty image a PATH, an import says what it is told. */
static const char nothing[] = "{\"os\":\"linux\",\"architecture\":\"\",\"config\":{},"
			      "\"rootfs\":{\"type\":\"layers\",\"diff_ids\":[]}}";

static int apply(struct df_state *state, struct arena *arena, const char *text, struct err *err)
{
	struct df_report *report = arena_alloc(arena, sizeof(*report));
	struct df_source *source = arena_alloc(arena, sizeof(*source));
	struct df_configured ignored;
	struct df_file file;

	*report = (struct df_report){ .arena = arena, .file = "change" };
	if (df_lex(report, text, strlen(text), source, err) < 0 ||
	    df_parse(report, source, DF_PARSE_TRIGGERS, &file, err) < 0)
		return -1;
	if (file.instr_count != 1)
		return err_set(err, ERR_INVALID, "must be one instruction");
	if (!(BIT(file.instrs[0].kind) & ALLOWED))
		return err_set(err, ERR_INVALID, "needs a build (stack image build)");
	state->report = report;
	return df_configure(state, &file.instrs[0], &ignored, err);
}

/* The object "config" of the whole config. */
static const char *config_of(struct arena *arena, const struct df_image *image)
{
	const struct df_image_commit commit = { .created_unix_ns = 1 };
	AUTO(free) char *text = df_image_json(image, &commit);
	AUTO(json) struct json_object *all = json_tokener_parse(text);
	struct json_object *config = json_object_at(all, "config");

	return arena_strdup(arena, config ? json_object_to_json_string_ext(
						    config, JSON_C_TO_STRING_PLAIN |
								    JSON_C_TO_STRING_NOSLASHESCAPE)
					  : "{}");
}

int image_change(struct arena *arena, const char *const *changes, size_t count,
		 const char **out_config, struct err *err)
{
	const struct df_inputs inputs = { .arena = arena };
	struct df_report report = { .arena = arena, .file = "change" };
	struct df_scope *scope = df_scope_new_stage(df_scope_new_global(&inputs), NULL);
	struct df_image *image = df_image_parse(nothing, strlen(nothing), err);
	struct df_state state = { 0 };
	int status = 0;

	if (!image)
		return -1;
	df_state_begin(&state, &report, '\\', scope, image);
	for (size_t i = 0; i < count && status == 0; i++)
		if (apply(&state, arena, changes[i], err) < 0)
			status = err_wrap(err, "change \"%.60s\"", changes[i]);
	if (status == 0)
		*out_config = config_of(arena, state.image);
	df_state_end(&state);
	return status;
}
