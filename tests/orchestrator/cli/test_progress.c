/* tests/orchestrator/cli/test_progress - mirrors orchestrator/cli/progress. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "orchestrator/cli/progress.h"

struct drawn {
	char *text;
	size_t size;
	FILE *out;
	struct progress *progress;
};

static struct drawn begin(enum progress_form form, unsigned flags)
{
	struct drawn drawn = { 0 };

	drawn.out = tmpfile(); /* a real descriptor: the size of the terminal is asked of it */
	drawn.progress = progress_new(drawn.out, form, "Running", flags);
	return drawn;
}

static const char *finish(struct drawn *drawn)
{
	long len;

	progress_free(drawn->progress);
	fflush(drawn->out);
	len = ftell(drawn->out);
	rewind(drawn->out);
	drawn->text = calloc(1, (size_t)len + 1);
	assert_int_equal(fread(drawn->text, 1, (size_t)len, drawn->out), len);
	fclose(drawn->out);
	return drawn->text;
}

static void play(struct progress *progress)
{
	progress_event(progress, &(struct progress_event){ .kind = "Network",
							   .name = "shop_default",
							   .verb = "Created",
							   .state = PROGRESS_DONE });
	progress_event(progress, &(struct progress_event){ .kind = "Container",
							   .name = "shop-web-1",
							   .verb = "Starting",
							   .state = PROGRESS_WORKING });
	progress_event(progress, &(struct progress_event){ .kind = "Container",
							   .name = "shop-web-1",
							   .verb = "Starting",
							   .state = PROGRESS_WORKING });
	progress_note(progress, "WARN: look out");
	progress_event(progress, &(struct progress_event){ .kind = "Container",
							   .name = "shop-web-1",
							   .verb = "Error",
							   .detail = "no\033 luck",
							   .state = PROGRESS_FAILED });
}

static void plain_prints_each_verb_once(void **state)
{
	struct drawn drawn = begin(PROGRESS_PLAIN, 0);

	(void)state;
	play(drawn.progress);
	assert_string_equal(finish(&drawn), " Network shop_default  Created\n"
					    " Container shop-web-1  Starting\n"
					    "WARN: look out\n"
					    " Container shop-web-1  Error  no? luck\n");
	free(drawn.text);
}

static void dry_run_says_so(void **state)
{
	struct drawn drawn = begin(PROGRESS_PLAIN, PROGRESS_DRY_RUN);

	(void)state;
	progress_event(drawn.progress, &(struct progress_event){
					       .kind = "Volume", .name = "v", .verb = "Created" });
	assert_string_equal(finish(&drawn), " DRY-RUN MODE -  Volume v  Created\n");
	free(drawn.text);
}

static void json_is_one_object_a_line(void **state)
{
	struct drawn drawn = begin(PROGRESS_JSON, 0);

	(void)state;
	play(drawn.progress);
	progress_error(drawn.progress, "it failed");
	assert_string_equal(finish(&drawn),
			    "{\"id\":\"Network shop_default\",\"status\":\"Created\"}\n"
			    "{\"id\":\"Container shop-web-1\",\"status\":\"Starting\"}\n"
			    "{\"id\":\"Container shop-web-1\",\"status\":\"Starting\"}\n"
			    "{\"message\":\"WARN: look out\"}\n"
			    "{\"id\":\"Container shop-web-1\",\"status\":\"Error\",\"error\":true,"
			    "\"message\":\"no? luck\"}\n"
			    "{\"error\":true,\"message\":\"it failed\"}\n");
	free(drawn.text);
}

static void quiet_keeps_only_notes(void **state)
{
	struct drawn drawn = begin(PROGRESS_QUIET, 0);

	(void)state;
	play(drawn.progress);
	assert_string_equal(finish(&drawn), "WARN: look out\n");
	free(drawn.text);
}

static void the_table_ends_with_all_lines(void **state)
{
	struct drawn drawn = begin(PROGRESS_TTY, 0);
	const char *text, *last;

	(void)state;
	play(drawn.progress);
	progress_tick(drawn.progress);
	text = finish(&drawn);
	last = strstr(text, "[+] Running 2/2");
	assert_non_null(last);
	assert_non_null(strstr(last, "✔\033[0m Network shop_default  Created"));
	assert_non_null(strstr(last, "✘\033[0m Container shop-web-1  Error  no? luck"));
	assert_non_null(strstr(text, "WARN: look out\n"));
	assert_string_equal(text + strlen(text) - strlen("\033[?25h"), "\033[?25h");
	free(drawn.text);
}

static void many_lines_fit_the_screen(void **state)
{
	struct drawn drawn = begin(PROGRESS_TTY, 0);
	size_t lines = 0;
	char name[16];

	(void)state;
	for (int i = 0; i < 100; i++) {
		snprintf(name, sizeof(name), "c-%d", i);
		progress_event(drawn.progress,
			       &(struct progress_event){ .kind = "Container",
							 .name = name,
							 .verb = "Starting",
							 .state = PROGRESS_WORKING });
	}
	rewind(drawn.out);
	progress_tick(drawn.progress); /* one picture over all before */
	fflush(drawn.out);
	assert_int_equal(ftruncate(fileno(drawn.out), ftell(drawn.out)), 0);
	rewind(drawn.out);
	for (int c; (c = fgetc(drawn.out)) != EOF;)
		lines += c == '\n';
	assert_in_range(lines, 10, 23);
	finish(&drawn);
	free(drawn.text);
}

static void layers_hide_when_their_image_is_done(void **state)
{
	struct drawn drawn = begin(PROGRESS_TTY, 0);
	struct progress_event image = {
		.kind = "Image", .name = "nginx", .verb = "Pulling", .state = PROGRESS_WORKING
	};
	struct progress_event layer = { .name = "0123456789ab",
					.parent = "nginx",
					.verb = "Downloading",
					.state = PROGRESS_WORKING,
					.current = 5000000,
					.total = 10000000 };
	const char *text;

	(void)state;
	progress_event(drawn.progress, &image);
	progress_event(drawn.progress, &layer);
	progress_tick(drawn.progress);
	image.state = PROGRESS_DONE;
	image.verb = "Pulled";
	progress_event(drawn.progress, &image);
	text = finish(&drawn);
	assert_non_null(
		strstr(text, "  0123456789ab  Downloading  [==========>         ] 5MB/10MB"));
	assert_null(strstr(strstr(text, "[+] Running 1/1"), "0123456789ab"));
	free(drawn.text);
}

static void forms_and_ansi_must_agree(void **state)
{
	enum progress_form form = PROGRESS_AUTO;
	struct err err = ERR_NONE;

	(void)state;
	assert_int_equal(progress_form_choose("json", NULL, stderr, &form, &err), 0);
	assert_int_equal(form, PROGRESS_JSON);
	assert_int_equal(progress_form_choose(NULL, "never", stderr, &form, &err), 0);
	assert_int_equal(form, PROGRESS_PLAIN);
	assert_int_equal(progress_form_choose("auto", "always", stderr, &form, &err), 0);
	assert_int_equal(form, PROGRESS_TTY);
	assert_int_equal(progress_form_choose("tty", "never", stderr, &form, &err), -1);
	assert_int_equal(progress_form_choose("plain", "always", stderr, &form, &err), -1);
	assert_int_equal(progress_form_choose("fancy", NULL, stderr, &form, &err), -1);
	assert_string_equal(err.msg,
			    "--progress: \"fancy\" is none of auto, tty, plain, json, quiet");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(plain_prints_each_verb_once),
		cmocka_unit_test(dry_run_says_so),
		cmocka_unit_test(json_is_one_object_a_line),
		cmocka_unit_test(quiet_keeps_only_notes),
		cmocka_unit_test(the_table_ends_with_all_lines),
		cmocka_unit_test(many_lines_fit_the_screen),
		cmocka_unit_test(layers_hide_when_their_image_is_done),
		cmocka_unit_test(forms_and_ansi_must_agree),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
