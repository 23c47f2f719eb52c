/* images/media - media types, descriptors, manifests and indexes, from bytes to structs.
 *
 * Pure: takes bytes, returns values in the caller's arena; safe on hostile bytes (limits below).
 * Thread-safe. Source: OCI image-spec 1.1 (descriptor, manifest, index), Docker image manifest v2
 * schema 2. Errors are INVALID (broken or contradictory) or UNSUPPORTED (schema 1, artifacts,
 * unknown layer types, xz), one line without the image's name, which the caller wraps around.
 */
#pragma once
#include <json-c/json.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/err.h"
#include "images/platform.h"
#include "images/ref.h"

#define MEDIA_MANIFEST_MAX (4u << 20) /* bytes of a manifest or an index */
#define MEDIA_CONFIG_MAX   (8u << 20) /* bytes of an image config */
#define MEDIA_LAYERS_MAX   500
#define MEDIA_ENTRIES_MAX  1000

/* The Accept header of a manifest request: the four types that are understood. */
extern const char media_accept[];

enum media_kind {
	MEDIA_UNKNOWN,
	MEDIA_MANIFEST,
	MEDIA_INDEX,
	MEDIA_CONFIG,
	MEDIA_LAYER,
	MEDIA_FOREIGN_LAYER, /* may be named by urls only */
	MEDIA_SCHEMA1,
};

/* Kind of a media type, parameters ("; charset=…") ignored. NULL and "" are MEDIA_UNKNOWN. */
enum media_kind media_kind_of(const char *media_type);

struct descriptor {
	char digest[REF_DIGEST_MAX + 1];
	uint64_t size_bytes;
	const char *media_type;  /* never NULL; "" when the document has none */
	const char *const *urls; /* foreign layers only */
	size_t url_count;
};

struct manifest {
	const char *media_type;    /* as it must be sent when it is pushed */
	const char *artifact_type; /* or NULL */
	struct descriptor config;
	struct descriptor *layers; /* the bottom first */
	size_t layer_count;
};

struct index_entry {
	struct descriptor descriptor;
	bool has_platform;
	struct platform platform; /* normalised; valid when has_platform */
	bool is_runnable; /* false: attestation, unknown/unknown, or no manifest type at all */
	const char *reference_digest; /* of an attestation: the manifest it is about; or NULL */
};

struct index {
	const char *media_type;
	struct index_entry *entries;
	size_t entry_count;
};

/* A JSON object in which no key stands twice (parsers disagree about which one wins). To be put. */
struct json_object *media_parse_json(const char *what, const char *text, size_t len,
				     struct err *err);

/* Tells manifest from index: by the body's own mediaType, then content_type (NULL: none), then
 * shape. expected_type is the media type of the descriptor that led here (NULL: none); a
 * contradiction is INVALID. Exactly one of *out_manifest, *out_index is set. */
int media_parse(struct arena *arena, const char *text, size_t len, const char *content_type,
		const char *expected_type, struct manifest **out_manifest, struct index **out_index,
		struct err *err);

/* The entry for the platform (PLATFORM_SCORE order, first wins a tie), or NOT_FOUND that lists what
 * is offered. An entry without platform serves when nothing else is there. */
int media_choose(const struct index *index, const struct platform *wanted, bool is_explicit,
		 const struct index_entry **out, struct err *err);
