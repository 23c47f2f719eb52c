/* tests/fuzz/fuzz_dockerfile - any bytes as a Dockerfile, as a text with variables and as patterns.
 *
 * What is taken must keep its promises: places inside the file, whoever is used stands before the
 * user, errors in one line without control bytes.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "images/dockerfile/configure.h"
#include "images/dockerfile/context_fetch.h"
#include "images/dockerfile/duration.h"
#include "images/dockerfile/expand.h"
#include "images/dockerfile/graph.h"
#include "images/dockerfile/ignore.h"
#include "images/dockerfile/mount.h"
#include "images/dockerfile/placing.h"
#include "images/dockerfile/run.h"

#define INPUT_MAX 8192u

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const struct df_build_arg given[] = {
	{"A",  "value"},
        { "B", NULL   }
};

static void must_be_plain(const struct err *err)
{
	if (err->code == ERR_OK || err->code == ERR_INTERNAL || strpbrk(err->msg, "\n\r\x1b"))
		abort();
}

static void must_be_inside(const struct df_report *report, struct df_place place)
{
	unsigned lines = 1;

	for (size_t i = 0; i < report->text.len; i++)
		lines += report->text.at[i] == '\n';
	if (!place.line || place.line > lines || !place.column ||
	    place.column > report->text.len + 1)
		abort();
}

static const char *lookup(void *context, const char *name)
{
	(void)context;
	return strcmp(name, "S") == 0 ? "s/a b" : strcmp(name, "E") == 0 ? "" : NULL;
}

static void try_expand(struct arena *arena, struct slice text, char escape, unsigned flags)
{
	struct df_expansion how = {
		.arena = arena, .escape = escape, .flags = flags, .lookup = lookup
	};
	struct err err = ERR_NONE;
	const char *out, **words;
	size_t count = 0, offset = 0;

	if (df_expand(&how, text, &out, &offset, &err) < 0 &&
	    (err.code != ERR_INVALID || offset > text.len))
		abort();
	err = ERR_NONE;
	if (df_expand_words(&how, text, &words, &count, NULL, &err) < 0 && err.code != ERR_INVALID)
		abort();
}

static void check_instr(struct df_report *report, const struct df_file *file,
			const struct df_instr *instr)
{
	must_be_inside(report, instr->place);
	for (size_t i = 0; i < instr->word_count; i++) {
		must_be_inside(report, instr->words[i].place);
		try_expand(report->arena, SLICE(instr->words[i].text), file->escape, 0);
	}
	for (size_t i = 0; i < instr->flag_count; i++) {
		struct df_mount mount;
		struct err err = ERR_NONE;

		must_be_inside(report, instr->flags[i].value.place);
		if (df_mount_parse(report, instr->place, instr->flags[i].value.text, &mount, &err) <
		    0)
			must_be_plain(&err);
	}
	for (size_t i = 0; i < instr->pair_count; i++)
		must_be_inside(report, instr->pairs[i].value.place);
	if (instr->trigger)
		check_instr(report, file, instr->trigger);
}

/* What a builder asks of each instruction; the config stays one that can be read again. */
static int take_instr(struct df_state *state, const struct df_instr *instr, struct err *err)
{
	struct df_configured configured;
	struct df_copy_spec copy;
	struct df_run run;
	const char *created_by;
	char key[DF_KEY_SIZE];

	if (instr->kind == DF_COPY || instr->kind == DF_ADD)
		return df_state_copy(state, instr, &copy, &created_by, err);
	if (instr->kind != DF_RUN)
		return df_configure(state, instr, &configured, err);
	if (df_run_read(state, instr, NULL, &run, err) < 0)
		return -1;
	df_run_key(state, &run, key);
	if (!run.argc && !instr->is_json)
		abort();
	return 0;
}

static void try_stage(struct df_report *report, const struct df_file *file,
		      const struct df_graph *graph, const struct df_stage *stage)
{
	static const struct platform platform = { .os = "linux", .arch = "amd64" };
	static const struct df_image_commit commit = { 0 };
	struct df_state state;
	struct err err = ERR_NONE;
	struct df_image *again;
	char *text;

	df_state_begin(&state, report, file->escape, df_scope_new_stage(graph->global, NULL),
		       df_image_scratch(&platform));
	for (size_t i = 0; i < stage->instr_count; i++)
		if (take_instr(&state, &stage->instrs[i], &err) < 0) {
			must_be_plain(&err);
			break;
		}
	text = df_image_json(state.image, &commit);
	err = ERR_NONE;
	again = df_image_parse(text, strlen(text), &err);
	if (!again)
		abort();
	df_image_free(again);
	free(text);
	df_state_end(&state);
}

static void try_file(struct arena *arena, const char *text, size_t size)
{
	struct df_report report = { .arena = arena, .file = "D" };
	struct df_inputs inputs = { arena, given, 2, NULL, 0 };
	struct df_graph_spec spec = { NULL, &inputs, NULL, 0 };
	struct df_source source;
	struct df_file file;
	struct df_graph graph;
	struct err err = ERR_NONE;

	if (df_lex(&report, text, size, &source, &err) < 0 ||
	    df_parse(&report, &source, 0, &file, &err) < 0) {
		must_be_plain(&err);
		df_report_snippet(&report, report.error_place.line, report.error_place.line);
		return;
	}
	for (size_t i = 0; i < file.instr_count; i++)
		check_instr(&report, &file, &file.instrs[i]);
	if (df_graph_build(&report, &file, &spec, &graph, &err) < 0) {
		must_be_plain(&err);
		return;
	}
	for (size_t i = 0; i < graph.stage_count; i++)
		for (size_t j = 0; j < graph.stages[i].edge_count; j++)
			if (graph.stages[i].edges[j].ref.kind == DF_REF_STAGE &&
			    graph.stages[i].edges[j].ref.stage >= i)
				abort();
	if (!graph.order_count || graph.order[graph.order_count - 1] != graph.target)
		abort();
	for (size_t i = 0; i < graph.stage_count; i++)
		try_stage(&report, &file, &graph, &graph.stages[i]);
}

/* Small grammars: the value of a flag. */
static void try_values(struct arena *arena, struct slice text)
{
	const char *value = arena_strndup(arena, text.at, text.len);
	struct err err = ERR_NONE;
	uint32_t mode = 0;
	int64_t ns = 0;

	if (df_chmod_apply(value, false, 0644, &mode, &err) == 0 && mode > 07777)
		abort();
	if (df_duration_parse(value, &ns) == 0 && ns < 0)
		abort();
	df_context_kind(value);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	AUTO(arena) struct arena *arena = arena_new();
	struct slice text = { (const char *)data, size };
	struct df_ignore *ignore;
	struct err err = ERR_NONE;

	if (size > INPUT_MAX)
		return 0;
	try_file(arena, text.at, size);
	if (size > 512)
		return 0;
	try_values(arena, text);
	try_expand(arena, text, '\\', 0);
	try_expand(arena, text, '`', DF_EXPAND_KEEP_QUOTES);
	if (df_ignore_parse(arena, "I", text, &ignore, &err) < 0)
		return 0;
	if (df_ignore_excludes_tree(ignore, "a/b") && !df_ignore_excludes(ignore, "a/b/c", NULL))
		abort();
	return 0;
}
