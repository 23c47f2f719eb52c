/* tests/orchestrator/test_build_service - mirrors orchestrator/build_service. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "orchestrator/build_service.h"
#include "tests/specs/load_text.h"

static const char *environment(const char *name)
{
	return strcmp(name, "FROM_CALLER") == 0   ? "caller"
	       : strcmp(name, "https_proxy") == 0 ? "http://proxy:1"
						  : NULL;
}

static struct build_spec spec_of(struct arena *arena, const char *text,
				 const struct build_service_options *more, const char **out_notice,
				 struct err *err)
{
	struct build_service_options options = more ? *more : (struct build_service_options){ 0 };
	struct project *project = load_good(arena, text);
	struct build_spec spec = { 0 };

	options.lookup = environment;
	*err = ERR_NONE;
	build_service_spec(arena, project, &project->services[0], &options, &spec, out_notice, err);
	return spec;
}

static const char *arg(const struct build_spec *spec, const char *name)
{
	const char *value = NULL;

	for (size_t i = 0; i < spec->arg_count; i++)
		if (strcmp(spec->args[i].name, name) == 0)
			value = spec->args[i].value; /* the last of a name wins */
	return value;
}

static void a_context_alone_gives_the_name_of_project_and_service(void **state)
{
	AUTO(arena) struct arena *arena = arena_new();
	const char *notice;
	struct err err;
	struct build_spec spec = spec_of(arena, "name: shop\nservices:\n  web: { build: ./ctx }\n",
					 NULL, &notice, &err);

	(void)state;
	assert_int_equal(err.code, ERR_OK);
	assert_string_equal(spec.context, "/project/ctx");
	assert_null(spec.dockerfile);
	assert_int_equal(spec.tags.count, 1);
	assert_string_equal(spec.tags.items[0], "shop-web");
	assert_string_equal(spec.name, "web");
	assert_int_equal(spec.flags, 0);
	assert_int_equal(spec.epoch_s, -1);
	assert_null(notice);
}

static void every_key_finds_its_field(void **state)
{
	AUTO(arena) struct arena *arena = arena_new();
	const char *notice;
	struct err err;
	struct build_spec spec =
		spec_of(arena,
			"name: shop\nservices:\n  web:\n    image: web:1\n    build:\n"
			"      context: ctx\n      dockerfile: Other\n      target: last\n"
			"      tags: [web:2]\n      labels: { a: b }\n      no_cache: true\n"
			"      pull: true\n      privileged: true\n      network: none\n"
			"      entitlements: [network.host, security.insecure]\n"
			"      shm_size: 1m\n      ulimits: { nofile: 9 }\n"
			"      extra_hosts: [\"a=1.2.3.4\"]\n      no_cache_filter: [one]\n"
			"      cache_from: [x]\n      cache_to: [type=inline]\n"
			"      additional_contexts: { more: ./more, base: docker-image://b }\n"
			"      ssh: [\"default=/agent\"]\n",
			NULL, &notice, &err);

	(void)state;
	assert_int_equal(err.code, ERR_OK);
	assert_string_equal(spec.dockerfile, "Other");
	assert_string_equal(spec.target, "last");
	assert_int_equal(spec.tags.count, 2);
	assert_string_equal(spec.tags.items[0], "web:1");
	assert_string_equal(spec.tags.items[1], "web:2");
	assert_string_equal(spec.network, "none");
	assert_int_equal(spec.flags, BUILD_NO_CACHE | BUILD_PULL | BUILD_PRIVILEGED |
					     BUILD_ALLOW_HOST_NET | BUILD_ALLOW_INSECURE);
	assert_int_equal(spec.limits->shm_size.bytes, 1 << 20);
	assert_int_equal(spec.limits->ulimit_count, 1);
	assert_string_equal(spec.limits->extra_hosts.items[0], "a=1.2.3.4");
	assert_int_equal(spec.no_cache_filter.count, 1);
	assert_int_equal(spec.cache_from.count, 1);
	assert_int_equal(spec.cache_to.count, 1);
	assert_int_equal(spec.context_count, 2);
	assert_string_equal(spec.contexts[0].value, "docker-image://b");
	assert_string_equal(spec.contexts[1].value, "/project/more");
	assert_string_equal(spec.ssh[0].socket, "/agent");
}

static void arguments_of_the_command_win_over_the_file(void **state)
{
	AUTO(arena) struct arena *arena = arena_new();
	const char *const given[] = { "A=flag", "FROM_CALLER", "UNSET", "SOURCE_DATE_EPOCH=17" };
	struct build_service_options options = { .args = given, .arg_count = 4 };
	const char *notice;
	struct err err;
	struct build_spec spec = spec_of(arena,
					 "name: shop\nservices:\n  web: { build: { context: ., "
					 "args: { A: file, B: file } } }\n",
					 &options, &notice, &err);

	(void)state;
	assert_string_equal(arg(&spec, "A"), "flag");
	assert_string_equal(arg(&spec, "B"), "file");
	assert_string_equal(arg(&spec, "FROM_CALLER"), "caller");
	assert_string_equal(arg(&spec, "https_proxy"), "http://proxy:1");
	assert_null(arg(&spec, "UNSET"));
	assert_int_equal(spec.epoch_s, 17);
}

static void secrets_come_from_files_only_where_they_can(void **state)
{
	AUTO(arena) struct arena *arena = arena_new();
	const char *notice;
	struct err err;
	struct build_spec spec =
		spec_of(arena,
			"name: shop\nservices:\n  web:\n    build:\n      context: .\n"
			"      secrets: [plain, { source: plain, target: renamed }]\n"
			"secrets:\n  plain: { file: ./f }\n",
			NULL, &notice, &err);

	(void)state;
	assert_int_equal(err.code, ERR_OK);
	assert_int_equal(spec.secret_count, 2);
	assert_string_equal(spec.secrets[0].id, "plain");
	assert_string_equal(spec.secrets[0].file, "/project/f");
	assert_string_equal(spec.secrets[1].id, "renamed");
	spec_of(arena,
		"name: shop\nservices:\n  web: { build: { context: ., secrets: [x] } }\n"
		"secrets:\n  x: { external: true }\n",
		NULL, &notice, &err);
	assert_int_equal(err.code, ERR_UNSUPPORTED);
	assert_non_null(strstr(err.msg, "service web"));
}

static void one_platform_is_chosen_and_the_rest_is_told(void **state)
{
	AUTO(arena) struct arena *arena = arena_new();
	const char *notice;
	struct err err;
	struct build_spec spec = spec_of(arena,
					 "name: shop\nservices:\n  web: { build: { context: ., "
					 "platforms: [linux/s390x, linux/ppc64le] } }\n",
					 NULL, &notice, &err);

	(void)state;
	assert_string_equal(spec.platform, "linux/s390x");
	assert_non_null(strstr(notice, "linux/s390x"));
}

static void words_are_read_or_refused(void **state)
{
	AUTO(arena) struct arena *arena = arena_new();
	struct build_ssh ssh;
	unsigned flags = 0;
	struct err err = ERR_NONE;

	(void)state;
	assert_int_equal(build_entitlement("network.host", &flags, &err), 0);
	assert_int_equal(flags, BUILD_ALLOW_HOST_NET);
	assert_int_equal(build_entitlement("everything", &flags, &err), -1);
	assert_int_equal(err.code, ERR_INVALID);
	assert_int_equal(build_ssh_read(arena, "default", "/sock", &ssh, &err), 0);
	assert_string_equal(ssh.socket, "/sock");
	assert_int_equal(build_ssh_read(arena, "x=/y", NULL, &ssh, &err), 0);
	assert_string_equal(ssh.id, "x");
	assert_string_equal(ssh.socket, "/y");
	assert_int_equal(build_ssh_read(arena, "default", NULL, &ssh, &err), -1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_context_alone_gives_the_name_of_project_and_service),
		cmocka_unit_test(every_key_finds_its_field),
		cmocka_unit_test(arguments_of_the_command_win_over_the_file),
		cmocka_unit_test(secrets_come_from_files_only_where_they_can),
		cmocka_unit_test(one_platform_is_chosen_and_the_rest_is_told),
		cmocka_unit_test(words_are_read_or_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
