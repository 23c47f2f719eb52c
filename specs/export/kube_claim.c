/* specs/export/kube_claim - volumes of the project as claims: whose they are, who shares them.
 *
 * Owns: which volume belongs to one service, access modes, sizes. May not touch: where they are
 * mounted (kube_mount).
 */
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/json.h"
#include "base/text.h"
#include "specs/export/kube_mount.h"

#define DEFAULT_SIZE "1Gi"

/* ---- who uses a volume ---- */

const struct service *kube_volumes_from(const struct project *project, const char *text,
					bool *out_read_only)
{
	struct slice name, mode;
	char *copy;
	const struct service *service;

	if (text_starts(text, "container:"))
		return NULL;
	slice_split(SLICE(text), ':', &name, &mode);
	*out_read_only = slice_is(mode, "ro");
	copy = xstrndup(name.at, name.len);
	service = project_find_service(project, copy);
	free(copy);
	return service;
}

/* 0: not used, 1: read, 2: written. */
static unsigned use_of(const struct project *project, const struct service *service,
		       const char *key, unsigned depth)
{
	unsigned use = 0;

	for (size_t i = 0; i < service->volume_count; i++) {
		const struct mount *mount = &service->volumes[i];
		unsigned own = mount->read_only ? 1 : 2;

		if (strcmp(mount->type, "volume") == 0 && mount->source &&
		    strcmp(mount->source, key) == 0 && own > use)
			use = own;
	}
	for (size_t i = 0; i < service->volumes_from.count && depth < FROM_DEPTH; i++) {
		bool is_read_only = false;
		const struct service *from =
			kube_volumes_from(project, service->volumes_from.items[i], &is_read_only);
		unsigned there = from ? use_of(project, from, key, depth + 1) : 0;

		if (is_read_only && there > 1)
			there = 1;
		if (there > use)
			use = there;
	}
	return use;
}

static size_t user_count(const struct project *project, const char *key)
{
	size_t count = 0;

	for (size_t i = 0; i < project->service_count; i++)
		count += use_of(project, &project->services[i], key, 0) > 0;
	return count;
}

static bool has_kind_of_its_own(const struct volume *volume)
{
	const char *type = pairs_get(&volume->driver_opts, "type");
	const char *options = pairs_get(&volume->driver_opts, "o");
	const char *device = pairs_get(&volume->driver_opts, "device");

	if (type && strcmp(type, "tmpfs") == 0)
		return true;
	if (type && text_starts(type, "nfs") && device && options && strstr(options, "addr="))
		return true;
	return options && strstr(options, "bind") && device && device[0] == '/';
}

bool kube_volume_is_own(const struct kube *kube, const struct service *service, const char *key)
{
	const struct volume *volume = project_find_volume(kube->project, key);

	return volume && !volume->external && !has_kind_of_its_own(volume) &&
	       use_of(kube->project, service, key, 0) == 2 && user_count(kube->project, key) == 1;
}

bool kube_has_own_volume(const struct kube *kube, const struct service *service)
{
	for (size_t i = 0; i < kube->project->volume_count; i++)
		if (kube_volume_is_own(kube, service, kube->project->volumes[i].key))
			return true;
	return false;
}

/* ---- claims ---- */

static struct json_object *kube_claim_spec(struct kube *kube, bool is_shared)
{
	const struct export_options *options = kube->options;
	struct json_object *spec = json_object_new_object();

	json_push_text(json_add_array(spec, "accessModes"),
		       is_shared ? "ReadWriteMany" : "ReadWriteOnce");
	json_add_text(spec, "storageClassName", options->storage_class);
	json_add_text(json_add_object(json_add_object(spec, "resources"), "requests"), "storage",
		      options->volume_size ? options->volume_size : DEFAULT_SIZE);
	return spec;
}

const char *kube_claim_name(struct kube *kube, const struct volume *volume)
{
	const char *wanted = volume->external ? volume->name : volume->key;

	return name_book_give(kube->names, "claim", volume->key, wanted, NAME_LABEL_MAX);
}

struct json_object *kube_claim_template(struct pod *pod, const char *volume_key,
					const char **out_name)
{
	const char *kind = arena_format(pod->kube->arena, "volume of %s", pod->unit->name);
	struct json_object *claim;

	*out_name = name_book_give(pod->kube->names, kind, volume_key, volume_key, NAME_UNIT_MAX);
	for (size_t i = 0; i < json_array_count(pod->claims); i++) {
		claim = json_object_at(json_object_array_get_idx(pod->claims, i), "metadata");
		if (strcmp(json_text_or(claim, "name", ""), *out_name) == 0)
			return NULL;
	}
	claim = json_object_new_object();
	json_add_text(json_add_object(claim, "metadata"), "name", *out_name);
	json_object_object_add(claim, "spec", kube_claim_spec(pod->kube, false));
	json_object_array_add(pod->claims, claim);
	return claim;
}

static const struct service *only_user(const struct kube *kube, const char *key)
{
	const struct service *user = NULL;

	for (size_t i = 0; i < kube->project->service_count; i++) {
		if (!use_of(kube->project, &kube->project->services[i], key, 0))
			continue;
		if (user)
			return NULL;
		user = &kube->project->services[i];
	}
	return user;
}

void kube_claim(struct kube *kube, const struct volume *volume)
{
	const struct service *user = only_user(kube, volume->key);
	const struct unit *unit = user ? kube_find_unit(kube, user->name) : NULL;
	const char *path = arena_format(kube->arena, "volumes.%s", volume->key);
	bool is_shared = !unit || service_replicas(user) > 1 || unit->kind == UNIT_DAEMON_SET;
	struct json_object *claim;

	if (volume->external || has_kind_of_its_own(volume)) {
		report_say(kube->report, EXPORT_EXACT, path, "no claim is made");
		return;
	}
	if (user_count(kube->project, volume->key) == 0) {
		report_say(kube->report, EXPORT_DROPPED, path, "no service uses it");
		return;
	}
	if (unit && unit->kind == UNIT_STATEFUL_SET && kube_volume_is_own(kube, user, volume->key))
		return; /* a claim template */
	claim = kube_document(kube, "v1", "PersistentVolumeClaim", kube_claim_name(kube, volume),
			      NULL);
	json_object_object_add(claim, "spec", kube_claim_spec(kube, is_shared));
	if (is_shared)
		report_say(kube->report, EXPORT_APPROXIMATED, path,
			   "claim %s, ReadWriteMany: the storage class must offer it; the image's "
			   "content is not copied into it",
			   kube_claim_name(kube, volume));
}
