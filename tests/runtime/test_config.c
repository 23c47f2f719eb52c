/* tests/runtime/test_config - mirrors runtime/config and its rooms: what is taken, and what is
 * refused by name. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include <linux/sched.h>

#include "base/alloc.h"
#include "runtime/config.h"

/* A whole config with `process`, `linux` and `top` members put in place. */
static struct config *parse(const char *process, const char *linux_part, const char *top,
			    struct err *err)
{
	AUTO(free)
	char *text = xformat(
		"{\"ociVersion\":\"1.0.2\",\"root\":{\"path\":\"rootfs\"},"
		"\"process\":{\"args\":[\"sh\"],\"cwd\":\"/\"%s%s},\"linux\":{\"namespaces\":["
		"{\"type\":\"mount\"},{\"type\":\"pid\"},{\"type\":\"uts\"},{\"type\":\"ipc\"},"
		"{\"type\":\"network\"}]%s%s}%s%s}",
		process ? "," : "", process ? process : "", linux_part ? "," : "",
		linux_part ? linux_part : "", top ? "," : "", top ? top : "");

	return config_parse(text, strlen(text), err);
}

enum { PROCESS, LINUX, TOP };

/* Members that are wrong, and the field that the message must name. */
static const struct broken {
	int where;
	const char *text, *field;
} broken[] = {
  /* clang-format off */
	{ PROCESS, "\"cwd\":\"tmp\"", "process.cwd" },
	{ PROCESS, "\"args\":[]", "process.args" },
	{ PROCESS, "\"args\":\"sh\"", "process.args" },
	{ PROCESS, "\"args\":[\"\"]", "process.args[0]" },
	{ PROCESS, "\"args\":[\"a\\u0000b\"]", "process.args[0]" },
	{ PROCESS, "\"env\":[\"A=1\",\"B\"]", "process.env[1]" },
	{ PROCESS, "\"env\":[\"=x\"]", "process.env[0]" },
	{ PROCESS, "\"env\":[1]", "process.env[0]" },
	{ PROCESS, "\"terminal\":1", "process.terminal" },
	{ PROCESS, "\"user\":{\"uid\":-1}", "process.user.uid" },
	{ PROCESS, "\"user\":{\"uid\":4294967296}", "process.user.uid" },
	{ PROCESS, "\"user\":{\"gid\":\"0\"}", "process.user.gid" },
	{ PROCESS, "\"user\":{\"umask\":1024}", "process.user.umask" },
	{ PROCESS, "\"user\":{\"additionalGids\":[-4]}", "process.user.additionalGids[0]" },
	{ PROCESS, "\"rlimits\":[{\"type\":\"RLIMIT_NONE\",\"soft\":1,\"hard\":1}]", "process.rlimits[0].type" },
	{ PROCESS, "\"rlimits\":[{\"type\":\"RLIMIT_CPU\",\"soft\":2,\"hard\":1}]", "process.rlimits[0].soft" },
	{ PROCESS, "\"rlimits\":[{\"type\":\"RLIMIT_CPU\",\"soft\":1}]", "process.rlimits[0].hard" },
	{ PROCESS, "\"rlimits\":[{\"type\":\"RLIMIT_CPU\",\"soft\":1,\"hard\":1},{\"type\":\"RLIMIT_CPU\",\"soft\":1,\"hard\":1}]", "process.rlimits[1].type" },
	{ PROCESS, "\"oomScoreAdj\":1001", "process.oomScoreAdj" },
	{ PROCESS, "\"capabilities\":[]", "process.capabilities" },
	{ PROCESS, "\"capabilities\":{\"bounding\":[7]}", "process.capabilities.bounding[0]" },
	{ PROCESS, "\"scheduler\":{\"policy\":\"SCHED_FAST\"}", "process.scheduler.policy" },
	{ PROCESS, "\"scheduler\":{\"policy\":\"SCHED_OTHER\",\"priority\":5}", "process.scheduler.priority" },
	{ PROCESS, "\"scheduler\":{\"policy\":\"SCHED_FIFO\"}", "process.scheduler.priority" },
	{ PROCESS, "\"scheduler\":{\"policy\":\"SCHED_OTHER\",\"nice\":20}", "process.scheduler.nice" },
	{ PROCESS, "\"scheduler\":{\"policy\":\"SCHED_OTHER\",\"flags\":[\"X\"]}", "process.scheduler.flags[0]" },
	{ PROCESS, "\"ioPriority\":{\"class\":\"IOPRIO_CLASS_X\"}", "process.ioPriority.class" },
	{ PROCESS, "\"ioPriority\":{\"class\":\"IOPRIO_CLASS_BE\",\"priority\":8}", "process.ioPriority.priority" },
	{ PROCESS, "\"consoleSize\":{\"height\":70000,\"width\":1}", "process.consoleSize" },
	{ PROCESS, "\"noNewPrivileges\":\"yes\"", "process.noNewPrivileges" },
	{ LINUX, "\"namespaces\":[{\"type\":\"pid\"},{\"type\":\"pid\"}]", "linux.namespaces[1].type" },
	{ LINUX, "\"namespaces\":[{\"type\":\"disk\"}]", "linux.namespaces[0].type" },
	{ LINUX, "\"namespaces\":[{\"type\":\"pid\",\"path\":\"x\"}]", "linux.namespaces[0].path" },
	{ LINUX, "\"namespaces\":[{}]", "linux.namespaces[0].type" },
	{ LINUX, "\"namespaces\":[{\"type\":\"user\"}]", "linux.uidMappings" },
	{ LINUX, "\"uidMappings\":[{\"containerID\":0,\"hostID\":0,\"size\":1}]", "linux.uidMappings" },
	{ LINUX, "\"uidMappings\":[{\"containerID\":0,\"hostID\":0,\"size\":0}]", "linux.uidMappings[0].size" },
	{ LINUX, "\"gidMappings\":[{\"containerID\":0,\"hostID\":0,\"size\":9},{\"containerID\":8,\"hostID\":20,\"size\":9}]", "linux.gidMappings[1].containerID" },
	{ LINUX, "\"gidMappings\":[{\"containerID\":0,\"size\":9}]", "linux.gidMappings[0].hostID" },
	{ LINUX, "\"sysctl\":{\"kernel.panic\":\"1\"}", "linux.sysctl" },
	{ LINUX, "\"sysctl\":{\"net/../kernel/panic\":\"1\"}", "linux.sysctl" },
	{ LINUX, "\"sysctl\":{\"net.core.somaxconn\":1}", "linux.sysctl.net.core.somaxconn" },
	{ LINUX, "\"timeOffsets\":{\"monotonic\":{\"secs\":1}}", "linux.timeOffsets" },
	{ LINUX, "\"timeOffsets\":{\"realtime\":{\"secs\":1}}", "linux.timeOffsets.realtime" },
	{ LINUX, "\"devices\":[{\"type\":\"x\",\"path\":\"/dev/x\"}]", "linux.devices[0].type" },
	{ LINUX, "\"devices\":[{\"type\":\"c\",\"path\":\"/dev/x\"}]", "linux.devices[0]" },
	{ LINUX, "\"devices\":[{\"type\":\"p\",\"path\":\"x\"}]", "linux.devices[0]" },
	{ LINUX, "\"maskedPaths\":[\"proc\"]", "linux.maskedPaths[0]" },
	{ LINUX, "\"readonlyPaths\":[\"\"]", "linux.readonlyPaths[0]" },
	{ LINUX, "\"rootfsPropagation\":\"some\"", "linux.rootfsPropagation" },
	{ LINUX, "\"personality\":{\"domain\":\"BSD\"}", "linux.personality.domain" },
	{ LINUX, "\"personality\":{\"domain\":\"LINUX\",\"flags\":[\"X\"]}", "linux.personality.flags" },
	{ LINUX, "\"memoryPolicy\":{\"mode\":\"MPOL_BEST\"}", "linux.memoryPolicy.mode" },
	{ LINUX, "\"netDevices\":{\"a/b\":{}}", "linux.netDevices" },
	{ LINUX, "\"netDevices\":{\"eth0\":{\"name\":\"averyveryverylongname\"}}", "linux.netDevices" },
	{ LINUX, "\"resources\":{\"memory\":{\"limit\":-2}}", "linux.resources.memory.limit" },
	{ LINUX, "\"resources\":{\"memory\":{\"limit\":20,\"swap\":10}}", "linux.resources.memory.swap" },
	{ LINUX, "\"resources\":{\"memory\":{\"swap\":10}}", "linux.resources.memory.swap" },
	{ LINUX, "\"resources\":{\"memory\":{\"swappiness\":101}}", "linux.resources.memory.swappiness" },
	{ LINUX, "\"resources\":{\"memory\":{\"limit\":\"64m\"}}", "linux.resources.memory.limit" },
	{ LINUX, "\"resources\":{\"cpu\":{\"shares\":-1}}", "linux.resources.cpu.shares" },
	{ LINUX, "\"resources\":{\"cpu\":{\"cpus\":\"all\"}}", "linux.resources.cpu.cpus" },
	{ LINUX, "\"resources\":{\"cpu\":{\"idle\":2}}", "linux.resources.cpu.idle" },
	{ LINUX, "\"resources\":{\"blockIO\":{\"weight\":5}}", "linux.resources.blockIO.weight" },
	{ LINUX, "\"resources\":{\"devices\":[{\"allow\":true,\"access\":\"q\"}]}", "linux.resources.devices[0].access" },
	{ LINUX, "\"resources\":{\"devices\":[{\"access\":\"r\"}]}", "linux.resources.devices[0].allow" },
	{ LINUX, "\"resources\":{\"hugepageLimits\":[{\"pageSize\":\"big\",\"limit\":1}]}", "linux.resources.hugepageLimits[0].pageSize" },
	{ LINUX, "\"resources\":{\"unified\":{\"a/b\":\"1\"}}", "linux.resources.unified" },
	{ LINUX, "\"seccomp\":{}", "linux.seccomp.defaultAction" },
	{ LINUX, "\"seccomp\":{\"defaultAction\":\"SCMP_ACT_MAYBE\"}", "linux.seccomp.defaultAction" },
	{ LINUX, "\"seccomp\":{\"defaultAction\":\"SCMP_ACT_NOTIFY\",\"listenerPath\":\"/x\"}", "linux.seccomp.defaultAction" },
	{ LINUX, "\"seccomp\":{\"defaultAction\":\"SCMP_ACT_ALLOW\",\"listenerMetadata\":\"x\"}", "linux.seccomp.listenerMetadata" },
	{ LINUX, "\"seccomp\":{\"defaultAction\":\"SCMP_ACT_ALLOW\",\"listenerPath\":\"/x\",\"syscalls\":[{\"names\":[\"write\"],\"action\":\"SCMP_ACT_NOTIFY\"}]}", "linux.seccomp.syscalls[0]" },
	{ LINUX, "\"seccomp\":{\"defaultAction\":\"SCMP_ACT_ALLOW\",\"syscalls\":[{\"names\":[\"read\"],\"action\":\"SCMP_ACT_NOTIFY\"}]}", "linux.seccomp.listenerPath" },
	{ LINUX, "\"seccomp\":{\"defaultAction\":\"SCMP_ACT_ALLOW\",\"syscalls\":[{\"names\":[],\"action\":\"SCMP_ACT_KILL\"}]}", "linux.seccomp.syscalls[0]" },
	{ LINUX, "\"seccomp\":{\"defaultAction\":\"SCMP_ACT_ALLOW\",\"syscalls\":[{\"names\":[\"read\"],\"action\":\"SCMP_ACT_KILL\",\"args\":[{\"index\":6,\"value\":1,\"op\":\"SCMP_CMP_EQ\"}]}]}", "linux.seccomp.syscalls[0].args[0].index" },
	{ TOP, "\"ociVersion\":\"2.0.0\"", "ociVersion" },
	{ TOP, "\"root\":{}", "root.path" },
	{ TOP, "\"root\":{\"path\":\"\"}", "root.path" },
	{ TOP, "\"root\":5", "root" },
	{ TOP, "\"hostname\":7", "hostname" },
	{ TOP, "\"hostname\":\"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\"", "hostname" },
	{ TOP, "\"mounts\":{}", "mounts" },
	{ TOP, "\"mounts\":[{\"type\":\"proc\"}]", "mounts[0].destination" },
	{ TOP, "\"mounts\":[{\"destination\":\"/x\",\"options\":[3]}]", "mounts[0].options[0]" },
	{ TOP, "\"mounts\":[{\"destination\":\"/x\",\"uidMappings\":[{\"containerID\":0,\"hostID\":0,\"size\":1}]}]", "mounts[0].uidMappings" },
	{ TOP, "\"hooks\":{\"prestart\":[{\"path\":\"bin/x\"}]}", "hooks.prestart[0]" },
	{ TOP, "\"hooks\":{\"poststop\":[{\"path\":\"/x\",\"timeout\":0}]}", "hooks.poststop[0]" },
	{ TOP, "\"annotations\":{\"\":\"x\"}", "annotations" },
	{ TOP, "\"annotations\":{\"a\":1}", "annotations.a" },
  /* clang-format on */
};

static void broken_configs_are_refused_by_the_name_of_the_field(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(broken) / sizeof(broken[0]); i++) {
		const struct broken *row = &broken[i];
		struct err err = ERR_NONE;
		struct config *config = parse(row->where == PROCESS ? row->text : NULL,
					      row->where == LINUX ? row->text : NULL,
					      row->where == TOP ? row->text : NULL, &err);

		if (config || err.code != ERR_INVALID || !strstr(err.msg, row->field))
			fail_msg("%s: wanted %s, got %s", row->text, row->field,
				 config ? "a config" : err.msg);
	}
	assert_true(sizeof(broken) / sizeof(broken[0]) >= 60);
}

static void text_that_is_no_object_is_refused(void **state)
{
	static const char *const texts[] = { "",      "null", "[]",         "7",
					     "\"x\"", "{",    "{\"a\":1,}", "{}x" };

	(void)state;
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		struct err err = ERR_NONE;

		assert_null(config_parse(texts[i], strlen(texts[i]), &err));
		assert_int_equal(err.code, ERR_INVALID);
	}
}

static void a_full_config_is_read(void **state)
{
	struct err err = ERR_NONE;
	AUTO(config)
	struct config *config = parse(
		"\"user\":{\"uid\":5,\"additionalGids\":[7,8],\"umask\":18},\"env\":[\"A=b\"],"
		"\"capabilities\":{\"bounding\":[\"CAP_KILL\",\"CAP_NEW\"]},"
		"\"rlimits\":[{\"type\":\"RLIMIT_NOFILE\",\"soft\":1,"
		"\"hard\":18446744073709551615}],\"oomScoreAdj\":-5",
		"\"resources\":{\"memory\":{\"limit\":-1,\"swap\":-1},\"cpu\":{\"quota\":-1},"
		"\"pids\":{\"limit\":0},\"unified\":{\"memory.high\":\"max\"},"
		"\"devices\":[{\"allow\":false},{\"allow\":true,\"type\":\"c\",\"major\":1,"
		"\"minor\":3,\"access\":\"rw\"}]},\"rootfsPropagation\":\"rshared\"",
		"\"hostname\":\"h\",\"mounts\":[{\"destination\":\"proc\",\"type\":\"proc\"}],"
		"\"annotations\":{\"k\":\"v\"},\"unknown\":[1]",
		&err);

	(void)state;
	assert_non_null(config);
	assert_int_equal(config->process->uid, 5);
	assert_int_equal(config->process->additional_gid_count, 2);
	assert_int_equal(config->process->additional_gids[1], 8);
	assert_int_equal(config->process->umask.value, 022);
	assert_int_equal(config->process->caps.bounding, 1u << 5);
	assert_string_equal(config->process->caps.unknown.at[0], "CAP_NEW");
	assert_true(config->process->rlimits[0].hard == UINT64_MAX);
	assert_int_equal(config->process->oom_score_adj.value, -5);
	assert_int_equal(config->resources.memory_limit.value, -1);
	assert_true(config->resources.pids_limit.set);
	assert_int_equal(config->resources.device_count, 2);
	assert_int_equal(config->resources.devices[0].type, 'a');
	assert_int_equal(config->resources.devices[0].access, 7);
	assert_int_equal(config->resources.devices[1].minor, 3);
	assert_string_equal(config->mounts[0].destination, "/proc");
	assert_true(config_is_new(config, CLONE_NEWPID));
	assert_null(config_namespace(config, CLONE_NEWUSER));
}

static void an_empty_namespace_path_means_a_new_one(void **state)
{
	struct err err = ERR_NONE;
	AUTO(config)
	struct config *config =
		parse(NULL, "\"namespaces\":[{\"type\":\"pid\",\"path\":\"\"}]", NULL, &err);

	(void)state;
	assert_non_null(config);
	assert_true(config_is_new(config, CLONE_NEWPID));
}

static void ids_are_mapped_line_by_line(void **state)
{
	struct config_id_map lines[] = {
		{0,  1000,   1 },
                { 1, 100000, 10}
	};
	struct config_id_maps maps = { lines, 2 }, none = { NULL, 0 };

	(void)state;
	assert_int_equal(config_map_id(&maps, 0), 1000);
	assert_int_equal(config_map_id(&maps, 10), 100009);
	assert_int_equal(config_map_id(&maps, 11), -1);
	assert_int_equal(config_map_id(&none, 11), 11);
}

static void a_process_file_needs_no_cwd_and_no_args(void **state)
{
	static const char text[] = "{\"terminal\":true,\"env\":[\"A=1\"]}";
	struct err err = ERR_NONE;
	AUTO(config) struct config *config = config_parse_process(text, strlen(text), &err);

	(void)state;
	assert_non_null(config);
	assert_true(config->process->terminal);
	assert_null(config->process->cwd);
	assert_null(config_parse_process("{\"cwd\":\"x\"}", 11, &err));
	assert_non_null(strstr(err.msg, "process.cwd"));
}

static void sysctls_need_their_namespace(void **state)
{
	struct err err = ERR_NONE;
	AUTO(config)
	struct config *config =
		parse(NULL,
		      "\"sysctl\":{\"net.core.somaxconn\":\"5\",\"kernel.sem\":\"1\","
		      "\"net/ipv4/conf/eth0.1/forwarding\":\"1\",\"fs.mqueue.msg_max\":\"9\"}",
		      NULL, &err);

	(void)state;
	assert_non_null(config);
	assert_null(parse(NULL, "\"namespaces\":[],\"sysctl\":{\"net.core.somaxconn\":\"5\"}", NULL,
			  &err));
	assert_non_null(strstr(err.msg, "net.core.somaxconn"));
	assert_null(
		parse(NULL, "\"sysctl\":{\"kernel.hostname\":\"x\"}", "\"hostname\":\"h\"", &err));
	assert_non_null(strstr(err.msg, "kernel.hostname"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(broken_configs_are_refused_by_the_name_of_the_field),
		cmocka_unit_test(text_that_is_no_object_is_refused),
		cmocka_unit_test(a_full_config_is_read),
		cmocka_unit_test(an_empty_namespace_path_means_a_new_one),
		cmocka_unit_test(ids_are_mapped_line_by_line),
		cmocka_unit_test(a_process_file_needs_no_cwd_and_no_args),
		cmocka_unit_test(sysctls_need_their_namespace),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
