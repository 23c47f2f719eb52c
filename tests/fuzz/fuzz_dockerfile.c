/* tests/fuzz/fuzz_dockerfile - any bytes as a Dockerfile, as a text with variables and as patterns.
 *
 * What is taken must keep its promises: places inside the file, whoever is used stands before the
 * user, errors in one line without control bytes.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "images/dockerfile/expand.h"
#include "images/dockerfile/graph.h"
#include "images/dockerfile/ignore.h"
#include "images/dockerfile/mount.h"

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
	try_expand(arena, text, '\\', 0);
	try_expand(arena, text, '`', DF_EXPAND_KEEP_QUOTES);
	if (df_ignore_parse(arena, "I", text, &ignore, &err) < 0)
		return 0;
	if (df_ignore_excludes_tree(ignore, "a/b") && !df_ignore_excludes(ignore, "a/b/c", NULL))
		abort();
	return 0;
}
