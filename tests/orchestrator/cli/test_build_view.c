/* tests/orchestrator/cli/test_build_view - mirrors orchestrator/cli/build_view. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "orchestrator/cli/build_view.h"

static const char *const story[] = {
	"{\"event\":\"step\",\"step\":1,\"stage\":\"web "
	"build\",\"number\":1,\"count\":3,\"text\":\"FROM x\"}",
	"{\"event\":\"done\",\"step\":1,\"ms\":40}",
	"{\"event\":\"step\",\"step\":2,\"stage\":\"\",\"number\":2,\"count\":3,\"text\":\"RUN "
	"make\\nall\"}",
	"{\"event\":\"log\",\"step\":2,\"stream\":\"stdout\",\"at_ms\":412,\"text\":\"cc a.c\"}",
	"{\"event\":\"cached\",\"step\":2}",
	"{\"event\":\"step\",\"step\":3,\"stage\":\"\",\"number\":3,\"count\":3,\"text\":\"COPY a "
	"b\"}",
	"{\"event\":\"failed\",\"step\":3,\"ms\":1,\"code\":\"not-found\",\"error\":\"a: not "
	"found\"}",
	"{\"event\":\"warning\",\"text\":\"Dockerfile:1: StageNameCasing: x\"}",
	"{\"event\":\"image\",\"name\":\"web\",\"id\":\"sha256:ab\",\"tags\":[\"shop-web\"]}",
	"{\"event\":\"error\",\"code\":\"not-found\",\"error\":\"Dockerfile:3: COPY: a: not "
	"found\","
	"\"stage\":\"web build\",\"number\":3,\"count\":3,\"snippet\":\"> 3 | COPY a "
	"b\\n\",\"output\":[\"last\"]}",
};

static char *shown(enum progress_form form)
{
	char *text = NULL;
	size_t size = 0;
	FILE *stream = tmpfile();
	struct build_view *view = build_view_new(stream, form);
	long len;

	for (size_t i = 0; i < sizeof(story) / sizeof(*story); i++) {
		struct err err = ERR_NONE;
		AUTO(json)
		struct json_object *event = json_parse("event", story[i], strlen(story[i]), &err);

		assert_non_null(event);
		build_view_event(view, event, story[i]);
	}
	assert_true(build_view_has_error(view));
	build_view_free(view);
	len = ftell(stream);
	rewind(stream);
	size = (size_t)len;
	text = calloc(1, size + 1);
	assert_int_equal(fread(text, 1, size, stream), size);
	fclose(stream);
	return text;
}

static void plain_is_a_line_for_each_event(void **state)
{
	char *text = shown(PROGRESS_PLAIN);

	(void)state;
	assert_string_equal(text, "#1 [web build 1/3] FROM x\n"
				  "#1 DONE 0.0s\n"
				  "#2 [2/3] RUN make\n"
				  "#2 0.412 cc a.c\n"
				  "#2 CACHED\n"
				  "#3 [3/3] COPY a b\n"
				  "#3 ERROR a: not found\n"
				  "warning: Dockerfile:1: StageNameCasing: x\n"
				  " Image shop-web  Built\n"
				  "------ the last lines of its output:\n"
				  "last\n"
				  "------\n"
				  "Dockerfile:3: COPY: a: not found\n"
				  "> 3 | COPY a b\n"
				  "build failed: web build, step 3/3\n");
	free(text);
}

static void json_is_what_came(void **state)
{
	char *text = shown(PROGRESS_JSON);
	size_t lines = 0;

	(void)state;
	for (const char *at = text; (at = strchr(at, '\n')) != NULL; at++)
		lines++;
	assert_int_equal(lines, sizeof(story) / sizeof(*story));
	assert_int_equal(strncmp(text, story[0], strlen(story[0])), 0);
	free(text);
}

static void quiet_tells_the_error_alone(void **state)
{
	char *text = shown(PROGRESS_QUIET);

	(void)state;
	assert_null(strstr(text, "#1"));
	assert_null(strstr(text, "Built"));
	assert_null(strstr(text, "warning"));
	assert_non_null(strstr(text, "Dockerfile:3: COPY: a: not found\n> 3 | COPY a b\n"));
	free(text);
}

static void a_terminal_keeps_finished_steps_and_clears_the_block(void **state)
{
	char *text = shown(PROGRESS_TTY);

	(void)state;
	assert_non_null(strstr(text, " => [web build 1/3] FROM x  DONE 0.0s\n"));
	assert_non_null(strstr(text, " => [2/3] RUN make  CACHED\n"));
	assert_non_null(strstr(text, "\033[J"));
	assert_null(strstr(text, "all\n")); /* a heredoc's first line alone */
	free(text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(plain_is_a_line_for_each_event),
		cmocka_unit_test(json_is_what_came),
		cmocka_unit_test(quiet_tells_the_error_alone),
		cmocka_unit_test(a_terminal_keeps_finished_steps_and_clears_the_block),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
