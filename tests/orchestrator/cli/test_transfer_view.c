/* tests/orchestrator/cli/test_transfer_view - mirrors orchestrator/cli/transfer_view, and the JSON
 * lines of orchestrator/transfer_progress on their way through a supervisor. */
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
#include "orchestrator/cli/transfer_view.h"

#define LAYER "sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"

static const struct transfer_progress all[] = {
	{.status = TRANSFER_RESOLVING,      .image = "web:1"},
	{				       .status = TRANSFER_LOCKED,
         .image = "web:1",
         .layer = LAYER,
         .number = 2,
         .layer_count = 3 },
	{									    .status = TRANSFER_DOWNLOADING,
         .image = "web:1",
         .layer = LAYER,
         .number = 1,
         .layer_count = 3,
         .current_bytes = 5,
         .total_bytes = 9 },
	{										 .status = TRANSFER_DONE,
         .image = "web:1",
         .layer = LAYER,
         .number = 1,
         .layer_count = 3 },
	{.status = TRANSFER_RETRYING,																					   .image = "web:1",                                    .text = "cut; again in 2 s" },
	{									 .status = TRANSFER_RATE,																					    .image = "web:1",.text = "98 of 100 pulls left in 6 h" },
	{.status = TRANSFER_IMAGE_DONE,
         .image = "web:1",
         .id = "sha256:aa",
         .digest = "sha256:bb",
         .name = "docker.io/library/web:1",
         .text = "pulled" },
	{									    .status = TRANSFER_IMAGE_FAILED,
         .image = "web:1",
         .text = "not found",
         .code = "not-found" },
};
#define ALL_COUNT (sizeof(all) / sizeof(all[0]))

static char *shown(enum progress_form form, const struct transfer_progress *transfers, size_t count)
{
	char *text = NULL;
	size_t len;
	FILE *stream = open_memstream(&text, &len);
	struct progress *progress = progress_new(stream, form, "Pulling", 0);
	struct transfer_view view = { progress, form };

	for (size_t i = 0; i < count; i++)
		transfer_view_show(&view, &transfers[i]);
	progress_free(progress);
	fclose(stream);
	return text;
}

static void plain_tells_of_images_and_not_of_layers(void **state)
{
	AUTO(free) char *text = shown(PROGRESS_PLAIN, all, ALL_COUNT);

	(void)state;
	assert_string_equal(text, " Image web:1  resolving\n"
				  " Image web:1  retrying  cut; again in 2 s\n"
				  "Image web:1: 98 of 100 pulls left in 6 h\n"
				  " Image web:1  pulled  sha256:bb\n"
				  " Image web:1  Error  not found\n");
}

static void quiet_tells_nothing(void **state)
{
	AUTO(free) char *text = shown(PROGRESS_QUIET, all, ALL_COUNT);

	(void)state;
	assert_string_equal(text, "");
}

static void a_terminal_shows_layers_below_their_image(void **state)
{
	AUTO(free) char *text = shown(PROGRESS_TTY, all, 3);

	(void)state;
	assert_non_null(strstr(text, "web:1"));
	assert_non_null(strstr(text, "0123456789ab"));
	assert_non_null(strstr(text, "downloading"));
}

static void same_text(const char *left, const char *right)
{
	if (!left || !right)
		assert_ptr_equal(left, right);
	else
		assert_string_equal(left, right);
}

static void lines_of_a_worker_come_back_as_they_were(void **state)
{
	(void)state;
	for (size_t i = 0; i < ALL_COUNT; i++) {
		char *text = NULL;
		size_t len;
		FILE *stream = open_memstream(&text, &len);
		struct transfer_progress back;
		struct json_object *line;
		struct err err = ERR_NONE;

		transfer_progress_json(stream, &all[i]);
		fclose(stream);
		assert_int_equal(text[len - 1], '\n');
		line = json_parse("line", text, len, &err);
		assert_non_null(line);
		transfer_progress_read(line, &back);
		assert_int_equal(back.status, all[i].status);
		assert_int_equal(back.number, all[i].number);
		assert_int_equal(back.layer_count, all[i].layer_count);
		assert_int_equal(back.current_bytes, all[i].current_bytes);
		assert_int_equal(back.total_bytes, all[i].total_bytes);
		same_text(back.image, all[i].image);
		same_text(back.layer, all[i].layer);
		same_text(back.id, all[i].id);
		same_text(back.digest, all[i].digest);
		same_text(back.name, all[i].name);
		same_text(back.text, all[i].text);
		same_text(back.code, all[i].code);
		json_object_put(line);
		free(text);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(plain_tells_of_images_and_not_of_layers),
		cmocka_unit_test(quiet_tells_nothing),
		cmocka_unit_test(a_terminal_shows_layers_below_their_image),
		cmocka_unit_test(lines_of_a_worker_come_back_as_they_were),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
