/* images/dockerfile/graph - the stages of a file.
 *
 * Owns: names of stages, what a name means where, the needed set and its order.
 * May not touch: images and contexts themselves, keys.
 */
#include "images/dockerfile/graph.h"

#include <string.h>
#include <strings.h>

#include "base/num.h"
#include "images/dockerfile/expand.h"
#include "images/dockerfile/mount.h"

struct builder {
	struct df_report *report;
	const struct df_file *file;
	const struct df_graph_spec *spec;
	struct df_graph *graph;
	struct err *err;
	struct df_place place; /* of the FROM at work, for warnings */
};

static char *lower(struct arena *arena, const char *text)
{
	char *out = arena_strdup(arena, text);

	for (char *c = out; *c; c++)
		if (*c >= 'A' && *c <= 'Z')
			*c = (char)(*c | 0x20);
	return out;
}

static bool has_upper(const char *text)
{
	return strpbrk(text, "ABCDEFGHIJKLMNOPQRSTUVWXYZ") != NULL;
}

static bool is_stage_name(const char *name)
{
	return *name >= 'a' && *name <= 'z' &&
	       name[strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789-_.")] == '\0';
}

/* The last stage of that name among from..to-1, or -1. Names are compared in lower case. */
static ssize_t stage_named(const struct df_graph *graph, const char *name, size_t from, size_t to)
{
	for (size_t i = to; i-- > from;)
		if (graph->stages[i].name && strcasecmp(graph->stages[i].name, name) == 0)
			return (ssize_t)i;
	return -1;
}

static bool is_context(const struct df_graph_spec *spec, const char *name)
{
	for (size_t i = 0; i < spec->context_count; i++)
		if (strcasecmp(spec->contexts[i], name) == 0)
			return true;
	return false;
}

/* -- FROM ----------------------------------------------------------------------------------------
 */

static void warn_unset(void *context, const char *name)
{
	const struct builder *builder = context;

	df_report_warn(builder->report, DF_CHECK_UNDEFINED_ARG_IN_FROM, builder->place,
		       "%s is not set: FROM sees ARGs before the first FROM only", name);
}

static const char *scope_value(void *context, const char *name)
{
	const struct builder *builder = context;

	return df_scope_get(builder->graph->global, name);
}

/* A text with the variables that FROM sees. */
static int expand(struct builder *builder, const struct df_word *word, const char **out)
{
	struct df_expansion how = { .arena = builder->report->arena,
				    .escape = builder->file->escape,
				    .lookup = scope_value,
				    .unset = warn_unset,
				    .context = builder };
	struct err inner = ERR_NONE;
	struct df_place place = word->place;
	size_t offset = 0;

	if (df_expand(&how, SLICE(word->text), out, &offset, &inner) == 0)
		return 0;
	place.column += (unsigned)offset;
	return df_report_fail(builder->report, inner.code, place, builder->err, "%s", inner.msg);
}

static int declare_globals(struct builder *builder, const struct df_instr *instr)
{
	for (size_t i = 0; i < instr->pair_count; i++) {
		const char *value = NULL;

		if (instr->pairs[i].has_value &&
		    expand(builder, &instr->pairs[i].value, &value) < 0)
			return -1;
		df_scope_declare(builder->graph->global, instr->pairs[i].key.text, value);
	}
	return 0;
}

static void check_name(struct builder *builder, const struct df_stage *stage)
{
	const struct df_instr *from = stage->from;
	ssize_t same = stage_named(builder->graph, stage->name, 0, stage->index);
	char keyword = from->line->text[0];

	if (has_upper(from->words[2].text))
		df_report_warn(builder->report, DF_CHECK_STAGE_NAME_CASING, from->words[2].place,
			       "the name of stage %s should be in lower case", from->words[2].text);
	if ((keyword == 'F') != (from->words[1].text[0] == 'A'))
		df_report_warn(builder->report, DF_CHECK_FROM_AS_CASING, from->words[1].place,
			       "FROM and AS should be in the same case");
	if (strcmp(stage->name, "scratch") == 0 || strcmp(stage->name, "context") == 0)
		df_report_warn(builder->report, DF_CHECK_RESERVED_STAGE_NAME, from->words[2].place,
			       "%s is a reserved name", stage->name);
	if (same >= 0)
		df_report_warn(builder->report, DF_CHECK_DUPLICATE_STAGE_NAME, from->words[2].place,
			       "the stage of line %u has the name %s, too: this one hides it",
			       builder->graph->stages[same].from->place.line, stage->name);
}

static int read_platform(struct builder *builder, struct df_stage *stage)
{
	for (size_t i = 0; i < stage->from->flag_count; i++) {
		const struct df_word *word = &stage->from->flags[i].value;

		if (!strchr(word->text, '$'))
			df_report_warn(builder->report, DF_CHECK_FROM_PLATFORM_CONST, word->place,
				       "--platform=%s holds for every build: $BUILDPLATFORM or "
				       "$TARGETPLATFORM follow the request",
				       word->text);
		if (strcmp(word->text, "$TARGETPLATFORM") == 0 ||
		    strcmp(word->text, "${TARGETPLATFORM}") == 0)
			df_report_warn(builder->report, DF_CHECK_REDUNDANT_TARGET_PLATFORM,
				       word->place, "--platform=$TARGETPLATFORM is the default");
		if (expand(builder, word, &stage->platform) < 0)
			return -1;
	}
	return 0;
}

static int read_from(struct builder *builder, struct df_stage *stage)
{
	const struct df_instr *from = stage->from;
	const char *image = NULL;
	ssize_t earlier;

	builder->place = from->words[0].place;
	if (expand(builder, &from->words[0], &image) < 0 || read_platform(builder, stage) < 0)
		return -1;
	if (!*image)
		return df_report_fail(builder->report, ERR_INVALID, from->words[0].place,
				      builder->err, "the name of the image, %.80s, is empty",
				      from->words[0].text);
	earlier = stage_named(builder->graph, image, 0, stage->index);
	stage->base = (struct df_ref){ DF_REF_IMAGE, 0, image };
	if (is_context(builder->spec, image))
		stage->base.kind = DF_REF_CONTEXT;
	else if (earlier >= 0)
		stage->base = (struct df_ref){ DF_REF_STAGE, (size_t)earlier, image };
	else if (strcmp(image, "scratch") == 0)
		stage->base.kind = DF_REF_SCRATCH;
	if (from->word_count < 3)
		return 0;
	stage->name = lower(builder->report->arena, from->words[2].text);
	if (!is_stage_name(stage->name))
		return df_report_fail(builder->report, ERR_INVALID, from->words[2].place,
				      builder->err,
				      "\"%.60s\" is no name of a stage: a letter, then letters, "
				      "digits and - _ .",
				      from->words[2].text);
	check_name(builder, stage);
	return 0;
}

static int read_stages(struct builder *builder)
{
	struct df_graph *graph = builder->graph;

	for (size_t i = 0; i < builder->file->instr_count; i++) {
		const struct df_instr *instr = &builder->file->instrs[i];
		struct df_stage *stage;

		builder->place = instr->place;
		if (instr->kind != DF_FROM) {
			if (graph->stage_count)
				graph->stages[graph->stage_count - 1].instr_count++;
			else if (declare_globals(builder, instr) < 0)
				return -1;
			continue;
		}
		stage = arena_grow(builder->report->arena, &graph->stages, &graph->stage_count,
				   sizeof(*stage));
		stage->index = graph->stage_count - 1;
		stage->from = instr;
		stage->instrs = instr + 1;
		if (read_from(builder, stage) < 0)
			return -1;
	}
	return 0;
}

/* -- uses ----------------------------------------------------------------------------------------
 */

static bool is_number(const char *text)
{
	return *text && text[strspn(text, "0123456789")] == '\0';
}

static int resolve(struct builder *builder, const struct df_stage *stage, struct df_place place,
		   const char *name, struct df_ref *out)
{
	const struct df_graph *graph = builder->graph;
	struct err ignored = ERR_NONE;
	uint64_t number;
	ssize_t at;

	*out = (struct df_ref){ DF_REF_IMAGE, 0, name };
	if (strchr(name, '$') || !*name)
		return df_report_fail(builder->report, ERR_INVALID, place, builder->err,
				      "from=%.60s: variables are not expanded here; name a stage: "
				      "FROM %.40s AS NAME",
				      name, name);
	if (is_context(builder->spec, name)) {
		out->kind = DF_REF_CONTEXT;
		return 0;
	}
	if (is_number(name)) {
		if (num_parse_u64("stage", name, strlen(name), 0, SIZE_MAX, &number, &ignored) <
			    0 ||
		    number >= stage->index)
			return df_report_fail(builder->report, ERR_INVALID, place, builder->err,
					      "from=%.20s: no stage with this number stands before "
					      "this one, which is %zu",
					      name, stage->index);
		*out = (struct df_ref){ DF_REF_STAGE, (size_t)number, name };
		return 0;
	}
	at = stage_named(graph, name, 0, stage->index);
	if (at < 0)
		at = stage_named(graph, name, stage->index, graph->stage_count);
	if (at < 0)
		return 0;
	if ((size_t)at >= stage->index)
		return df_report_fail(builder->report, ERR_INVALID, place, builder->err,
				      (size_t)at == stage->index
					      ? "stage %s uses itself (it begins in line %u)"
					      : "stage %s is used here, but begins in line %u only",
				      name, graph->stages[at].from->place.line);
	*out = (struct df_ref){ DF_REF_STAGE, (size_t)at, name };
	return 0;
}

static int add_edges(struct builder *builder, struct df_stage *stage, const struct df_instr *instr)
{
	for (size_t i = 0; i < instr->flag_count; i++) {
		const struct df_flag *flag = &instr->flags[i];
		const char *name = NULL;
		struct df_edge edge = { .instr = instr };

		if (flag->kind == DF_FLAG_FROM)
			name = flag->value.text;
		else if (flag->kind == DF_FLAG_MOUNT)
			name = df_mount_from(builder->report->arena, flag->value.text);
		if (!name)
			continue;
		if (resolve(builder, stage, flag->value.place, name, &edge.ref) < 0)
			return -1;
		*(struct df_edge *)arena_grow(builder->report->arena, &stage->edges,
					      &stage->edge_count, sizeof(edge)) = edge;
	}
	return 0;
}

static int read_edges(struct builder *builder)
{
	for (size_t i = 0; i < builder->graph->stage_count; i++) {
		struct df_stage *stage = &builder->graph->stages[i];

		for (size_t j = 0; j < stage->instr_count; j++)
			if (add_edges(builder, stage, &stage->instrs[j]) < 0)
				return -1;
	}
	return 0;
}

/* -- the needed set ------------------------------------------------------------------------------
 */

static const char *stage_name_at(const void *ctx, size_t i)
{
	const struct df_graph *graph = ctx;

	for (size_t j = 0; j < graph->stage_count; j++)
		if (graph->stages[j].name && i-- == 0)
			return graph->stages[j].name;
	return NULL;
}

static int find_target(struct builder *builder)
{
	struct df_graph *graph = builder->graph;
	const char *name = builder->spec->target, *near;
	struct err ignored = ERR_NONE;
	uint64_t number;
	ssize_t at;

	graph->target = graph->stage_count - 1;
	if (!name || !*name)
		return 0;
	at = stage_named(graph, name, 0, graph->stage_count);
	if (at < 0 && num_parse_u64("target", name, strlen(name), 0, graph->stage_count - 1,
				    &number, &ignored) == 0)
		at = (ssize_t)number;
	if (at < 0) {
		near = text_near(name, stage_name_at, graph);
		return df_report_fail(builder->report, ERR_NOT_FOUND, (struct df_place){ 0, 0 },
				      builder->err, "no stage is called %.60s%s%s%s", name,
				      near ? " (did you mean " : "", near ? near : "",
				      near ? "?)" : "");
	}
	graph->target = (size_t)at;
	return 0;
}

static void mark(struct df_graph *graph, const struct df_ref *ref)
{
	if (ref->kind == DF_REF_STAGE)
		graph->stages[ref->stage].is_needed = true;
}

static void order_needed(struct builder *builder)
{
	struct df_graph *graph = builder->graph;

	graph->stages[graph->target].is_needed = true;
	for (size_t i = graph->stage_count; i-- > 0;) {
		const struct df_stage *stage = &graph->stages[i];

		for (size_t j = 0; stage->is_needed && j < stage->edge_count; j++)
			mark(graph, &stage->edges[j].ref);
		if (stage->is_needed)
			mark(graph, &stage->base);
	}
	graph->order =
		arena_alloc(builder->report->arena, graph->stage_count * sizeof(*graph->order));
	for (size_t i = 0; i < graph->stage_count; i++)
		if (graph->stages[i].is_needed)
			graph->order[graph->order_count++] = i;
}

int df_graph_build(struct df_report *report, const struct df_file *file,
		   const struct df_graph_spec *spec, struct df_graph *out, struct err *err)
{
	struct builder builder = {
		report, file, spec, out, err, {0, 0}
	};

	*out = (struct df_graph){ .global = df_scope_new_global(spec->inputs) };
	if (read_stages(&builder) < 0 || read_edges(&builder) < 0 || find_target(&builder) < 0)
		return -1;
	order_needed(&builder);
	return 0;
}
