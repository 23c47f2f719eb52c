/* tests/hostile-images/archives - image archives that lie: digests, sizes, counts, names,
 * manifests. One row each. */
#pragma once
#include "images/digest.h"
#include "tests/hostile-images/tarball.h"

#define OCI_MANIFEST_TYPE "application/vnd.oci.image.manifest.v1+json"
#define OCI_INDEX_TYPE    "application/vnd.oci.image.index.v1+json"
#define OCI_CONFIG_TYPE   "application/vnd.oci.image.config.v1+json"
#define OCI_LAYER_TYPE    "application/vnd.oci.image.layer.v1.tar"

/* What the pieces of an OCI layout say; NULL and 0: the truth. */
struct layout {
	const struct tarball *layer;
	const char *diff_id, *layer_digest, *layer_type, *config_type, *config, *manifest, *index;
	long long layer_size, config_size, manifest_size;
	const char *version, *name;
	bool without_layer, without_config;
	bool layer_is_other; /* the blob holds other bytes than its name says */
};

static inline char *hostile_text(const char *format, ...)
{
	va_list args;
	char *text;

	va_start(args, format);
	if (vasprintf(&text, format, args) < 0)
		abort();
	va_end(args);
	return text;
}

static inline void hostile_blob(struct tarball *out, const char *digest, const void *data,
				size_t len)
{
	char *name = hostile_text("blobs/sha256/%s", digest_hex(digest));

	tarball_add(out, &(struct tar_head){ .name = name, .data = data, .size = len });
	free(name);
}

static inline char *hostile_config(const char *diff_id)
{
	return hostile_text("{\"os\":\"linux\",\"architecture\":\"amd64\",\"config\":{},"
			    "\"rootfs\":{\"type\":\"layers\",\"diff_ids\":[\"%s\"]}}",
			    diff_id);
}

static inline void hostile_layout(struct tarball *out, const struct layout *layout)
{
	char diff_id[DIGEST_TEXT_MAX], config_digest[DIGEST_TEXT_MAX],
		manifest_digest[DIGEST_TEXT_MAX];
	char *config, *manifest, *index, *version;

	digest_of(layout->layer->bytes, layout->layer->len, diff_id);
	config = layout->config ? strdup(layout->config)
				: hostile_config(layout->diff_id ? layout->diff_id : diff_id);
	digest_of(config, strlen(config), config_digest);
	manifest = layout->manifest
			   ? strdup(layout->manifest)
			   : hostile_text(
				     "{\"schemaVersion\":2,\"mediaType\":\"" OCI_MANIFEST_TYPE "\","
				     "\"config\":{\"mediaType\":\"%s\",\"digest\":\"%s\",\"size\":%"
				     "lld},"
				     "\"layers\":[{\"mediaType\":\"%s\",\"digest\":\"%s\","
				     "\"size\":%lld}]}",
				     layout->config_type ? layout->config_type : OCI_CONFIG_TYPE,
				     config_digest,
				     layout->config_size ? layout->config_size
							 : (long long)strlen(config),
				     layout->layer_type ? layout->layer_type : OCI_LAYER_TYPE,
				     layout->layer_digest ? layout->layer_digest : diff_id,
				     layout->layer_size ? layout->layer_size
							: (long long)layout->layer->len);
	digest_of(manifest, strlen(manifest), manifest_digest);
	index = layout->index
			? strdup(layout->index)
			: hostile_text("{\"schemaVersion\":2,\"manifests\":[{\"mediaType\":"
				       "\"" OCI_MANIFEST_TYPE "\",\"digest\":\"%s\",\"size\":%lld,"
				       "\"annotations\":{\"org.opencontainers.image.ref.name\":\"%"
				       "s\"}}]}",
				       manifest_digest,
				       layout->manifest_size ? layout->manifest_size
							     : (long long)strlen(manifest),
				       layout->name ? layout->name : "hostile:1");
	version = hostile_text("{\"imageLayoutVersion\":\"%s\"}",
			       layout->version ? layout->version : "1.0.0");
	tarball_file(out, "oci-layout", version);
	tarball_file(out, "index.json", index);
	hostile_blob(out, manifest_digest, manifest, strlen(manifest));
	if (!layout->without_config)
		hostile_blob(out, config_digest, config, strlen(config));
	if (layout->layer_is_other)
		hostile_blob(out, diff_id, "other", layout->layer->len < 5 ? 0 : 5);
	else if (!layout->without_layer)
		hostile_blob(out, diff_id, layout->layer->bytes, layout->layer->len);
	tarball_end(out);
	free(config);
	free(manifest);
	free(index);
	free(version);
}

static inline void hostile_docker(struct tarball *out, const struct tarball *layer,
				  const char *config, const char *manifest)
{
	char diff_id[DIGEST_TEXT_MAX];
	char *text;

	digest_of(layer->bytes, layer->len, diff_id);
	text = config ? strdup(config) : hostile_config(diff_id);
	tarball_file(out, "config.json", text);
	tarball_add(out, &(struct tar_head){
				 .name = "layer.tar", .data = layer->bytes, .size = layer->len });
	tarball_file(out, "manifest.json",
		     manifest ? manifest
			      : "[{\"Config\":\"config.json\",\"RepoTags\":[\"hostile:1\"],"
				"\"Layers\":[\"layer.tar\"]}]");
	tarball_end(out);
	free(text);
}

struct hostile_archive {
	const char *name;
	struct layout layout; /* layer is filled in */
	const char *docker_config, *docker_manifest;
	void (*build)(struct tarball *out, const struct tarball *layer);
	const char *refusal;
};

/* ---- built by hand ---- */

static void member_link_out(struct tarball *out, const struct tarball *layer)
{
	char diff_id[DIGEST_TEXT_MAX];
	char *config;

	digest_of(layer->bytes, layer->len, diff_id);
	config = hostile_config(diff_id);
	tarball_file(out, "config.json", config);
	tarball_link(out, "layer.tar", '2', "../../../../../../etc/passwd");
	tarball_file(out, "manifest.json",
		     "[{\"Config\":\"config.json\",\"Layers\":[\"layer.tar\"]}]");
	tarball_end(out);
	free(config);
}

static void member_link_loop(struct tarball *out, const struct tarball *layer)
{
	(void)layer;
	tarball_link(out, "config.json", '2', "other.json");
	tarball_link(out, "other.json", '2', "config.json");
	tarball_file(out, "manifest.json", "[{\"Config\":\"config.json\",\"Layers\":[]}]");
	tarball_end(out);
}

static void member_device(struct tarball *out, const struct tarball *layer)
{
	(void)layer;
	tarball_add(out, &(struct tar_head){ .name = "config.json", .type = '3', .major = 1 });
	tarball_end(out);
}

static void member_dotdot(struct tarball *out, const struct tarball *layer)
{
	hostile_docker(out, layer, NULL, NULL);
	out->len = 0;
	tarball_file(out, "../manifest.json", "[]");
	tarball_end(out);
}

static void nothing_in_it(struct tarball *out, const struct tarball *layer)
{
	(void)layer;
	tarball_file(out, "readme", "no image");
	tarball_end(out);
}

static void huge_manifest(struct tarball *out, const struct tarball *layer)
{
	char *text = calloc(1, 5u << 20);

	memset(text, ' ', (5u << 20) - 1);
	text[0] = '[';
	text[(5u << 20) - 2] = ']';
	hostile_docker(out, layer, NULL, text);
	free(text);
}

static void deep_manifest(struct tarball *out, const struct tarball *layer)
{
	char *text = calloc(1, 100001);

	memset(text, '[', 100000);
	hostile_docker(out, layer, NULL, text);
	free(text);
}

/* An index in an index in an index ... */
static void nested_indexes(struct tarball *out, const struct tarball *layer)
{
	struct layout layout = { .layer = layer };
	struct tarball blobs = { 0 };
	char digest[DIGEST_TEXT_MAX];
	char *text = hostile_text("{\"schemaVersion\":2,\"mediaType\":\"" OCI_INDEX_TYPE
				  "\",\"manifests\":[]}");

	for (int i = 0; i < 6; i++) {
		char *next;

		digest_of(text, strlen(text), digest);
		hostile_blob(&blobs, digest, text, strlen(text));
		next = hostile_text(
			"{\"schemaVersion\":2,\"mediaType\":\"" OCI_INDEX_TYPE
			"\",\"manifests\":[{\"mediaType\":\"" OCI_INDEX_TYPE
			"\",\"digest\":\"%s\",\"size\":%zu,\"platform\":{\"os\":\"linux\","
			"\"architecture\":\"amd64\"}}]}",
			digest, strlen(text));
		free(text);
		text = next;
	}
	layout.index = text;
	tarball_put(out, blobs.bytes, blobs.len);
	hostile_layout(out, &layout);
	free(text);
	free(blobs.bytes);
}

#define SOME_DIGEST "sha256:aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"

/* clang-format off */
static const struct hostile_archive hostile_archives[] = {
	{ .name = "diff-id-of-another",    .layout.diff_id = SOME_DIGEST,                 .refusal = "diff-id is" },
	{ .name = "layer-of-other-bytes",  .layout = { .layer_is_other = true, .layer_size = 5 }, .refusal = "digest is" },
	{ .name = "layer-size-lies",       .layout.layer_size = 7,                        .refusal = "wanted 7" },
	{ .name = "layer-size-negative",   .layout.layer_size = -1,                       .refusal = "size" },
	{ .name = "layer-missing",         .layout.without_layer = true,                  .refusal = "has no blobs/sha256/" },
	{ .name = "layer-digest-climbs",   .layout.layer_digest = "sha256:../../../../etc/passwd", .refusal = "digest" },
	{ .name = "layer-digest-md5",      .layout.layer_digest = "md5:d41d8cd98f00b204e9800998ecf8427e", .refusal = "digest" },
	{ .name = "layer-type-encrypted",  .layout.layer_type = OCI_LAYER_TYPE "+gzip+encrypted", .refusal = "encrypted" },
	{ .name = "layer-type-unknown",    .layout.layer_type = "application/x-squashfs", .refusal = "squashfs" },
	{ .name = "config-missing",        .layout.without_config = true,                 .refusal = "config" },
	{ .name = "config-size-lies",      .layout.config_size = 3,                       .refusal = "config" },
	{ .name = "config-of-an-artifact", .layout.config_type = "application/vnd.cncf.helm.config.v1+json", .refusal = "not a container image" },
	{ .name = "config-no-json",        .layout.config = "{\"os\":",                   .refusal = "config" },
	{ .name = "config-of-windows",     .layout.config = "{\"os\":\"windows\",\"architecture\":\"amd64\",\"rootfs\":{\"type\":\"layers\",\"diff_ids\":[\"" SOME_DIGEST "\"]}}", .refusal = "windows" },
	{ .name = "config-without-layers", .layout.config = "{\"os\":\"linux\",\"architecture\":\"amd64\",\"rootfs\":{\"type\":\"layers\",\"diff_ids\":[]}}", .refusal = "diff_ids" },
	{ .name = "config-bad-diff-id",    .layout.config = "{\"os\":\"linux\",\"architecture\":\"amd64\",\"rootfs\":{\"type\":\"layers\",\"diff_ids\":[\"../../x\"]}}", .refusal = "diff_ids" },
	{ .name = "manifest-size-lies",    .layout.manifest_size = 9,                     .refusal = "wanted 9" },
	{ .name = "manifest-and-index",    .layout.manifest = "{\"schemaVersion\":2,\"config\":{},\"layers\":[],\"manifests\":[]}", .refusal = "manifest" },
	{ .name = "manifest-schema-1",     .layout.manifest = "{\"schemaVersion\":1,\"fsLayers\":[]}", .refusal = "schema 1" },
	{ .name = "manifest-type-lies",    .layout.manifest = "{\"schemaVersion\":2,\"mediaType\":\"" OCI_INDEX_TYPE "\",\"manifests\":[]}", .refusal = "manifest" },
	{ .name = "layout-of-version-2",   .layout.version = "2.0.0",                     .refusal = "layout version" },
	{ .name = "name-climbs",           .layout.name = "../../etc/passwd",             .refusal = "name in the archive" },
	{ .name = "docker-diff-id-lies",   .docker_config = "{\"os\":\"linux\",\"architecture\":\"amd64\",\"rootfs\":{\"type\":\"layers\",\"diff_ids\":[\"" SOME_DIGEST "\"]}}", .refusal = "diff-id is" },
	{ .name = "docker-no-config",      .docker_manifest = "[{\"Config\":\"none.json\",\"Layers\":[\"layer.tar\"]}]", .refusal = "no none.json" },
	{ .name = "docker-count-lies",     .docker_manifest = "[{\"Config\":\"config.json\",\"Layers\":[]}]", .refusal = "diff_ids" },
	{ .name = "docker-layer-climbs",   .docker_manifest = "[{\"Config\":\"config.json\",\"Layers\":[\"../../etc/passwd\"]}]", .refusal = "has no ../../etc/passwd" },
	{ .name = "docker-layer-no-text",  .docker_manifest = "[{\"Config\":\"config.json\",\"Layers\":[{}]}]", .refusal = "layer 1" },
	{ .name = "docker-bad-name",       .docker_manifest = "[{\"Config\":\"config.json\",\"RepoTags\":[\"UPPER:x y\"],\"Layers\":[\"layer.tar\"]}]", .refusal = "name in the archive" },
	{ .name = "docker-no-array",       .docker_manifest = "{}",                       .refusal = "no array" },
	{ .name = "docker-no-image",       .docker_manifest = "[]",                       .refusal = "holds no image" },
	{ .name = "docker-no-json",        .docker_manifest = "[{]",                      .refusal = "manifest.json" },
	{ .name = "docker-config-escapes", .docker_manifest = "[{\"Config\":\"/etc/passwd\",\"Layers\":[\"layer.tar\"]}]", .refusal = "has no /etc/passwd" },
	{ .name = "docker-second-is-bad",  .docker_manifest = "[{\"Config\":\"config.json\",\"RepoTags\":[\"good:1\"],\"Layers\":[\"layer.tar\"]},{\"Config\":\"none\",\"Layers\":[]}]", .refusal = "no none" },
	{ .name = "member-link-out",       .build = member_link_out,                      .refusal = "has no layer.tar" },
	{ .name = "member-link-loop",      .build = member_link_loop,                     .refusal = "has no config.json" },
	{ .name = "member-device",         .build = member_device,                        .refusal = "neither file nor link" },
	{ .name = "member-dotdot",         .build = member_dotdot,                        .refusal = "\"..\"" },
	{ .name = "nothing-in-it",         .build = nothing_in_it,                        .refusal = "no image archive" },
	{ .name = "huge-manifest",         .build = huge_manifest,                        .refusal = "larger than" },
	{ .name = "deep-manifest",         .build = deep_manifest,                        .refusal = "manifest.json" },
	{ .name = "nested-indexes",        .build = nested_indexes,                       .refusal = "nested too deep" },
};
/* clang-format on */

#define HOSTILE_ARCHIVE_COUNT (sizeof(hostile_archives) / sizeof(hostile_archives[0]))

static inline void hostile_archive_build(const struct hostile_archive *row, struct tarball *out)
{
	struct tarball layer = { 0 };
	struct layout layout = row->layout;

	tarball_file(&layer, "file", "content");
	tarball_end(&layer);
	layout.layer = &layer;
	if (row->build)
		row->build(out, &layer);
	else if (row->docker_config || row->docker_manifest)
		hostile_docker(out, &layer, row->docker_config, row->docker_manifest);
	else
		hostile_layout(out, &layout);
	free(layer.bytes);
}
