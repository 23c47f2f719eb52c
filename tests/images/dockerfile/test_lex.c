/* tests/images/dockerfile/test_lex - mirrors images/dockerfile/lex and report. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "images/dockerfile/lex.h"

struct row {
	const char *file;
	const char *
		want; /* the lines as FIRST-LAST:TEXT{NAME:HEREDOC}, joined by '~'; or "!message" */
};

/* clang-format off */
static const struct row rows[] = {
	/* nothing, comments, blanks */
	{ "", "" },                                   { "\n\n", "" },
	{ "# only a comment", "" },                   { "  # indented\n\t#too\n", "" },
	{ "FROM a", "1-1:FROM a" },                   { "FROM a\n", "1-1:FROM a" },
	{ "\n\nFROM a\n", "3-3:FROM a" },             { "  FROM a  \n", "1-1:FROM a" },
	{ "\tFROM a\t\n", "1-1:FROM a" },             { "FROM a\r\nRUN b\r\n", "1-1:FROM a~2-2:RUN b" },
	{ "\xef\xbb\xbf" "FROM a", "1-1:FROM a" },    { "FROM a\n#c\nRUN b", "1-1:FROM a~3-3:RUN b" },
	{ "FROM a # b", "1-1:FROM a # b" },           { "RUN echo '#'", "1-1:RUN echo '#'" },
	{ "FROM a\r", "1-1:FROM a" },                 { "RUN a\xff\xfe", "1-1:RUN a\xff\xfe" },
	/* continuations */
	{ "RUN a \\\n b", "1-2:RUN a  b" },           { "RUN a\\\nb", "1-2:RUN ab" },
	{ "RUN a \\  \n b", "1-2:RUN a  b" },         { "RUN a \\\t\nb", "1-2:RUN a b" },
	{ "RUN a \\\r\n b\r\n", "1-2:RUN a  b" },     { "RUN a \\\n# c\n b", "1-3:RUN a  b" },
	{ "RUN a \\\n  # c\n  # d\nb", "1-4:RUN a b" }, { "RUN a \\\n\n b", "1-3:RUN a  b" },
	{ "RUN a \\", "1-1:RUN a" },                  { "RUN a \\\n", "1-1:RUN a" },
	{ "RUN a \\\n\n", "1-2:RUN a" },              { "RUN a \\\\\nRUN b", "1-1:RUN a \\\\~2-2:RUN b" },
	{ "RUN a \\x\nRUN b", "1-1:RUN a \\x~2-2:RUN b" },
	{ "\\\nRUN a", "2-2:RUN a" },                 { "\\\n\\\n  RUN a", "3-3:RUN a" },
	{ "\\", "" },                                 { "\\\n", "" },
	{ "RUN a \\\n# b \\\nc", "1-3:RUN a c" },     { "RUN a \\\n\tb \\\n\tc\nRUN d", "1-3:RUN a \tb \tc~4-4:RUN d" },
	{ "R\\\nUN a", "1-2:RUN a" },                 { "RUN a `\n b", "1-1:RUN a `~2-2:b" },
	{ "# escape=`\nRUN a `\n b", "2-3:RUN a  b" }, { "# escape=`\nRUN a\\\nRUN b", "2-2:RUN a\\~3-3:RUN b" },
	/* directives */
	{ "#escape=`\nRUN a`\nb", "2-3:RUN ab" },     { "# ESCAPE = `\nRUN a`\nb", "2-3:RUN ab" },
	{ "# escape=\\\nRUN a\\\nb", "2-3:RUN ab" },  { "# escape=x\n", "!1:10: escape is \"x\"" },
	{ "# escape=`\n# escape=`\n", "!2:10: the escape directive" },
	{ "\n# escape=`\nRUN a`\nb", "3-3:RUN a`~4-4:b" },
	{ "# a comment\n# escape=`\nRUN a`\nb", "3-3:RUN a`~4-4:b" },
	{ "FROM a\n# escape=`\nRUN a`\nb", "1-1:FROM a~3-3:RUN a`~4-4:b" },
	{ "# other=value\n# escape=`\nRUN a`\nb", "3-4:RUN ab" },
	{ "# syntax=docker/dockerfile:1\nFROM a", "2-2:FROM a" },
	{ "# syntax=docker/dockerfile\n# escape=`\nRUN a`\nb", "3-4:RUN ab" },
	{ "# syntax=docker/dockerfile-upstream:master\n", "" },
	{ "# syntax=docker.io/docker/dockerfile:1.7\n", "" },
	{ "# syntax=mirror.example.org/docker/dockerfile:1.9-labs\n", "" },
	{ "# syntax=x/mydocker/dockerfile:1\n", "!not supported" },
	{ "# syntax=other/thing:1\n", "!1:10: syntax other/thing:1 is not supported" },
	{ "# syntax=docker/dockerfiles\n", "!not supported" },
	{ "# syntax=docker/dockerfile:1\n# syntax=docker/dockerfile:1\n", "!a second time" },
	{ "// syntax=docker/dockerfile:1\nFROM a", "2-2:FROM a" },
	{ "// what=ever\nFROM a", "1-1:// what=ever~2-2:FROM a" },
	{ "{\"syntax\": \"docker/dockerfile:1\"}\nFROM a", "2-2:FROM a" },
	{ "{\"syntax\": \"x/y\"}\n", "!1:13: syntax x/y" },
	{ "#!/usr/bin/env x\n# escape=`\nRUN a`\nb", "3-4:RUN ab" },
	{ "# check=skip=all\nFROM a", "2-2:FROM a" }, { "# check=skip=A,B;error=true\n", "" },
	{ "# check=nope\n", "!1:9: check: \"nope\"" },  { "# check=error=maybe\n", "!error=maybe" },
	{ "# check=skip=all\n# check=skip=all", "!second" }, { "# escape=\nRUN a\\\nb", "2-3:RUN ab" },
	/* heredocs */
	{ "RUN <<EOF\na\nEOF\n", "1-3:RUN <<EOF{EOF:a\n}" },
	{ "RUN <<EOF\nEOF", "1-2:RUN <<EOF{EOF:}" },
	{ "RUN <<EOF\n# kept\n\n a \\\nEOF\nRUN b", "1-5:RUN <<EOF{EOF:# kept\n\n a \\\n}~6-6:RUN b" },
	{ "RUN <<-EOF\n\ta\n\t\tb\n\tEOF\n", "1-4:RUN <<-EOF{EOF:a\nb\n}" },
	{ "RUN <<EOF\n\tEOF\nEOF\n", "1-3:RUN <<EOF{EOF:\tEOF\n}" },
	{ "RUN <<EOF\nEOF \nEOF\n", "1-3:RUN <<EOF{EOF:EOF \n}" },
	{ "RUN <<\"EOF\"\na\nEOF", "1-3:RUN <<\"EOF\"{'EOF:a\n}" },
	{ "RUN <<'E F'\na\nE F", "1-3:RUN <<'E F'{'E F:a\n}" },
	{ "RUN <<\\EOF\na\nEOF", "1-3:RUN <<\\EOF{'EOF:a\n}" },
	{ "COPY <<a <<b /x/\n1\na\n2\nb\n", "1-5:COPY <<a <<b /x/{a:1\n}{b:2\n}" },
	{ "add <<a /x\n1\na\n", "1-3:add <<a /x{a:1\n}" },
	{ "ONBUILD RUN <<a\n1\na\n", "1-3:ONBUILD RUN <<a{a:1\n}" },
	{ "CMD <<a\nRUN b", "1-1:CMD <<a~2-2:RUN b" },
	{ "ENV a=<<b\nRUN c", "1-1:ENV a=<<b~2-2:RUN c" },
	{ "RUN cat <<EOF > /x\na\nEOF", "1-3:RUN cat <<EOF > /x{EOF:a\n}" },
	{ "RUN echo \"<<EOF\"\nRUN b", "1-1:RUN echo \"<<EOF\"~2-2:RUN b" },
	{ "RUN echo \" <<EOF \"\nRUN b", "1-1:RUN echo \" <<EOF \"~2-2:RUN b" },
	{ "RUN cat 3<<EOF\na\nEOF", "1-3:RUN cat 3<<EOF{EOF:a\n}" },
	{ "RUN cat <<<word\nRUN b", "1-1:RUN cat <<<word~2-2:RUN b" },
	{ "RUN cat << EOF\nRUN b", "1-1:RUN cat << EOF~2-2:RUN b" },
	{ "RUN echo $((1<<2))\nRUN b", "1-1:RUN echo $((1<<2))~2-2:RUN b" },
	{ "RUN [\"a\", \"<<b\"]\nRUN b", "1-1:RUN [\"a\", \"<<b\"]~2-2:RUN b" },
	{ "RUN a && \\\n cat <<EOF\nb\nEOF", "1-4:RUN a &&  cat <<EOF{EOF:b\n}" },
	{ "RUN <<EOF\r\na\r\nEOF\r\n", "1-3:RUN <<EOF{EOF:a\r\n}" },
	{ "FROM a\nRUN cat \\\n <<EOF\na\n", "!3:2: the heredoc has no end: no line is \"EOF\"" },
	{ "RUN <<a <<b\na\n", "!1:9: the heredoc has no end" },
	{ "RUN echo 'open <<EOF\nRUN b", "1-1:RUN echo 'open <<EOF~2-2:RUN b" },
};
/* clang-format on */

static char *dump(const struct df_source *source)
{
	char *text = NULL;
	size_t len = 0;
	FILE *out = open_memstream(&text, &len);

	for (size_t i = 0; i < source->line_count; i++) {
		const struct df_line *line = &source->lines[i];

		fprintf(out, "%s%u-%u:%s", i ? "~" : "", line->first_line, line->last_line,
			line->text);
		assert_int_equal(strlen(line->text), line->len);
		for (size_t j = 0; j < line->heredoc_count; j++)
			fprintf(out, "{%s%s:%s}", line->heredocs[j].is_quoted ? "'" : "",
				line->heredocs[j].name, line->heredocs[j].text.at);
	}
	fclose(out);
	return text;
}

static void every_file_gives_its_lines(void **state)
{
	assert_true(sizeof(rows) / sizeof(*rows) >= 80);
	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		struct arena *arena = arena_new();
		struct df_report report = { .arena = arena, .file = "Dockerfile" };
		struct df_source source;
		struct err err = ERR_NONE;
		/* A copy without a NUL behind it, so that reading too far is seen. */
		size_t len = strlen(rows[i].file);
		char *file = malloc(len ? len : 1), *got;
		int result = df_lex(&report, memcpy(file, rows[i].file, len), len, &source, &err);

		free(file);
		got = result < 0 ? strdup(err.msg) : dump(&source);
		if (rows[i].want[0] == '!' ? result == 0 || !strstr(got, rows[i].want + 1)
					   : result < 0 || strcmp(got, rows[i].want) != 0)
			fail_msg("row %zu \"%s\": got \"%s\", want \"%s\"", i, rows[i].file, got,
				 rows[i].want);
		free(got);
		arena_free(arena);
	}
}

static int lex(struct df_report *report, struct arena *arena, const char *text,
	       struct df_source *out, struct err *err)
{
	*report = (struct df_report){ .arena = arena, .file = "Dockerfile" };
	*err = ERR_NONE;
	return df_lex(report, text, strlen(text), out, err);
}

static void every_byte_knows_its_place(void **state)
{
	AUTO(arena) struct arena *arena = arena_new();
	struct df_report report;
	struct df_source source;
	struct df_place place;
	struct err err;
	const char *at;

	(void)state;
	assert_int_equal(
		lex(&report, arena, "#c\n  RUN a \\\n# x\n\n\tb c\\\nd <<E\nE\n", &source, &err),
		0);
	assert_int_equal(source.line_count, 1);
	assert_string_equal(source.lines[0].text, "RUN a \tb cd <<E");
	place = df_line_place(&source.lines[0], 0);
	assert_true(place.line == 2 && place.column == 3);
	at = strchr(source.lines[0].text, 'b');
	place = df_line_place(&source.lines[0], (size_t)(at - source.lines[0].text));
	assert_true(place.line == 5 && place.column == 2);
	at = strchr(source.lines[0].text, 'd');
	place = df_line_place(&source.lines[0], (size_t)(at - source.lines[0].text));
	assert_true(place.line == 6 && place.column == 1);
	assert_true(source.lines[0].heredocs[0].first_line == 7);
	assert_int_equal(report.warning_count, 1);
	assert_string_equal(df_check_name(report.warnings[0].check), "NoEmptyContinuation");
	assert_int_equal(report.warnings[0].place.line, 4);
}

static void limits_and_nul_bytes_are_refused(void **state)
{
	static const char nul[] = "FROM a\nRUN \0b\n";
	AUTO(arena) struct arena *arena = arena_new();
	struct df_report report = { .arena = arena, .file = "F" };
	struct df_source source;
	struct err err = ERR_NONE;
	size_t big = (size_t)DF_FILE_MAX + 1;
	AUTO(free) char *text = malloc(big);

	(void)state;
	assert_int_equal(df_lex(&report, nul, sizeof(nul) - 1, &source, &err), -1);
	assert_string_equal(err.msg, "F:2:5: a NUL byte in the file");
	memset(text, 'a', big);
	assert_int_equal(df_lex(&report, text, big, &source, &err), -1);
	assert_non_null(strstr(err.msg, "larger than"));
	assert_int_equal(df_lex(&report, text, (size_t)DF_LINE_MAX + 1, &source, &err), -1);
	assert_non_null(strstr(err.msg, "F:1:1: the instruction is longer"));
	assert_int_equal(df_lex(&report, text, DF_LINE_MAX, &source, &err), 0);
	memcpy(text, "RUN <<E\n", 8);
	text[1000000] = text[1900000] = '\n';
	memcpy(text + 1900000, "\nE\n", 3);
	assert_int_equal(df_lex(&report, text, 1900003, &source, &err), -1);
	assert_non_null(strstr(err.msg, "F:1:5: the heredoc is longer"));
}

static void skipped_checks_are_silent(void **state)
{
	AUTO(arena) struct arena *arena = arena_new();
	struct df_report report;
	struct df_source source;
	struct err err;

	(void)state;
	lex(&report, arena, "# check=skip=noemptycontinuation;error=true\nRUN a\\\n\nb\n", &source,
	    &err);
	assert_int_equal(report.warning_count, 0);
	assert_true(report.warnings_are_errors);
	lex(&report, arena, "# check=skip=all\nRUN a\\\n\nb\n", &source, &err);
	assert_int_equal(report.warning_count, 0);
	lex(&report, arena, "# check=skip=StageNameCasing\nRUN a\\\n\n\nb\n", &source, &err);
	assert_int_equal(report.warning_count, 1);
}

static void marked_lines_stand_among_their_neighbours(void **state)
{
	AUTO(arena) struct arena *arena = arena_new();
	struct df_report report;
	struct df_source source;
	struct err err;

	(void)state;
	lex(&report, arena, "FROM a\nWORKDIR /\n\tRUN b\x1b[1m\r\nCOPY . .\nCMD x\n", &source,
	    &err);
	assert_string_equal(df_report_snippet(&report, 3, 3), "    1 | FROM a\n"
							      "    2 | WORKDIR /\n"
							      ">   3 |  RUN b?[1m\n"
							      "    4 | COPY . .\n");
	assert_string_equal(df_report_snippet(&report, 1, 1), ">   1 | FROM a\n"
							      "    2 | WORKDIR /\n");
	assert_string_equal(df_report_snippet(&report, 5, 5), "    3 |  RUN b?[1m\n"
							      "    4 | COPY . .\n"
							      ">   5 | CMD x\n");
	assert_string_equal(df_report_snippet(&report, 0, 0), "");
	assert_string_equal(df_report_snippet(&report, 90, 90), "");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_file_gives_its_lines),
		cmocka_unit_test(every_byte_knows_its_place),
		cmocka_unit_test(limits_and_nul_bytes_are_refused),
		cmocka_unit_test(skipped_checks_are_silent),
		cmocka_unit_test(marked_lines_stand_among_their_neighbours),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
