/* runtime/features - what this build and this kernel can do.
 *
 * Owns: the form of the document. May not touch: the tables it is made of.
 */
#include "runtime/features.h"

#include <linux/seccomp.h>
#include <seccomp.h>
#include <stdio.h>
#include <unistd.h>

#include "base/json.h"
#include "runtime/capability.h"
#include "runtime/config_linux.h"
#include "runtime/hooks.h"
#include "runtime/mount_options.h"

static void add_words(struct json_object *parent, const char *key, const struct word *words)
{
	struct json_object *array = json_add_array(parent, key);

	for (; words->text; words++)
		json_push_text(array, words->text);
}

static void add_enabled(struct json_object *parent, const char *key, bool enabled)
{
	json_add_bool(json_add_object(parent, key), "enabled", enabled);
}

static void add_capabilities(struct json_object *parent)
{
	struct json_object *array = json_add_array(parent, "capabilities");
	int last = capability_last();

	for (int number = 0; number <= last && capability_name(number); number++)
		json_push_text(array, capability_name(number));
}

static void add_cgroup(struct json_object *parent)
{
	struct json_object *cgroup = json_add_object(parent, "cgroup");

	json_add_bool(cgroup, "v1", true);
	json_add_bool(cgroup, "v2", true);
	json_add_bool(cgroup, "systemd", true);
	json_add_bool(cgroup, "systemdUser", true);
	json_add_bool(cgroup, "rdma", true);
}

static void add_seccomp(struct json_object *parent)
{
	static const char *const flags[] = { "SECCOMP_FILTER_FLAG_TSYNC", "SECCOMP_FILTER_FLAG_LOG",
					     "SECCOMP_FILTER_FLAG_SPEC_ALLOW",
					     "SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV" };
	static const char *const archs[] = { "SCMP_ARCH_X86",     "SCMP_ARCH_X86_64",
					     "SCMP_ARCH_X32",     "SCMP_ARCH_ARM",
					     "SCMP_ARCH_AARCH64", "SCMP_ARCH_RISCV64" };
	struct json_object *seccomp = json_add_object(parent, "seccomp"), *list;

	json_add_bool(seccomp, "enabled", true);
	add_words(seccomp, "actions", config_seccomp_actions);
	add_words(seccomp, "operators", config_seccomp_operators);
	list = json_add_array(seccomp, "archs");
	for (size_t i = 0; i < sizeof(archs) / sizeof(archs[0]); i++)
		json_push_text(list, archs[i]);
	for (int i = 0; i < 2; i++) {
		list = json_add_array(seccomp, i ? "supportedFlags" : "knownFlags");
		for (size_t j = 0; j < 4; j++)
			json_push_text(list, flags[j]);
	}
}

static void add_linux(struct json_object *json)
{
	struct json_object *section = json_add_object(json, "linux"), *extensions;

	add_words(section, "namespaces", config_namespace_words);
	add_capabilities(section);
	add_cgroup(section);
	add_seccomp(section);
	add_enabled(section, "apparmor", true);
	add_enabled(section, "selinux", true);
	add_enabled(section, "intelRdt", false);
	add_words(section, "memoryPolicyModes", config_memory_policy_words);
	extensions = json_add_object(section, "mountExtensions");
	add_enabled(extensions, "idmap", true);
	add_enabled(section, "netDevices", true);
}

struct json_object *features_json(void)
{
	struct json_object *json = json_object_new_object(), *array, *notes;
	const struct scmp_version *version = seccomp_version();
	const char *name;
	char text[40];

	json_add_text(json, "ociVersionMin", OCI_VERSION_MIN);
	json_add_text(json, "ociVersionMax", OCI_VERSION);
	array = json_add_array(json, "hooks");
	for (int kind = 0; kind < HOOK_KIND_COUNT; kind++)
		json_push_text(array, hook_kind_name((enum hook_kind)kind));
	array = json_add_array(json, "mountOptions");
	for (size_t i = 0; (name = mount_option_name(i)); i++)
		json_push_text(array, name);
	add_linux(json);
	notes = json_add_object(json, "annotations");
	snprintf(text, sizeof(text), "%u.%u.%u", version->major, version->minor, version->micro);
	json_add_text(notes, "io.github.seccomp.libseccomp.version", text);
	json_add_text(notes, "org.stack.runtime.version", STACK_VERSION);
	json_add_array(json, "potentiallyUnsafeConfigAnnotations");
	return json;
}
