/* tests/specs/export/test_report - every key of a stack file has a row in both tables, and every
 * row is a key. */
#include "tests/specs/export/export_case.h"

#include "specs/export/report.h"
#include "specs/keys.h"

struct walk {
	struct arena *arena;
	struct texts patterns;
};

static void add_table(struct walk *walk, const struct table *table, const char *prefix);

static void add_pattern(struct walk *walk, const char *pattern)
{
	*(const char **)arena_grow(walk->arena, &walk->patterns.items, &walk->patterns.count,
				   sizeof(*walk->patterns.items)) = pattern;
}

static void add_key(struct walk *walk, const struct key *key, const char *prefix)
{
	const char *own = arena_format(walk->arena, "%s%s", prefix, key->name);
	bool is_list = key->kind == KEY_OBJECTS,
	     is_map = key->kind == KEY_NAMED || key->kind == KEY_NAMES;

	if (key->offset == NO_FIELD)
		return; /* used up while loading: extends, include */
	add_pattern(walk, own);
	if (is_list || is_map)
		own = arena_format(walk->arena, "%s%s", own, is_list ? "[]" : ".*");
	if (key->kind == KEY_TEXTS || key->kind == KEY_TEXT_OR_LIST)
		add_pattern(walk, arena_format(walk->arena, "%s[]", own));
	if (is_list || is_map)
		add_pattern(walk, own);
	if (key->table && key->kind != KEY_ULIMITS && strlen(own) < 120)
		add_table(walk, key->table, arena_format(walk->arena, "%s.", own));
}

static void add_table(struct walk *walk, const struct table *table, const char *prefix)
{
	for (size_t i = 0; i < table->count; i++)
		add_key(walk, &table->keys[i], prefix);
}

static bool has_below(const struct texts *patterns, const char *pattern)
{
	size_t len = strlen(pattern);

	for (size_t i = 0; i < patterns->count; i++)
		if (strncmp(patterns->items[i], pattern, len) == 0 &&
		    (patterns->items[i][len] == '.' || patterns->items[i][len] == '['))
			return true;
	return false;
}

static void every_key_has_a_row(void **state)
{
	static const struct export_table *const tables[] = { &kube_keys, &swarm_keys };
	struct walk walk = { .arena = arena_new() };

	(void)state;
	add_table(&walk, &project_table, "");
	assert_true(walk.patterns.count > 200);
	for (size_t t = 0; t < 2; t++)
		for (size_t i = 0; i < walk.patterns.count; i++) {
			const char *pattern = walk.patterns.items[i];

			if (has_below(&walk.patterns, pattern) ||
			    export_table_find(tables[t], pattern) ||
			    export_table_find(tables[t], arena_format(walk.arena, "%s[]", pattern)))
				continue;
			print_error("no row: %s\n", pattern);
			fail();
		}
	arena_free(walk.arena);
}

static void every_row_is_a_key(void **state)
{
	static const struct export_table *const tables[] = { &kube_keys, &swarm_keys };
	struct walk walk = { .arena = arena_new() };

	(void)state;
	add_table(&walk, &project_table, "");
	for (size_t t = 0; t < 2; t++)
		for (size_t i = 0; i < tables[t]->count; i++) {
			const struct export_row *row = &tables[t]->rows[i];

			if (!texts_has(&walk.patterns, row->pattern))
				print_error("no key: %s\n", row->pattern);
			assert_true(texts_has(&walk.patterns, row->pattern));
			assert_true(row->note && *row->note);
			for (size_t k = 0; k < i; k++)
				assert_string_not_equal(row->pattern, tables[t]->rows[k].pattern);
		}
	arena_free(walk.arena);
}

static const struct export_row few_rows[] = {
	{"services.*.image",     EXPORT_EXACT,        "image"  },
	{ "services.*.ports[]",  EXPORT_EXACT,        "a port" },
	{ "networks.*",          EXPORT_APPROXIMATED, "a label"},
	{ "networks.*.internal", EXPORT_DROPPED,      "not"    },
};
static const struct export_table few = { few_rows, 4 };

static struct export_result finish(struct arena *arena, struct report *report, const char *text)
{
	struct err err = ERR_NONE;
	struct json_object *json = json_parse("test", text, strlen(text), &err);
	struct export_result result = { 0 };

	assert_non_null(json);
	report_finish(report, json, &result);
	json_object_put(json);
	(void)arena;
	return result;
}

static void an_unknown_key_is_told_as_dropped(void **state)
{
	struct arena *arena = arena_new();
	struct report *report = report_new(arena, &few);
	struct export_result result = finish(
		arena, report, "{\"services\":{\"a\":{\"image\":\"x\",\"odd\":1,\"none\":null}}}");

	(void)state;
	assert_int_equal(result.line_count, 2);
	assert_string_equal(result.lines[1].path, "services.a.odd");
	assert_int_equal(result.lines[1].verdict, EXPORT_DROPPED);
	assert_int_equal(result.counts[EXPORT_EXACT], 1);
	report_free(report);
	arena_free(arena);
}

static void sayings_replace_rows_and_parts_stand_beside(void **state)
{
	struct arena *arena = arena_new();
	struct report *report = report_new(arena, &few);
	struct export_result result;

	(void)state;
	report_say(report, EXPORT_DROPPED, "services.a.image", "no %s", "image");
	report_say(report, EXPORT_DROPPED, "services.a.image", "no image"); /* once */
	report_say_part(report, EXPORT_DROPPED, "services.a.ports[1]", "a part");
	result = finish(arena, report,
			"{\"services\":{\"a\":{\"image\":\"x\",\"ports\":[1,2]}},\"networks\":"
			"{\"n\":null,\"m\":{\"internal\":true}}}");
	assert_int_equal(result.line_count, 7);
	assert_string_equal(result.lines[0].note, "no image");
	assert_string_equal(result.lines[1].path, "services.a.ports[0]");
	assert_string_equal(result.lines[2].note, "a port");
	assert_string_equal(result.lines[3].note, "a part");
	assert_string_equal(result.lines[4].path, "networks.n");
	assert_string_equal(result.lines[5].path, "networks.m");
	assert_string_equal(result.lines[6].path, "networks.m.internal");
	report_free(report);
	arena_free(arena);
}

static void sayings_of_hidden_paths_come_last_and_are_plain(void **state)
{
	struct arena *arena = arena_new();
	struct report *report = report_new(arena, &few);
	struct export_result result;

	(void)state;
	report_say(report, EXPORT_APPROXIMATED, "services.a.default", "b\033[31m");
	result = finish(arena, report, "{\"services\":{\"a\":{\"image\":\"x\"}}}");
	assert_int_equal(result.line_count, 2);
	assert_string_equal(result.lines[1].path, "services.a.default");
	assert_string_equal(result.lines[1].note, "b?[31m");
	report_free(report);
	arena_free(arena);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_key_has_a_row),
		cmocka_unit_test(every_row_is_a_key),
		cmocka_unit_test(an_unknown_key_is_told_as_dropped),
		cmocka_unit_test(sayings_replace_rows_and_parts_stand_beside),
		cmocka_unit_test(sayings_of_hidden_paths_come_last_and_are_plain),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
