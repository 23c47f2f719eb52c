/* tests/images/test_media - mirrors images/media. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/alloc.h"
#include "images/media.h"

#define HEX64 "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
#define DIG   "sha256:" HEX64
#define OCI_M "application/vnd.oci.image.manifest.v1+json"
#define OCI_I "application/vnd.oci.image.index.v1+json"
#define DOC_M "application/vnd.docker.distribution.manifest.v2+json"
#define DOC_I "application/vnd.docker.distribution.manifest.list.v2+json"
#define LAY                                                                                        \
	"{\"mediaType\":\"application/vnd.oci.image.layer.v1.tar+gzip\",\"digest\":\"" DIG         \
	"\",\"size\":3}"
#define CONF                                                                                       \
	"{\"mediaType\":\"application/vnd.oci.image.config.v1+json\",\"digest\":\"" DIG            \
	"\",\"size\":2}"
#define DESC(type, more)   "{\"mediaType\":\"" type "\",\"digest\":\"" DIG "\",\"size\":3" more "}"
#define PLATFORM(os, arch) ",\"platform\":{\"os\":\"" os "\",\"architecture\":\"" arch "\"}"

struct parsed {
	struct arena *arena;
	struct manifest *manifest;
	struct index *index;
	struct err err;
	int result;
};

static struct parsed parse(const char *text, const char *content_type, const char *expected)
{
	struct parsed out = { .arena = arena_new() };

	out.result = media_parse(out.arena, text, strlen(text), content_type, expected,
				 &out.manifest, &out.index, &out.err);
	return out;
}

static void kinds_are_told_by_their_types(void **state)
{
	(void)state;
	assert_int_equal(media_kind_of(OCI_M), MEDIA_MANIFEST);
	assert_int_equal(media_kind_of(DOC_M "; charset=utf-8"), MEDIA_MANIFEST);
	assert_int_equal(media_kind_of(DOC_I), MEDIA_INDEX);
	assert_int_equal(media_kind_of("application/vnd.oci.image.layer.v1.tar+zstd"), MEDIA_LAYER);
	assert_int_equal(media_kind_of("application/vnd.docker.image.rootfs.foreign.diff.tar.gzip"),
			 MEDIA_FOREIGN_LAYER);
	assert_int_equal(media_kind_of("application/vnd.oci.image.layer.v1.tar+gzip+encrypted"),
			 MEDIA_UNKNOWN);
	assert_int_equal(media_kind_of(NULL), MEDIA_UNKNOWN);
	assert_int_equal(media_kind_of(""), MEDIA_UNKNOWN);
}

static void a_manifest_gives_config_and_layers(void **state)
{
	struct parsed got = parse("{\"schemaVersion\":2,\"mediaType\":\"" OCI_M
				  "\",\"config\":" CONF ",\"layers\":[" LAY "," LAY "]}",
				  OCI_M, NULL);

	(void)state;
	assert_int_equal(got.result, 0);
	assert_null(got.index);
	assert_int_equal(got.manifest->layer_count, 2);
	assert_string_equal(got.manifest->layers[1].digest, DIG);
	assert_int_equal(got.manifest->layers[0].size_bytes, 3);
	assert_int_equal(got.manifest->config.size_bytes, 2);
	assert_string_equal(got.manifest->media_type, OCI_M);
	arena_free(got.arena);
}

static void the_type_comes_from_the_body_then_the_header_then_the_shape(void **state)
{
	struct parsed a =
		parse("{\"schemaVersion\":2,\"config\":" CONF ",\"layers\":[]}", DOC_M, NULL);
	struct parsed b = parse("{\"schemaVersion\":2,\"config\":" CONF ",\"layers\":[]}",
				"application/json", NULL);
	struct parsed c = parse("{\"schemaVersion\":2,\"manifests\":[]}", "text/plain", NULL);

	(void)state;
	assert_string_equal(a.manifest->media_type, DOC_M);
	assert_string_equal(b.manifest->media_type, OCI_M);
	assert_non_null(c.index);
	arena_free(a.arena);
	arena_free(b.arena);
	arena_free(c.arena);
}

static void what_contradicts_or_is_no_image_is_refused(void **state)
{
	/* clang-format off */
	static const struct { const char *text, *type, *expected; enum err_code code; const char *says; } rows[] = {
		{ "", NULL, NULL, ERR_INVALID, "JSON" },
		{ "[]", NULL, NULL, ERR_INVALID, "object" },
		{ "{} {}", NULL, NULL, ERR_INVALID, "JSON" },
		{ "{\"schemaVersion\":2}x", NULL, NULL, ERR_INVALID, "JSON" },
		{ "{}", NULL, NULL, ERR_INVALID, "schemaVersion" },
		{ "{\"schemaVersion\":3,\"config\":" CONF ",\"layers\":[]}", NULL, NULL, ERR_INVALID, "schemaVersion" },
		{ "{\"schemaVersion\":\"2\",\"config\":" CONF ",\"layers\":[]}", NULL, NULL, ERR_INVALID, "schemaVersion" },
		{ "{\"schemaVersion\":1,\"fsLayers\":[]}", NULL, NULL, ERR_UNSUPPORTED, "schema 1" },
		{ "{\"schemaVersion\":2}", "application/vnd.docker.distribution.manifest.v1+prettyjws", NULL, ERR_UNSUPPORTED, "schema 1" },
		{ "{\"schemaVersion\":2,\"config\":" CONF ",\"layers\":[],\"manifests\":[]}", NULL, NULL, ERR_INVALID, "at once" },
		{ "{\"schemaVersion\":2,\"mediaType\":\"" OCI_M "\",\"config\":" CONF ",\"layers\":[]}", OCI_I, NULL, ERR_INVALID, "announced" },
		{ "{\"schemaVersion\":2,\"mediaType\":\"" OCI_M "\",\"config\":" CONF ",\"layers\":[]}", NULL, DOC_M, ERR_INVALID, "announced" },
		{ "{\"schemaVersion\":2,\"mediaType\":\"application/x\",\"config\":" CONF ",\"layers\":[]}", NULL, NULL, ERR_UNSUPPORTED, "application/x" },
		{ "{\"schemaVersion\":2,\"config\":" CONF ",\"config\":" CONF ",\"layers\":[]}", NULL, NULL, ERR_INVALID, "twice" },
		{ "{\"schemaVersion\":2,\"config\":" CONF ",\"layers\":[{\"size\":1,\"size\":2}]}", NULL, NULL, ERR_INVALID, "twice" },
		{ "{\"schemaVersion\":2,\"config\":" CONF ",\"layers\":[],\"\\u006cayers\":[]}", NULL, NULL, ERR_INVALID, "twice" },
		{ "{\"schemaVersion\":2,\"layers\":[]}", NULL, NULL, ERR_INVALID, "config" },
		{ "{\"schemaVersion\":2,\"config\":" CONF "}", OCI_M, NULL, ERR_INVALID, "layers" },
		{ "{\"schemaVersion\":2,\"config\":" CONF ",\"layers\":{}}", OCI_M, NULL, ERR_INVALID, "layers" },
		{ "{\"schemaVersion\":2,\"config\":[],\"layers\":[]}", OCI_M, NULL, ERR_INVALID, "config" },
		{ "{\"schemaVersion\":2,\"config\":" CONF ",\"layers\":[7]}", OCI_M, NULL, ERR_INVALID, "layer 1 of 1" },
		{ "{\"schemaVersion\":2,\"config\":" DESC("application/vnd.cncf.helm.config.v1+json", "") ",\"layers\":[]}", OCI_M, NULL, ERR_UNSUPPORTED, "helm" },
		{ "{\"schemaVersion\":2,\"artifactType\":\"text/sbom\",\"config\":" DESC("application/vnd.oci.empty.v1+json", "") ",\"layers\":[]}", OCI_M, NULL, ERR_UNSUPPORTED, "text/sbom" },
		{ "{\"schemaVersion\":2,\"config\":" CONF ",\"layers\":[" LAY "," DESC("application/vnd.in-toto+json", "") "]}", OCI_M, NULL, ERR_UNSUPPORTED, "layer 2 of 2: type \"application/vnd.in-toto" },
		{ "{\"schemaVersion\":2,\"config\":" CONF ",\"layers\":[" DESC("application/vnd.oci.image.layer.v1.tar+gzip+encrypted", "") "]}", OCI_M, NULL, ERR_UNSUPPORTED, "encrypted" },
		{ "{\"schemaVersion\":2,\"config\":{\"digest\":\"" DIG "\",\"size\":-1},\"layers\":[]}", OCI_M, NULL, ERR_INVALID, "size" },
		{ "{\"schemaVersion\":2,\"config\":{\"digest\":\"" DIG "\",\"size\":1.5},\"layers\":[]}", OCI_M, NULL, ERR_INVALID, "size" },
		{ "{\"schemaVersion\":2,\"config\":{\"digest\":\"" DIG "\",\"size\":\"1\"},\"layers\":[]}", OCI_M, NULL, ERR_INVALID, "size" },
		{ "{\"schemaVersion\":2,\"config\":{\"digest\":\"" DIG "\",\"size\":9007199254740992},\"layers\":[]}", OCI_M, NULL, ERR_INVALID, "size" },
		{ "{\"schemaVersion\":2,\"config\":{\"digest\":\"" DIG "\"},\"layers\":[]}", OCI_M, NULL, ERR_INVALID, "size" },
		{ "{\"schemaVersion\":2,\"config\":{\"digest\":\"md5:00\",\"size\":1},\"layers\":[]}", OCI_M, NULL, ERR_INVALID, "digest" },
		{ "{\"schemaVersion\":2,\"config\":{\"digest\":\"sha256:../../etc\",\"size\":1},\"layers\":[]}", OCI_M, NULL, ERR_INVALID, "digest" },
		{ "{\"schemaVersion\":2,\"config\":{\"mediaType\":\"application/vnd.oci.image.config.v1+json\",\"digest\":\"" DIG "\",\"size\":9000000},\"layers\":[]}", OCI_M, NULL, ERR_INVALID, "larger" },
		{ "{\"schemaVersion\":2,\"manifests\":{}}", OCI_I, NULL, ERR_INVALID, "manifests" },
		{ "{\"schemaVersion\":2,\"manifests\":[{}]}", OCI_I, NULL, ERR_INVALID, "entry 1 of 1" },
		{ "{\"schemaVersion\":2,\"x\":\"\xff\"}", NULL, NULL, ERR_INVALID, "JSON" },
	};
	/* clang-format on */

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct parsed got = parse(rows[i].text, rows[i].type, rows[i].expected);

		if (got.result == 0)
			fail_msg("row %zu taken", i);
		if (got.err.code != rows[i].code || !strstr(got.err.msg, rows[i].says))
			fail_msg("row %zu: %d %s", i, got.err.code, got.err.msg);
		arena_free(got.arena);
	}
}

static void too_many_layers_and_bytes_are_refused(void **state)
{
	char *text = xcalloc(1, MEDIA_MANIFEST_MAX + 100), *at;
	struct parsed got;

	(void)state;
	at = text + sprintf(text, "{\"schemaVersion\":2,\"config\":%s,\"layers\":[%s", CONF, LAY);
	for (int i = 0; i < MEDIA_LAYERS_MAX; i++)
		at += sprintf(at, ",%s", LAY);
	strcpy(at, "]}");
	got = parse(text, OCI_M, NULL);
	assert_int_equal(got.result, -1);
	assert_non_null(strstr(got.err.msg, "501 layers"));
	arena_free(got.arena);
	memset(text, ' ', MEDIA_MANIFEST_MAX + 1);
	got = parse(text, OCI_M, NULL);
	assert_non_null(strstr(got.err.msg, "larger"));
	arena_free(got.arena);
	free(text);
}

static const char mixed_index[] =
	"{\"schemaVersion\":2,\"mediaType\":\"" OCI_I "\",\"manifests\":[" DESC(
		OCI_M,
		PLATFORM(
			"linux",
			"arm64")) ","
				  "{\"mediaType\":\"" OCI_M "\",\"digest\":\"sha256:"
				  "aaaa456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
				  "\",\"size\":9" PLATFORM("linux", "amd64") "}," DESC(
					  OCI_M,
					  PLATFORM(
						  "unknown",
						  "unknown") ",\"annotations\":{\"vnd.docker."
							     "reference.type\":"
							     "\"attestation-manifest\",\"vnd."
							     "docker.reference.digest\":\"" DIG
							     "\"}") "," DESC("application/"
									     "vnd.in-toto+json",
									     PLATFORM(
										     "linux",
										     "amd64")) "]}";

static void an_index_with_attestations_gives_the_entry_of_the_platform(void **state)
{
	struct parsed got = parse(mixed_index, OCI_I, NULL);
	struct platform wanted = { "linux", "amd64", "v3" };
	const struct index_entry *entry;
	struct err err = ERR_NONE;

	(void)state;
	assert_int_equal(got.result, 0);
	assert_int_equal(got.index->entry_count, 4);
	assert_false(got.index->entries[2].is_runnable);
	assert_string_equal(got.index->entries[2].reference_digest, DIG);
	assert_false(got.index->entries[3].is_runnable);
	assert_int_equal(media_choose(got.index, &wanted, false, &entry, &err), 0);
	assert_int_equal(entry->descriptor.size_bytes, 9);
	arena_free(got.arena);
}

static void no_match_lists_what_there_is(void **state)
{
	struct parsed got = parse(mixed_index, OCI_I, NULL);
	struct platform wanted = { "linux", "s390x", "" };
	const struct index_entry *entry;
	struct err err = ERR_NONE;

	(void)state;
	assert_int_equal(media_choose(got.index, &wanted, true, &entry, &err), -1);
	assert_int_equal(err.code, ERR_NOT_FOUND);
	assert_string_equal(err.msg,
			    "has no image for linux/s390x; it has: linux/amd64, linux/arm64/v8");
	arena_free(got.arena);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(kinds_are_told_by_their_types),
		cmocka_unit_test(a_manifest_gives_config_and_layers),
		cmocka_unit_test(the_type_comes_from_the_body_then_the_header_then_the_shape),
		cmocka_unit_test(what_contradicts_or_is_no_image_is_refused),
		cmocka_unit_test(too_many_layers_and_bytes_are_refused),
		cmocka_unit_test(an_index_with_attestations_gives_the_entry_of_the_platform),
		cmocka_unit_test(no_match_lists_what_there_is),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
