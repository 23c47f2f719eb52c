/* tests/runtime/test_damaged_state - state.json torn, or with other values: it is refused with a
 * sentence, or whoever looks at the container can.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <sys/stat.h>

#include "base/json.h"
#include "runtime/state.h"
#include "tests/base/damage.h"
#include "tests/runtime/folder.h"

struct reading {
	struct folder folder;
	size_t refused, taken;
};

static void read_state(void *ctx, enum damage kind, const char *text, size_t len)
{
	struct reading *r = ctx;
	struct err err = ERR_NONE;
	AUTO(state) struct state *state = NULL;
	AUTO(json) struct json_object *shown = NULL;

	{
		AUTO(fd)
		int fd = openat(r->folder.fd, "c/state.json",
				O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

		assert_true(fd >= 0);
		assert_int_equal(file_write_all(fd, text, len), 0);
	}
	state = state_read(r->folder.path, "c", &err);
	if (!state) {
		r->refused++;
		assert_int_not_equal(err.code, ERR_OK);
		assert_true(strlen(err.msg) > 5);
		return;
	}
	r->taken++;
	assert_int_not_equal(kind, DAMAGE_CUT);
	assert_non_null(state->bundle);
	assert_non_null(state->rootfs);
	assert_string_equal(state->id, "c");
	assert_true((unsigned)state_status(state) < STATUS_COUNT);
	shown = state_to_oci(state, STATUS_STOPPED);
	assert_non_null(shown);
	assert_string_equal(json_text_or(shown, "id", ""), "c");
}

static void a_damaged_state_is_refused_or_can_be_shown(void **unused)
{
	/* The pid is one that no process can have: nothing of the machine is looked at. */
	static const char text[] =
		"{\"version\":1,\"id\":\"c\",\"pid\":4194305,\"start_ticks\":77,\"bundle\":\"/b\","
		"\"rootfs\":\"/b/rootfs\",\"created_unix_ns\":1700000000000000000,"
		"\"created\":\"2023-11-14T22:13:20Z\",\"owner\":\"root\","
		"\"shares_pid_namespace\":false,\"annotations\":{\"a\":\"b\"}}";
	struct reading r = { .refused = 0 };

	(void)unused;
	folder_make(&r.folder);
	assert_int_equal(mkdirat(r.folder.fd, "c", 0711), 0);
	damage_each(text, 1000, read_state, &r);
	assert_true(r.refused > 200);
	assert_true(r.taken > 80);
	folder_drop(&r.folder);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_damaged_state_is_refused_or_can_be_shown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
