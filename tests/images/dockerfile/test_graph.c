/* tests/images/dockerfile/test_graph - mirrors images/dockerfile/graph and mount. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "images/dockerfile/graph.h"
#include "images/dockerfile/mount.h"

struct row {
	const char *file, *target;
	const char *want; /* needed stages "INDEX:BASE[+USE...]" in order; B: stage i as #i;
			     "!message" */
};

/* clang-format off */
static const struct row rows[] = {
	{ "FROM a", NULL, "0:a" },                              { "FROM scratch", NULL, "0:(scratch)" },
	{ "FROM a\nFROM b", NULL, "1:b" },                      { "FROM a\nFROM b", "0", "0:a" },
	{ "FROM a AS x\nFROM x", NULL, "0:a 1:#0" },            { "FROM a AS X\nFROM x", NULL, "0:a 1:#0" },
	{ "FROM a AS x\nFROM X", NULL, "0:a 1:#0" },            { "FROM a AS a\nCMD b", NULL, "0:a" },
	{ "FROM a AS x\nFROM b AS y\nFROM c\nCOPY --from=x / /", NULL, "0:a 2:c+#0" },
	{ "FROM a AS x\nFROM b AS y\nFROM c\nCOPY --from=1 / /", NULL, "1:b 2:c+#1" },
	{ "FROM a AS x\nFROM b\nRUN --mount=type=bind,from=x,target=/m z", NULL, "0:a 1:b+#0" },
	{ "FROM a AS x\nFROM b\nRUN --mount=from=x,target=/m --mount=from=img,target=/n z", NULL, "0:a 1:b+#0+img" },
	{ "FROM a\nCOPY --from=img:1 / /", NULL, "0:a+img:1" }, { "FROM a\nCOPY --from=ctx / /", NULL, "0:a+@ctx" },
	{ "FROM ctx", NULL, "0:@ctx" },                         { "FROM a AS ctx\nFROM ctx", NULL, "1:@ctx" },
	{ "FROM a AS x\nFROM x AS y\nFROM y AS z\nFROM b", "y", "0:a 1:#0" },
	{ "FROM a AS x\nFROM b AS x\nFROM x", NULL, "1:b 2:#1" },
	{ "FROM a AS x\nFROM x AS x\nFROM x", NULL, "0:a 1:#0 2:#1" },
	{ "ARG V=1\nFROM a:$V", NULL, "0:a:1" },                { "ARG V=1\nARG W=x$V\nFROM a:${W}", NULL, "0:a:x1" },
	{ "ARG GIVEN=1\nFROM a:$GIVEN", NULL, "0:a:cli" },      { "ARG S=x\nFROM a AS x\nFROM $S", NULL, "0:a 1:#0" },
	{ "FROM a:${U:-d}", NULL, "0:a:d" },                    { "FROM $U", NULL, "!1:6: the name of the image, $U, is empty" },
	{ "FROM a:${U", NULL, "!1:8: the variable has no closing }" },
	{ "FROM \"a\"", NULL, "0:a" },                          { "FROM later\nFROM b AS later", "0", "0:later" },
	{ "FROM a AS x\nCOPY --from=x / /", NULL, "!2:13: stage x uses itself (it begins in line 1)" },
	{ "FROM a\nCOPY --from=y / /\nFROM b AS y", NULL, "!2:13: stage y is used here, but begins in line 3 only" },
	{ "FROM a\nCOPY --from=0 / /", NULL, "!2:13: from=0: no stage" }, { "FROM a\nCOPY --from=7 / /", NULL, "!from=7" },
	{ "FROM a\nCOPY --from=$X / /", NULL, "!2:13: from=$X: variables are not" },
	{ "FROM a\nCOPY --from= / /", NULL, "!2:13: from=" },   { "FROM a AS 1x", NULL, "!1:11: \"1x\" is no name of a stage" },
	{ "FROM a AS x/y", NULL, "!is no name" },               { "FROM a AS x-y_z.1\nFROM x-y_z.1", NULL, "0:a 1:#0" },
	{ "FROM a AS build\nFROM b", "buidl", "!no stage is called buidl (did you mean build?)" },
	{ "FROM a", "1", "!no stage is called 1" },             { "FROM a AS x\nFROM b", "X", "0:a" },
	{ "FROM a AS x\nFROM b AS y\nCOPY --from=x / /\nFROM c\nCOPY --from=y / /\nCOPY --from=x / /", NULL, "0:a 1:b+#0 2:c+#1+#0" },
};

static const struct { const char *text, *want; } mounts[] = {
	{ "target=/x", "bind /x - - - ro 0" },                  { "type=bind,dst=/x,rw", "bind /x - - - rw 0" },
	{ "type=bind,source=a,destination=/x,from=b", "bind /x a b - ro 0" }, { "target=/x,readwrite=false", "bind /x - - - ro 0" },
	{ "type=cache,target=/x", "cache /x - - - rw 755" },    { "type=cache,target=/x,id=i,sharing=locked,mode=0700,ro", "cache /x - - i ro 700 locked" },
	{ "target=/x,type=cache,uid=5,gid=6", "cache /x - - - rw 755 5:6" }, { "type=tmpfs,target=/x,size=64m", "tmpfs /x - - - rw 0 67108864" },
	{ "type=tmpfs,target=/x,size=1GiB", "tmpfs /x - - - rw 0 1073741824" }, { "type=secret,id=s", "secret - - - s rw 400" },
	{ "type=secret,target=/a/b", "secret /a/b - - b rw 400" }, { "type=secret,id=s,env=E,required", "secret - - - s rw 400 E required" },
	{ "type=ssh", "ssh - - - default rw 600" },             { "type=ssh,id=k,required=true", "ssh - - - k rw 600 required" },
	{ "type=bind", "!type=bind needs target=" },            { "type=cache", "!needs target=" }, { "type=secret", "!needs id= or target=" },
	{ "type=nope,target=/x", "!type is \"nope\"" },         { "type=tmpfs,target=/x,from=a", "!type=tmpfs takes no from" },
	{ "target=/x,dst=/y", "!target stands here a second" }, { "target=/x,ro,rw", "!readonly stands here a second" },
	{ "traget=/x", "!no key \"traget\" (did you mean target?)" }, { "type=cache,target=/x,mode=9", "!mode is \"9\"" },
	{ "type=cache,target=/x,uid=x", "!uid is \"x\"" },      { "type=tmpfs,target=/x,size=1x", "!size is \"1x\"" },
	{ "type=cache,target=/x,sharing=a", "!sharing is \"a\"" }, { "target=", "!target is \"\"" }, { "", "!no key \"\"" },
	{ "target=/x,rw=maybe", "!rw is \"maybe\"" },           { "type=tmpfs,target=/x,size=", "!size is \"\"" },
};
/* clang-format on */

static const struct df_build_arg given[] = {
	{"GIVEN", "cli"}
};
static const char *const contexts[] = { "ctx" };

static int build(struct df_report *report, struct arena *arena, const char *text,
		 const char *target, struct df_graph *out, struct err *err)
{
	struct df_source *source = arena_alloc(arena, sizeof(*source));
	struct df_file *file = arena_alloc(arena, sizeof(*file));
	struct df_inputs *inputs = arena_alloc(arena, sizeof(*inputs));
	struct df_graph_spec spec = { target, inputs, contexts, 1 };

	*inputs = (struct df_inputs){ arena, given, 1, NULL, 0 };
	*report = (struct df_report){ .arena = arena, .file = "D" };
	*err = ERR_NONE;
	if (df_lex(report, text, strlen(text), source, err) < 0 ||
	    df_parse(report, source, 0, file, err) < 0)
		return -1;
	return df_graph_build(report, file, &spec, out, err);
}

static void print_ref(char *out, const struct df_ref *ref)
{
	char text[64];

	snprintf(text, sizeof(text), "%zu", ref->stage);
	strcat(out, ref->kind == DF_REF_STAGE ? "#" : ref->kind == DF_REF_CONTEXT ? "@" : "");
	strcat(out, ref->kind == DF_REF_STAGE     ? text
		    : ref->kind == DF_REF_SCRATCH ? "(scratch)"
						  : ref->name);
}

static void needed_stages_come_in_order(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		AUTO(arena) struct arena *arena = arena_new();
		struct df_report report;
		struct df_graph graph;
		struct err err;
		char got[300] = "";
		int result = build(&report, arena, rows[i].file, rows[i].target, &graph, &err);

		for (size_t j = 0; result == 0 && j < graph.order_count; j++) {
			const struct df_stage *stage = &graph.stages[graph.order[j]];

			sprintf(got + strlen(got), "%s%zu:", j ? " " : "", stage->index);
			print_ref(got, &stage->base);
			for (size_t k = 0; k < stage->edge_count; k++)
				print_ref(strcat(got, "+"), &stage->edges[k].ref);
		}
		if (result < 0)
			strcpy(got, err.msg);
		if (rows[i].want[0] == '!' ? result == 0 || !strstr(got, rows[i].want + 1)
					   : result < 0 || strcmp(got, rows[i].want) != 0)
			fail_msg("%s: got \"%s\", want \"%s\"", rows[i].file, got, rows[i].want);
	}
}

static void names_and_platforms_of_from_warn(void **state)
{
	static const struct {
		const char *file, *check;
	} warnings[] = {
		{"FROM a AS B",                        "StageNameCasing"                },
		{ "FROM a as b",                       "FromAsCasing"                   },
		{ "from a AS b",                       "FromAsCasing"                   },
		{ "FROM a AS scratch",                 "ReservedStageName"              },
		{ "FROM a AS b\nFROM c AS b",          "DuplicateStageName"             },
		{ "FROM --platform=linux/arm64 a",     "FromPlatformFlagConstDisallowed"},
		{ "FROM --platform=$TARGETPLATFORM a", "RedundantTargetPlatform"        },
		{ "FROM a:x$U",                        "UndefinedArgInFrom"             },
	};
	(void)state;
	for (size_t i = 0; i < sizeof(warnings) / sizeof(*warnings); i++) {
		AUTO(arena) struct arena *arena = arena_new();
		struct df_report report;
		struct df_graph graph;
		struct err err;

		assert_int_equal(build(&report, arena, warnings[i].file, NULL, &graph, &err), 0);
		assert_true(report.warning_count >= 1);
		assert_string_equal(df_check_name(report.warnings[0].check), warnings[i].check);
	}
}

static void stages_hold_their_own_instructions(void **state)
{
	AUTO(arena) struct arena *arena = arena_new();
	struct df_report report;
	struct df_graph graph;
	struct err err;

	(void)state;
	assert_int_equal(build(&report, arena,
			       "ARG A=1\nFROM --platform=linux/$A a\nRUN x\nRUN y\nFROM b\nCMD z\n",
			       NULL, &graph, &err),
			 0);
	assert_int_equal(graph.stage_count, 2);
	assert_int_equal(graph.stages[0].instr_count, 2);
	assert_string_equal(graph.stages[0].instrs[1].words[0].text, "y");
	assert_string_equal(graph.stages[0].platform, "linux/1");
	assert_int_equal(graph.stages[1].instr_count, 1);
	assert_string_equal(df_scope_get(graph.global, "A"), "1");
}

static const char *or_dash(const char *text)
{
	return text ? text : "-";
}

static void every_mount_is_read_as_the_table_says(void **state)
{
	static const char *const types[] = { "bind", "cache", "tmpfs", "secret", "ssh" };

	(void)state;
	for (size_t i = 0; i < sizeof(mounts) / sizeof(*mounts); i++) {
		AUTO(arena) struct arena *arena = arena_new();
		struct df_report report = { .arena = arena, .file = "D" };
		struct df_mount m;
		struct err err = ERR_NONE;
		char got[300];
		int result = df_mount_parse(&report, (struct df_place){ 1, 1 }, mounts[i].text, &m,
					    &err);

		if (result == 0) {
			snprintf(got, sizeof(got), "%s %s %s %s %s %s %o", types[m.type],
				 or_dash(m.target), or_dash(m.source), or_dash(m.from),
				 or_dash(m.id), m.read_only ? "ro" : "rw", m.mode);
			if (m.sharing == DF_SHARING_LOCKED)
				strcat(got, " locked");
			if (m.uid || m.gid)
				sprintf(got + strlen(got), " %u:%u", m.uid, m.gid);
			if (m.size_bytes)
				sprintf(got + strlen(got), " %llu",
					(unsigned long long)m.size_bytes);
			if (m.env)
				strcat(strcat(got, " "), m.env);
			if (m.required)
				strcat(got, " required");
		}
		if (mounts[i].want[0] == '!' ? result == 0 || !strstr(err.msg, mounts[i].want + 1)
					     : result < 0 || strcmp(got, mounts[i].want) != 0)
			fail_msg("%s: got \"%s\" %s", mounts[i].text, got, err.msg);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(needed_stages_come_in_order),
		cmocka_unit_test(names_and_platforms_of_from_warn),
		cmocka_unit_test(stages_hold_their_own_instructions),
		cmocka_unit_test(every_mount_is_read_as_the_table_says),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
