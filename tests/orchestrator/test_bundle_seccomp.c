/* tests/orchestrator/test_bundle_seccomp - mirrors orchestrator/bundle_seccomp. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <linux/capability.h>

#include "base/json.h"
#include "orchestrator/bundle_seccomp.h"
#include "tests/runtime/folder.h"

#define BIT(number) (1ull << (number))

struct row {
	const char *entry; /* of syscalls */
	cap_set caps;
	const char *wanted; /* its translation; NULL: left out */
};

/* clang-format off */
static const struct row rows[] = {
	{ "{\"names\":[\"read\"],\"action\":\"SCMP_ACT_ALLOW\"}", 0, "{\"names\":[\"read\"],\"action\":\"SCMP_ACT_ALLOW\"}" },
	{ "{\"name\":\"read\",\"action\":\"SCMP_ACT_ALLOW\",\"comment\":\"old form\"}", 0, "{\"names\":[\"read\"],\"action\":\"SCMP_ACT_ALLOW\"}" },
	{ "{\"names\":[\"read\"],\"action\":\"SCMP_ACT_ERRNO\",\"errnoRet\":38,\"args\":[{\"index\":0}]}", 0,
	  "{\"names\":[\"read\"],\"action\":\"SCMP_ACT_ERRNO\",\"errnoRet\":38,\"args\":[{\"index\":0}]}" },
	{ "{\"names\":[\"read\"],\"action\":\"A\",\"args\":[]}", 0, "{\"names\":[\"read\"],\"action\":\"A\"}" },
	{ "{\"names\":[\"mount\"],\"action\":\"A\",\"includes\":{\"caps\":[\"CAP_SYS_ADMIN\"]}}", 0, NULL },
	{ "{\"names\":[\"mount\"],\"action\":\"A\",\"includes\":{\"caps\":[\"CAP_SYS_ADMIN\"]}}", BIT(CAP_SYS_ADMIN), "{\"names\":[\"mount\"],\"action\":\"A\"}" },
	{ "{\"names\":[\"mount\"],\"action\":\"A\",\"includes\":{\"caps\":[\"CAP_SYS_ADMIN\",\"CAP_BPF\"]}}", BIT(CAP_SYS_ADMIN), NULL },
	{ "{\"names\":[\"mount\"],\"action\":\"A\",\"includes\":{\"caps\":[\"CAP_NO_SUCH\"]}}", ~0ull, NULL },
	{ "{\"names\":[\"clone\"],\"action\":\"A\",\"excludes\":{\"caps\":[\"CAP_SYS_ADMIN\"]}}", BIT(CAP_SYS_ADMIN), NULL },
	{ "{\"names\":[\"clone\"],\"action\":\"A\",\"excludes\":{\"caps\":[\"CAP_SYS_ADMIN\"]}}", 0, "{\"names\":[\"clone\"],\"action\":\"A\"}" },
	{ "{\"names\":[\"x\"],\"action\":\"A\",\"includes\":{\"arches\":[\"vax\"]}}", 0, NULL },
	{ "{\"names\":[\"x\"],\"action\":\"A\",\"excludes\":{\"arches\":[\"vax\"]}}", 0, "{\"names\":[\"x\"],\"action\":\"A\"}" },
	{ "{\"names\":[\"x\"],\"action\":\"A\",\"includes\":{\"minKernel\":\"4.8\"}}", 0, "{\"names\":[\"x\"],\"action\":\"A\"}" },
	{ "{\"names\":[\"x\"],\"action\":\"A\",\"includes\":{\"minKernel\":\"900.1\"}}", 0, NULL },
	{ "{\"names\":[\"x\"],\"action\":\"A\",\"excludes\":{\"minKernel\":\"4.8\"}}", 0, NULL },
	{ "{\"names\":[\"x\"],\"action\":\"A\",\"includes\":{}}", 0, "{\"names\":[\"x\"],\"action\":\"A\"}" },
};
/* clang-format on */

static struct json_object *translate(const char *text, cap_set caps, struct err *err)
{
	AUTO(json) struct json_object *profile = json_parse("test", text, strlen(text), err);

	assert_non_null(profile);
	return bundle_seccomp_translate(profile, caps, err);
}

static void entries_are_kept_when_their_conditions_hold(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		AUTO(free)
		char *text = xformat("{\"defaultAction\":\"D\",\"syscalls\":[%s]}", rows[i].entry);
		struct err err = ERR_NONE;
		AUTO(json) struct json_object *out = translate(text, rows[i].caps, &err);
		struct json_object *syscalls = json_array_at(out, "syscalls");
		const char *got = json_array_count(syscalls)
					  ? json_object_to_json_string_ext(
						    json_object_array_get_idx(syscalls, 0),
						    JSON_C_TO_STRING_PLAIN)
					  : NULL;

		assert_non_null(out);
		if (!rows[i].wanted != !got || (got && strcmp(got, rows[i].wanted) != 0))
			fail_msg("row %zu: %s", i, got ? got : "left out");
	}
}

static void what_is_no_profile_is_refused(void **state)
{
	/* clang-format off */
	static const struct { const char *text; enum err_code code; const char *message; } wrong[] = {
		{ "{}", ERR_INVALID, "no defaultAction" },
		{ "[]", ERR_INVALID, "no defaultAction" },
		{ "{\"defaultAction\":\"D\",\"syscalls\":[{\"names\":[\"x\"]}]}", ERR_INVALID, "has no action" },
		{ "{\"defaultAction\":\"D\",\"syscalls\":[7]}", ERR_INVALID, "has no action" },
		{ "{\"defaultAction\":\"D\",\"syscalls\":[{\"action\":\"A\"}]}", ERR_INVALID, "has no names" },
		{ "{\"defaultAction\":\"D\",\"syscalls\":[{\"action\":\"A\",\"names\":[]}]}", ERR_INVALID, "has no names" },
		{ "{\"defaultAction\":\"D\",\"listenerPath\":\"/x\"}", ERR_UNSUPPORTED, "listenerPath" },
	};
	/* clang-format on */

	(void)state;
	for (size_t i = 0; i < sizeof(wrong) / sizeof(*wrong); i++) {
		struct err err = ERR_NONE;

		assert_null(translate(wrong[i].text, 0, &err));
		if (err.code != wrong[i].code || !strstr(err.msg, wrong[i].message))
			fail_msg("row %zu: %s", i, err.msg);
	}
}

static void the_architectures_of_this_machine_are_taken(void **state)
{
	struct err err = ERR_NONE;
	AUTO(json)
	struct json_object *plain = translate(
		"{\"defaultAction\":\"D\",\"defaultErrnoRet\":5,\"architectures\":[\"A\"]}", 0,
		&err);
	AUTO(json)
	struct json_object *map = translate(
		"{\"defaultAction\":\"D\",\"archMap\":["
		"{\"architecture\":\"SCMP_ARCH_VAX\",\"subArchitectures\":[\"no\"]},"
		"{\"architecture\":\"SCMP_ARCH_X86_64\",\"subArchitectures\":[\"sub\"]},"
		"{\"architecture\":\"SCMP_ARCH_AARCH64\",\"subArchitectures\":[\"sub\"]}]}",
		0, &err);
	struct json_object *architectures = json_array_at(map, "architectures");

	(void)state;
	assert_int_equal(json_int_or(plain, "defaultErrnoRet", 0), 5);
	assert_int_equal(json_array_count(json_array_at(plain, "architectures")), 1);
	assert_int_equal(json_array_count(architectures), 2);
	assert_string_equal(json_object_get_string(json_object_array_get_idx(architectures, 1)),
			    "sub");
}

struct service_row {
	const char *option;
	bool privileged;
	const char *wanted; /* defaultAction; NULL: no filter */
};

static void a_service_chooses_its_filter(void **state)
{
	/* clang-format off */
	static const struct service_row services[] = {
		{ NULL, false, "SCMP_ACT_ERRNO" },
		{ "no-new-privileges", false, "SCMP_ACT_ERRNO" },
		{ "seccomp=builtin", false, "SCMP_ACT_ERRNO" },
		{ "seccomp=unconfined", false, NULL },
		{ "seccomp:unconfined", false, NULL },
		{ NULL, true, NULL },
		{ "seccomp=own.json", false, "SCMP_ACT_LOG" },
		{ "seccomp:./own.json", false, "SCMP_ACT_LOG" },
	};
	/* clang-format on */
	struct folder folder;

	(void)state;
	folder_make(&folder);
	folder_write(&folder, "own.json", "{\"defaultAction\":\"SCMP_ACT_LOG\",\"syscalls\":[]}");
	for (size_t i = 0; i < sizeof(services) / sizeof(*services); i++) {
		const char *items[] = { services[i].option };
		struct service service = {
			.name = "web",
			.privileged = services[i].privileged,
			.security_opt = {items, services[i].option ? 1 : 0}
		};
		struct project project = { .name = "p", .working_dir = folder.path };
		struct bundle_spec spec = { .project = &project, .service = &service };
		AUTO(json) struct json_object *section = json_object_new_object();
		struct arena *arena = arena_new();
		struct err err = ERR_NONE;
		const char *got;

		assert_int_equal(bundle_add_seccomp(arena, section, &spec, &err), 0);
		got = json_text_or(json_object_at(section, "seccomp"), "defaultAction", NULL);
		if (!services[i].wanted != !got || (got && strcmp(got, services[i].wanted) != 0))
			fail_msg("row %zu: %s", i, got ? got : "none");
		arena_free(arena);
	}
	folder_drop(&folder);
}

static void a_profile_that_cannot_be_read_is_named(void **state)
{
	const char *items[] = { "seccomp=absent.json" };
	struct service service = {
		.name = "web", .security_opt = {items, 1}
	};
	struct project project = { .name = "p", .working_dir = "/nonexistent" };
	struct bundle_spec spec = { .project = &project, .service = &service };
	AUTO(json) struct json_object *section = json_object_new_object();
	struct arena *arena = arena_new();
	struct err err = ERR_NONE;

	(void)state;
	assert_int_equal(bundle_add_seccomp(arena, section, &spec, &err), -1);
	assert_int_equal(err.code, ERR_NOT_FOUND);
	assert_non_null(strstr(err.msg, "security_opt: seccomp=absent.json"));
	arena_free(arena);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(entries_are_kept_when_their_conditions_hold),
		cmocka_unit_test(what_is_no_profile_is_refused),
		cmocka_unit_test(the_architectures_of_this_machine_are_taken),
		cmocka_unit_test(a_service_chooses_its_filter),
		cmocka_unit_test(a_profile_that_cannot_be_read_is_named),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
