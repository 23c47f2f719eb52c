/* tests/orchestrator/test_settings - mirrors orchestrator/settings. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/file.h"
#include "orchestrator/settings.h"
#include "tests/runtime/folder.h"

static struct settings *load(const char *text, struct err *err)
{
	AUTO(free) char *path = NULL;
	struct settings *settings;
	struct folder folder;

	*err = ERR_NONE;
	folder_make(&folder);
	path = xformat("%s/config.json", folder.path);
	if (text)
		assert_int_equal(file_replace(folder.fd, "config.json", text, strlen(text), err),
				 0);
	settings = settings_load(path, err);
	folder_drop(&folder);
	return settings;
}

static void an_absent_file_is_an_empty_one(void **state)
{
	struct err err;
	AUTO(settings) struct settings *settings = load(NULL, &err);

	(void)state;
	assert_non_null(settings);
	assert_int_equal(settings->pool_count, 0);
	assert_false(settings->mtu.is_set);
	assert_null(settings_host_gateway(settings, AF_INET));
}

static void every_key_arrives(void **state)
{
	static const char text[] =
		"{\n"
		"\t\"default-address-pools\": [{\"base\": \"10.64.0.0/12\", \"size\": 24},\n"
		"\t\t{\"base\": \"fd00:1::/48\", \"size\": 64}],\n"
		"\t\"dns\": [\"10.0.0.2\", \"fd00::2\"], \"dns-search\": [\"a.example\"], "
		"\"dns-opts\": [\"ndots:1\"],\n"
		"\t\"host-gateway-ips\": [\"10.0.0.9\", \"fd00::9\"], \"ip\": \"127.0.0.1\", "
		"\"mtu\": 1400,\n"
		"\t\"default-network-opts\": {\"bridge\": "
		"{\"com.docker.network.bridge.enable_icc\": \"false\"}},\n"
		"\t\"log-driver\": \"json-file\", \"log-opts\": {\"max-size\": \"10m\", "
		"\"max-file\": 3},\n"
		"\t\"registry-mirrors\": [\"https://m.example\"], \"insecure-registries\": "
		"[\"r.example:5000\"],\n"
		"\t\"images\": {\"snapshotter\": \"dir\", \"max_downloads\": 5}, \"build\": {}, "
		"\"network\": {\"dns_ttl\": 0}\n"
		"}\n";
	struct err err;
	AUTO(settings) struct settings *settings = load(text, &err);

	(void)state;
	assert_string_equal(err.msg, "");
	assert_non_null(settings);
	assert_int_equal(settings->pool_count, 2);
	assert_int_equal(settings->address_pools[0].size, 24);
	assert_int_equal(settings->address_pools[0].base.len, 12);
	assert_int_equal(settings->address_pools[1].base.addr.family, AF_INET6);
	assert_int_equal(settings->dns.count, 2);
	assert_string_equal(settings->dns_search.items[0], "a.example");
	assert_string_equal(settings->dns_opts.items[0], "ndots:1");
	assert_string_equal(settings_host_gateway(settings, AF_INET), "10.0.0.9");
	assert_string_equal(settings_host_gateway(settings, AF_INET6), "fd00::9");
	assert_string_equal(settings->ip, "127.0.0.1");
	assert_int_equal(settings->mtu.value, 1400);
	assert_string_equal(settings->bridge_opts.items[0].value, "false");
	assert_string_equal(settings->log_driver, "json-file");
	assert_int_equal(settings->log_opts.count, 2);
	assert_string_equal(settings->log_opts.items[0].value, "3");
	assert_string_equal(settings->snapshotter, "dir");
	assert_int_equal(settings->max_downloads.value, 5);
	assert_true(settings->dns_ttl.is_set && settings->dns_ttl.value == 0);
}

/* Text of the file, what the error must say. */
static const struct {
	const char *text, *says;
} wrong[] = {
	{"{\n  \"mtuu\": 1400 }",
         "config.json:2:3: unknown key \"mtuu\" in the settings (did you mean \"mtu\"?)"                                               },
	{ "{ \"network\": { \"ttl\": 1 } }",                                           "config.json:1:16: network: unknown key \"ttl\""},
	{ "{ \"mtu\": 20 }",							   "config.json:1:10: mtu: "                       },
	{ "{ \"mtu\": \"big\" }",						      "config.json:1:10: mtu: "                       },
	{ "{ \"ip\": \"here\" }",						      "\"here\" is no IP address"                     },
	{ "{ \"dns\": [\"1.1.1.1\",\n \"x\"] }",                                       "config.json:2:2: dns: \"x\" is no IP address"  },
	{ "{ \"dns\": \"1.1.1.1\" }",						  "config.json:1:10: dns: "                       },
	{ "{ \"host-gateway-ips\": [\"1.1.1.1\", \"2.2.2.2\"] }",
         "at most one address of each family"											  },
	{ "{ \"default-address-pools\": [{\"base\": \"10.0.0.0/8\"}] }",
         "a pool needs base and size"												  },
	{ "{ \"default-address-pools\": [{\"base\": \"10.0.0.0/8\", \"size\": 7}] }",
         "default-address-pools[0]"												    },
	{ "{ \"default-address-pools\": [{\"base\": \"10.0.0.0/8\", \"size\": 32}] }",
         "default-address-pools[0]"												    },
	{ "{ \"images\": { \"snapshotter\": \"zfs\" } }",                              "images.snapshotter"                            },
	{ "[1]",								       "want one JSON object"                          },
	{ "{ \"mtu\": 1400",							   "config.json:"                                  },
	{ "{}\n---\n{}",							       "want one JSON object"                          },
};

static void a_wrong_file_is_told_with_its_line(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(wrong) / sizeof(*wrong); i++) {
		struct err err;
		AUTO(settings) struct settings *settings = load(wrong[i].text, &err);

		if (settings || !strstr(err.msg, wrong[i].says))
			fail_msg("%s: got \"%s\", want \"%s\"", wrong[i].text, err.msg,
				 wrong[i].says);
		assert_int_equal(err.code, ERR_INVALID);
	}
}

static void null_and_an_empty_file_say_nothing(void **state)
{
	static const char *const texts[] = { "", "{}",
					     "{ \"mtu\": null, \"dns\": null, \"images\": null }" };

	(void)state;
	for (size_t i = 0; i < sizeof(texts) / sizeof(*texts); i++) {
		struct err err;
		AUTO(settings) struct settings *settings = load(texts[i], &err);

		if (!settings)
			fail_msg("%s: %s", texts[i], err.msg);
		assert_false(settings->mtu.is_set);
	}
}

static void the_environment_names_the_file(void **state)
{
	struct err err = ERR_NONE;
	struct settings *settings;

	(void)state;
	setenv("STACK_CONFIG", "/nowhere/c.json", 1);
	settings = settings_load("", &err);
	assert_non_null(settings);
	assert_string_equal(settings->path, "/nowhere/c.json");
	settings_free(settings);
	unsetenv("STACK_CONFIG");
	settings = settings_load(NULL, &err);
	assert_string_equal(settings->path, SETTINGS_DEFAULT_PATH);
	settings_free(settings);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_absent_file_is_an_empty_one),
		cmocka_unit_test(every_key_arrives),
		cmocka_unit_test(a_wrong_file_is_told_with_its_line),
		cmocka_unit_test(null_and_an_empty_file_say_nothing),
		cmocka_unit_test(the_environment_names_the_file),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
