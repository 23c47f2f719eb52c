/* specs/export/kube_files - ConfigMaps and Secrets, and their files in a pod.
 *
 * Owns: how content travels. The value of a secret leaves by --with-secrets alone. May not touch:
 * the machine's files (options->read).
 */
#include <string.h>

#include "base/base64.h"
#include "base/cleanup.h"
#include "base/json.h"
#include "specs/export/kube_mount.h"

#define OBJECT_MAX   ((size_t)1024 * 1024) /* content of a ConfigMap or Secret */
#define DEFAULT_MODE 0444

/* ---- configs and secrets ---- */

static const char *kube_file_object(struct kube *kube, bool is_secret,
				    const struct file_source *source)
{
	return name_book_give(kube->names, is_secret ? "secret" : "config", source->key,
			      source->external ? source->name : source->key, NAME_LABEL_MAX);
}

static const char *kube_file_key(struct kube *kube, const struct file_source *source)
{
	return name_key(kube->arena, source->external ? source->name : source->key);
}

static const char *base64(struct arena *arena, const char *text, size_t len)
{
	AUTO(free) char *out = base64_encode(text, len);

	return arena_strdup(arena, out);
}

static bool is_utf8(const char *text, size_t len)
{
	const unsigned char *at = (const unsigned char *)text, *end = at + len;

	while (at < end) {
		unsigned more = *at < 0x80                  ? 0
				: *at >= 0xc2 && *at < 0xe0 ? 1
				: *at >= 0xe0 && *at < 0xf0 ? 2
				: *at >= 0xf0 && *at < 0xf5 ? 3
							    : 9;

		if (*at == 0 || more == 9 || (size_t)(end - at) <= more)
			return false;
		for (at++; more > 0; more--, at++)
			if ((*at & 0xc0) != 0x80)
				return false;
	}
	return true;
}

/* Text that every reader of YAML gives back as it is: no byte order mark, none of Unicode's line
 * ends. */
static bool is_text(const char *text, size_t len)
{
	static const char *const odd[] = { "\xef\xbb\xbf", "\xe2\x80\xa8", "\xe2\x80\xa9" };

	for (size_t i = 0; i < sizeof(odd) / sizeof(*odd); i++)
		if (memmem(text, len, odd[i], 3))
			return false;
	return is_utf8(text, len);
}

static void add_content(struct kube *kube, struct json_object *object, const char *key,
			const char *text, size_t len)
{
	if (is_text(text, len))
		json_object_object_add(json_add_object(object, "data"), key,
				       json_object_new_string_len(text, (int)len));
	else
		json_add_text(json_add_object(object, "binaryData"), key,
			      base64(kube->arena, text, len));
}

const char *kube_file_map(struct kube *kube, const struct unit *unit, const char *path,
			  const char *text, size_t len)
{
	const char *slash = strrchr(path, '/'), *base = slash ? slash + 1 : path;
	const char *identity = arena_format(kube->arena, "file:%s", path);
	bool is_made = name_book_has(kube->names, "config", identity);
	const char *name = name_book_give(kube->names, "config", identity,
					  arena_format(kube->arena, "%s-%s", unit->name, base),
					  NAME_LABEL_MAX);
	struct json_object *map;

	if (is_made)
		return name;
	map = kube_document(kube, "v1", "ConfigMap", name, NULL);
	add_content(kube, map, name_key(kube->arena, base), text, len);
	return name;
}

/* What a source holds; NULL when that is not known, and told. */
static const char *content_of(struct kube *kube, bool is_secret, const struct file_source *source,
			      size_t *out_len)
{
	const struct export_options *options = kube->options;
	const char *path =
		arena_format(kube->arena, "%s.%s", is_secret ? "secrets" : "configs", source->key);
	const char *text = source->content ? source->content : source->value;
	const char *what = "is not there";
	enum export_file kind = EXPORT_FILE_MISSING;

	if (text) {
		*out_len = strlen(text);
	} else if (source->file && options->read) {
		kind = options->read(options->ctx, source->file, OBJECT_MAX, &text, out_len);
		what = kind == EXPORT_FILE_MISSING ? "is not there"
		       : kind == EXPORT_FILE_PLAIN ? "is larger than 1 MiB"
						   : "is no plain file";
	} else {
		what = "has no value";
	}
	if (text && *out_len <= OBJECT_MAX)
		return text;
	report_say(kube->report, EXPORT_DROPPED, path, "%s %s",
		   source->file          ? source->file
		   : source->environment ? source->environment
					 : source->key,
		   text ? "is larger than 1 MiB" : what);
	return NULL;
}

static void add_config(struct kube *kube, const struct file_source *source)
{
	size_t len = 0;
	const char *text = source->external ? NULL : content_of(kube, false, source, &len);

	if (text)
		add_content(kube,
			    kube_document(kube, "v1", "ConfigMap",
					  kube_file_object(kube, false, source), NULL),
			    kube_file_key(kube, source), text, len);
}

static void add_secret(struct kube *kube, const struct file_source *source)
{
	const char *path = arena_format(kube->arena, "secrets.%s", source->key);
	const char *name = kube_file_object(kube, true, source), *text;
	struct json_object *secret;
	size_t len = 0;

	if (source->external)
		return;
	if (!kube->options->with_secrets) {
		report_say(kube->report, EXPORT_DROPPED, path,
			   "not written without --with-secrets: kubectl create secret generic %s "
			   "--from-file=%s=FILE",
			   name, kube_file_key(kube, source));
		return;
	}
	text = content_of(kube, true, source, &len);
	if (!text)
		return;
	secret = kube_document(kube, "v1", "Secret", name, NULL);
	json_add_text(secret, "type", "Opaque");
	json_add_text(json_add_object(secret, "data"), kube_file_key(kube, source),
		      base64(kube->arena, text, len));
	kube->result->documents[kube->result->document_count - 1].is_secret = true;
	report_say(kube->report, EXPORT_EXACT, path, "Secret %s, in base64: keep it to yourself",
		   name);
}

/* A name of its own means something to others than this file. */
static void say_name(struct kube *kube, const char *part, const char *key, const char *name,
		     bool is_external)
{
	if (!is_external &&
	    strcmp(name, arena_format(kube->arena, "%s_%s", kube->project->name, key)) != 0)
		report_say(kube->report, EXPORT_APPROXIMATED,
			   arena_format(kube->arena, "%s.%s.name", part, key),
			   "the key is the name there");
}

void kube_files(struct kube *kube)
{
	const struct project *project = kube->project;

	for (size_t i = 0; i < project->config_count; i++) {
		const struct file_source *config = &project->configs[i];

		add_config(kube, config);
		say_name(kube, "configs", config->key, config->name, config->external);
	}
	for (size_t i = 0; i < project->secret_count; i++) {
		const struct file_source *secret = &project->secrets[i];

		add_secret(kube, secret);
		say_name(kube, "secrets", secret->key, secret->name, secret->external);
	}
	for (size_t i = 0; i < project->volume_count; i++) {
		const struct volume *volume = &project->volumes[i];

		kube_claim(kube, volume);
		say_name(kube, "volumes", volume->key, volume->name, volume->external);
	}
}

/* ---- their files in a pod ---- */

static const char *target_of(struct arena *arena, bool is_secret, const struct file_use *use)
{
	if (!use->target || !*use->target)
		return arena_format(arena, "%s/%s", is_secret ? "/run/secrets" : "", use->source);
	return use->target[0] == '/' ? use->target
	       : is_secret           ? arena_format(arena, "/run/secrets/%s", use->target)
				     : arena_format(arena, "/%s", use->target);
}

static void mount_file(struct pod *pod, bool is_secret, const struct file_use *use, const char *key)
{
	struct kube *kube = pod->kube;
	const struct file_source *source =
		is_secret ? project_find_secret(kube->project, use->source)
			  : project_find_config(kube->project, use->source);
	int64_t mode = use->mode.is_set ? use->mode.value & 0777 : DEFAULT_MODE;
	const char *name, *file;
	struct json_object *volume, *inner, *place;

	if (!source)
		return;
	file = kube_file_key(kube, source);
	volume = pod_volume(pod,
			    arena_format(kube->arena, "%s:%s:%jo", is_secret ? "secret" : "config",
					 use->source, (intmax_t)mode),
			    use->source, &name);
	if (volume) {
		inner = json_add_object(volume, is_secret ? "secret" : "configMap");
		json_add_text(inner, is_secret ? "secretName" : "name",
			      kube_file_object(kube, is_secret, source));
		json_add_int(inner, "defaultMode", mode);
	}
	place = pod_mount(pod, name, target_of(kube->arena, is_secret, use), key);
	if (!place)
		return;
	json_add_text(place, "subPath", file);
	json_add_bool(place, "readOnly", true);
	if ((use->uid && strcmp(use->uid, "0") != 0) || (use->gid && strcmp(use->gid, "0") != 0))
		unit_say(kube, pod->unit, EXPORT_APPROXIMATED, key,
			 "the file belongs to root there");
}

void kube_mount_files(struct pod *pod, bool is_secret, const struct file_use *uses, size_t count)
{
	for (size_t i = 0; i < count; i++)
		mount_file(pod, is_secret, &uses[i],
			   arena_format(pod->kube->arena, "%s[%zu]",
					is_secret ? "secrets" : "configs", i));
}
