/* tests/orchestrator/test_transfer_tags - pages of tags/list: what is taken of them */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/alloc.h"
#include "orchestrator/transfer_tags.h"

struct tags {
	char **names;
	size_t count;
};

static int read_page(struct tags *tags, const char *page, struct err *err)
{
	return transfer_tags_read(page, strlen(page), "localhost:5000/app", &tags->names,
				  &tags->count, err);
}

static void pages_are_put_behind_each_other(void **state)
{
	struct tags tags = { 0 };
	struct err err = ERR_NONE;

	(void)state;
	assert_int_equal(read_page(&tags, "{\"name\":\"app\",\"tags\":[\"1\",\"1.2\"]}", &err), 2);
	assert_int_equal(read_page(&tags, "{\"tags\":[\"2\"]}", &err), 1);
	assert_int_equal(tags.count, 3);
	assert_string_equal(tags.names[0], "localhost:5000/app:1");
	assert_string_equal(tags.names[2], "localhost:5000/app:2");
	transfer_tags_free(tags.names, tags.count);
}

static void a_registry_without_pages_repeats_itself_and_adds_nothing(void **state)
{
	static const char page[] = "{\"tags\":[\"b\",\"a\"]}";
	struct tags tags = { 0 };
	struct err err = ERR_NONE;

	(void)state;
	assert_int_equal(read_page(&tags, page, &err), 2);
	assert_int_equal(read_page(&tags, page, &err), 0);
	assert_int_equal(tags.count, 2);
	transfer_tags_free(tags.names, tags.count);
}

static void no_tags_are_no_error(void **state)
{
	static const char *const pages[] = { "{\"tags\":null}", "{\"tags\":[]}", "{}" };
	struct tags tags = { 0 };
	struct err err = ERR_NONE;

	(void)state;
	for (size_t i = 0; i < sizeof(pages) / sizeof(*pages); i++)
		assert_int_equal(read_page(&tags, pages[i], &err), 0);
	assert_int_equal(tags.count, 0);
}

static void what_is_no_tag_is_left_out(void **state)
{
	struct tags tags = { 0 };
	struct err err = ERR_NONE;

	(void)state;
	assert_int_equal(
		read_page(&tags,
			  "{\"tags\":[\"\",\"a/b\",\"-x\",\"..\\/..\\/etc\",null,7,{},\"a b\","
			  "\"x@sha256:1\",\"good\"]}",
			  &err),
		1);
	assert_string_equal(tags.names[0], "localhost:5000/app:good");
	transfer_tags_free(tags.names, tags.count);
}

static void other_documents_are_errors(void **state)
{
	static const char *const pages[] = { "", "<html>", "{\"tags\":\"a\"}",
					     "{\"tags\":{\"a\":1}}", "{\"tags\":[\"a\"" };
	(void)state;
	for (size_t i = 0; i < sizeof(pages) / sizeof(*pages); i++) {
		struct tags tags = { 0 };
		struct err err = ERR_NONE;

		assert_int_equal(read_page(&tags, pages[i], &err), -1);
		assert_int_equal(err.code, ERR_INVALID);
		assert_int_equal(tags.count, 0);
	}
}

static void a_flood_of_tags_is_refused(void **state)
{
	struct tags tags = { 0 };
	struct err err = ERR_NONE;
	int status = 0;

	(void)state;
	for (int page = 0; status >= 0 && page <= TRANSFER_TAGS_MAX / 1000; page++) {
		AUTO(free) char *text = xstrdup("{\"tags\":[\"last\"");
		size_t room = 1000 * 16 + 64, len = strlen(text);

		text = xrealloc(text, room, 1);
		for (int i = 0; i < 1000; i++)
			len += (size_t)snprintf(text + len, room - len, ",\"p%d-%d\"", page, i);
		snprintf(text + len, room - len, "]}");
		status = read_page(&tags, text, &err);
	}
	assert_int_equal(status, -1);
	assert_non_null(strstr(err.msg, "more than 10000 tags"));
	assert_int_equal(tags.count, TRANSFER_TAGS_MAX);
	transfer_tags_free(tags.names, tags.count);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(pages_are_put_behind_each_other),
		cmocka_unit_test(a_registry_without_pages_repeats_itself_and_adds_nothing),
		cmocka_unit_test(no_tags_are_no_error),
		cmocka_unit_test(what_is_no_tag_is_left_out),
		cmocka_unit_test(other_documents_are_errors),
		cmocka_unit_test(a_flood_of_tags_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
