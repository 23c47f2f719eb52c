/* orchestrator/bundle_seccomp - linux.seccomp of config.json.
 *
 * Owns: security_opt seccomp=..., docker's form of a profile. May not touch: the default's table
 * (profile_seccomp).
 */
#include "orchestrator/bundle_seccomp.h"

#include <fcntl.h>
#include <string.h>
#include <sys/utsname.h>

#include "base/cleanup.h"
#include "base/json.h"
#include "base/num.h"
#include "base/text.h"
#include "orchestrator/profile_seccomp.h"

#define PROFILE_MAX_BYTES (1u << 20)

#if defined(__x86_64__)
#define ARCH_NAME "amd64"
#define ARCH_SCMP "SCMP_ARCH_X86_64"
#elif defined(__aarch64__)
#define ARCH_NAME "arm64"
#define ARCH_SCMP "SCMP_ARCH_AARCH64"
#else
#define ARCH_NAME "unknown"
#define ARCH_SCMP "SCMP_ARCH_NATIVE"
#endif

static bool has_text(const struct json_object *array, const char *text)
{
	for (size_t i = 0; i < json_array_count(array); i++) {
		const char *item = json_object_get_string(json_object_array_get_idx(array, i));

		if (item && strcmp(item, text) == 0)
			return true;
	}
	return false;
}

static bool has_cap(cap_set caps, const char *name)
{
	for (unsigned i = 0; profile_capability_name(i); i++)
		if (strcmp(profile_capability_name(i), name) == 0)
			return caps & 1ull << i;
	return false;
}

/* "6.18" to 6018; 0 when it is none. */
static uint64_t kernel_number(const char *text)
{
	struct err err = ERR_NONE;
	struct slice major_text, rest = SLICE(text);
	uint64_t major_number = 0, minor_number = 0;

	if (!slice_next(&rest, '.', &major_text) || !rest.at ||
	    num_parse_u64("kernel", major_text.at, major_text.len, 0, 999, &major_number, &err) <
		    0 ||
	    num_parse_u64("kernel", rest.at, num_digits(rest.at, rest.len), 0, 999, &minor_number,
			  &err) < 0)
		return 0;
	return major_number * 1000 + minor_number;
}

static bool is_kernel_new_enough(const char *wanted)
{
	struct utsname host;

	return !wanted ||
	       (uname(&host) == 0 && kernel_number(host.release) >= kernel_number(wanted));
}

/* includes: all must hold. */
static bool includes_hold(const struct json_object *includes, cap_set caps)
{
	struct json_object *names = json_array_at(includes, "caps");
	struct json_object *arches = json_array_at(includes, "arches");

	for (size_t i = 0; i < json_array_count(names); i++)
		if (!has_cap(caps, json_array_text(names, i)))
			return false;
	if (json_array_count(arches) && !has_text(arches, ARCH_NAME))
		return false;
	return is_kernel_new_enough(json_text_or(includes, "minKernel", NULL));
}

/* excludes: none may hold. */
static bool excludes_hold(const struct json_object *excludes, cap_set caps)
{
	struct json_object *names = json_array_at(excludes, "caps");
	const char *kernel = json_text_or(excludes, "minKernel", NULL);

	for (size_t i = 0; i < json_array_count(names); i++)
		if (has_cap(caps, json_array_text(names, i)))
			return true;
	return has_text(json_array_at(excludes, "arches"), ARCH_NAME) ||
	       (kernel && is_kernel_new_enough(kernel));
}

static void copy_member(struct json_object *to, const struct json_object *from, const char *key)
{
	struct json_object *value = NULL;

	if (json_object_object_get_ex(from, key, &value) && value)
		json_object_object_add(to, key, json_object_get(value));
}

static void add_architectures(struct json_object *out, const struct json_object *profile)
{
	struct json_object *map = json_array_at(profile, "archMap"), *array;

	if (!map) {
		copy_member(out, profile, "architectures");
		return;
	}
	array = json_add_array(out, "architectures");
	for (size_t i = 0; i < json_array_count(map); i++) {
		struct json_object *entry = json_object_array_get_idx(map, i);
		struct json_object *more = json_array_at(entry, "subArchitectures");

		if (strcmp(json_text_or(entry, "architecture", ""), ARCH_SCMP) != 0)
			continue;
		json_push_text(array, ARCH_SCMP);
		for (size_t j = 0; j < json_array_count(more); j++)
			json_object_array_add(array,
					      json_object_get(json_object_array_get_idx(more, j)));
	}
}

static int add_entry(struct json_object *syscalls, struct json_object *entry, cap_set caps,
		     struct err *err)
{
	struct json_object *out, *names;
	const char *name = json_text_or(entry, "name", NULL);

	if (!json_object_is_type(entry, json_type_object) || !json_text_or(entry, "action", NULL))
		return err_set(err, ERR_INVALID, "an entry of syscalls has no action");
	if (!includes_hold(json_object_at(entry, "includes"), caps) ||
	    excludes_hold(json_object_at(entry, "excludes"), caps))
		return 0;
	out = json_object_new_object();
	json_object_array_add(syscalls, out);
	if (json_array_at(entry, "names"))
		copy_member(out, entry, "names");
	else if (name)
		json_push_text(json_add_array(out, "names"), name);
	names = json_array_at(out, "names");
	if (!json_array_count(names))
		return err_set(err, ERR_INVALID, "an entry of syscalls has no names");
	copy_member(out, entry, "action");
	copy_member(out, entry, "errnoRet");
	if (json_array_count(json_array_at(entry, "args")))
		copy_member(out, entry, "args");
	return 0;
}

struct json_object *bundle_seccomp_translate(const struct json_object *profile, cap_set caps,
					     struct err *err)
{
	AUTO(json) struct json_object *out = json_object_new_object();
	struct json_object *entries = json_array_at(profile, "syscalls"), *syscalls;

	if (!json_text_or(profile, "defaultAction", NULL)) {
		err_set(err, ERR_INVALID, "no defaultAction: this is no seccomp profile");
		return NULL;
	}
	if (json_text_or(profile, "listenerPath", NULL)) {
		err_set(err, ERR_UNSUPPORTED, "listenerPath: nobody would listen");
		return NULL;
	}
	copy_member(out, profile, "defaultAction");
	copy_member(out, profile, "defaultErrnoRet");
	copy_member(out, profile, "flags");
	add_architectures(out, profile);
	syscalls = json_add_array(out, "syscalls");
	for (size_t i = 0; i < json_array_count(entries); i++)
		if (add_entry(syscalls, json_object_array_get_idx(entries, i), caps, err) < 0)
			return NULL;
	return TAKE(out);
}

/* The value of the last security_opt "seccomp=VALUE" or "seccomp:VALUE"; NULL: none. */
static const char *wanted_profile(const struct service *service)
{
	const char *value = NULL;

	for (size_t i = 0; i < service->security_opt.count; i++) {
		const char *text = service->security_opt.items[i];

		if (strncmp(text, "seccomp=", 8) == 0 || strncmp(text, "seccomp:", 8) == 0)
			value = text + 8;
	}
	return value;
}

static struct json_object *read_profile(struct arena *arena, const struct bundle_spec *spec,
					const char *name, cap_set caps, struct err *err)
{
	const char *folder = spec->project->working_dir;
	const char *path =
		name[0] == '/' || !folder ? name : arena_format(arena, "%s/%s", folder, name);
	AUTO(json)
	struct json_object *profile = json_read_file(AT_FDCWD, path, PROFILE_MAX_BYTES, err);
	struct json_object *out = profile ? bundle_seccomp_translate(profile, caps, err) : NULL;

	if (!out)
		err_wrap(err, "security_opt: seccomp=%s", name);
	return out;
}

int bundle_add_seccomp(struct arena *arena, struct json_object *linux_section,
		       const struct bundle_spec *spec, struct err *err)
{
	const struct service *service = spec->service;
	const char *wanted = wanted_profile(service);
	struct json_object *seccomp;
	cap_set caps;

	if (service->privileged || (wanted && strcmp(wanted, "unconfined") == 0))
		return 0;
	if (profile_capabilities(&service->cap_add, &service->cap_drop, false, &caps, err) < 0)
		return -1;
	if (!wanted || strcmp(wanted, "builtin") == 0)
		seccomp = profile_seccomp(caps);
	else
		seccomp = read_profile(arena, spec, wanted, caps, err);
	if (!seccomp)
		return -1;
	json_object_object_add(linux_section, "seccomp", seccomp);
	return 0;
}
