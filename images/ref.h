/* images/ref - names of images: host/name:tag@digest.
 *
 * Pure: no file, no clock, no allocation; a struct ref is plain data and may be copied.
 * Thread-safe. The grammar is that of docker: a first component with '.', ':' or an upper-case
 * letter, or "localhost", is the registry's domain; otherwise it is docker.io, and one component
 * there lives in library/.
 */
#pragma once
#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"

#define REF_NAME_MAX   255 /* domain, '/' and path */
#define REF_TAG_MAX    128
#define REF_DIGEST_MAX 135 /* "sha512:" and 128 digits */
#define REF_TEXT_MAX   512
#define REF_ID_LEN     64

struct ref {
	char domain[REF_NAME_MAX + 1];   /* "docker.io", "localhost:5000", "[::1]:5000" */
	char path[REF_NAME_MAX + 1];     /* "library/nginx" */
	char tag[REF_TAG_MAX + 1];       /* "" only when a digest decides and no tag was written */
	char digest[REF_DIGEST_MAX + 1]; /* "sha256:…" or "" */
};

/* Parses and normalises: no tag and no digest gives tag "latest". With both, the digest decides and
 * the tag is for display and for the name in the store.
 * Errors: INVALID, naming the byte and its column. A bare id of 64 digits is refused here. */
int ref_parse(const char *text, struct ref *out, struct err *err);

/* Canonical ("docker.io/library/nginx:latest"): records, JSON, keys of the store. Familiar
 * ("nginx:latest"): for people. Returns out; size REF_TEXT_MAX + 1 always fits. */
char *ref_canonical(const struct ref *ref, char *out, size_t size);
char *ref_familiar(const struct ref *ref, char *out, size_t size);
/* Without tag and digest. */
char *ref_repository(const struct ref *ref, char *out, size_t size); /* canonical */
char *ref_familiar_repository(const struct ref *ref, char *out, size_t size);
/* What stands behind /manifests/: the digest, else the tag. Borrowed from ref. */
const char *ref_target(const struct ref *ref);
/* The host that answers for the domain ("registry-1.docker.io" for docker.io). Borrowed or static.
 */
const char *ref_api_host(const char *domain);

/* "sha256:" and 64, or "sha512:" and 128 lower-case hex digits. */
bool ref_is_digest(const char *text);
/* 64 lower-case hex digits: an image id, never a repository. With "sha256:" in front too. */
bool ref_is_id(const char *text);
/* 4..64 lower-case hex digits, perhaps behind "sha256:": may be the beginning of an id. */
bool ref_may_be_short_id(const char *text);
/* One tag or repository path by the grammar, for callers that join them. */
bool ref_is_tag(const char *text);
bool ref_is_path(const char *text);
