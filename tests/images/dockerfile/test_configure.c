/* tests/images/dockerfile/test_configure - mirrors images/dockerfile/configure, state, run, image:
 * what instructions make of a config and of its history.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/json.h"
#include "images/dockerfile/configure.h"
#include "images/dockerfile/duration.h"
#include "images/dockerfile/run.h"

#define BASE                                                                                       \
	"{\"architecture\":\"amd64\",\"os\":\"linux\",\"created\":\"2020-01-02T03:04:05Z\","       \
	"\"container_config\":{\"x\":1},\"config\":{\"Env\":[\"PATH=/bin\",\"A=base\"],"           \
	"\"Cmd\":[\"sh\"],\"Labels\":{\"l\":\"base\"},\"OnBuild\":[\"RUN x\"]},"                   \
	"\"rootfs\":{\"type\":\"layers\",\"diff_ids\":[\"sha256:"                                  \
	"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\"]},"                    \
	"\"history\":[{\"created\":\"2020-01-02T03:04:05Z\",\"created_by\":\"base\"}]}"

/* One stage, read to its end; RUN is read and not run. */
struct stage {
	struct arena *arena;
	struct df_report report;
	struct df_graph graph;
	struct df_inputs inputs;
	struct df_state state;
	struct df_run run; /* of the last RUN */
	struct df_copy_spec copy;
	const char *created_by; /* of the last RUN, COPY, ADD */
	char key[DF_KEY_SIZE];  /* of the last RUN */
	struct err err;
};

static int take(struct stage *stage, const struct df_instr *instr)
{
	struct df_configured configured;

	if (instr->kind == DF_RUN) {
		if (df_run_read(&stage->state, instr, NULL, &stage->run, &stage->err) < 0)
			return -1;
		df_run_key(&stage->state, &stage->run, stage->key);
		stage->created_by = stage->run.created_by;
		return 0;
	}
	if (instr->kind == DF_COPY || instr->kind == DF_ADD)
		return df_state_copy(&stage->state, instr, &stage->copy, &stage->created_by,
				     &stage->err);
	if (df_configure(&stage->state, instr, &configured, &stage->err) < 0)
		return -1;
	if (configured.folder)
		df_state_add(&stage->state, stage->state.key, configured.created_by, "", 0);
	return 0;
}

static int read_all(struct stage *stage, const char *text)
{
	struct df_graph_spec spec = { .inputs = &stage->inputs };
	struct df_source source;
	struct df_file file;
	const struct df_stage *last;

	if (df_lex(&stage->report, text, strlen(text), &source, &stage->err) < 0 ||
	    df_parse(&stage->report, &source, 0, &file, &stage->err) < 0 ||
	    df_graph_build(&stage->report, &file, &spec, &stage->graph, &stage->err) < 0)
		return -1;
	last = &stage->graph.stages[stage->graph.target];
	df_state_begin(&stage->state, &stage->report, file.escape,
		       df_scope_new_stage(stage->graph.global, NULL),
		       df_image_parse(BASE, strlen(BASE), &stage->err));
	df_key_from("sha256:x", "linux/amd64", stage->state.key);
	for (size_t i = 0; i < last->instr_count; i++)
		if (take(stage, &last->instrs[i]) < 0)
			return -1;
	return 0;
}

static void must_read(struct stage *stage, const char *text)
{
	if (read_all(stage, text) < 0)
		fail_msg("%s: %s", text, stage->err.msg);
}

static void stage_open(struct stage *stage, const struct df_build_arg *args, size_t count)
{
	memset(stage, 0, sizeof(*stage));
	stage->arena = arena_new();
	stage->report = (struct df_report){ .arena = stage->arena, .file = "Dockerfile" };
	stage->inputs = (struct df_inputs){ .arena = stage->arena,
					    .build_args = args,
					    .build_arg_count = count };
}

static void stage_close(struct stage *stage)
{
	df_state_end(&stage->state);
	arena_free(stage->arena);
}

/* The member of the config as JSON; "" when it is not there. */
static const char *member(struct stage *stage, const char *key)
{
	static const struct df_image_commit nothing = { 0 };
	AUTO(free) char *text = df_image_json(stage->state.image, &nothing);
	AUTO(json) struct json_object *json = json_tokener_parse(text);
	struct json_object *value = NULL;

	json_object_object_get_ex(json_object_at(json, "config"), key, &value);
	return value ? arena_strdup(stage->arena,
				    json_object_to_json_string_ext(
					    value, JSON_C_TO_STRING_PLAIN |
							   JSON_C_TO_STRING_NOSLASHESCAPE))
		     : "";
}

static const char *last_history(struct stage *stage)
{
	static const struct df_image_commit nothing = { 0 };
	AUTO(free) char *text = df_image_json(stage->state.image, &nothing);
	AUTO(json) struct json_object *json = json_tokener_parse(text);
	struct json_object *history = json_array_at(json, "history");

	return arena_strdup(
		stage->arena,
		json_text_or(json_object_array_get_idx(history, json_array_count(history) - 1),
			     "created_by", ""));
}

/* clang-format off */
static const struct {
	const char *text, *key, *value; /* value: of config[key]; "E:..." a part of the error */
	const char *history;            /* of the last instruction, or NULL */
} cases[] = {
	{ "ENV B=1", "Env", "[\"PATH=/bin\",\"A=base\",\"B=1\"]", "ENV B=1" },
	{ "ENV A=new B=$A", "Env", "[\"PATH=/bin\",\"A=new\",\"B=base\"]", "ENV A=new B=base" },
	{ "ENV B='$A' C=\"x y\"", "Env", "[\"PATH=/bin\",\"A=base\",\"B=$A\",\"C=x y\"]", "ENV B=$A C=x y" },
	{ "ENV B old form", "Env", "[\"PATH=/bin\",\"A=base\",\"B=old form\"]", NULL },
	{ "ENV PATH=/x:$PATH", "Env", "[\"PATH=/x:/bin\",\"A=base\"]", NULL },
	{ "LABEL l=mine \"a b\"=c", "Labels", "{\"l\":\"mine\",\"a b\":\"c\"}", "LABEL l=mine a b=c" },
	{ "CMD [\"a\", \"b c\"]", "Cmd", "[\"a\",\"b c\"]", "CMD [\"a\" \"b c\"]" },
	{ "CMD echo \"hi\"", "Cmd", "[\"/bin/sh\",\"-c\",\"echo \\\"hi\\\"\"]", "CMD [\"/bin/sh\" \"-c\" \"echo \\\"hi\\\"\"]" },
	{ "ENTRYPOINT [\"e\"]", "Cmd", "", "ENTRYPOINT [\"e\"]" },
	{ "ENTRYPOINT [\"e\"]", "Entrypoint", "[\"e\"]", NULL },
	{ "CMD [\"mine\"]\nENTRYPOINT [\"e\"]", "Cmd", "[\"mine\"]", NULL },
	{ "ENTRYPOINT [\"e\"]\nCMD [\"mine\"]", "Cmd", "[\"mine\"]", NULL },
	{ "CMD a\nCMD b", "Cmd", "[\"/bin/sh\",\"-c\",\"b\"]", NULL },
	{ "SHELL [\"/bin/bash\", \"-c\"]\nCMD a", "Cmd", "[\"/bin/bash\",\"-c\",\"a\"]", NULL },
	{ "SHELL [\"/bin/bash\", \"-c\"]", "Shell", "[\"/bin/bash\",\"-c\"]", "SHELL [/bin/bash -c]" },
	{ "EXPOSE 80", "ExposedPorts", "{\"80/tcp\":{}}", "EXPOSE [80/tcp]" },
	{ "EXPOSE 53/UDP 80-82/tcp", "ExposedPorts", "{\"53/udp\":{},\"80/tcp\":{},\"81/tcp\":{},\"82/tcp\":{}}", NULL },
	{ "ARG P=\"80 81\"\nEXPOSE $P", "ExposedPorts", "{\"80/tcp\":{},\"81/tcp\":{}}", NULL },
	{ "EXPOSE 0", "", "E:\"0\" is no port", NULL },
	{ "EXPOSE 70000", "", "E:is no port", NULL },
	{ "EXPOSE 90-80", "", "E:is no port", NULL },
	{ "EXPOSE 80/icmp", "", "E:another protocol", NULL },
	{ "EXPOSE 127.0.0.1:80", "", "E:is no port", NULL },
	{ "USER me:you", "User", "\"me:you\"", "USER me:you" },
	{ "ARG U=5\nUSER $U", "User", "\"5\"", "USER 5" },
	{ "USER $NOBODY", "", "E:is no user", NULL },
	{ "VOLUME /a /b", "Volumes", "{\"/a\":{},\"/b\":{}}", "VOLUME [/a /b]" },
	{ "VOLUME [\"/a b\"]", "Volumes", "{\"/a b\":{}}", NULL },
	{ "STOPSIGNAL SIGUSR1", "StopSignal", "\"SIGUSR1\"", "STOPSIGNAL SIGUSR1" },
	{ "STOPSIGNAL 9", "StopSignal", "\"9\"", NULL },
	{ "STOPSIGNAL SIGNONE", "", "E:is no signal", NULL },
	{ "WORKDIR /a", "WorkingDir", "\"/a\"", "WORKDIR /a" },
	{ "WORKDIR a", "WorkingDir", "\"/a\"", NULL },
	{ "WORKDIR /a\nWORKDIR b/../c\nWORKDIR d/", "WorkingDir", "\"/a/c/d\"", "WORKDIR /a/c/d" },
	{ "WORKDIR /../../x", "WorkingDir", "\"/x\"", NULL },
	{ "ENV D=/d\nWORKDIR $D/e", "WorkingDir", "\"/d/e\"", NULL },
	{ "HEALTHCHECK CMD curl x", "Healthcheck", "{\"Test\":[\"CMD-SHELL\",\"curl x\"]}", "HEALTHCHECK CMD curl x" },
	{ "HEALTHCHECK --interval=1m30s --timeout=500ms --retries=3 CMD [\"a\"]", "Healthcheck",
	  "{\"Test\":[\"CMD\",\"a\"],\"Interval\":90000000000,\"Timeout\":500000000,\"Retries\":3}", NULL },
	{ "HEALTHCHECK --start-period=5s --start-interval=1s CMD a", "Healthcheck",
	  "{\"Test\":[\"CMD-SHELL\",\"a\"],\"StartPeriod\":5000000000,\"StartInterval\":1000000000}", NULL },
	{ "HEALTHCHECK CMD a\nHEALTHCHECK NONE", "Healthcheck", "{\"Test\":[\"NONE\"]}", NULL },
	{ "HEALTHCHECK --interval=1us CMD a", "", "E:is no duration", NULL },
	{ "HEALTHCHECK --interval=soon CMD a", "", "E:is no duration", NULL },
	{ "HEALTHCHECK --retries=x CMD a", "", "E:no number of retries", NULL },
	{ "ONBUILD RUN make", "OnBuild", "[\"RUN x\",\"RUN make\"]", "ONBUILD RUN make" },
	{ "ARG X=1\nENV Y=$X", "Env", "[\"PATH=/bin\",\"A=base\",\"Y=1\"]", NULL },
	{ "ARG X=1", "Env", "[\"PATH=/bin\",\"A=base\"]", "ARG X=1" },
	{ "ARG X", "Env", "[\"PATH=/bin\",\"A=base\"]", "ARG X" },
	{ "ARG HTTP_PROXY", "Env", "[\"PATH=/bin\",\"A=base\"]", "ARG HTTP_PROXY" },
	{ "MAINTAINER somebody", "Cmd", "[\"sh\"]", "MAINTAINER somebody" },
	{ "ENV B=\xff\xe4x C=\xc3\xa4", "Env", "[\"PATH=/bin\",\"A=base\",\"B=\xef\xbf\xbd\xef\xbf\xbdx\",\"C=\xc3\xa4\"]", NULL },
	{ "ENV B=${A:?}", "Env", "[\"PATH=/bin\",\"A=base\",\"B=base\"]", NULL },
	{ "ENV B=${NONE:?not there}", "", "E:Dockerfile:2:", NULL },
};
/* clang-format on */

static void instructions_change_the_config_as_the_table_says(void **state)
{
	size_t failed = 0;

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct stage stage;
		AUTO(free) char *text = xformat("FROM base\n%s\n", cases[i].text);
		const char *got, *history = "";
		bool fine;

		stage_open(&stage, NULL, 0);
		if (read_all(&stage, text) < 0) {
			got = stage.err.msg;
			fine = strncmp(cases[i].value, "E:", 2) == 0 &&
			       strstr(got, cases[i].value + 2);
		} else {
			got = member(&stage, cases[i].key);
			history = last_history(&stage);
			fine = strcmp(got, cases[i].value) == 0 &&
			       (!cases[i].history || strcmp(history, cases[i].history) == 0);
		}
		if (!fine) {
			print_error("%s:\n  wanted %s | %s\n  got    %s | %s\n", cases[i].text,
				    cases[i].value, cases[i].history ? cases[i].history : "", got,
				    history);
			failed++;
		}
		stage_close(&stage);
	}
	assert_int_equal(failed, 0);
}

/* clang-format off */
static const struct { const char *text, *argv, *created_by; } runs[] = {
	{ "RUN make all", "/bin/sh|-c|make all", "RUN /bin/sh -c make all" },
	{ "RUN [\"a\", \"b c\"]", "a|b c", "RUN a b c" },
	{ "RUN make \\\n  all", "/bin/sh|-c|make   all", NULL },
	{ "ARG X=1\nARG B\nARG A=2\nRUN x", "/bin/sh|-c|x", "RUN |2 A=2 X=1 /bin/sh -c x" },
	{ "SHELL [\"/bin/bash\", \"-o\", \"pipefail\", \"-c\"]\nRUN x", "/bin/bash|-o|pipefail|-c|x", NULL },
	{ "RUN <<EOF\nset -e\nmake\nEOF", "/bin/sh|-c|set -e\nmake\n", "RUN /bin/sh -c set -e\nmake\n" },
	{ "RUN <<EOF\n#!/bin/python\nprint()\nEOF", "/run/build-script", "RUN #!/bin/python\nprint()\n" },
	{ "RUN python <<EOF\nprint()\nEOF", "/bin/sh|-c|python <<EOF\nprint()\nEOF\n", NULL },
	{ "RUN <<-EOF\n\t\tmake\n\tEOF", "/bin/sh|-c|make\n", NULL },
	{ "RUN cat <<A <<B\n1\nA\n2\nB", "/bin/sh|-c|cat <<A <<B\n1\nA\n2\nB\n", NULL },
	{ "RUN echo $A '$B'", "/bin/sh|-c|echo $A '$B'", NULL },
};
/* clang-format on */

static void run_starts_what_the_table_says(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(runs) / sizeof(runs[0]); i++) {
		struct stage stage;
		AUTO(free) char *text = xformat("FROM base\n%s\n", runs[i].text);
		char argv[1024] = "";

		stage_open(&stage, NULL, 0);
		if (read_all(&stage, text) < 0)
			fail_msg("%s: %s", runs[i].text, stage.err.msg);
		for (size_t k = 0; k < stage.run.argc; k++) {
			strcat(argv, k ? "|" : "");
			strcat(argv, stage.run.argv[k]);
		}
		assert_null(stage.run.argv[stage.run.argc]);
		assert_string_equal(argv, runs[i].argv);
		if (runs[i].created_by)
			assert_string_equal(stage.created_by, runs[i].created_by);
		stage_close(&stage);
	}
}

static const char *env_of(const struct stage *stage, const char *name)
{
	size_t len = strlen(name);

	for (size_t i = 0; i < stage->run.env_count; i++)
		if (strncmp(stage->run.env[i], name, len) == 0 && stage->run.env[i][len] == '=')
			return stage->run.env[i] + len + 1;
	return NULL;
}

static void run_sees_environment_arguments_and_proxies(void **state)
{
	static const struct df_build_arg args[] = {
		{"X",           "given"         },
                { "http_proxy", "http://p"      },
                { "OTHER",      "never declared"}
	};
	struct stage stage;

	(void)state;
	stage_open(&stage, args, 3);
	must_read(&stage, "FROM b\nARG X=1\nENV E=2\nRUN x\n");
	assert_string_equal(env_of(&stage, "X"), "given");
	assert_string_equal(env_of(&stage, "E"), "2");
	assert_string_equal(env_of(&stage, "PATH"), "/bin");
	assert_string_equal(env_of(&stage, "http_proxy"), "http://p");
	assert_null(env_of(&stage, "OTHER"));
	for (size_t i = 0; i < stage.run.key_env_count; i++)
		assert_null(strstr(stage.run.key_env[i], "proxy"));
	assert_string_equal(stage.created_by, "RUN |1 X=given /bin/sh -c x");
	stage_close(&stage);
}

static void mounts_of_a_run_have_places_to_go(void **state)
{
	struct stage stage;

	(void)state;
	stage_open(&stage, NULL, 0);
	must_read(&stage, "FROM b\nWORKDIR /w\nARG N=x\nRUN --mount=type=cache,target=c "
			  "--mount=type=secret,id=$N --mount=type=secret,id=y,env=Y "
			  "--mount=type=bind,target=/b/../d,source=s --network=none make\n");
	assert_int_equal(stage.run.mount_count, 4);
	assert_string_equal(stage.run.mounts[0].target, "/w/c");
	assert_string_equal(stage.run.mounts[1].target, "/run/secrets/x");
	assert_string_equal(stage.run.mounts[1].options, "type=secret,id=x");
	assert_null(stage.run.mounts[2].target);
	assert_string_equal(stage.run.mounts[3].target, "/d");
	assert_string_equal(stage.run.network, "none");
	assert_string_equal(stage.run.cwd, "/w");
	stage_close(&stage);
}

static void wrong_flags_of_a_run_are_refused(void **state)
{
	static const char *const texts[] = { "RUN --network=bridge x", "RUN --security=none x",
					     "RUN --mount=type=tmpfs,target=/ x" };

	(void)state;
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		struct stage stage;
		AUTO(free) char *text = xformat("FROM b\n%s\n", texts[i]);

		stage_open(&stage, NULL, 0);
		assert_int_equal(read_all(&stage, text), -1);
		assert_int_equal(stage.err.code, ERR_INVALID);
		assert_non_null(strstr(stage.err.msg, "Dockerfile:2:"));
		stage_close(&stage);
	}
}

static void copies_are_read_with_all_their_flags(void **state)
{
	struct stage stage;

	(void)state;
	stage_open(&stage, NULL, 0);
	must_read(&stage, "FROM b\nWORKDIR /w\nENV D=dest U=7\n"
			  "COPY --chown=$U --chmod=0644 --link --parents --exclude=*.o "
			  "--exclude=$D/x a b $D/\n");
	assert_int_equal(stage.copy.source_count, 2);
	assert_string_equal(stage.copy.sources[1], "b");
	assert_string_equal(stage.copy.destination, "dest/");
	assert_string_equal(stage.copy.cwd, "/w");
	assert_string_equal(stage.copy.chown, "7");
	assert_string_equal(stage.copy.chmod, "0644");
	assert_int_equal(stage.copy.exclude_count, 2);
	assert_string_equal(stage.copy.excludes[1], "dest/x");
	assert_int_equal(stage.copy.flags, DF_COPY_LINK | DF_COPY_PARENTS);
	stage_close(&stage);

	stage_open(&stage, NULL, 0);
	must_read(&stage, "FROM b\nCOPY <<EOF <<\"RAW\" c /d/\n$A x\nEOF\n$A\nRAW\n");
	assert_int_equal(stage.copy.file_count, 2);
	assert_string_equal(stage.copy.files[0].name, "EOF");
	assert_string_equal(stage.copy.files[0].text, "base x\n");
	assert_int_equal(stage.copy.files[0].len, 7);
	assert_string_equal(stage.copy.files[1].name, "RAW");
	assert_memory_equal(stage.copy.files[1].text, "$A\n", 3);
	assert_int_equal(stage.copy.source_count, 1);
	stage_close(&stage);

	stage_open(&stage, NULL, 0);
	must_read(&stage, "FROM b\nADD --unpack=false a /d\n");
	assert_int_equal(stage.copy.flags, DF_COPY_NO_UNPACK);
	stage_close(&stage);
}

static void keys_follow_what_is_set(void **state)
{
	static const struct {
		const char *one, *other;
		bool same;
	} rows[] = {
		{"ENV B=1",               "ENV B=1",                        true },
		{ "ENV B=1",              "ENV B=2",                        false},
		{ "ENV B=$A",             "ENV B=base",                     true },
		{ "ENV B=1 C=2",          "ENV C=2 B=1",                    false},
		{ "LABEL a=b",            "LABEL a=c",                      false},
		{ "ARG X=1",              "ARG X=2",                        true },
		{ "ARG X=1\nENV Y=$X",    "ARG X=2\nENV Y=$X",              false},
		{ "CMD a",                "CMD [\"/bin/sh\",\"-c\",\"a\"]", false},
		{ "WORKDIR /a",           "WORKDIR a",                      true },
		{ "USER a",               "USER b",                         false},
		{ "# a comment\nENV B=1", "ENV   B=1",                      true },
		{ "env B=1",              "ENV B=1",                        true },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct stage one, other;
		AUTO(free) char *text = xformat("FROM b\n%s\n", rows[i].one);
		AUTO(free) char *more = xformat("FROM b\n%s\n", rows[i].other);

		stage_open(&one, NULL, 0);
		stage_open(&other, NULL, 0);
		must_read(&one, text);
		must_read(&other, more);
		if ((strcmp(one.state.key, other.state.key) == 0) != rows[i].same)
			fail_msg("%s / %s", rows[i].one, rows[i].other);
		stage_close(&one);
		stage_close(&other);
	}
}

static void history_has_layers_and_times(void **state)
{
	static const char *const layer =
		"sha256:bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb";
	struct stage stage;
	AUTO(free) char *text = NULL;
	AUTO(json) struct json_object *json = NULL;
	struct json_object *history;
	struct df_image_commit fixed = { .created_unix_ns = 1000000000 };
	const struct df_image_commit plain = { 0 };
	size_t count;

	(void)state;
	stage_open(&stage, NULL, 0);
	must_read(&stage, "FROM b\nENV B=1\n");
	df_state_add(&stage.state, stage.state.key, "RUN x", layer, 1600000000ull * 1000000000);
	df_state_add(&stage.state, stage.state.key, "RUN true", "", 0);
	assert_string_equal(df_image_layers(stage.state.image, &count)[1], layer);
	assert_int_equal(count, 2);
	text = df_image_json(stage.state.image, &plain);
	json = json_tokener_parse(text);
	assert_string_equal(json_text_or(json, "created", ""), "2020-09-13T12:26:40Z");
	assert_null(json_object_at(json, "container_config"));
	history = json_array_at(json, "history");
	assert_int_equal(json_array_count(history), 4);
	assert_true(json_bool_or(json_object_array_get_idx(history, 1), "empty_layer", false));
	/* A step of the config has the time of what stands before it: cached builds look alike. */
	assert_string_equal(json_text_or(json_object_array_get_idx(history, 1), "created", ""),
			    "2020-01-02T03:04:05Z");
	assert_false(json_bool_or(json_object_array_get_idx(history, 2), "empty_layer", false));
	assert_string_equal(json_text_or(json_object_array_get_idx(history, 3), "created", ""),
			    "2020-09-13T12:26:40Z");
	free(text);
	text = df_image_json(stage.state.image, &fixed);
	assert_non_null(strstr(text, "1970-01-01T00:00:01Z"));
	assert_null(strstr(text, "2020-"));
	stage_close(&stage);
}

static void a_stage_from_a_stage_inherits_all_but_triggers(void **state)
{
	struct stage stage;
	struct df_image *copy;
	const char *const *triggers;
	size_t count;

	(void)state;
	stage_open(&stage, NULL, 0);
	must_read(&stage, "FROM b\nUSER u\nONBUILD RUN y\n");
	copy = df_image_copy(stage.state.image);
	assert_string_equal(df_image_user(copy), "u");
	triggers = df_image_take_triggers(copy, &count);
	assert_int_equal(count, 2);
	assert_string_equal(triggers[0], "RUN x");
	assert_string_equal(triggers[1], "RUN y");
	df_image_take_triggers(copy, &count);
	assert_int_equal(count, 0);
	df_image_set_env(copy, "A", "changed");
	assert_string_equal(member(&stage, "Env"), "[\"PATH=/bin\",\"A=base\"]");
	df_image_free(copy);
	stage_close(&stage);
}

static void scratch_has_a_platform_and_a_path_and_nothing_else(void **state)
{
	const struct platform platform = { .os = "linux", .arch = "arm64", .variant = "v8" };
	const struct df_image_commit plain = { 0 };
	struct df_image *image = df_image_scratch(&platform);
	AUTO(free) char *text = df_image_json(image, &plain);

	(void)state;
	assert_string_equal(
		text, "{\"created\":\"1970-01-01T00:00:00Z\",\"architecture\":\"arm64\","
		      "\"variant\":\"v8\",\"os\":\"linux\",\"config\":{\"Env\":[\"PATH="
		      "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin\"]},\"rootfs\":"
		      "{\"type\":\"layers\",\"diff_ids\":[]},\"history\":[]}");
	df_image_free(image);
}

static void broken_configs_are_refused(void **state)
{
	static const char *const texts[] = { "",     "[]",
					     "{",    "{\"rootfs\":{\"diff_ids\":[\"x\"]}}",
					     "null", "{\"rootfs\":{\"diff_ids\":[1]}}" };

	(void)state;
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		struct err err = ERR_NONE;

		assert_null(df_image_parse(texts[i], strlen(texts[i]), &err));
		assert_int_equal(err.code, ERR_INVALID);
	}
}

static void durations_are_gos(void **state)
{
	static const struct {
		const char *text;
		int64_t ns;
	} rows[] = {
		{"0",			0            },
		{ "30s",                     30000000000  },
		{ "1m30s",                   90000000000  },
		{ "1.5h",                    5400000000000},
		{ "500ms",                   500000000    },
		{ "1h2m3s4ms5us6ns",         3723004005006},
		{ ".5s",                     500000000    },
		{ "0.000000001s",            1            },
		{ "",			-1           },
		{ "30",                      -1           },
		{ "s",		       -1           },
		{ "-1s",                     -1           },
		{ "1x",                      -1           },
		{ "99999999999h",            -1           },
		{ "1s ",                     -1           },
		{ "9999999999999999999999s", -1           },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		int64_t ns = 0;
		int rc = df_duration_parse(rows[i].text, &ns);

		if (rc != (rows[i].ns < 0 ? -1 : 0) || (rc == 0 && ns != rows[i].ns))
			fail_msg("%s: %d, %lld", rows[i].text, rc, (long long)ns);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(instructions_change_the_config_as_the_table_says),
		cmocka_unit_test(run_starts_what_the_table_says),
		cmocka_unit_test(run_sees_environment_arguments_and_proxies),
		cmocka_unit_test(mounts_of_a_run_have_places_to_go),
		cmocka_unit_test(wrong_flags_of_a_run_are_refused),
		cmocka_unit_test(copies_are_read_with_all_their_flags),
		cmocka_unit_test(keys_follow_what_is_set),
		cmocka_unit_test(history_has_layers_and_times),
		cmocka_unit_test(a_stage_from_a_stage_inherits_all_but_triggers),
		cmocka_unit_test(scratch_has_a_platform_and_a_path_and_nothing_else),
		cmocka_unit_test(broken_configs_are_refused),
		cmocka_unit_test(durations_are_gos),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
