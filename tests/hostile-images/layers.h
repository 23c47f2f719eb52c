/* tests/hostile-images/layers - layer tars that no honest tool writes, one row each.
 *
 * `refusal` is a part of the one line that the loader has to give; NULL: it is taken, and has to
 * stay inside. CANARY stands for the path of a folder outside that must not change.
 */
#pragma once
#include "tests/hostile-images/tarball.h"

struct hostile_layer {
	const char *name;
	void (*build)(struct tarball *tar, const char *canary);
	const char *refusal;
};

/* ---- names ---- */

static void dotdot(struct tarball *tar, const char *canary)
{
	(void)canary;
	tarball_file(tar, "../escaped", "x");
}

static void dotdot_inside(struct tarball *tar, const char *canary)
{
	(void)canary;
	tarball_file(tar, "a/b/../../../escaped", "x");
}

static void absolute(struct tarball *tar, const char *canary)
{
	char name[100];

	snprintf(name, sizeof(name), "%s/file", canary);
	tarball_file(tar, name, "x");
}

static void link_then_file(struct tarball *tar, const char *canary)
{
	tarball_link(tar, "out", '2', canary);
	tarball_file(tar, "out/file", "x");
}

static void relative_link_then_file(struct tarball *tar, const char *canary)
{
	char target[100];

	snprintf(target, sizeof(target), "../../../../../../../..%s", canary);
	tarball_link(tar, "out", '2', target);
	tarball_file(tar, "out/file", "x");
}

static void links_of_links(struct tarball *tar, const char *canary)
{
	tarball_link(tar, "a", '2', "b");
	tarball_link(tar, "b", '2', canary);
	tarball_dir(tar, "a/sub");
	tarball_file(tar, "a/file", "x");
}

static void file_through_a_link_of_its_name(struct tarball *tar, const char *canary)
{
	char target[100];

	snprintf(target, sizeof(target), "%s/file", canary);
	tarball_link(tar, "f", '2', target);
	tarball_file(tar, "f", "x");
}

static void folder_over_a_link(struct tarball *tar, const char *canary)
{
	tarball_link(tar, "d", '2', canary);
	tarball_add(tar, &(struct tar_head){ .name = "d", .type = '5', .mode = 0777, .uid = 1 });
	tarball_file(tar, "d/file", "x");
}

static void link_loop(struct tarball *tar, const char *canary)
{
	(void)canary;
	tarball_link(tar, "a", '2', "b");
	tarball_link(tar, "b", '2', "a");
	tarball_file(tar, "a/x", "x");
}

static void link_to_itself(struct tarball *tar, const char *canary)
{
	(void)canary;
	tarball_link(tar, "self", '2', "self");
	tarball_file(tar, "self/x", "x");
}

static void long_part(struct tarball *tar, const char *canary)
{
	char name[300];

	(void)canary;
	memset(name, 'n', 256);
	name[256] = '\0';
	tarball_pax(tar, "path", name);
	tarball_file(tar, "x", "");
}

static void long_path(struct tarball *tar, const char *canary)
{
	char name[5001];

	(void)canary;
	for (size_t i = 0; i < 5000; i++)
		name[i] = i % 100 ? 'p' : '/';
	name[5000] = '\0';
	tarball_pax(tar, "path", name);
	tarball_file(tar, "x", "");
}

static void deep_path(struct tarball *tar, const char *canary)
{
	char name[1401];

	(void)canary;
	for (size_t i = 0; i < 1400; i++)
		name[i] = i % 2 ? '/' : 'd';
	name[1400] = '\0';
	tarball_pax(tar, "path", name);
	tarball_file(tar, "x", "");
}

static void nul_in_path(struct tarball *tar, const char *canary)
{
	struct tarball records = { 0 };

	(void)canary;
	tarball_record(&records, "path", "a\0../../b", 9);
	tarball_meta(tar, 'x', records.bytes, records.len);
	tarball_file(tar, "x", "");
	free(records.bytes);
}

static void root_is_a_file(struct tarball *tar, const char *canary)
{
	(void)canary;
	tarball_add(tar, &(struct tar_head){ .name = ".", .data = "x", .size = 1 });
}

static void root_is_a_link(struct tarball *tar, const char *canary)
{
	tarball_link(tar, ".", '2', canary);
	tarball_file(tar, "file", "x");
}

/* ---- links and devices ---- */

static void hardlink_out(struct tarball *tar, const char *canary)
{
	(void)canary;
	tarball_link(tar, "l", '1', "../../../etc/passwd");
}

static void hardlink_absolute(struct tarball *tar, const char *canary)
{
	char target[100];

	snprintf(target, sizeof(target), "%s/file", canary);
	tarball_link(tar, "l", '1', target);
	tarball_file(tar, "l", "x");
}

static void hardlink_through_a_link(struct tarball *tar, const char *canary)
{
	tarball_link(tar, "out", '2', canary);
	tarball_link(tar, "l", '1', "out/file");
}

static void hardlink_to_a_folder(struct tarball *tar, const char *canary)
{
	(void)canary;
	tarball_dir(tar, "d");
	tarball_link(tar, "l", '1', "d");
}

static void hardlink_to_the_root(struct tarball *tar, const char *canary)
{
	(void)canary;
	tarball_link(tar, "l", '1', "./");
}

static void hardlink_to_what_it_replaces(struct tarball *tar, const char *canary)
{
	(void)canary;
	tarball_dir(tar, "d");
	tarball_file(tar, "d/f", "x");
	tarball_link(tar, "d", '1', "d/f");
}

static void empty_target(struct tarball *tar, const char *canary)
{
	(void)canary;
	tarball_link(tar, "l", '2', "");
}

static void endless_target(struct tarball *tar, const char *canary)
{
	char *target = calloc(1, 5000);

	(void)canary;
	memset(target, 't', 4999);
	tarball_pax(tar, "linkpath", target);
	tarball_link(tar, "l", '2', "x");
	free(target);
}

static void whiteout_device(struct tarball *tar, const char *canary)
{
	(void)canary;
	tarball_add(tar, &(struct tar_head){ .name = "gone", .type = '3' });
}

static void device_number_out_of_range(struct tarball *tar, const char *canary)
{
	uint8_t *block;

	(void)canary;
	tarball_add(tar, &(struct tar_head){ .name = "dev", .type = '3', .major = 1 });
	block = tar->bytes + tar->len - 512;
	memcpy(block + 329, "\x80\0\0\xff\xff\xff\xff\xff", 8);
	tarball_sum(block);
}

/* ---- whiteouts ---- */

static void whiteout_of_nothing(struct tarball *tar, const char *canary)
{
	(void)canary;
	tarball_file(tar, "a/.wh.", "");
}

static void whiteout_of_dot(struct tarball *tar, const char *canary)
{
	(void)canary;
	tarball_file(tar, ".wh..", "");
}

static void whiteout_of_dotdot(struct tarball *tar, const char *canary)
{
	(void)canary;
	tarball_file(tar, "a/.wh...", "");
}

static void below_a_whiteout(struct tarball *tar, const char *canary)
{
	(void)canary;
	tarball_dir(tar, ".wh.d");
	tarball_file(tar, ".wh.d/x", "");
}

static void whiteout_through_a_link(struct tarball *tar, const char *canary)
{
	tarball_link(tar, "out", '2', canary);
	tarball_file(tar, "out/.wh.file", "");
	tarball_file(tar, "out/.wh..wh..opq", "");
}

/* ---- attributes ---- */

static void overlay_attributes(struct tarball *tar, const char *canary)
{
	(void)canary;
	tarball_pax(tar, "SCHILY.xattr.trusted.overlay.redirect", "/etc");
	tarball_dir(tar, "d");
	tarball_pax(tar, "SCHILY.xattr.trusted.overlay.metacopy", "");
	tarball_file(tar, "d/f", "x");
}

static void large_attribute(struct tarball *tar, const char *canary)
{
	char *value = calloc(1, 70000);

	(void)canary;
	memset(value, 'v', 69999);
	tarball_pax(tar, "SCHILY.xattr.user.big", value);
	tarball_file(tar, "f", "");
	free(value);
}

static void many_attributes(struct tarball *tar, const char *canary)
{
	struct tarball records = { 0 };
	char key[64];

	(void)canary;
	for (int i = 0; i < 200; i++) {
		snprintf(key, sizeof(key), "SCHILY.xattr.user.k%d", i);
		tarball_record(&records, key, "v", 1);
	}
	tarball_meta(tar, 'x', records.bytes, records.len);
	tarball_file(tar, "f", "");
	free(records.bytes);
}

static void owner_that_means_none(struct tarball *tar, const char *canary)
{
	(void)canary;
	tarball_pax(tar, "uid", "4294967295");
	tarball_file(tar, "f", "");
}

static void large_extended_header(struct tarball *tar, const char *canary)
{
	char *text = calloc(1, 2000000);

	(void)canary;
	memset(text, 'x', 1999999);
	tarball_pax(tar, "comment", text);
	tarball_file(tar, "f", "");
	free(text);
}

static void record_of_wrong_length(struct tarball *tar, const char *canary)
{
	(void)canary;
	tarball_meta(tar, 'x', "4000 path=x\n", 12);
	tarball_file(tar, "f", "");
}

/* ---- sizes ---- */

static void negative_size(struct tarball *tar, const char *canary)
{
	(void)canary;
	tarball_add(tar, &(struct tar_head){
				 .name = "f",
				 .size_text = "\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\0" });
}

static void endless_size(struct tarball *tar, const char *canary)
{
	(void)canary;
	tarball_add(tar, &(struct tar_head){
				 .name = "f",
				 .size_text = "\x80\0\0\0\x3f\xff\xff\xff\xff\xff\xff\xff" });
}

static void larger_than_the_limit(struct tarball *tar, const char *canary)
{
	(void)canary;
	tarball_add(tar, &(struct tar_head){ .name = "f", .size = 64u << 20 });
	tarball_zeros(tar, 64u << 20);
}

static void sparse_bomb(struct tarball *tar, const char *canary)
{
	struct tarball records = { 0 };

	(void)canary;
	tarball_record(&records, "GNU.sparse.map", "0,1", 3);
	tarball_record(&records, "GNU.sparse.size", "1000000000000000000", 19);
	tarball_meta(tar, 'x', records.bytes, records.len);
	tarball_file(tar, "f", "x");
	free(records.bytes);
}

static void sparse_regions_overlap(struct tarball *tar, const char *canary)
{
	struct tarball records = { 0 };

	(void)canary;
	tarball_record(&records, "GNU.sparse.map", "0,10,5,10", 9);
	tarball_record(&records, "GNU.sparse.size", "100", 3);
	tarball_meta(tar, 'x', records.bytes, records.len);
	tarball_file(tar, "f", "12345678901234567890");
	free(records.bytes);
}

static void sparse_region_behind_the_end(struct tarball *tar, const char *canary)
{
	struct tarball records = { 0 };

	(void)canary;
	tarball_record(&records, "GNU.sparse.map", "1000,10", 7);
	tarball_record(&records, "GNU.sparse.size", "100", 3);
	tarball_meta(tar, 'x', records.bytes, records.len);
	tarball_file(tar, "f", "1234567890");
	free(records.bytes);
}

static void sparse_map_of_many(struct tarball *tar, const char *canary)
{
	struct tarball records = { 0 };

	(void)canary;
	tarball_record(&records, "GNU.sparse.major", "1", 1);
	tarball_record(&records, "GNU.sparse.realsize", "10", 2);
	tarball_meta(tar, 'x', records.bytes, records.len);
	free(records.bytes);
	records = (struct tarball){ 0 };
	tarball_put(&records, "99999999999\n0\n1\n", 16);
	tarball_pad(&records);
	tarball_add(tar,
		    &(struct tar_head){ .name = "f", .data = records.bytes, .size = records.len });
	free(records.bytes);
}

/* ---- the stream ---- */

static void wrong_checksum(struct tarball *tar, const char *canary)
{
	(void)canary;
	tarball_file(tar, "f", "");
	tar->bytes[tar->len - 512] = 'g';
}

static void cut_in_an_entry(struct tarball *tar, const char *canary)
{
	(void)canary;
	tarball_file(tar, "f", "0123456789");
	tar->len -= 507;
}

static void cut_in_a_header(struct tarball *tar, const char *canary)
{
	(void)canary;
	tarball_file(tar, "f", "");
	tarball_file(tar, "g", "");
	tar->len -= 100;
}

static void bytes_behind_the_end(struct tarball *tar, const char *canary)
{
	(void)canary;
	tarball_file(tar, "f", "");
	tarball_end(tar);
	tarball_put(tar, "garbage", 7);
}

static void multi_volume(struct tarball *tar, const char *canary)
{
	(void)canary;
	tarball_add(tar, &(struct tar_head){ .name = "f", .type = 'M' });
}

static void unknown_type(struct tarball *tar, const char *canary)
{
	(void)canary;
	tarball_add(tar, &(struct tar_head){ .name = "f\x1b[31m", .type = 'Q' });
}

static void no_tar_at_all(struct tarball *tar, const char *canary)
{
	(void)canary;
	for (int i = 0; i < 200; i++)
		tarball_put(tar, "<html>404</html>", 16);
}

static void bzip2_stream(struct tarball *tar, const char *canary)
{
	(void)canary;
	tarball_put(tar, "BZh91AY&SY", 10);
}

static void xz_stream(struct tarball *tar, const char *canary)
{
	(void)canary;
	tarball_put(tar,
		    "\xfd"
		    "7zXZ\0\0\4",
		    8);
}

static void gzip_cut_off(struct tarball *tar, const char *canary)
{
	(void)canary;
	tarball_put(tar, "\x1f\x8b\x08\0\0\0\0\0\0\x03\x03", 11);
}

static void gzip_of_wrong_sum(struct tarball *tar, const char *canary)
{
	(void)canary;
	tarball_put(tar, "\x1f\x8b\x08\0\0\0\0\0\0\x03\x03\0\1\2\3\4\0\0\0\0", 20);
}

static void gzip_with_a_tail(struct tarball *tar, const char *canary)
{
	(void)canary;
	tarball_put(tar, "\x1f\x8b\x08\0\0\0\0\0\0\x03\x03\0\0\0\0\0\0\0\0\0evil", 24);
}

static void zstd_of_a_large_window(struct tarball *tar, const char *canary)
{
	(void)canary;
	tarball_put(tar, "\x28\xb5\x2f\xfd\0\xa8\1\0\0", 9);
}

/* clang-format off */
static const struct hostile_layer hostile_layers[] = {
	{ "dotdot",                    dotdot,                          "\"..\"" },
	{ "dotdot-inside",             dotdot_inside,                   "\"..\"" },
	{ "absolute",                  absolute,                        NULL },
	{ "link-then-file",            link_then_file,                  NULL },
	{ "relative-link-then-file",   relative_link_then_file,         NULL },
	{ "links-of-links",            links_of_links,                  NULL },
	{ "file-through-its-link",     file_through_a_link_of_its_name, NULL },
	{ "folder-over-a-link",        folder_over_a_link,              NULL },
	{ "link-loop",                 link_loop,                       "entry \"a/x\": more than 40 symlinks" },
	{ "link-to-itself",            link_to_itself,                  "more than 40 symlinks" },
	{ "long-part",                 long_part,                       "part of 256 bytes" },
	{ "long-path",                 long_path,                       "longer than 4096" },
	{ "deep-path",                 deep_path,                       "nested more than 512" },
	{ "nul-in-path",               nul_in_path,                     "NUL byte" },
	{ "root-is-a-file",            root_is_a_file,                  "the root has to be a folder" },
	{ "root-is-a-link",            root_is_a_link,                  "the root has to be a folder" },
	{ "hardlink-out",              hardlink_out,                    "entry \"l\": hard link: name has a part \"..\"" },
	{ "hardlink-absolute",         hardlink_absolute,               "nowhere" },
	{ "hardlink-through-a-link",   hardlink_through_a_link,         "nowhere" },
	{ "hardlink-to-a-folder",      hardlink_to_a_folder,            "hard link to a folder" },
	{ "hardlink-to-the-root",      hardlink_to_the_root,            "hard link to a folder" },
	{ "hardlink-to-its-parent",    hardlink_to_what_it_replaces,    "what it replaces" },
	{ "empty-target",              empty_target,                    "symlink target of 0 bytes" },
	{ "endless-target",            endless_target,                  "symlink target of 4999 bytes" },
	{ "whiteout-device",           whiteout_device,                 "entry \"gone\": character device 0:0" },
	{ "device-out-of-range",       device_number_out_of_range,      "devmajor is out of range" },
	{ "whiteout-of-nothing",       whiteout_of_nothing,             "whiteout without a name" },
	{ "whiteout-of-dot",           whiteout_of_dot,                 "whiteout without a name" },
	{ "whiteout-of-dotdot",        whiteout_of_dotdot,              "whiteout without a name" },
	{ "below-a-whiteout",          below_a_whiteout,                "stands below a whiteout" },
	{ "whiteout-through-a-link",   whiteout_through_a_link,         NULL },
	{ "overlay-attributes",        overlay_attributes,              NULL },
	{ "large-attribute",           large_attribute,                 "larger than 65536" },
	{ "many-attributes",           many_attributes,                 "more than 128" },
	{ "owner-that-means-none",     owner_that_means_none,           "uid" },
	{ "large-extended-header",     large_extended_header,           "extended header is larger" },
	{ "record-of-wrong-length",    record_of_wrong_length,          "pax record" },
	{ "negative-size",             negative_size,                   "size is out of range" },
	{ "endless-size",              endless_size,                    "limit" },
	{ "larger-than-the-limit",     larger_than_the_limit,           "limit" },
	{ "sparse-bomb",               sparse_bomb,                     "limit" },
	{ "sparse-regions-overlap",    sparse_regions_overlap,          "not in order" },
	{ "sparse-behind-the-end",     sparse_region_behind_the_end,    "behind the file's end" },
	{ "sparse-map-of-many",        sparse_map_of_many,              "more than 262144 regions" },
	{ "wrong-checksum",            wrong_checksum,                  "wrong checksum" },
	{ "cut-in-an-entry",           cut_in_an_entry,                 "ends in the middle" },
	{ "cut-in-a-header",           cut_in_a_header,                 "ends in the middle" },
	{ "bytes-behind-the-end",      bytes_behind_the_end,            "garbage behind the end" },
	{ "multi-volume",              multi_volume,                    "type 'M'" },
	{ "unknown-type",              unknown_type,                    "entry \"f?[31m\": type 'Q'" },
	{ "no-tar-at-all",             no_tar_at_all,                   "no octal number" },
	{ "bzip2-stream",              bzip2_stream,                    "bzip2" },
	{ "xz-stream",                 xz_stream,                       "xz" },
	{ "gzip-cut-off",              gzip_cut_off,                    "ends too early" },
	{ "gzip-of-wrong-sum",         gzip_of_wrong_sum,               "gzip" },
	{ "gzip-with-a-tail",          gzip_with_a_tail,                "gzip" },
	{ "zstd-of-a-large-window",    zstd_of_a_large_window,          "zstd" },
};
/* clang-format on */

#define HOSTILE_LAYER_COUNT (sizeof(hostile_layers) / sizeof(hostile_layers[0]))
