/* tests/images/dockerfile/test_parse - mirrors images/dockerfile/parse and table. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "images/dockerfile/parse.h"

struct row {
	const char *line; /* behind "FROM a\n", or alone when it starts with '^' */
	const char *want; /* the last instruction as NAME --flag=value <word> {key=value}, J: JSON;
			     "!message" */
};

/* clang-format off */
static const struct row rows[] = {
	{ "^FROM a", "FROM <a>" },                       { "^from a as b", "FROM <a> <as> <b>" },
	{ "^FROM --platform=$BUILDPLATFORM a AS b", "FROM --platform=$BUILDPLATFORM <a> <AS> <b>" },
	{ "^ARG V=1\nFROM a:$V", "FROM <a:$V>" },        { "^ARG V", "!no build stage in Dockerfile" },
	{ "^", "!no build stage in Dockerfile" },        { "^RUN a\nFROM b", "!Dockerfile:1:1: RUN stands before" },
	{ "^FROM", "!1:1: FROM needs an argument" },     { "^FROM a b", "!1:8: FROM has too many" },
	{ "^FROM a IS b", "!too many words or a wrong" }, { "^FROM a AS b c", "!too many" },
	{ "^FROM --platfrom=x a", "!1:6: FROM has no flag --platfrom (did you mean --platform?)" },
	{ "RUN a  b", "RUN <a  b>" },                    { "run a && \\\n  b", "RUN <a &&   b>" },
	{ "RUN [\"a\", \"b c\"]", "RUN J <a> <b c>" },   { "RUN [\"a\" ,\"\\u0041\\n\"]", "RUN J <a> <A\n>" },
	{ "RUN ['a']", "RUN <['a']>" },                  { "RUN [ -f x ]", "RUN <[ -f x ]>" },
	{ "RUN [\"a\", 1]", "RUN <[\"a\", 1]>" },        { "RUN [\"a\"] b", "RUN <[\"a\"] b>" },
	{ "RUN []", "!2:1: RUN needs an argument" },     { "RUN", "!2:1: RUN needs an argument" },
	{ "RUN --mount=type=cache,target=/x --mount=type=tmpfs,target=/t make -j4",
	  "RUN --mount=type=cache,target=/x --mount=type=tmpfs,target=/t <make -j4>" },
	{ "RUN --network=none --security=insecure a", "RUN --network=none --security=insecure <a>" },
	{ "RUN --network=a --network=b x", "!2:17: --network stands here a second time" },
	{ "RUN --mont=a x", "!2:5: RUN has no flag --mont (did you mean --mount?)" },
	{ "RUN --qwertyuiop x", "!RUN has no flag --qwertyuiop" }, { "RUN --mount x", "!--mount needs a value" },
	{ "RUN --mount=type=bind,source=\"a b\",target=/x c", "RUN --mount=type=bind,source=a b,target=/x <c>" },
	{ "RUN -- --x", "RUN <--x>" },                   { "RUN a --x", "RUN <a --x>" },
	{ "RUN --mount=\"a b", "!2:5: the quote in this flag has no end" },
	{ "RUN --mount=type=secret,id=a \\\n  --mount=type=ssh \\\n  b", "RUN --mount=type=secret,id=a --mount=type=ssh <b>" },
	{ "RUN \\\n  --bad a", "!3:3: RUN has no flag --bad" },
	{ "RUN <<EOF\na\nEOF", "RUN <<<EOF>" },
	{ "COPY a b", "COPY <a> <b>" },                  { "COPY a b c/", "COPY <a> <b> <c/>" },
	{ "COPY a", "!2:1: COPY needs at least two words" }, { "COPY", "!COPY needs at least two" },
	{ "COPY [\"a b\", \"c\"]", "COPY J <a b> <c>" }, { "COPY [\"a\"]", "!at least two" },
	{ "COPY --from=b --chown=1:2 --chmod=0644 a b", "COPY --from=b --chown=1:2 --chmod=0644 <a> <b>" },
	{ "COPY --chown=\"a\":b x y", "COPY --chown=a:b <x> <y>" },
	{ "COPY --link a b", "COPY --link=true <a> <b>" }, { "COPY --link=FALSE a b", "COPY --link=false <a> <b>" },
	{ "COPY --link=x a b", "!2:13: --link takes true or false" },
	{ "COPY --parents --exclude=*.o --exclude=*.a a b", "COPY --parents=true --exclude=*.o --exclude=*.a <a> <b>" },
	{ "COPY --form=x a b", "!did you mean --from?" },  { "COPY --checksum=x a b", "!COPY has no flag --checksum" },
	{ "COPY --keep-git-dir a b", "!no flag" },       { "COPY <<a <<b /x/\n1\na\n2\nb", "COPY <<<a>* <<<b>* </x/>" },
	{ "COPY 3<<a /x\n1\na", "!2:6: COPY takes a heredoc without a number" },
	{ "COPY --chmod=755 <<a b /x/\n1\na", "COPY --chmod=755 <<<a>* <b> </x/>" },
	{ "COPY $A/b ${C:-d} e/", "COPY <$A/b> <${C:-d}> <e/>" },
	{ "ADD --checksum=sha256:1 --keep-git-dir --unpack=1 u /x", "ADD --checksum=sha256:1 --keep-git-dir=true --unpack=true <u> </x>" },
	{ "ADD --from=x a b", "!ADD has no flag --from" }, { "ADD a b", "ADD <a> <b>" },
	{ "ENV a=b", "ENV {a=b}" },                      { "ENV a=b c=\"d e\"", "ENV {a=b} {c=\"d e\"}" },
	{ "ENV a=b\\ c d=e", "ENV {a=b\\ c} {d=e}" },    { "ENV a b c", "ENV old {a=b c}" },
	{ "ENV a  b=c", "ENV old {a=b=c}" },             { "ENV a", "!2:5: \"a\" has no value" },
	{ "ENV a=b c", "!2:9: \"c\" has no =" },         { "ENV", "!2:1: ENV needs an argument" },
	{ "ENV =b", "!2:5: \"=b\" has no name" },        { "ENV a=\"b", "!has a quote without an end" },
	{ "ENV a=", "ENV {a=}" },                        { "ENV a='b c' \\\n  d=e", "ENV {a='b c'} {d=e}" },
	{ "ENV a=b=c", "ENV {a=b=c}" },                  { "ENV a=b \\\n c", "!3:2: \"c\" has no =" },
	{ "LABEL a.b=\"c d\" e=f", "LABEL {a.b=\"c d\"} {e=f}" }, { "LABEL a b", "LABEL old {a=b}" },
	{ "LABEL \"a b\"=c", "LABEL {\"a b\"=c}" },      { "LABEL", "!LABEL needs" },
	{ "ARG a", "ARG {a}" },                          { "ARG a=b c d=\"e f\"", "ARG {a=b} {c} {d=\"e f\"}" },
	{ "ARG", "!ARG needs an argument" },             { "ARG a=", "ARG {a=}" }, { "ARG =x", "!no name" },
	{ "CMD a b", "CMD <a b>" },                      { "CMD [\"a\"]", "CMD J <a>" },
	{ "CMD []", "CMD J" },                           { "CMD", "CMD" }, { "CMD --x", "!CMD has no flag --x" },
	{ "ENTRYPOINT [\"a\", \"--b\"]", "ENTRYPOINT J <a> <--b>" }, { "ENTRYPOINT a $B", "ENTRYPOINT <a $B>" },
	{ "EXPOSE 80 443/tcp $P", "EXPOSE <80> <443/tcp> <$P>" }, { "EXPOSE", "!EXPOSE needs" },
	{ "USER a:b", "USER <a:b>" },                    { "USER", "!USER needs" }, { "USER a b", "USER <a b>" },
	{ "WORKDIR /a b", "WORKDIR </a b>" },            { "WORKDIR", "!WORKDIR needs" },
	{ "VOLUME /a /b", "VOLUME </a> </b>" },          { "VOLUME [\"/a\"]", "VOLUME J </a>" },
	{ "VOLUME []", "!VOLUME needs" },                { "STOPSIGNAL SIGINT", "STOPSIGNAL <SIGINT>" },
	{ "SHELL [\"/bin/bash\", \"-c\"]", "SHELL J </bin/bash> <-c>" }, { "SHELL /bin/sh", "!2:1: SHELL needs a JSON array" },
	{ "SHELL []", "!SHELL needs an argument" },      { "MAINTAINER a <b@c>", "MAINTAINER <a <b@c>>" },
	{ "HEALTHCHECK NONE", "HEALTHCHECK none <NONE>" }, { "HEALTHCHECK none", "HEALTHCHECK none <none>" },
	{ "HEALTHCHECK CMD a b", "HEALTHCHECK <a b>" },  { "healthcheck cmd [\"a\"]", "HEALTHCHECK J <a>" },
	{ "HEALTHCHECK --interval=5s --timeout=1s --start-period=1m --start-interval=2s --retries=3 CMD a",
	  "HEALTHCHECK --interval=5s --timeout=1s --start-period=1m --start-interval=2s --retries=3 <a>" },
	{ "HEALTHCHECK a", "!2:13: \"a\" is neither NONE nor CMD" }, { "HEALTHCHECK", "!neither NONE nor CMD" },
	{ "HEALTHCHECK CMD", "!HEALTHCHECK needs an argument" }, { "HEALTHCHECK NONE a", "!takes nothing else" },
	{ "HEALTHCHECK --retries=1 NONE", "!takes nothing else" }, { "HEALTHCHECK --intervall=1s CMD a", "!did you mean --interval?" },
	{ "ONBUILD RUN a", "ONBUILD <RUN a> > RUN <a>" }, { "ONBUILD copy --from=x a b", "ONBUILD <copy --from=x a b> > COPY --from=x <a> <b>" },
	{ "ONBUILD", "!2:1: ONBUILD needs" },            { "ONBUILD ONBUILD RUN a", "!2:9: ONBUILD cannot stand behind ONBUILD" },
	{ "ONBUILD FROM a", "!2:9: FROM cannot" },       { "ONBUILD MAINTAINER a", "!MAINTAINER cannot" },
	{ "ONBUILD RUNN a", "!2:9: unknown instruction: RUNN (did you mean RUN?)" },
	{ "ONBUILD RUN <<E\na\nE", "ONBUILD <RUN <<E> > RUN <<<E>" },
	{ "RUNN a", "!2:1: unknown instruction: RUNN (did you mean RUN?)" },
	{ "ENTRYPIONT a", "!did you mean ENTRYPOINT?" }, { "xyzzy", "!2:1: unknown instruction: xyzzy" },
	{ "  \tRUNN a", "!2:4: unknown" },               { "RUN\ta", "RUN <a>" }, { "&& b", "!unknown instruction: &&" },
	{ "\x1b[1m x", "!unknown instruction: ?[1m" },
};
/* clang-format on */

static void print_word(FILE *out, const struct df_word *word)
{
	fprintf(out, " <%s>%s", word->text, word->heredoc ? "*" : "");
}

static void print(FILE *out, const struct df_instr *instr)
{
	fprintf(out, "%s%s%s%s", df_row(instr->kind)->name, instr->is_json ? " J" : "",
		instr->is_none ? " none" : "", instr->is_old_form ? " old" : "");
	for (size_t i = 0; i < instr->flag_count; i++)
		fprintf(out, " --%s=%s", df_flag_row(instr->flags[i].kind)->name,
			instr->flags[i].value.text);
	for (size_t i = 0; i < instr->word_count; i++)
		print_word(out, &instr->words[i]);
	for (size_t i = 0; i < instr->pair_count; i++)
		fprintf(out, " {%s%s%s}", instr->pairs[i].key.text,
			instr->pairs[i].has_value ? "=" : "", instr->pairs[i].value.text);
	if (instr->trigger) {
		fputs(" > ", out);
		print(out, instr->trigger);
	}
}

static int parse(struct df_report *report, struct arena *arena, const char *text, unsigned flags,
		 struct df_file *out, struct err *err)
{
	struct df_source *source = arena_alloc(arena, sizeof(*source));

	*report = (struct df_report){ .arena = arena, .file = "Dockerfile" };
	*err = ERR_NONE;
	if (df_lex(report, text, strlen(text), source, err) < 0)
		return -1;
	return df_parse(report, source, flags, out, err);
}

static void every_line_gives_its_instruction(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		AUTO(arena) struct arena *arena = arena_new();
		bool is_alone = rows[i].line[0] == '^';
		const char *text = arena_format(arena, "%s%s", is_alone ? "" : "FROM a\n",
						rows[i].line + is_alone);
		struct df_report report;
		struct df_file file;
		struct err err;
		char *got = NULL;
		size_t len = 0;
		FILE *out = open_memstream(&got, &len);
		int result = parse(&report, arena, text, 0, &file, &err);

		if (result == 0)
			print(out, &file.instrs[file.instr_count - 1]);
		else
			fputs(err.msg, out);
		fclose(out);
		if (rows[i].want[0] == '!' ? result == 0 || !strstr(got, rows[i].want + 1)
					   : result < 0 || strcmp(got, rows[i].want) != 0)
			fail_msg("%s: got \"%s\", want \"%s\"", rows[i].line, got, rows[i].want);
		free(got);
	}
}

static void words_pairs_and_flags_know_their_places(void **state)
{
	AUTO(arena) struct arena *arena = arena_new();
	struct df_report report;
	struct df_file file;
	struct err err;

	(void)state;
	assert_int_equal(parse(&report, arena,
			       "FROM a\nCOPY --chown=$X \\\n  a \\\n# c\n  b /\nENV a=b  c=$d\n", 0,
			       &file, &err),
			 0);
	assert_int_equal(file.instrs[1].flags[0].value.place.column, 14);
	assert_true(file.instrs[1].words[0].place.line == 3);
	assert_true(file.instrs[1].words[1].place.line == 5);
	assert_int_equal(file.instrs[1].words[2].place.column, 5);
	assert_string_equal(file.instrs[1].arguments, "--chown=$X   a   b /");
	assert_int_equal(file.instrs[2].pairs[1].value.place.column, 12);
	assert_int_equal(file.instrs[1].line->last_line, 5);
}

static void triggers_of_a_base_image_need_no_from(void **state)
{
	AUTO(arena) struct arena *arena = arena_new();
	struct df_report report;
	struct df_file file;
	struct err err;

	(void)state;
	assert_int_equal(
		parse(&report, arena, "COPY . /app\nRUN a\n", DF_PARSE_TRIGGERS, &file, &err), 0);
	assert_int_equal(file.instr_count, 2);
	assert_int_equal(parse(&report, arena, "FROM a\n", DF_PARSE_TRIGGERS, &file, &err), -1);
}

static void old_forms_and_near_json_warn(void **state)
{
	AUTO(arena) struct arena *arena = arena_new();
	struct df_report report;
	struct df_file file;
	struct err err;

	(void)state;
	parse(&report, arena, "FROM a\nENV a b\nLABEL c d\nCMD ['x']\n", 0, &file, &err);
	assert_int_equal(report.warning_count, 3);
	assert_string_equal(df_check_name(report.warnings[0].check), "LegacyKeyValueFormat");
	assert_string_equal(df_check_name(report.warnings[2].check), "JSONArgsRecommended");
	assert_int_equal(report.warnings[2].place.line, 4);
	assert_true(df_instr_has(&file.instrs[0], DF_FLAG_LINK) == false);
}

static void tables_are_sorted_and_whole(void **state)
{
	(void)state;
	for (unsigned i = 0; i < DF_KIND_COUNT; i++) {
		const struct df_row *row = df_row((enum df_kind)i);

		assert_non_null(row->name);
		assert_true(row->min <= row->max);
		assert_int_equal(strncmp(row->usage, row->name, strlen(row->name)), 0);
		if (i)
			assert_true(strcmp(df_row((enum df_kind)(i - 1))->name, row->name) < 0);
	}
	for (unsigned i = 0; i < DF_FLAG_COUNT; i++) {
		const struct df_flag_row *row = df_flag_row((enum df_flag_kind)i);

		assert_true(row->kinds != 0);
		if (i)
			assert_true(strcmp(df_flag_row((enum df_flag_kind)(i - 1))->name,
					   row->name) < 0);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_line_gives_its_instruction),
		cmocka_unit_test(words_pairs_and_flags_know_their_places),
		cmocka_unit_test(triggers_of_a_base_image_need_no_from),
		cmocka_unit_test(old_forms_and_near_json_warn),
		cmocka_unit_test(tables_are_sorted_and_whole),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
