/* tests/orchestrator/test_bundle - mirrors orchestrator/bundle and bundle_linux: a service of a few
 * words, and the members of config.json that follow from it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <json-c/json_pointer.h>

#include "orchestrator/bundle.h"
#include "tests/orchestrator/project_room.h"

struct row {
	const char *service; /* members beside image, in canonical form */
	const char *at;      /* JSON pointer into config.json */
	const char *wanted;  /* as text; NULL: not there */
};

/* clang-format off */
#define IMAGE_CONFIG "{\"architecture\":\"amd64\",\"os\":\"linux\",\"config\":{\"Entrypoint\":[\"/entry\"],\"Cmd\":[\"serve\"]," \
	"\"Env\":[\"A=image\",\"PATH=/bin\"],\"WorkingDir\":\"/srv\"},\"rootfs\":{\"type\":\"layers\",\"diff_ids\":[]}}"
#define PLAIN_CAPS "[\"CAP_CHOWN\",\"CAP_DAC_OVERRIDE\",\"CAP_FOWNER\",\"CAP_FSETID\",\"CAP_KILL\",\"CAP_SETGID\",\"CAP_SETUID\",\"CAP_SETPCAP\"," \
	"\"CAP_NET_BIND_SERVICE\",\"CAP_NET_RAW\",\"CAP_SYS_CHROOT\",\"CAP_MKNOD\",\"CAP_AUDIT_WRITE\",\"CAP_SETFCAP\"]"

static const struct row rows[] = {
	/* the process */
	{ "", "/ociVersion", "\"1.2.0\"" },
	{ "", "/process/args", "[\"/entry\",\"serve\"]" },
	{ "\"init\":true", "/process/args", "[\"/dev/init\",\"--\",\"/entry\",\"serve\"]" },
	{ "\"init\":false", "/process/args", "[\"/entry\",\"serve\"]" },
	{ "\"command\":[\"a\",\"b c\"]", "/process/args", "[\"/entry\",\"a\",\"b c\"]" },
	{ "\"entrypoint\":[\"/own\"]", "/process/args", "[\"/own\"]" },
	{ "\"entrypoint\":[\"/own\"],\"command\":[\"x\"]", "/process/args", "[\"/own\",\"x\"]" },
	{ "", "/process/env", "[\"A=image\",\"PATH=/bin\",\"HOSTNAME=web1\",\"HOME=/root\"]" },
	{ "\"environment\":{\"A\":\"own\",\"B\":\"\"}", "/process/env", "[\"A=own\",\"PATH=/bin\",\"HOSTNAME=web1\",\"HOME=/root\",\"B=\"]" },
	{ "\"environment\":{\"A\":null}", "/process/env/0", "\"PATH=/bin\"" },
	{ "\"tty\":true", "/process/terminal", "true" },
	{ "", "/process/terminal", "false" },
	{ "", "/process/cwd", "\"/srv\"" },
	{ "\"working_dir\":\"/own\"", "/process/cwd", "\"/own\"" },
	{ "", "/process/user", "{\"uid\":7,\"gid\":8,\"additionalGids\":[9,10]}" },
	{ "", "/process/capabilities/bounding", PLAIN_CAPS },
	{ "", "/process/capabilities/effective", PLAIN_CAPS },
	{ "", "/process/capabilities/permitted", PLAIN_CAPS },
	{ "", "/process/capabilities/ambient", NULL },
	{ "", "/process/capabilities/inheritable", NULL },
	{ "\"cap_drop\":[\"ALL\"],\"cap_add\":[\"NET_ADMIN\"]", "/process/capabilities/effective", "[\"CAP_NET_ADMIN\"]" },
	{ "\"cap_drop\":[\"ALL\"]", "/process/capabilities/bounding", "[]" },
	{ "", "/process/noNewPrivileges", "false" },
	{ "\"security_opt\":[\"no-new-privileges\"]", "/process/noNewPrivileges", "true" },
	{ "\"security_opt\":[\"no-new-privileges:true\"]", "/process/noNewPrivileges", "true" },
	{ "\"security_opt\":[\"no-new-privileges:false\"]", "/process/noNewPrivileges", "false" },
	{ "\"oom_score_adj\":-500", "/process/oomScoreAdj", "-500" },
	{ "", "/process/oomScoreAdj", NULL },
	{ "", "/process/rlimits", NULL },
	{ "\"ulimits\":{\"nofile\":{\"soft\":100,\"hard\":200}}", "/process/rlimits", "[{\"type\":\"RLIMIT_NOFILE\",\"soft\":100,\"hard\":200}]" },
	{ "\"ulimits\":{\"nproc\":50}", "/process/rlimits", "[{\"type\":\"RLIMIT_NPROC\",\"soft\":50,\"hard\":50}]" },
	{ "\"ulimits\":{\"memlock\":-1}", "/process/rlimits/0/hard", "18446744073709551615" },
	/* root, names, mounts */
	{ "", "/root", "{\"path\":\"rootfs\",\"readonly\":false}" },
	{ "\"read_only\":true", "/root/readonly", "true" },
	{ "", "/hostname", "\"web1\"" },
	{ "\"uts\":\"host\"", "/hostname", NULL },
	{ "\"domainname\":\"example.org\"", "/domainname", "\"example.org\"" },
	{ "", "/mounts/0/destination", "\"/proc\"" },
	{ "", "/mounts/3/options", "[\"nosuid\",\"noexec\",\"nodev\",\"ro\"]" },
	{ "\"privileged\":true", "/mounts/3/options", "[\"nosuid\",\"noexec\",\"nodev\"]" },
	{ "", "/mounts/6", "{\"destination\":\"/dev/shm\",\"type\":\"tmpfs\",\"source\":\"shm\",\"options\":[\"nosuid\",\"noexec\",\"nodev\",\"mode=1777\",\"size=67108864\"]}" },
	{ "\"shm_size\":\"1048576\"", "/mounts/6/options/4", "\"size=1048576\"" },
	{ "\"ipc\":\"host\"", "/mounts/6", "{\"destination\":\"/dev/shm\",\"type\":\"bind\",\"source\":\"/dev/shm\",\"options\":[\"rbind\"]}" },
	{ "\"ipc\":\"host\"", "/mounts/5/type", "\"bind\"" },
	{ "", "/mounts/7", "{\"destination\":\"/etc/hosts\",\"type\":\"bind\",\"source\":\"/slot/hosts\",\"options\":[\"bind\",\"rprivate\"]}" },
	{ "", "/mounts/8/source", "\"/slot/resolv.conf\"" },
	{ "", "/mounts/9/destination", "\"/data\"" }, /* the test's own stands for /etc/hostname, too */
	{ "", "/mounts/9/options", "[\"rbind\",\"ro\"]" },
	{ "", "/mounts/9/uidMappings", "[{\"containerID\":0,\"hostID\":1000,\"size\":1}]" },
	{ "", "/mounts/10/destination", "\"/etc/hostname\"" },
	{ "", "/mounts/11", NULL },
	{ "\"init\":true", "/mounts/11", "{\"destination\":\"/dev/init\",\"type\":\"bind\",\"source\":\"/libexec/stack-init\",\"options\":[\"bind\",\"ro\",\"nosuid\",\"nodev\",\"rprivate\"]}" },
	/* namespaces and cgroup */
	{ "", "/linux/namespaces", "[{\"type\":\"mount\"},{\"type\":\"pid\"},{\"type\":\"ipc\"},{\"type\":\"uts\"},{\"type\":\"network\",\"path\":\"/ns\"},{\"type\":\"cgroup\"}]" },
	{ "\"pid\":\"host\",\"ipc\":\"host\",\"uts\":\"host\",\"cgroup\":\"host\"", "/linux/namespaces", "[{\"type\":\"mount\"},{\"type\":\"network\",\"path\":\"/ns\"}]" },
	{ "", "/linux/cgroupsPath", "\"/stack/shop/web.1\"" },
	{ "\"cgroup_parent\":\"/own\"", "/linux/cgroupsPath", "\"/own/shop.web.1\"" },
	/* limits */
	{ "", "/linux/resources/memory", NULL },
	{ "\"mem_limit\":\"67108864\"", "/linux/resources/memory", "{\"limit\":67108864}" },
	{ "\"mem_limit\":\"67108864\",\"mem_reservation\":\"33554432\",\"memswap_limit\":\"-1\",\"mem_swappiness\":5", "/linux/resources/memory",
	  "{\"limit\":67108864,\"reservation\":33554432,\"swap\":-1,\"swappiness\":5}" },
	{ "\"oom_kill_disable\":true", "/linux/resources/memory", "{\"disableOOMKiller\":true}" },
	{ "", "/linux/resources/cpu", NULL },
	{ "\"cpus\":0.5", "/linux/resources/cpu", "{\"quota\":50000,\"period\":100000}" },
	{ "\"cpu_quota\":20000,\"cpu_period\":50000", "/linux/resources/cpu", "{\"quota\":20000,\"period\":50000}" },
	{ "\"cpu_shares\":512,\"cpuset\":\"0-1\"", "/linux/resources/cpu", "{\"shares\":512,\"cpus\":\"0-1\"}" },
	{ "\"pids_limit\":77", "/linux/resources/pids", "{\"limit\":77}" },
	{ "", "/linux/resources/pids", NULL },
	{ "\"blkio_config\":{\"weight\":300}", "/linux/resources/blockIO", "{\"weight\":300}" },
	{ "\"deploy\":{\"resources\":{\"limits\":{\"memory\":\"1048576\",\"cpus\":2,\"pids\":9}}}", "/linux/resources/memory/limit", "1048576" },
	{ "\"deploy\":{\"resources\":{\"limits\":{\"memory\":\"1048576\",\"cpus\":2,\"pids\":9}}}", "/linux/resources/cpu/quota", "200000" },
	/* devices */
	{ "", "/linux/resources/devices", "[{\"allow\":false,\"access\":\"rwm\"}]" },
	{ "\"privileged\":true", "/linux/resources/devices", "[{\"allow\":true,\"type\":\"a\",\"access\":\"rwm\"}]" },
	{ "\"devices\":[{\"source\":\"/dev/null\",\"target\":\"/dev/mine\",\"permissions\":\"rw\"}]", "/linux/resources/devices/1",
	  "{\"allow\":true,\"type\":\"c\",\"major\":1,\"minor\":3,\"access\":\"rw\"}" },
	{ "\"devices\":[{\"source\":\"/dev/null\",\"target\":\"/dev/mine\",\"permissions\":\"rw\"}]", "/linux/devices/0/path", "\"/dev/mine\"" },
	{ "\"device_cgroup_rules\":[\"c 13:* rwm\"]", "/linux/resources/devices/1", "{\"allow\":true,\"type\":\"c\",\"major\":13,\"access\":\"rwm\"}" },
	{ "\"device_cgroup_rules\":[\"b 8:1 r\"]", "/linux/resources/devices/1", "{\"allow\":true,\"type\":\"b\",\"major\":8,\"minor\":1,\"access\":\"r\"}" },
	/* sysctls, paths, annotations, filter */
	{ "", "/linux/sysctl", "{\"net.ipv4.ip_unprivileged_port_start\":\"0\",\"net.ipv4.ping_group_range\":\"0 2147483647\"}" },
	{ "\"sysctls\":{\"net.core.somaxconn\":\"1024\"}", "/linux/sysctl/net.core.somaxconn", "\"1024\"" },
	{ "", "/linux/maskedPaths/0", "\"/proc/acpi\"" },
	{ "\"privileged\":true", "/linux/maskedPaths", NULL },
	{ "\"privileged\":true", "/linux/readonlyPaths", NULL },
	{ "\"security_opt\":[\"systempaths=unconfined\"]", "/linux/maskedPaths", NULL },
	{ "\"annotations\":{\"a\":\"b\"}", "/annotations", "{\"a\":\"b\"}" },
	{ "", "/annotations", NULL },
	{ "", "/linux/seccomp/defaultAction", "\"SCMP_ACT_ERRNO\"" },
	{ "\"privileged\":true", "/linux/seccomp", NULL },
};
/* clang-format on */

struct fixture {
	struct arena *arena;
	struct model *model;
	struct image_config *image;
	struct image_user user;
	struct bundle_mount mounts[2];
	struct bundle_spec spec;
};

static void fixture_make(struct fixture *f, const char *members)
{
	AUTO(free)
	char *services = xformat("{\"web\":{\"image\":\"i\"%s%s}}", *members ? "," : "", members);
	struct err err = ERR_NONE;

	memset(f, 0, sizeof(*f));
	f->arena = arena_new();
	f->model = room_model(services);
	assert_int_equal(config_parse(f->arena, IMAGE_CONFIG, strlen(IMAGE_CONFIG), SIZE_MAX,
				      &f->image, &err),
			 0);
	f->user = (struct image_user){
		.uid = 7,
		.gid = 8,
		.groups = {9, 10},
		.group_count = 2,
		.home = "/root",
		.name = "root"
	};
	f->mounts[0] = (struct bundle_mount){ .destination = "/data",
					      .type = "bind",
					      .source = "/host",
					      .options = "rbind,ro",
					      .uid_map = { { 0, 1000, 1 } },
					      .uid_map_count = 1 };
	f->mounts[1] = (struct bundle_mount){ .destination = "/etc/hostname",
					      .type = "bind",
					      .source = "/h" };
	f->spec = (struct bundle_spec){ .project = f->model->project,
					.init_path = "/libexec/stack-init",
					.service = &f->model->project->services[0],
					.image = f->image,
					.user = &f->user,
					.id = "abc",
					.slot = "web.1",
					.hostname = "web1",
					.slot_dir = "/slot",
					.netns_path = "/ns",
					.mounts = f->mounts,
					.mount_count = 2 };
}

static void fixture_drop(struct fixture *f)
{
	model_unref(f->model);
	arena_free(f->arena);
}

static void words_of_a_service_become_members_of_the_config(void **state)
{
	unsigned wrong = 0;

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		struct fixture f;
		struct err err = ERR_NONE;
		struct json_object *config, *found = NULL;
		const char *got = NULL;

		fixture_make(&f, rows[i].service);
		config = bundle_config(f.arena, &f.spec, &err);
		if (!config)
			fail_msg("row %zu: %s", i, err.msg);
		if (json_pointer_get(config, rows[i].at, &found) == 0)
			got = json_object_to_json_string_ext(
				found, JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE);
		if (!got != !rows[i].wanted || (got && strcmp(got, rows[i].wanted) != 0)) {
			print_error("row %zu: {%s} %s:\n wanted %s\n got    %s\n", i,
				    rows[i].service, rows[i].at,
				    rows[i].wanted ? rows[i].wanted : "nothing",
				    got ? got : "nothing");
			wrong++;
		}
		json_object_put(config);
		fixture_drop(&f);
	}
	assert_int_equal(wrong, 0);
}

static void what_cannot_be_is_refused_by_key(void **state)
{
	/* clang-format off */
	static const struct { const char *service; enum err_code code; const char *message; } wrong[] = {
		{ "\"devices\":[{\"source\":\"/dev/no-such\",\"target\":\"/dev/x\",\"permissions\":\"r\"}]", ERR_NOT_FOUND, "devices: device /dev/no-such does not exist" },
		{ "\"devices\":[{\"source\":\"/etc/passwd\",\"target\":\"/dev/x\",\"permissions\":\"r\"}]", ERR_INVALID, "is not a device" },
	};
	/* clang-format on */

	(void)state;
	for (size_t i = 0; i < sizeof(wrong) / sizeof(*wrong); i++) {
		struct fixture f;
		struct err err = ERR_NONE;

		fixture_make(&f, wrong[i].service);
		assert_null(bundle_config(f.arena, &f.spec, &err));
		if (err.code != wrong[i].code || !strstr(err.msg, wrong[i].message))
			fail_msg("row %zu: %s", i, err.msg);
		fixture_drop(&f);
	}
}

static void namespaces_of_others_are_joined_by_path(void **state)
{
	struct fixture f;
	struct err err = ERR_NONE;
	struct json_object *config, *found;

	(void)state;
	fixture_make(&f, "");
	f.spec.ipc_path = "/proc/7/ns/ipc";
	f.spec.pid_path = "/proc/7/ns/pid";
	f.spec.netns_path = NULL;
	f.spec.slot_dir = NULL;
	config = bundle_config(f.arena, &f.spec, &err);
	assert_non_null(config);
	assert_int_equal(json_pointer_get(config, "/linux/namespaces", &found), 0);
	assert_string_equal(json_object_to_json_string_ext(
				    found, JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE),
			    "[{\"type\":\"mount\"},{\"type\":\"pid\",\"path\":\"/proc/7/ns/pid\"},"
			    "{\"type\":\"ipc\",\"path\":\"/proc/7/ns/"
			    "ipc\"},{\"type\":\"uts\"},{\"type\":\"cgroup\"}]");
	assert_int_equal(json_pointer_get(config, "/linux/sysctl", &found), 0);
	assert_int_equal(json_object_object_length(found),
			 0); /* the host's network is not ours to set */
	assert_int_equal(json_pointer_get(config, "/mounts/9", &found), -1);
	json_object_put(config);
	fixture_drop(&f);
}

static void an_image_without_command_needs_one(void **state)
{
	static const char bare[] = "{\"architecture\":\"amd64\",\"os\":\"linux\","
				   "\"rootfs\":{\"type\":\"layers\",\"diff_ids\":[]}}";
	struct fixture f;
	struct err err = ERR_NONE;

	(void)state;
	fixture_make(&f, "");
	assert_int_equal(config_parse(f.arena, bare, strlen(bare), SIZE_MAX, &f.image, &err), 0);
	f.spec.image = f.image;
	assert_null(bundle_config(f.arena, &f.spec, &err));
	assert_int_equal(err.code, ERR_INVALID);
	assert_non_null(strstr(err.msg, "service web: no command"));
	assert_string_equal(bundle_command_text(f.arena, &f.spec), "");
	fixture_drop(&f);
}

static void the_command_is_shown_in_one_line(void **state)
{
	struct fixture f;

	(void)state;
	fixture_make(&f, "\"command\":[\"sh\",\"-c\",\"echo hi\",\"\"]");
	assert_string_equal(bundle_command_text(f.arena, &f.spec), "/entry sh -c 'echo hi' ''");
	fixture_drop(&f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(words_of_a_service_become_members_of_the_config),
		cmocka_unit_test(what_cannot_be_is_refused_by_key),
		cmocka_unit_test(namespaces_of_others_are_joined_by_path),
		cmocka_unit_test(an_image_without_command_needs_one),
		cmocka_unit_test(the_command_is_shown_in_one_line),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
