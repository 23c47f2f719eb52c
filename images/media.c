/* images/media - manifests and indexes from bytes.
 *
 * Owns: the table of media types, what a manifest may look like, which entry of an index is chosen.
 * May not touch: files, the network, the image's name (the caller wraps it around errors).
 */
#include "images/media.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/cleanup.h"
#include "base/json.h"
#include "base/text.h"

#define SIZE_LIMIT (INT64_C(1) << 53) /* what a JSON number holds exactly everywhere */
#define NAMED_MAX  12                 /* platforms that an error lists */

#define DOCKER "application/vnd.docker."
#define OCI    "application/vnd.oci.image."

const char media_accept[] =
	"Accept: " OCI "index.v1+json, " OCI "manifest.v1+json, " DOCKER
	"distribution.manifest.list.v2+json, " DOCKER "distribution.manifest.v2+json";

/* clang-format off */
static const struct {
	const char *name;
	enum media_kind kind;
} types[] = {
	{ DOCKER "distribution.manifest.v2+json",           MEDIA_MANIFEST },
	{ OCI "manifest.v1+json",                           MEDIA_MANIFEST },
	{ DOCKER "distribution.manifest.list.v2+json",      MEDIA_INDEX },
	{ OCI "index.v1+json",                              MEDIA_INDEX },
	{ DOCKER "container.image.v1+json",                 MEDIA_CONFIG },
	{ OCI "config.v1+json",                             MEDIA_CONFIG },
	{ DOCKER "image.rootfs.diff.tar",                   MEDIA_LAYER },
	{ DOCKER "image.rootfs.diff.tar.gzip",              MEDIA_LAYER },
	{ DOCKER "image.rootfs.diff.tar.zstd",              MEDIA_LAYER },
	{ OCI "layer.v1.tar",                               MEDIA_LAYER },
	{ OCI "layer.v1.tar+gzip",                          MEDIA_LAYER },
	{ OCI "layer.v1.tar+zstd",                          MEDIA_LAYER },
	{ DOCKER "image.rootfs.foreign.diff.tar",           MEDIA_FOREIGN_LAYER },
	{ DOCKER "image.rootfs.foreign.diff.tar.gzip",      MEDIA_FOREIGN_LAYER },
	{ OCI "layer.nondistributable.v1.tar",              MEDIA_FOREIGN_LAYER },
	{ OCI "layer.nondistributable.v1.tar+gzip",         MEDIA_FOREIGN_LAYER },
	{ OCI "layer.nondistributable.v1.tar+zstd",         MEDIA_FOREIGN_LAYER },
	{ DOCKER "distribution.manifest.v1+json",           MEDIA_SCHEMA1 },
	{ DOCKER "distribution.manifest.v1+prettyjws",      MEDIA_SCHEMA1 },
};
/* clang-format on */

static struct slice bare_type(const char *media_type)
{
	struct slice type, parameters;

	slice_split(SLICE(media_type ? media_type : ""), ';', &type, &parameters);
	return slice_trim(type);
}

static bool same_type(struct slice a, struct slice b)
{
	return a.len == b.len && strncasecmp(a.at, b.at, a.len) == 0;
}

enum media_kind media_kind_of(const char *media_type)
{
	struct slice type = bare_type(media_type);

	for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++)
		if (same_type(type, SLICE(types[i].name)))
			return types[i].kind;
	return MEDIA_UNKNOWN;
}

static const char *plain(struct arena *arena, const char *text, size_t max)
{
	return text_plain(arena_strndup(arena, text, strnlen(text, max)));
}

/* Every ':' outside of a string ends a key; more of them than members: a key was there twice. */
static size_t count_keys(const char *text, size_t len)
{
	bool in_string = false;
	size_t count = 0;

	for (size_t i = 0; i < len; i++) {
		if (in_string && text[i] == '\\')
			i++;
		else if (text[i] == '"')
			in_string = !in_string;
		else if (!in_string && text[i] == ':')
			count++;
	}
	return count;
}

static size_t count_members(struct json_object *value)
{
	size_t count = 0;

	if (json_object_is_type(value, json_type_array))
		for (size_t i = 0; i < json_object_array_length(value); i++)
			count += count_members(json_object_array_get_idx(value, i));
	if (!json_object_is_type(value, json_type_object))
		return count;
	json_each(value, key, member) {
		(void)key;
		count += 1 + count_members(member);
	}
	return count;
}

struct json_object *media_parse_json(const char *what, const char *text, size_t len,
				     struct err *err)
{
	struct json_object *root = json_parse(what, text, len, err);

	if (!root)
		return NULL;
	if (!json_object_is_type(root, json_type_object))
		err_set(err, ERR_INVALID, "%s: must be a JSON object", what);
	else if (count_keys(text, len) != count_members(root))
		err_set(err, ERR_INVALID, "%s: a key stands twice in one object", what);
	else
		return root;
	json_object_put(root);
	return NULL;
}

static int parse_urls(struct arena *arena, struct json_object *from, struct descriptor *out)
{
	struct json_object *urls = json_array_at(from, "urls");
	const char **copies = NULL;

	for (size_t i = 0; i < json_array_count(urls) && i < 16; i++) {
		struct json_object *url = json_object_array_get_idx(urls, i);

		if (json_object_is_type(url, json_type_string))
			*(const char **)arena_grow(arena, &copies, &out->url_count,
						   sizeof(*copies)) =
				arena_strdup(arena, json_object_get_string(url));
	}
	out->urls = copies;
	return 0;
}

static int parse_descriptor(struct arena *arena, struct json_object *from, const char *what,
			    struct descriptor *out, struct err *err)
{
	const char *digest, *type = json_text_or(from, "mediaType", "");
	int64_t size;

	if (!json_object_is_type(from, json_type_object))
		return err_set(err, ERR_INVALID, "%s: must be a descriptor", what);
	if (json_need_text(from, what, "digest", &digest, err) < 0 ||
	    json_need_int(from, what, "size", &size, err) < 0)
		return -1;
	if (!ref_is_digest(digest))
		return err_set(err, ERR_INVALID, "%s: digest: \"%s\" is not sha256 or sha512", what,
			       plain(arena, digest, 40));
	if (size < 0 || size >= SIZE_LIMIT)
		return err_set(err, ERR_INVALID, "%s: size: must be 0 or more and below 2^53",
			       what);
	memset(out, 0, sizeof(*out));
	snprintf(out->digest, sizeof(out->digest), "%s", digest);
	out->size_bytes = (uint64_t)size;
	out->media_type = plain(arena, type, 200);
	return parse_urls(arena, from, out);
}

static int parse_layers(struct arena *arena, struct json_object *root, struct manifest *out,
			struct err *err)
{
	struct json_object *layers = json_array_at(root, "layers");

	if (!layers)
		return err_set(err, ERR_INVALID, "manifest: layers: is missing");
	out->layer_count = json_array_count(layers);
	if (out->layer_count > MEDIA_LAYERS_MAX)
		return err_set(err, ERR_INVALID, "manifest: %zu layers, more than %d",
			       out->layer_count, MEDIA_LAYERS_MAX);
	out->layers = arena_alloc(arena, sizeof(*out->layers) * (out->layer_count + 1));
	for (size_t i = 0; i < out->layer_count; i++) {
		struct descriptor *layer = &out->layers[i];
		enum media_kind kind;
		char what[80];

		snprintf(what, sizeof(what), "manifest: layer %zu of %zu", i + 1, out->layer_count);
		if (parse_descriptor(arena, json_object_array_get_idx(layers, i), what, layer,
				     err) < 0)
			return -1;
		kind = media_kind_of(layer->media_type);
		if (kind != MEDIA_LAYER && kind != MEDIA_FOREIGN_LAYER)
			return err_set(err, ERR_UNSUPPORTED,
				       "%s: type \"%.80s\" is no layer that can be unpacked", what,
				       layer->media_type);
	}
	return 0;
}

static int parse_manifest(struct arena *arena, struct json_object *root, const char *type,
			  struct manifest **out, struct err *err)
{
	struct manifest *manifest = arena_alloc(arena, sizeof(*manifest));
	const char *artifact = json_text_or(root, "artifactType", NULL);

	manifest->media_type = *type ? type : OCI "manifest.v1+json";
	manifest->artifact_type = artifact ? plain(arena, artifact, 200) : NULL;
	if (parse_descriptor(arena, json_object_at(root, "config"), "manifest: config",
			     &manifest->config, err) < 0)
		return -1;
	if (media_kind_of(manifest->config.media_type) != MEDIA_CONFIG)
		return err_set(err, ERR_UNSUPPORTED,
			       "is not a container image (artifact type %.80s)",
			       artifact ? manifest->artifact_type : manifest->config.media_type);
	if (manifest->config.size_bytes > MEDIA_CONFIG_MAX)
		return err_set(err, ERR_INVALID, "manifest: config: larger than %u bytes",
			       MEDIA_CONFIG_MAX);
	if (parse_layers(arena, root, manifest, err) < 0)
		return -1;
	if (artifact && manifest->layer_count == 0)
		return err_set(err, ERR_UNSUPPORTED,
			       "is not a container image (artifact type %.80s)",
			       manifest->artifact_type);
	*out = manifest;
	return 0;
}

static void parse_platform(struct json_object *from, struct index_entry *out)
{
	struct json_object *platform = json_object_at(from, "platform");

	out->has_platform = platform != NULL;
	snprintf(out->platform.os, sizeof(out->platform.os), "%s",
		 json_text_or(platform, "os", ""));
	snprintf(out->platform.arch, sizeof(out->platform.arch), "%s",
		 json_text_or(platform, "architecture", ""));
	snprintf(out->platform.variant, sizeof(out->platform.variant), "%s",
		 json_text_or(platform, "variant", ""));
	text_plain(out->platform.os);
	text_plain(out->platform.arch);
	text_plain(out->platform.variant);
	platform_normalise(&out->platform);
}

static bool is_runnable(const struct index_entry *entry, struct json_object *annotations)
{
	enum media_kind kind = media_kind_of(entry->descriptor.media_type);

	if (kind != MEDIA_MANIFEST && kind != MEDIA_INDEX)
		return false;
	if (strcmp(json_text_or(annotations, "vnd.docker.reference.type", ""),
		   "attestation-manifest") == 0)
		return false;
	return strcmp(entry->platform.os, "unknown") != 0;
}

static int parse_index(struct arena *arena, struct json_object *root, const char *type,
		       struct index **out, struct err *err)
{
	struct json_object *list = json_array_at(root, "manifests");
	struct index *index = arena_alloc(arena, sizeof(*index));

	index->media_type = *type ? type : OCI "index.v1+json";
	index->entry_count = json_array_count(list);
	if (!list)
		return err_set(err, ERR_INVALID, "index: manifests: is missing");
	if (index->entry_count > MEDIA_ENTRIES_MAX)
		return err_set(err, ERR_INVALID, "index: %zu entries, more than %d",
			       index->entry_count, MEDIA_ENTRIES_MAX);
	index->entries = arena_alloc(arena, sizeof(*index->entries) * (index->entry_count + 1));
	for (size_t i = 0; i < index->entry_count; i++) {
		struct json_object *from = json_object_array_get_idx(list, i);
		struct json_object *annotations = json_object_at(from, "annotations");
		struct index_entry *entry = &index->entries[i];
		const char *about;
		char what[80];

		snprintf(what, sizeof(what), "index: entry %zu of %zu", i + 1, index->entry_count);
		if (parse_descriptor(arena, from, what, &entry->descriptor, err) < 0)
			return -1;
		parse_platform(from, entry);
		entry->is_runnable = is_runnable(entry, annotations);
		about = json_text_or(annotations, "vnd.docker.reference.digest", NULL);
		if (about && ref_is_digest(about))
			entry->reference_digest = arena_strdup(arena, about);
	}
	*out = index;
	return 0;
}

/* The body's own type against what the answer's header and the descriptor said. */
static int check_types(struct arena *arena, const char *own, const char *content_type,
		       const char *expected_type, struct err *err)
{
	const char *const others[] = { content_type, expected_type };

	for (size_t i = 0; i < 2; i++)
		if (*own && media_kind_of(others[i]) != MEDIA_UNKNOWN &&
		    !same_type(bare_type(own), bare_type(others[i])))
			return err_set(
				err, ERR_INVALID,
				"manifest: calls itself \"%.70s\" but was announced as \"%.70s\"",
				own, plain(arena, others[i], 70));
	return 0;
}

int media_parse(struct arena *arena, const char *text, size_t len, const char *content_type,
		const char *expected_type, struct manifest **out_manifest, struct index **out_index,
		struct err *err)
{
	AUTO(json) struct json_object *root = NULL;
	const char *own, *type;
	int64_t schema;
	bool has_layers, has_manifests;
	enum media_kind kind;

	*out_manifest = NULL;
	*out_index = NULL;
	if (len > MEDIA_MANIFEST_MAX)
		return err_set(err, ERR_INVALID, "manifest: larger than %u bytes",
			       MEDIA_MANIFEST_MAX);
	root = media_parse_json("manifest", text, len, err);
	if (!root)
		return -1;
	own = plain(arena, json_text_or(root, "mediaType", ""), 200);
	schema = json_int_or(root, "schemaVersion", -1);
	if (schema == 1 || media_kind_of(own) == MEDIA_SCHEMA1 ||
	    media_kind_of(content_type) == MEDIA_SCHEMA1)
		return err_set(err, ERR_UNSUPPORTED,
			       "schema 1 images are not supported; re-push the image");
	if (schema != 2)
		return err_set(err, ERR_INVALID, "manifest: schemaVersion: must be 2");
	if (check_types(arena, own, content_type, expected_type, err) < 0)
		return -1;
	has_layers = json_object_object_get_ex(root, "layers", NULL);
	has_manifests = json_object_object_get_ex(root, "manifests", NULL);
	if (has_layers && has_manifests)
		return err_set(err, ERR_INVALID, "manifest: has layers and manifests at once");
	type = *own ? own : media_kind_of(expected_type) ? expected_type : content_type;
	kind = media_kind_of(type);
	if (kind != MEDIA_MANIFEST && kind != MEDIA_INDEX)
		kind = has_manifests ? MEDIA_INDEX : MEDIA_MANIFEST, type = own;
	if (*own && media_kind_of(own) == MEDIA_UNKNOWN)
		return err_set(err, ERR_UNSUPPORTED, "is not a container image (type %.80s)", own);
	type = arena_strndup(arena, bare_type(type).at, bare_type(type).len);
	return kind == MEDIA_INDEX ? parse_index(arena, root, type, out_index, err)
				   : parse_manifest(arena, root, type, out_manifest, err);
}

static int compare_texts(const void *a, const void *b)
{
	return strcmp(a, b);
}

static int nothing_fits(const struct index *index, const struct platform *wanted, struct err *err)
{
	char offered[MEDIA_ENTRIES_MAX][PLATFORM_TEXT_MAX], list[200] = "", text[PLATFORM_TEXT_MAX];
	size_t count = 0, used = 0;

	for (size_t i = 0; i < index->entry_count; i++)
		if (index->entries[i].is_runnable && index->entries[i].has_platform)
			platform_text(&index->entries[i].platform, offered[count++]);
	qsort(offered, count, sizeof(offered[0]), compare_texts);
	for (size_t i = 0; i < count && i < NAMED_MAX && used < sizeof(list); i++)
		used += (size_t)snprintf(list + used, sizeof(list) - used, "%s%s", i ? ", " : "",
					 offered[i]);
	return err_set(err, ERR_NOT_FOUND, "has no image for %s; it has: %s",
		       platform_text(wanted, text), count ? list : "none");
}

int media_choose(const struct index *index, const struct platform *wanted, bool is_explicit,
		 const struct index_entry **out, struct err *err)
{
	const struct index_entry *best = NULL, *without = NULL;
	unsigned best_score = 0;

	for (size_t i = 0; i < index->entry_count; i++) {
		const struct index_entry *entry = &index->entries[i];
		unsigned score = platform_score(wanted, is_explicit, &entry->platform);

		if (!entry->is_runnable)
			continue;
		if (!entry->has_platform && !without)
			without = entry;
		if (entry->has_platform && score > best_score) {
			best = entry;
			best_score = score;
		}
	}
	*out = best ? best : without;
	return *out ? 0 : nothing_fits(index, wanted, err);
}
