/* tests/orchestrator/cli/test_output - mirrors orchestrator/cli/output and human. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/alloc.h"
#include "base/json.h"
#include "orchestrator/cli/human.h"
#include "orchestrator/cli/output.h"

static const struct output_column columns[] = {
	{"Name",    "NAME",   0           },
        { "Status", "STATUS", 0           },
	{ "Ports",  "PORTS",  0           },
        { "Labels", "LABELS", COLUMN_EXTRA},
	{ NULL,     NULL,     0           },
};

static const char rows_text[] =
	"[{\"Name\":\"shop-web-1\",\"Status\":\"Up 2 seconds\",\"Ports\":\"0.0.0.0:80->80/tcp\","
	"\"Labels\":\"a=b,c=d\"},{\"Name\":\"db\",\"Status\":\"Exited (1)\",\"Count\":3}]";

static struct json_object *rows_new(void)
{
	struct err err = ERR_NONE;

	return json_parse("rows", rows_text, strlen(rows_text), &err);
}

static char *printed(const struct output_view *view, const char *format, struct err *err)
{
	AUTO(json) struct json_object *rows = rows_new();
	char *text = NULL;
	size_t size = 0;
	FILE *out = open_memstream(&text, &size);

	output_rows(out, view, format, rows, err);
	fclose(out);
	return text;
}

static void formats_of_a_view(void **state)
{
	/* clang-format off */
	static const struct { const char *format, *want; } cases[] = {
		{ NULL,
		  "NAME         STATUS         PORTS\n"
		  "shop-web-1   Up 2 seconds   0.0.0.0:80->80/tcp\n"
		  "db           Exited (1)     \n" },
		{ "json",
		  "{\"Name\":\"shop-web-1\",\"Status\":\"Up 2 seconds\",\"Ports\":\"0.0.0.0:80->80/tcp\","
		  "\"Labels\":\"a=b,c=d\"}\n"
		  "{\"Name\":\"db\",\"Status\":\"Exited (1)\",\"Count\":3}\n" },
		{ "{{.Name}}: {{.Labels}}", "shop-web-1: a=b,c=d\ndb: \n" },
		{ "{{.Name}}\\t{{upper .Status}}", "shop-web-1\tUP 2 SECONDS\ndb\tEXITED (1)\n" },
		{ "table {{.Name}}\\t{{.Labels}}", "NAME         LABELS\nshop-web-1   a=b,c=d\ndb           \n" },
		{ "constant", "constant\nconstant\n" },
		{ "{{.Label \"c\"}}", "d\n\n" },
	};
	/* clang-format on */
	struct output_view view = { columns, NULL, 0 };

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct err err = ERR_NONE;
		AUTO(free) char *got = printed(&view, cases[i].format, &err);

		assert_int_equal(err.code, ERR_OK);
		assert_string_equal(got, cases[i].want);
	}
}

static void a_wrong_template_prints_nothing(void **state)
{
	struct output_view view = { columns, NULL, 0 };
	struct err err = ERR_NONE;
	AUTO(free) char *got = printed(&view, "{{.Nmae}}", &err);
	AUTO(free) char *open = NULL;

	(void)state;
	assert_string_equal(got, "");
	assert_string_equal(err.msg,
			    "template: there is no field \"Nmae\" (did you mean \"Name\"?)");
	open = printed(&view, "{{.Name", &err);
	assert_string_equal(open, "");
	assert_int_equal(err.code, ERR_INVALID);
}

static char *short_status(const char *field, struct json_object *row)
{
	if (strcmp(field, "Status") != 0)
		return NULL;
	return xstrndup(json_text_or(row, "Status", ""), 2);
}

static void wide_arrays_and_cells(void **state)
{
	struct output_view view = { columns, short_status,
				    OUTPUT_WIDE | OUTPUT_JSON_ARRAY | OUTPUT_NO_HEADER };
	struct err err = ERR_NONE;
	AUTO(free) char *table = printed(&view, "table", &err);
	AUTO(free) char *json = printed(&view, "json", &err);

	(void)state;
	assert_string_equal(table, "shop-web-1          Up                  0.0.0.0:80->80/tcp\n"
				   "db                  Ex                  \n");
	assert_int_equal(json[0], '[');
	assert_string_equal(json + strlen(json) - 3, "}]\n");
}

static void inspect_indents_by_four(void **state)
{
	AUTO(json) struct json_object *array = rows_new();
	struct err err = ERR_NONE;
	char *text = NULL;
	size_t size = 0;
	FILE *out = open_memstream(&text, &size);

	(void)state;
	assert_int_equal(output_inspect(out, NULL, array, &err), 0);
	assert_int_equal(output_inspect(out, "{{.Name}}", array, &err), 0);
	fclose(out);
	assert_non_null(strstr(text, "[\n    {\n        \"Name\":\"shop-web-1\",\n"));
	assert_non_null(strstr(text, "]\nshop-web-1\ndb\n"));
	free(text);
}

static void columns_count_characters(void **state)
{
	AUTO(table) struct table *table = table_new(0);
	char *text = NULL;
	size_t size = 0;
	FILE *out = open_memstream(&text, &size);

	(void)state;
	table_row(table, (const char *const[]){ "größe…", "x", NULL });
	table_row(table, (const char *const[]){ "\033[31mred\033[0m", "y\nz", NULL });
	table_row(table, (const char *const[]){ "alone and much longer than the others", NULL });
	table_print(table, out);
	fclose(out);
	assert_string_equal(text, "größe…   x\n\033[31mred\033[0m      y z\n"
				  "alone and much longer than the others\n");
	free(text);
}

static void sizes_as_docker_prints_them(void **state)
{
	/* clang-format off */
	static const struct { uint64_t bytes; const char *decimal, *binary; } cases[] = {
		{ 0,             "0B",     "0B" },
		{ 999,           "999B",   "999B" },
		{ 2500000,       "2.5MB",  "2.384MiB" },
		{ 132600,        "133kB",  "129.5KiB" },
		{ 999999,        "1MB",    "976.6KiB" },
		{ 1536ull << 20, "1.61GB", "1.5GiB" },
	};
	/* clang-format on */
	char out[HUMAN_LEN];

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		assert_string_equal(human_size(cases[i].bytes, out), cases[i].decimal);
		assert_string_equal(human_size_binary(cases[i].bytes, out), cases[i].binary);
	}
}

static void ages_as_docker_prints_them(void **state)
{
	/* clang-format off */
	static const struct { uint64_t seconds; const char *want; } cases[] = {
		{ 0, "Less than a second" }, { 1, "1 second" }, { 59, "59 seconds" }, { 60, "About a minute" },
		{ 119, "About a minute" }, { 120, "2 minutes" }, { 3599, "59 minutes" },
		{ 3600, "About an hour" }, { 5399, "About an hour" }, { 5400, "2 hours" },
		{ 86400, "24 hours" }, { 47 * 3600, "47 hours" }, { 48 * 3600, "2 days" },
		{ 13 * 86400, "13 days" }, { 14 * 86400, "2 weeks" }, { 60 * 86400, "2 months" },
		{ 729 * 86400, "24 months" }, { 730 * 86400, "2 years" },
	};
	/* clang-format on */
	char out[HUMAN_LEN];

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		assert_string_equal(human_duration(cases[i].seconds, out), cases[i].want);
	assert_string_equal(human_age(10000000, 14000000, out), "4 seconds ago");
	assert_string_equal(human_age(10000000, 5, out), "Less than a second ago");
	assert_string_equal(human_age(0, 5, out), "");
}

static void small_texts(void **state)
{
	char out[HUMAN_LEN];
	AUTO(free) char *cut = human_cut("\"sh -c 'echo hello world'\"", 20);
	AUTO(free) char *kept = human_cut("größe", 5);

	(void)state;
	assert_string_equal(cut, "\"sh -c 'echo hello …");
	assert_string_equal(kept, "größe");
	assert_string_equal(human_short_id("sha256:0123456789abcdef", out), "0123456789ab");
	assert_string_equal(human_time(0, out), "1970-01-01 00:00:00 +0000 UTC");
	assert_string_equal(human_elapsed(12345678, out), "12.3s");
	assert_int_equal(human_columns("\033[1;32m✔\033[0m ok"), 4);
}

static void colours_follow_ansi(void **state)
{
	(void)state;
	assert_false(output_may_use_ansi(stdout, "never"));
	assert_true(output_may_use_ansi(stdout, "always"));
	assert_string_equal(output_colour(0), "\033[36m");
	assert_string_equal(output_colour(10), output_colour(0));
	assert_string_not_equal(output_colour(0), output_colour(5));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(formats_of_a_view),
		cmocka_unit_test(a_wrong_template_prints_nothing),
		cmocka_unit_test(wide_arrays_and_cells),
		cmocka_unit_test(inspect_indents_by_four),
		cmocka_unit_test(columns_count_characters),
		cmocka_unit_test(sizes_as_docker_prints_them),
		cmocka_unit_test(ages_as_docker_prints_them),
		cmocka_unit_test(small_texts),
		cmocka_unit_test(colours_follow_ansi),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
