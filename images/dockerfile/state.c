/* images/dockerfile/state - a stage on its way: its words expanded, its copies read.
 *
 * Owns: how an instruction's words and flags get their values. Declared in configure.h.
 * May not touch: files.
 */
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "images/dockerfile/configure.h"
#include "images/dockerfile/expand.h"
#include "images/dockerfile/image_inner.h"

static void set_env(void *ctx, const char *name, const char *value)
{
	struct df_state *state = ctx;

	df_scope_set_env(state->scope, arena_strdup(state->report->arena, name),
			 arena_strdup(state->report->arena, value));
}

void df_state_begin(struct df_state *state, struct df_report *report, char escape,
		    struct df_scope *scope, struct df_image *image)
{
	*state = (struct df_state){
		.report = report, .escape = escape, .scope = scope, .image = image
	};
	df_image_each_env(image, set_env, state);
}

void df_state_end(struct df_state *state)
{
	df_image_free(state->image);
	state->image = NULL;
}

/* ---- words ---- */

struct expander {
	struct df_state *state;
	struct df_place place;
};

static const char *look_up(void *context, const char *name)
{
	return df_scope_get(((struct expander *)context)->state->scope, name);
}

static void note_unset(void *context, const char *name)
{
	struct expander *expander = context;

	df_report_warn(expander->state->report, DF_CHECK_UNDEFINED_VAR, expander->place,
		       "$%s is not set", name);
}

static struct df_expansion expansion_of(struct expander *expander, unsigned flags)
{
	return (struct df_expansion){ .arena = expander->state->report->arena,
				      .escape = expander->state->escape,
				      .flags = flags,
				      .lookup = look_up,
				      .unset = note_unset,
				      .context = expander };
}

static int tell(struct df_state *state, struct df_place place, size_t offset,
		const struct err *inner, struct err *err)
{
	place.column += (unsigned)offset;
	return df_report_fail(state->report, inner->code, place, err, "%s", inner->msg);
}

int df_state_expand(struct df_state *state, const struct df_word *word, const char **out,
		    struct err *err)
{
	struct expander expander = { state, word->place };
	struct df_expansion how = expansion_of(&expander, 0);
	struct err inner = ERR_NONE;
	size_t offset = 0;

	if (df_expand(&how, SLICE(word->text), out, &offset, &inner) == 0)
		return 0;
	return tell(state, word->place, offset, &inner, err);
}

int df_state_expand_words(struct df_state *state, const struct df_word *word,
			  const char ***out_words, size_t *out_count, struct err *err)
{
	struct expander expander = { state, word->place };
	struct df_expansion how = expansion_of(&expander, 0);
	struct err inner = ERR_NONE;
	size_t offset = 0;

	if (df_expand_words(&how, SLICE(word->text), out_words, out_count, &offset, &inner) == 0)
		return 0;
	return tell(state, word->place, offset, &inner, err);
}

/* A flag's value by its row. */
static int flag_value(struct df_state *state, const struct df_flag *flag, const char **out,
		      struct err *err)
{
	*out = flag->value.text;
	return df_flag_row(flag->kind)->expands ? df_state_expand(state, &flag->value, out, err)
						: 0;
}

int df_state_flag(struct df_state *state, const struct df_instr *instr, enum df_flag_kind kind,
		  const char **out, struct err *err)
{
	*out = NULL;
	for (size_t i = 0; i < instr->flag_count; i++)
		if (instr->flags[i].kind == kind)
			return flag_value(state, &instr->flags[i], out, err);
	return 0;
}

void df_state_add(struct df_state *state, const char key[DF_KEY_SIZE], const char *created_by,
		  const char *diff_id, uint64_t created_unix_ns)
{
	struct df_image_step step = { created_by, diff_id, created_unix_ns };

	memmove(state->key, key, DF_KEY_SIZE);
	df_image_add_step(state->image, &step);
}

/* ---- COPY and ADD ---- */

static int add_heredoc(struct df_state *state, const struct df_word *word, const char *name,
		       struct df_copy_file *out, struct err *err)
{
	struct expander expander = { state, word->place };
	struct df_expansion how = expansion_of(&expander, DF_EXPAND_KEEP_QUOTES);
	const struct df_heredoc *here = word->heredoc;
	struct err inner = ERR_NONE;

	*out = (struct df_copy_file){ name, here->text.at, here->text.len };
	if (here->is_quoted)
		return 0;
	if (df_expand(&how, here->text, &out->text, NULL, &inner) < 0)
		return df_report_fail(state->report, inner.code,
				      (struct df_place){ here->first_line, 1 }, err, "%s",
				      inner.msg);
	out->len = strlen(out->text);
	return 0;
}

static int take_words(struct df_state *state, const struct df_instr *instr,
		      struct df_copy_spec *out, struct err *err)
{
	struct arena *arena = state->report->arena;
	size_t count = instr->word_count;
	const char **sources = arena_alloc(arena, (count + 1) * sizeof(*sources));
	struct df_copy_file *files = arena_alloc(arena, (count + 1) * sizeof(*files));

	for (size_t i = 0; i + 1 < count; i++) {
		const struct df_word *word = &instr->words[i];
		int rc = word->heredoc
				 ? add_heredoc(state, word, word->heredoc->name,
					       &files[out->file_count++], err)
				 : df_state_expand(state, word, &sources[out->source_count++], err);

		if (rc < 0)
			return -1;
	}
	out->sources = sources;
	out->files = files;
	return df_state_expand(state, &instr->words[count - 1], &out->destination, err);
}

static int take_excludes(struct df_state *state, const struct df_instr *instr,
			 struct df_copy_spec *out, struct err *err)
{
	const char **list =
		arena_alloc(state->report->arena, (instr->flag_count + 1) * sizeof(*list));

	for (size_t i = 0; i < instr->flag_count; i++)
		if (instr->flags[i].kind == DF_FLAG_EXCLUDE &&
		    flag_value(state, &instr->flags[i], &list[out->exclude_count++], err) < 0)
			return -1;
	out->excludes = list;
	return 0;
}

static unsigned flags_of(const struct df_instr *instr)
{
	static const struct {
		enum df_flag_kind kind;
		unsigned flag;
	} rows[] = {
		{DF_FLAG_LINK,          DF_COPY_LINK        },
		{ DF_FLAG_PARENTS,      DF_COPY_PARENTS     },
		{ DF_FLAG_KEEP_GIT_DIR, DF_COPY_KEEP_GIT_DIR},
		{ DF_FLAG_UNPACK,       DF_COPY_UNPACK      },
	};
	unsigned flags = 0;

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		if (df_instr_has(instr, rows[i].kind))
			flags |= rows[i].flag;
	if (df_instr_flag(instr, DF_FLAG_UNPACK) && !(flags & DF_COPY_UNPACK))
		flags |= DF_COPY_NO_UNPACK;
	return flags;
}

int df_state_copy(struct df_state *state, const struct df_instr *instr, struct df_copy_spec *out,
		  const char **out_created_by, struct err *err)
{
	*out = (struct df_copy_spec){ .kind = instr->kind,
				      .cwd = arena_strdup(state->report->arena,
							  df_image_working_dir(state->image)),
				      .flags = flags_of(instr) };
	if (take_words(state, instr, out, err) < 0 || take_excludes(state, instr, out, err) < 0 ||
	    df_state_flag(state, instr, DF_FLAG_CHOWN, &out->chown, err) < 0 ||
	    df_state_flag(state, instr, DF_FLAG_CHMOD, &out->chmod, err) < 0 ||
	    df_state_flag(state, instr, DF_FLAG_CHECKSUM, &out->checksum, err) < 0)
		return -1;
	*out_created_by = arena_format(state->report->arena, "%s %s", df_row(instr->kind)->name,
				       instr->arguments);
	return 0;
}
