/* tests/images/dockerfile/k_cache - which steps of a build are found again after a change, and that
 * what is found again is what would be made anew. Root; runs in namespaces of its own.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "images/dockerfile/configure.h"
#include "images/dockerfile/run.h"
#include "images/maintain.h"
#include "images/steps.h"
#include "tests/images/dockerfile/build_cases.h"

/* Rows leave out what they do not need. */
#pragma GCC diagnostic ignored "-Wmissing-field-initializers"

#define STEPS 8
#define FILES "a=1 b=2 d/x=1 d/y=2 d/s/z=3 l->a .dockerignore=ignored ignored=1 d/h&d/x"
#define CONFIG                                                                                     \
	"{\"architecture\":\"amd64\",\"os\":\"linux\",\"config\":{\"Env\":[\"PATH=/bin\"]},"       \
	"\"rootfs\":{\"type\":\"layers\",\"diff_ids\":[]}}"

struct cache_case {
	const char *name;
	const char *text;    /* steps behind FROM */
	const char *command; /* what changes in the context, for a shell */
	const char *hits;    /* for each RUN, COPY, ADD and WORKDIR: H found again, M made anew */
	const char *after;   /* another text from then on */
	const char *args, *args_after;   /* build arguments: "A=1 B=2" */
	const char *base_after;          /* digest of the base image from then on */
	const char *stage, *stage_after; /* things in the stage that --from=s names */
};

/* clang-format off */
static const struct cache_case cases[] = {
	{ "nothing changed",                     "COPY . /app\nRUN make", "true", "HH" },
	{ "touched, not changed",                "COPY . /app\nRUN make", "touch a d/x", "HH" },
	{ "touched far into the past",           "COPY . /app\nRUN make", "touch -d @1000 a", "HH" },
	{ "one byte of a file",                  "COPY . /app\nRUN make", "printf 2 > a", "MM" },
	{ "same size, same time",                "COPY . /app\nRUN make", "printf 9 > a; touch -d @1000 a", "MM" },
	{ "a file written anew with its text",   "COPY . /app\nRUN make", "printf 1 > n; mv n a", "HH" },
	{ "a mode",                              "COPY . /app\nRUN make", "chmod 600 a", "MM" },
	{ "a mode of a folder",                  "COPY . /app\nRUN make", "chmod 700 d", "MM" },
	{ "a setuid bit",                        "COPY . /app\nRUN make", "chmod u+s a", "MM" },
	{ "an owner in the context",             "COPY . /app\nRUN make", "chown 5:6 a d", "HH" },
	{ "an ignored file",                     "COPY . /app\nRUN make", "printf 2 > ignored", "HH" },
	{ "an ignored file goes",                "COPY . /app\nRUN make", "rm ignored", "HH" },
	{ "the list itself, which is copied",    "COPY . /app\nRUN make", "echo more >> .dockerignore", "MM" },
	{ "the list takes a file away",          "COPY d /app\nRUN make", "printf '\\nd/x\\n' >> .dockerignore", "MM" },
	{ "the list has another comment",        "COPY d /app\nRUN make", "echo '# x' >> .dockerignore", "HH" },
	{ "a new file",                          "COPY . /app\nRUN make", "echo n > n", "MM" },
	{ "a new empty folder",                  "COPY . /app\nRUN make", "mkdir n", "MM" },
	{ "a file goes",                         "COPY . /app\nRUN make", "rm b", "MM" },
	{ "a file gets another name",            "COPY . /app\nRUN make", "mv b c", "MM" },
	{ "two files change places",             "COPY . /app\nRUN make", "mv a t; mv b a; mv t b", "MM" },
	{ "a link leads elsewhere",              "COPY . /app\nRUN make", "ln -sfn b l", "MM" },
	{ "a link becomes the file",             "COPY . /app\nRUN make", "rm l; cp a l", "MM" },
	{ "a hard link becomes a copy",          "COPY d /app\nRUN make", "cp d/h t; mv t d/h", "MM" },
	{ "an attribute",                        "COPY . /app\nRUN make", "setfattr -n user.k -v 1 a", "MM" },
	{ "an attribute of a folder",            "COPY . /app\nRUN make", "setfattr -n user.k -v 1 d", "MM" },
	{ "a file that is not copied",           "COPY a /app/\nRUN make", "printf 9 > b", "HH" },
	{ "a folder becomes a file",             "COPY . /app\nRUN make", "rm -r d; echo 1 > d", "MM" },
	{ "what a named link leads to",          "COPY l /app/\nRUN make", "printf 9 > a", "MM" },
	{ "a named link leads to an equal file", "COPY l /app/\nRUN make", "cp a c; ln -sfn c l", "HH" },
	{ "a pattern matches one more",          "COPY d/* /app/\nRUN make", "echo 1 > d/new", "MM" },
	{ "a pattern matches as before",         "COPY d/x* /app/\nRUN make", "echo 1 > d/new", "HH" },
	{ "only the second copy is changed",     "COPY a /app/\nRUN one\nCOPY b /app/\nRUN two", "printf 9 > b", "HHMM" },
	{ "the first of two copies",             "COPY a /app/\nRUN one\nCOPY b /app/\nRUN two", "printf 9 > a", "MMMM" },
	{ "another destination",                 "COPY a /x\nRUN make", "true", "MM", .after = "COPY a /y\nRUN make" },
	{ "a destination with a slash",          "COPY a /x\nRUN make", "true", "MM", .after = "COPY a /x/\nRUN make" },
	{ "the destination written otherwise",   "COPY a /x/\nRUN make", "true", "HH", .after = "COPY a /y/../x/\nRUN make" },
	{ "another owner",                       "COPY --chown=1:1 a /x\nRUN make", "true", "MM", .after = "COPY --chown=1:2 a /x\nRUN make" },
	{ "another mode by the flag",            "COPY --chmod=644 a /x\nRUN make", "true", "MM", .after = "COPY --chmod=640 a /x\nRUN make" },
	{ "ADD for COPY",                        "COPY a /x\nRUN make", "true", "MM", .after = "ADD a /x\nRUN make" },
	{ "a folder for the file in it",         "COPY d/s/z /x\nRUN make", "true", "MM", .after = "COPY d/s /x\nRUN make" },
	{ "another file with the same text",     "COPY a /x/\nRUN make", "true", "MM", .after = "COPY d/x /x/\nRUN make" },
	{ "what --exclude leaves out",           "COPY --exclude=y d /x\nRUN make", "echo 9 > d/y", "HH" },
	{ "another --exclude",                   "COPY --exclude=y d /x\nRUN make", "true", "MM", .after = "COPY --exclude=x d /x\nRUN make" },
	{ "--parents",                           "COPY d/x /t/\nRUN make", "true", "MM", .after = "COPY --parents d/x /t/\nRUN make" },
	{ "a heredoc",                           "COPY <<E /x\n1\nE\nRUN make", "true", "MM", .after = "COPY <<E /x\n2\nE\nRUN make" },
	{ "the same heredoc by a value",         "ENV V=1\nCOPY <<E /x\n$V\nE\nRUN make", "true", "HH", .after = "ENV V=1\nCOPY <<E /x\n1\nE\nRUN make" },
	{ "another command",                     "RUN a\nRUN b", "true", "HM", .after = "RUN a\nRUN c" },
	{ "blanks in a command",                 "RUN a\nRUN b", "true", "MM", .after = "RUN a  x\nRUN b" },
	{ "the order of commands",               "RUN a\nRUN b", "true", "MM", .after = "RUN b\nRUN a" },
	{ "a comment, a blank line, the case",   "RUN a\nRUN b", "true", "HH", .after = "# c\nrun a\n\nRUN b" },
	{ "an argument that RUN sees",           "ARG V\nRUN a", "true", "M", .args = "V=1", .args_after = "V=2" },
	{ "an argument after RUN",               "RUN a\nARG V\nRUN b", "true", "HM", .args = "V=1", .args_after = "V=2" },
	{ "an argument that nobody declares",    "RUN a", "true", "H", .args = "V=1", .args_after = "V=2" },
	{ "an argument no COPY uses",            "ARG V\nCOPY a /x\nRUN b", "true", "HM", .args = "V=1", .args_after = "V=2" },
	{ "an argument in a destination",        "ARG V\nCOPY a /x$V\nRUN b", "true", "MM", .args = "V=1", .args_after = "V=2" },
	{ "an argument with its default",        "ARG V=1\nRUN a", "true", "H", .args_after = "V=1" },
	{ "an argument hidden by ENV",           "ARG V\nENV V=x\nRUN a", "true", "H", .args = "V=1", .args_after = "V=2" },
	{ "a proxy",                             "RUN a", "true", "H", .args = "http_proxy=p", .args_after = "http_proxy=q" },
	{ "a proxy that is declared",            "ARG http_proxy\nRUN a", "true", "M", .args = "http_proxy=p", .args_after = "http_proxy=q" },
	{ "the order of ENV",                    "ENV A=1\nENV B=2\nRUN a", "true", "M", .after = "ENV B=2\nENV A=1\nRUN a" },
	{ "a value of ENV",                      "RUN x\nENV A=1\nRUN a", "true", "HM", .after = "RUN x\nENV A=2\nRUN a" },
	{ "a label",                             "RUN x\nLABEL a=1\nRUN a", "true", "HM", .after = "RUN x\nLABEL a=2\nRUN a" },
	{ "a label at the end",                  "RUN x\nRUN a\nLABEL a=1", "true", "HH", .after = "RUN x\nRUN a\nLABEL a=2" },
	{ "a user",                              "USER a\nRUN a", "true", "M", .after = "USER b\nRUN a" },
	{ "a working directory",                 "WORKDIR /a\nRUN a", "true", "MM", .after = "WORKDIR /b\nRUN a" },
	{ "a shell",                             "SHELL [\"a\"]\nRUN a", "true", "M", .after = "SHELL [\"b\"]\nRUN a" },
	{ "a network",                           "RUN --network=none a", "true", "M", .after = "RUN --network=default a" },
	{ "a cache mount",                       "RUN --mount=type=cache,target=/c a", "true", "M", .after = "RUN --mount=type=cache,target=/d a" },
	{ "a secret's content does not count",   "RUN --mount=type=secret,id=s a", "true", "H" },
	{ "the base image moved",                "COPY a /x\nRUN a", "true", "MM", .base_after = "sha256:other" },
	{ "the base moved below a --link",       "COPY --link a /x\nRUN a", "true", "HH", .base_after = "sha256:other" },
	{ "--link or not",                       "COPY a /x\nRUN a", "true", "MM", .after = "COPY --link a /x\nRUN a" },
	{ "the base moved below names in --link","COPY --link --chown=joe a /x\nRUN a", "true", "MM", .base_after = "sha256:other" },
	{ "a file of another stage",             "COPY --from=s /f /x\nRUN a", "true", "MM", .stage = "f=1 g=1", .stage_after = "f=2 g=1" },
	{ "another file of another stage",       "COPY --from=s /f /x\nRUN a", "true", "HH", .stage = "f=1 g=1", .stage_after = "f=1 g=2" },
	{ "a mode in another stage",             "COPY --from=s /f /x\nRUN a", "true", "MM", .stage = "f=1", .stage_after = "f=1@600" },
	{ "a folder of another stage",           "COPY --from=s /d /x\nRUN a", "true", "MM", .stage = "d/f=1", .stage_after = "d/f=1 d/g=1" },
	{ "ADD with a checksum",                 "ADD --checksum=sha256:0000000000000000000000000000000000000000000000000000000000000001 http://127.0.0.1:1/x /x\nRUN a", "true", "HH" },
	{ "ADD with another checksum",           "ADD --checksum=sha256:0000000000000000000000000000000000000000000000000000000000000001 http://127.0.0.1:1/x /x\nRUN a", "true", "MM",
	  .after = "ADD --checksum=sha256:0000000000000000000000000000000000000000000000000000000000000002 http://127.0.0.1:1/x /x\nRUN a" },
	{ "ADD that unpacks a URL",              "ADD --checksum=sha256:0000000000000000000000000000000000000000000000000000000000000001 http://127.0.0.1:1/x /x/\nRUN a", "true", "MM",
	  .after = "ADD --unpack --checksum=sha256:0000000000000000000000000000000000000000000000000000000000000001 http://127.0.0.1:1/x /x/\nRUN a" },
	{ "ADD that does not unpack",            "ADD a /x/\nRUN a", "true", "MM", .after = "ADD --unpack=false a /x/\nRUN a" },
};
/* clang-format on */

struct built {
	char keys[STEPS][DF_KEY_SIZE];
	char *shows[STEPS]; /* of COPY and ADD: what the layer holds; NULL: not made */
	char kinds[STEPS];
	size_t count;
	struct err err;
};

struct builder {
	struct build_case *it;
	const char *text, *args, *base, *stage_layer;
	struct df_state state;
	struct df_context *context;
	struct built *out;
};

static struct df_build_arg *split_args(struct arena *arena, const char *text, size_t *out_count)
{
	char *copy = arena_strdup(arena, text ? text : ""), *rest = copy, *word;
	struct df_build_arg *list = NULL;

	*out_count = 0;
	while ((word = strsep(&rest, " ")) != NULL) {
		char *equals = strchr(word, '=');

		if (!equals)
			continue;
		*equals = '\0';
		*(struct df_build_arg *)arena_grow(arena, &list, out_count, sizeof(*list)) =
			(struct df_build_arg){ word, equals + 1 };
	}
	return list;
}

static bool has_url(const struct df_copy_spec *spec)
{
	return spec->source_count && strncmp(spec->sources[0], "http", 4) == 0;
}

static char *run_copy(struct builder *builder, struct df_copy *copy)
{
	struct df_layer_spec how = { .lease = builder->it->lease,
				     .now_unix_ns = CASE_NOW,
				     .lower_fd = -1 };
	struct df_layer layer;
	const char *diff_id = layer.diff_id;
	struct err err = ERR_NONE;

	if (df_copy_run(copy, -1, &how, &layer, &err) < 0)
		return NULL;
	return build_show(builder->it, &diff_id, *layer.diff_id ? 1 : 0);
}

static int take_copy(struct builder *builder, const struct df_instr *instr)
{
	struct built *out = builder->out;
	struct df_copy_spec spec;
	const char *created_by;
	AUTO(df_copy) struct df_copy *copy = NULL;
	AUTO(df_context) struct df_context *stage = NULL;

	if (df_state_copy(&builder->state, instr, &spec, &created_by, &out->err) < 0)
		return -1;
	spec.lease = builder->it->lease;
	spec.context = builder->context;
	if (df_instr_flag(instr, DF_FLAG_FROM))
		spec.context = stage = df_context_open_layers(builder->it->lease,
							      &builder->stage_layer, 1, "stage s");
	if (df_copy_plan(&spec, &copy, &out->err) < 0)
		return -1;
	df_copy_key(copy, builder->state.key, out->keys[out->count]);
	if (!has_url(&spec))
		out->shows[out->count] = run_copy(builder, copy);
	df_state_add(&builder->state, out->keys[out->count], created_by, "", 1);
	out->kinds[out->count++] = 'C';
	return 0;
}

static int take(struct builder *builder, const struct df_instr *instr)
{
	struct built *out = builder->out;
	struct df_configured configured;
	struct df_run run;

	if (instr->kind == DF_COPY || instr->kind == DF_ADD)
		return take_copy(builder, instr);
	if (instr->kind == DF_RUN) {
		if (df_run_read(&builder->state, instr, NULL, &run, &out->err) < 0)
			return -1;
		df_run_key(&builder->state, &run, out->keys[out->count]);
		df_state_add(&builder->state, out->keys[out->count], run.created_by, "", 1);
		out->kinds[out->count++] = 'R';
		return 0;
	}
	if (df_configure(&builder->state, instr, &configured, &out->err) < 0)
		return -1;
	if (configured.folder) {
		memcpy(out->keys[out->count], builder->state.key, DF_KEY_SIZE);
		out->kinds[out->count++] = 'W';
	}
	return 0;
}

static int build(struct builder *builder)
{
	AUTO(arena) struct arena *arena = arena_new();
	AUTO(free) char *text = xformat("FROM scratch AS s\nFROM base\n%s\n", builder->text);
	struct df_report report = { .arena = arena, .file = "Dockerfile" };
	struct df_inputs inputs = { .arena = arena };
	struct df_graph_spec spec = { .inputs = &inputs };
	struct err *err = &builder->out->err;
	struct df_source source;
	struct df_graph graph;
	struct df_file file;
	int rc = 0;

	inputs.build_args = split_args(arena, builder->args, &inputs.build_arg_count);
	if (df_lex(&report, text, strlen(text), &source, err) < 0 ||
	    df_parse(&report, &source, 0, &file, err) < 0 ||
	    df_graph_build(&report, &file, &spec, &graph, err) < 0)
		return -1;
	df_state_begin(&builder->state, &report, file.escape,
		       df_scope_new_stage(graph.global, NULL),
		       df_image_parse(CONFIG, strlen(CONFIG), err));
	df_key_from(builder->base, "linux/amd64", builder->state.key);
	for (size_t i = 0; rc == 0 && i < graph.stages[1].instr_count; i++)
		rc = take(builder, &graph.stages[1].instrs[i]);
	df_state_end(&builder->state);
	return rc;
}

static struct built *build_once(struct build_case *it, const struct cache_case *row, bool after)
{
	struct built *out = xcalloc(1, sizeof(*out));
	AUTO(free) char *hashes = xformat("%s/hashes", it->test.dir);
	const char *things = after && row->stage_after ? row->stage_after : row->stage;
	char layer[DIGEST_TEXT_MAX] = "";
	struct builder builder = { .it = it,
				   .text = after && row->after ? row->after : row->text,
				   .args = after ? row->args_after : row->args,
				   .base = after && row->base_after ? row->base_after
								    : "sha256:one",
				   .stage_layer = layer,
				   .out = out };

	if (things)
		build_layer(it, things, layer);
	builder.context = df_context_open_dir(it->folder, hashes, &out->err);
	if (df_context_read_ignore(builder.context, &out->err) < 0 || build(&builder) < 0)
		fail_msg("%s: %s", row->name, out->err.msg);
	df_context_free(builder.context);
	return out;
}

static void free_built(struct built *built)
{
	for (size_t i = 0; i < built->count; i++)
		free(built->shows[i]);
	free(built);
}

static bool compare(const struct cache_case *row, const struct built *before,
		    const struct built *after)
{
	char hits[STEPS + 1] = "";
	bool fine = true;

	for (size_t i = 0; i < before->count; i++) {
		bool hit = strcmp(before->keys[i], after->keys[i]) == 0;

		hits[i] = hit ? 'H' : 'M';
		/* Never stale: what is found again is what would have been made. */
		if (hit && before->shows[i] && after->shows[i] &&
		    strcmp(before->shows[i], after->shows[i]) != 0) {
			print_error("%s: stale:\n%s---\n%s", row->name, before->shows[i],
				    after->shows[i]);
			fine = false;
		}
	}
	if (strcmp(hits, row->hits) != 0) {
		print_error("%s: wanted %s, got %s\n", row->name, row->hits, hits);
		fine = false;
	}
	return fine;
}

static void steps_are_found_again_as_the_table_says(void **state)
{
	size_t failed = 0;
	struct build_case it;

	(void)state;
	build_case_open(&it, STORE_DIR);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		const struct cache_case *row = &cases[i];
		AUTO(free) char *line = NULL;
		struct built *before, *after;

		build_case_again(&it);
		build_things(it.folder, FILES);
		before = build_once(&it, row, false);
		line = xformat("cd %s && { %s; }", it.folder, row->command);
		assert_int_equal(system(line), 0);
		after = build_once(&it, row, true);
		failed += compare(row, before, after) ? 0 : 1;
		free_built(before);
		free_built(after);
	}
	build_case_close(&it);
	assert_int_equal(failed, 0);
}

/* ---- records ---- */

static const char key_of_test[] =
	"00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff";

static void a_record_keeps_its_layer_from_gc(void **state)
{
	struct build_case it;
	char layer[DIGEST_TEXT_MAX];
	struct step step = { .created_unix_ns = 7 }, found;
	struct steps_use use;
	struct steps_prune all = { .flags = STEPS_PRUNE_ALL };
	struct err err = ERR_NONE;
	uint64_t freed;

	(void)state;
	build_case_open(&it, STORE_DIR);
	build_layer(&it, "a=1", layer);
	memcpy(step.diff_id, layer, sizeof(step.diff_id));
	assert_int_equal(steps_find(it.lease, key_of_test, &found, &err), 0);
	assert_int_equal(steps_save(it.lease, key_of_test, &step, &err), 0);
	lease_end(it.lease, 0);
	assert_int_equal(maintain_gc(it.test.store, &freed, &err), 0);
	assert_true(store_has_layer(it.test.store, layer));
	it.lease = lease_begin(it.test.store, &err);
	assert_int_equal(steps_find(it.lease, key_of_test, &found, &err), 1);
	assert_string_equal(found.diff_id, layer);
	assert_int_equal(found.created_unix_ns, 7);
	lease_end(it.lease, 0);
	assert_int_equal(steps_df(it.test.store, &use, &err), 0);
	assert_int_equal(use.step_count, 1);
	assert_true(use.bytes > 0);
	assert_int_equal(steps_prune(it.test.store, &all, &use, &err), 0);
	assert_int_equal(use.step_count, 1);
	assert_false(store_has_layer(it.test.store, layer));
	it.lease = lease_begin(it.test.store, &err);
	assert_int_equal(steps_find(it.lease, key_of_test, &found, &err), 0);
	build_case_close(&it);
}

static void a_record_without_its_layer_is_none(void **state)
{
	struct build_case it;
	char layer[DIGEST_TEXT_MAX];
	struct step step = { .created_unix_ns = 7 }, found;
	struct err err = ERR_NONE;
	AUTO(free) char *command = NULL;

	(void)state;
	build_case_open(&it, STORE_DIR);
	build_layer(&it, "a=1", layer);
	memcpy(step.diff_id, layer, sizeof(step.diff_id));
	assert_int_equal(steps_save(it.lease, key_of_test, &step, &err), 0);
	command = xformat("rm -r %s/images/layers/%s", it.test.root, digest_hex(layer));
	assert_int_equal(system(command), 0);
	assert_int_equal(steps_find(it.lease, key_of_test, &found, &err), 0);
	assert_int_equal(steps_save(it.lease, key_of_test, &step, &err), -1);
	assert_int_equal(err.code, ERR_NOT_FOUND);
	build_case_close(&it);
}

static void a_damaged_record_is_none(void **state)
{
	static const char *const texts[] = { "", "{", "[]", "{\"version\":1,\"diff_id\":\"x\"}",
					     "{\"version\":99}" };
	struct build_case it;
	struct step step = { .created_unix_ns = 7 }, found;
	struct err err = ERR_NONE;

	(void)state;
	build_case_open(&it, STORE_DIR);
	assert_int_equal(steps_save(it.lease, key_of_test, &step, &err), 0);
	assert_int_equal(steps_find(it.lease, key_of_test, &found, &err), 1);
	assert_string_equal(found.diff_id, "");
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		AUTO(free)
		char *path = xformat("%s/build/steps/%s.json", it.test.root, key_of_test);
		FILE *file = fopen(path, "w");

		fputs(texts[i], file);
		fclose(file);
		assert_int_equal(steps_find(it.lease, key_of_test, &found, &err), 0);
	}
	build_case_close(&it);
}

static void the_size_limit_takes_what_was_used_least(void **state)
{
	struct build_case it;
	struct err err = ERR_NONE;
	struct steps_prune limit = { .max_bytes = 1 };
	struct steps_use use;
	char keys[4][STEPS_KEY_LEN + 1];

	(void)state;
	build_case_open(&it, STORE_DIR);
	for (int i = 0; i < 4; i++) {
		AUTO(free) char *things = xformat("f%d=%d", i, i);
		struct step step = { .created_unix_ns = 1 };
		struct timespec times[2] = { { .tv_sec = 1000 + i }, { .tv_sec = 1000 + i } };
		AUTO(free) char *path = NULL;

		build_layer(&it, things, step.diff_id);
		memcpy(keys[i], key_of_test, sizeof(keys[i]));
		keys[i][0] = (char)('0' + i);
		assert_int_equal(steps_save(it.lease, keys[i], &step, &err), 0);
		path = xformat("%s/build/steps/%s.json", it.test.root, keys[i]);
		assert_int_equal(utimensat(AT_FDCWD, path, times, 0), 0);
	}
	assert_int_equal(steps_df(it.test.store, &use, &err), 0);
	limit.max_bytes = use.bytes / 2;
	limit.flags = STEPS_PRUNE_DRY_RUN;
	assert_int_equal(steps_prune(it.test.store, &limit, &use, &err), 0);
	assert_int_equal(use.step_count, 2);
	limit.flags = 0;
	assert_int_equal(steps_prune(it.test.store, &limit, &use, &err), 0);
	assert_int_equal(use.step_count, 2);
	for (int i = 0; i < 4; i++) {
		struct step found;

		assert_int_equal(steps_find(it.lease, keys[i], &found, &err), i >= 2);
	}
	limit = (struct steps_prune){ .flags = STEPS_PRUNE_ALL,
				      .until_unix_ns = 1002ull * 1000000000 };
	assert_int_equal(steps_prune(it.test.store, &limit, &use, &err), 0);
	assert_int_equal(use.step_count, 0); /* those that are left were used just now */
	build_case_close(&it);
}

static void cache_folders_are_shared_locked_or_private(void **state)
{
	struct build_case it;
	struct err err = ERR_NONE;
	struct steps_folder one, two, three;
	struct steps_use use;
	struct steps_prune all = { .flags = STEPS_PRUNE_ALL };
	struct stat st;

	(void)state;
	build_case_open(&it, STORE_DIR);
	assert_int_equal(
		steps_cache_open(it.test.store, "/c", STEPS_SHARED, true, 0750, 3, 4, &one, &err),
		0);
	assert_int_equal(stat(one.path, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0750);
	assert_int_equal(st.st_uid, 3);
	assert_int_equal(st.st_gid, 4);
	assert_int_equal(
		steps_cache_open(it.test.store, "/c", STEPS_SHARED, false, 0750, 3, 4, &two, &err),
		0);
	assert_string_equal(one.path, two.path);
	assert_int_equal(steps_cache_open(it.test.store, "/c", STEPS_LOCKED, false, 0750, 3, 4,
					  &three, &err),
			 -1);
	assert_int_equal(err.code, ERR_BUSY);
	err = ERR_NONE;
	assert_int_equal(steps_cache_open(it.test.store, "/c", STEPS_PRIVATE, false, 0750, 3, 4,
					  &three, &err),
			 0);
	assert_string_not_equal(one.path, three.path);
	/* What a step uses is not taken away. */
	assert_int_equal(steps_prune(it.test.store, &all, &use, &err), 0);
	assert_int_equal(use.folder_count, 0);
	assert_int_equal(stat(one.path, &st), 0);
	close(one.lock_fd);
	close(two.lock_fd);
	close(three.lock_fd);
	assert_int_equal(steps_prune(it.test.store, &all, &use, &err), 0);
	assert_int_equal(use.folder_count, 2);
	assert_int_equal(stat(one.path, &st), -1);
	free(one.path);
	free(two.path);
	free(three.path);
	build_case_close(&it);
}

static void one_maker_a_step(void **state)
{
	struct build_case it;
	struct err err = ERR_NONE;
	int one, two;

	(void)state;
	build_case_open(&it, STORE_DIR);
	one = steps_lock(it.test.store, key_of_test, true, &err);
	assert_true(one >= 0);
	two = steps_lock(it.test.store, key_of_test, false, &err);
	assert_int_equal(two, -1);
	assert_int_equal(err.code, ERR_BUSY);
	err = ERR_NONE;
	close(one);
	two = steps_lock(it.test.store, key_of_test, false, &err);
	assert_true(two >= 0);
	close(two);
	assert_int_equal(steps_lock(it.test.store, "../../x", true, &err), -1);
	build_case_close(&it);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(steps_are_found_again_as_the_table_says),
		cmocka_unit_test(a_record_keeps_its_layer_from_gc),
		cmocka_unit_test(a_record_without_its_layer_is_none),
		cmocka_unit_test(a_damaged_record_is_none),
		cmocka_unit_test(the_size_limit_takes_what_was_used_least),
		cmocka_unit_test(cache_folders_are_shared_locked_or_private),
		cmocka_unit_test(one_maker_a_step),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
