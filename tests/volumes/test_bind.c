/* tests/volumes/test_bind - mirrors volumes/bind, volumes/idmap and volumes/tmpfs. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tests/volumes/ground.h"
#include "volumes/bind.h"
#include "volumes/tmpfs.h"

static void a_missing_source_is_made_only_when_asked_for(void **state)
{
	struct bind_source source;
	struct bind_spec spec = { 0 };
	struct err err = ERR_NONE;
	struct ground ground;
	char path[200];

	(void)state;
	ground_open(&ground);
	snprintf(path, sizeof(path), "%s", ground_path(&ground, "a/b/nginx.conf"));
	spec.source = path;
	assert_int_equal(bind_open(&spec, &source, &err), -1);
	assert_int_equal(err.code, ERR_NOT_FOUND);
	assert_non_null(strstr(err.msg, "bind source path does not exist: "));
	spec.create_host_path = true;
	assert_int_equal(bind_open(&spec, &source, &err), 0);
	assert_true(source.created && source.is_dir && source.looks_like_file);
	close(source.fd);
	assert_int_equal(bind_open(&spec, &source, &err), 0);
	assert_false(source.created);
	close(source.fd);
	snprintf(path, sizeof(path), "%s", ground_path(&ground, "file"));
	put_text(path, "x");
	assert_int_equal(bind_open(&spec, &source, &err), 0);
	assert_false(source.is_dir);
	close(source.fd);
	spec.source = "relative";
	assert_int_equal(bind_open(&spec, &source, &err), -1);
	ground_close(&ground);
}

static void sources_that_give_power_over_the_host_are_told(void **state)
{
	static const struct {
		const char *path;
		bool exposes;
	} cases[] = {
		{"/",          true },
                { "/proc",     true },
                { "/proc/1",   true },
                { "/sys",      true },
		{ "/dev/null", true },
                { "/usr",      false},
                { "/tmp",      false}
	};
	struct err err = ERR_NONE;

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		const struct bind_spec spec = { .source = cases[i].path };
		struct bind_source source;

		assert_int_equal(bind_open(&spec, &source, &err), 0);
		assert_int_equal(source.exposes_host, cases[i].exposes);
		close(source.fd);
	}
}

static const struct {
	struct bind_spec spec;
	const char *options;
} option_cases[] = {
  /* clang-format off */
	{ { .source = "/x" }, "rbind,rprivate" },
	{ { .source = "/x", .read_only = true }, "rbind,rro,rprivate" },
	{ { .source = "/x", .read_only = true, .recursive = BIND_RECURSIVE_WRITABLE },
	  "rbind,ro,rprivate" },
	{ { .source = "/x", .read_only = true, .recursive = BIND_RECURSIVE_DISABLED },
	  "bind,ro,rprivate" },
	{ { .source = "/x", .propagation = "rslave", .idmap = "caller" }, "rbind,rslave,idmap" },
	{ { .source = "/x", .propagation = "rshraed" }, NULL },
  /* clang-format on */
};

static void options_become_words_of_a_mount(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(option_cases) / sizeof(*option_cases); i++) {
		struct err err = ERR_NONE;
		AUTO(free) char *text = bind_options(&option_cases[i].spec, &err);

		if (option_cases[i].options)
			assert_string_equal(text, option_cases[i].options);
		else
			assert_non_null(strstr(err.msg, "did you mean \"rshared\""));
	}
}

/* What the ranges make of an id; UINT32_MAX: it has no mapping. */
static uint32_t mapped(const struct id_range *ranges, size_t count, uint32_t id)
{
	uint32_t result = UINT32_MAX;

	for (size_t i = 0; i < count; i++)
		if (id >= ranges[i].container && id - ranges[i].container < ranges[i].size) {
			assert_int_equal(result, UINT32_MAX); /* once only */
			result = ranges[i].host + (id - ranges[i].container);
		}
	return result;
}

static void the_map_exchanges_two_ids_and_keeps_all_others(void **state)
{
	static const uint32_t pairs[][2] = {
		{0,     1000          },
                { 999,  1000          },
                { 1000, 0             },
                { 0,    1             },
		{ 1000, 1000          },
                { 5,    7             },
                { 0,    UINT32_MAX - 1}
	};
	static const uint32_t probes[] = {
		0, 1, 2, 5, 6, 7, 999, 1000, 1001, 65534, 100000, UINT32_MAX - 2, UINT32_MAX - 1
	};

	(void)state;
	for (size_t i = 0; i < sizeof(pairs) / sizeof(*pairs); i++) {
		struct id_range ranges[BIND_RANGES_MAX];
		size_t n = bind_idmap_ranges(pairs[i][0], pairs[i][1], ranges);

		assert_in_range(n, 1, BIND_RANGES_MAX);
		for (size_t k = 0; k < sizeof(probes) / sizeof(*probes); k++) {
			uint32_t want = probes[k] == pairs[i][0]   ? pairs[i][1]
					: probes[k] == pairs[i][1] ? pairs[i][0]
								   : probes[k];

			assert_int_equal(mapped(ranges, n, probes[k]), want);
		}
	}
}

static void idmap_is_caller_or_two_numbers(void **state)
{
	struct bind_spec spec = { .idmap = "caller", .caller_uid = 7, .caller_gid = 8 };
	static const char *const bad[] = { "",   "1000",  "a:b",  "1:",
					   ":1", "1:2:3", "-1:0", "4294967295:0" };
	struct err err = ERR_NONE;
	uid_t uid;
	gid_t gid;

	(void)state;
	assert_int_equal(bind_idmap_parse(&spec, &uid, &gid, &err), 0);
	assert_true(uid == 7 && gid == 8);
	spec.idmap = "1000:1001";
	assert_int_equal(bind_idmap_parse(&spec, &uid, &gid, &err), 0);
	assert_true(uid == 1000 && gid == 1001);
	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
		spec.idmap = bad[i];
		assert_int_equal(bind_idmap_parse(&spec, &uid, &gid, &err), -1);
	}
}

static const struct {
	struct tmpfs_spec spec;
	const char *options;
} tmpfs_cases[] = {
  /* clang-format off */
	{ { 0 }, "nosuid,nodev,noexec,mode=1777" },
	{ { .target_mode = S_IFDIR | 0700 }, "nosuid,nodev,noexec,mode=700" },
	{ { .text = "size=64m,mode=1770,exec" }, "nosuid,nodev,exec,mode=1770,size=64m" },
	{ { .text = "uid=5, gid=6,suid,dev,noexec,exec" }, "suid,dev,exec,mode=1777,uid=5,gid=6" },
	{ { .text = "size=1m", .has_size = true, .size_bytes = 4096, .has_mode = true, .mode = 0700 },
	  "nosuid,nodev,noexec,mode=700,size=4096" },
	{ { .text = "size=50%,ro,noexec" }, "nosuid,nodev,noexec,mode=1777,size=50%,ro" },
	{ { .text = "sise=1m" }, NULL },
	{ { .text = "size" }, NULL },
	{ { .text = "noexecc" }, NULL },
  /* clang-format on */
};

static void tmpfs_words_take_the_place_of_defaults(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(tmpfs_cases) / sizeof(*tmpfs_cases); i++) {
		struct err err = ERR_NONE;
		AUTO(free) char *text = tmpfs_options(&tmpfs_cases[i].spec, &err);

		if (tmpfs_cases[i].options)
			assert_string_equal(text, tmpfs_cases[i].options);
		else
			assert_int_equal(err.code, ERR_INVALID);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_missing_source_is_made_only_when_asked_for),
		cmocka_unit_test(sources_that_give_power_over_the_host_are_told),
		cmocka_unit_test(options_become_words_of_a_mount),
		cmocka_unit_test(the_map_exchanges_two_ids_and_keeps_all_others),
		cmocka_unit_test(idmap_is_caller_or_two_numbers),
		cmocka_unit_test(tmpfs_words_take_the_place_of_defaults),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
