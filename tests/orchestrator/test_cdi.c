/* tests/orchestrator/test_cdi - mirrors orchestrator/cdi: names of requests, edits of a config. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "base/alloc.h"
#include "base/file.h"
#include "base/json.h"
#include "orchestrator/cdi.h"
#include "tests/runtime/folder.h"

static const char *one_id[] = { "GPU-1" }, *whole[] = { "vendor.com/net=eth7" };

static void requests_become_names(void **state)
{
	struct device_request requests[] = {
		{.count = { -1, true }       },
		{ .count = { 2, true },        .driver = "amd" },
		{ .device_ids = { one_id, 1 }                          },
		{ .driver = "cdi",  .device_ids = { whole, 1 } },
		{ .driver = "vendor.com/fpga"},
		{ .driver = "nobody"},
		{ .driver = "cdi"         },
	};
	static const char *const wanted[] = { "nvidia.com/gpu=all",
					      "amd.com/gpu=0 amd.com/gpu=1",
					      "nvidia.com/gpu=GPU-1",
					      "vendor.com/net=eth7",
					      "vendor.com/fpga=all",
					      NULL,
					      NULL };

	(void)state;
	for (size_t i = 0; i < sizeof(requests) / sizeof(*requests); i++) {
		const struct service service = { .gpus = &requests[i], .gpu_count = 1 };
		struct arena *arena = arena_new();
		struct err err = ERR_NONE;
		struct texts names;
		char text[200] = "";

		assert_int_equal(cdi_names(arena, &service, &names, &err), wanted[i] ? 0 : -1);
		for (size_t k = 0; wanted[i] && k < names.count; k++)
			strcat(strcat(text, k ? " " : ""), names.items[k]);
		if (wanted[i])
			assert_string_equal(text, wanted[i]);
		arena_free(arena);
	}
}

static void put(const char *folder, const char *name, const char *text)
{
	struct err err = ERR_NONE;
	int fd = file_open_dir(AT_FDCWD, folder, true, &err);

	assert_int_equal(file_replace(fd, name, text, strlen(text), &err), 0);
	close(fd);
}

/* YAML in the first folder, JSON over it in the second. */
static void edits_reach_the_config(void **state)
{
	static const char yaml[] =
		"cdiVersion: 0.6.0\nkind: vendor.com/gpu\ncontainerEdits:\n  env: [ ALL=1 ]\n"
		"devices:\n  - name: zero\n    containerEdits:\n      deviceNodes:\n"
		"        - { path: /dev/gpu0, hostPath: /dev/null, permissions: rw }\n"
		"      mounts:\n        - { hostPath: /usr/lib/gpu, containerPath: /gpu, options: "
		"[ro, rbind] }\n"
		"      hooks:\n        - { hookName: createContainer, path: /bin/true, args: "
		"[true, now] }\n"
		"      additionalGids: [ 44 ]\n  - name: one\n    containerEdits: { env: [ OLD=1 ] "
		"}\n";
	static const char json[] =
		"{\"cdiVersion\":\"0.6.0\",\"kind\":\"vendor.com/gpu\",\"devices\":[{"
		"\"name\":\"one\",\"containerEdits\":{\"env\":[\"NEW=1\"]}}]}";
	char zero[] = "vendor.com/gpu=zero", one[] = "vendor.com/gpu=one";
	struct device devices[] = { { .source = zero }, { .source = one } };
	const struct service service = { .devices = devices, .device_count = 2 };
	AUTO(json) struct json_object *config = json_object_new_object();
	struct arena *arena = arena_new();
	struct err err = ERR_NONE;
	struct folder folder;
	const char *dirs[3] = { NULL };
	const char *text;

	(void)state;
	folder_make(&folder);
	dirs[0] = arena_format(arena, "%s/etc", folder.path);
	dirs[1] = arena_format(arena, "%s/run", folder.path);
	put(dirs[0], "gpu.yaml", yaml);
	put(dirs[0], "broken.json", "{");
	put(dirs[0], "notes.txt", "not a description");
	put(dirs[1], "gpu.json", json);
	if (cdi_apply(arena, dirs, &service, config, &err) < 0)
		fail_msg("%s", err.msg);
	text = json_object_to_json_string_ext(config, JSON_C_TO_STRING_PLAIN |
							      JSON_C_TO_STRING_NOSLASHESCAPE);
	assert_non_null(strstr(text, "\"env\":[\"ALL=1\",\"NEW=1\"]"));
	assert_null(strstr(text, "OLD=1"));
	assert_non_null(
		strstr(text, "\"path\":\"/dev/gpu0\",\"type\":\"c\",\"major\":1,\"minor\":3"));
	assert_non_null(strstr(
		text, "\"allow\":true,\"type\":\"c\",\"major\":1,\"minor\":3,\"access\":\"rw\""));
	assert_non_null(strstr(
		text, "\"destination\":\"/gpu\",\"type\":\"bind\",\"source\":\"/usr/lib/gpu\","
		      "\"options\":[\"ro\",\"rbind\"]"));
	assert_non_null(strstr(text, "\"createContainer\":[{\"path\":\"/bin/true\""));
	assert_non_null(strstr(text, "\"additionalGids\":[44]"));
	devices[0].source = "vendor.com/gpu=nine";
	assert_int_equal(cdi_apply(arena, dirs, &service, config, &err), -1);
	assert_non_null(strstr(err.msg, "vendor.com/gpu=nine: no description"));
	folder_drop(&folder);
	arena_free(arena);
}

static void without_a_wish_nothing_is_read(void **state)
{
	const struct service service = { .name = "web" };
	const char *const dirs[] = { "/nowhere", NULL };
	AUTO(json) struct json_object *config = json_object_new_object();
	struct arena *arena = arena_new();
	struct err err = ERR_NONE;

	(void)state;
	assert_int_equal(cdi_apply(arena, dirs, &service, config, &err), 0);
	assert_int_equal(json_object_object_length(config), 0);
	arena_free(arena);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(requests_become_names),
		cmocka_unit_test(edits_reach_the_config),
		cmocka_unit_test(without_a_wish_nothing_is_read),
	};

	return cmocka_run_group_tests_name("orchestrator/cdi", tests, NULL, NULL);
}
