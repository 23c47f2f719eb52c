/* tests/base/test_tar - mirrors base/tar, tar_header, tar_pax and tar_out. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/cleanup.h"
#include "base/tar.h"
#include "base/tar_out.h"
#include "tests/hostile-images/tarball.h"

/* What the reader said, as text: "type path link mode uid:gid mtime.ns size regions
 * xattrs=content". */
struct told {
	char *text;
	size_t len;
	FILE *stream;
	uint64_t at; /* of the file that is read */
};

static int told_entry(void *ctx, const struct tar_entry *entry, struct err *err)
{
	struct told *told = ctx;

	(void)err;
	fprintf(told->stream, "%c %s", "fhscbdp"[entry->type], entry -> path);
	if (*entry->link)
		fprintf(told->stream, " -> %s", entry->link);
	fprintf(told->stream, " %o %u:%u %lld.%09u", entry->mode, entry->uid, entry->gid,
		(long long)entry->mtime_s, entry->mtime_ns);
	if (entry->type == TAR_FILE)
		fprintf(told->stream, " %llu", (unsigned long long)entry->size);
	if (entry->type == TAR_CHAR || entry->type == TAR_BLOCK)
		fprintf(told->stream, " %u:%u", entry->major, entry->minor);
	for (size_t i = 0; i < entry->region_count; i++)
		fprintf(told->stream, " [%llu+%llu]", (unsigned long long)entry->regions[i].offset,
			(unsigned long long)entry->regions[i].len);
	for (size_t i = 0; i < entry->xattr_count; i++)
		fprintf(told->stream, " %s=%.*s", entry->xattrs[i].name,
			(int)entry->xattrs[i].value_len, (const char *)entry->xattrs[i].value);
	told->at = 0;
	return 0;
}

static int told_data(void *ctx, uint64_t offset, const void *data, size_t len, struct err *err)
{
	struct told *told = ctx;

	(void)err;
	if (offset != told->at || offset == 0)
		fprintf(told->stream, " @%llu=", (unsigned long long)offset);
	fwrite(data, 1, len, told->stream);
	told->at = offset + len;
	return 0;
}

static int told_done(void *ctx, struct err *err)
{
	(void)err;
	fputs(" .", ((struct told *)ctx)->stream);
	return 0;
}

static const struct tar_events told_events = { told_entry, told_data, told_done };

/* Reads in steps of `step` bytes; the text, or the error's. To be freed. */
static char *read_tar(const struct tarball *tarball, size_t step)
{
	struct told told = { 0 };
	AUTO(tar) struct tar *tar = tar_new(&told_events, &told);
	struct err err = ERR_NONE;
	int rc = 0;

	told.stream = open_memstream(&told.text, &told.len);
	for (size_t at = 0; at < tarball->len && rc == 0; at += step)
		rc = tar_write(tar, tarball->bytes + at,
			       tarball->len - at < step ? tarball->len - at : step, &err);
	if (rc == 0)
		rc = tar_end(tar, &err);
	fclose(told.stream);
	if (rc == 0)
		return told.text;
	free(told.text);
	return xformat("E:%s", err.msg);
}

static void expect(struct tarball *tarball, const char *wanted)
{
	static const size_t steps[] = { 1u << 20, 512, 1, 700 };

	for (size_t i = 0; i < 4; i++) {
		AUTO(free) char *got = read_tar(tarball, steps[i]);

		assert_string_equal(got, wanted);
	}
	free(tarball->bytes);
}

static void expect_error(struct tarball *tarball, const char *part)
{
	AUTO(free) char *got = read_tar(tarball, 1u << 20);

	if (strncmp(got, "E:", 2) != 0 || !strstr(got, part))
		fail_msg("got \"%s\", wanted an error with \"%s\"", got, part);
	free(tarball->bytes);
}

static void every_type_is_told(void **state)
{
	struct tarball tar = { 0 };

	(void)state;
	tarball_dir(&tar, "a/");
	tarball_file(&tar, "a/f", "hello");
	tarball_file(&tar, "a/empty", "");
	tarball_link(&tar, "a/h", '1', "a/f");
	tarball_link(&tar, "a/s", '2', "f");
	tarball_add(&tar, &(struct tar_head){ .name = "c", .type = '3', .major = 1, .minor = 3 });
	tarball_add(&tar, &(struct tar_head){ .name = "b", .type = '4', .major = 8, .minor = 300 });
	tarball_add(&tar, &(struct tar_head){ .name = "p", .type = '6', .uid = 5, .gid = 6 });
	tarball_add(&tar, &(struct tar_head){ .name = "old/", .type = '\0' });
	tarball_add(&tar,
		    &(struct tar_head){ .name = "cont", .type = '7', .data = "x", .size = 1 });
	tarball_end(&tar);
	expect(&tar, "d a/ 755 0:0 1600000000.000000000"
		     "f a/f 644 0:0 1600000000.000000000 5 @0=hello ."
		     "f a/empty 644 0:0 1600000000.000000000 0 ."
		     "h a/h -> a/f 644 0:0 1600000000.000000000"
		     "s a/s -> f 644 0:0 1600000000.000000000"
		     "c c 644 0:0 1600000000.000000000 1:3"
		     "b b 644 0:0 1600000000.000000000 8:300"
		     "p p 644 5:6 1600000000.000000000"
		     "d old/ 644 0:0 1600000000.000000000"
		     "f cont 644 0:0 1600000000.000000000 1 @0=x .");
}

static void pax_records_win_over_the_header(void **state)
{
	struct tarball tar = { 0 }, records = { 0 };

	(void)state;
	tarball_record(&records, "path", "long/name", 9);
	tarball_record(&records, "uid", "3000000000", 10);
	tarball_record(&records, "gid", "7", 1);
	tarball_record(&records, "mtime", "-12.5", 5);
	tarball_record(&records, "SCHILY.xattr.user.k", "a=b\nc", 5);
	tarball_record(&records, "SCHILY.xattr.user.k", "last", 4);
	tarball_record(&records, "uname", "nobody", 6);
	tarball_record(&records, "gid", "8", 1);
	tarball_meta(&tar, 'g', "12 path=bad\n", 12);
	tarball_meta(&tar, 'x', records.bytes, records.len);
	tarball_file(&tar, "short", "x");
	tarball_file(&tar, "next", "");
	expect(&tar, "f long/name 644 3000000000:8 -13.500000000 1 user.k=last @0=x ."
		     "f next 644 0:0 1600000000.000000000 0 .");
	free(records.bytes);
}

static void gnu_long_names_and_base256_are_read(void **state)
{
	struct tarball tar = { 0 };
	char name[301], link[201], wanted[700];
	uint8_t *block;

	(void)state;
	memset(name, 'n', 300);
	memset(link, 'l', 200);
	name[300] = link[200] = '\0';
	tarball_meta(&tar, 'L', name, 301);
	tarball_meta(&tar, 'K', link, 201);
	tarball_add(&tar, &(struct tar_head){ .name = "cut", .type = '2', .magic = "ustar  " });
	tarball_file(&tar, "big", "");
	block = tar.bytes + tar.len - 512;
	memset(block + 108, 0, 8); /* uid 2^31 in base 256 */
	block[108] = 0x80;
	block[112] = 0x80;
	memset(block + 136, 0xff, 12); /* mtime -2 */
	block[147] = 0xfe;
	tarball_sum(block);
	snprintf(wanted, sizeof(wanted),
		 "s %s -> %s 644 0:0 1600000000.000000000"
		 "f big 644 2147483648:0 -2.000000000 0 .",
		 name, link);
	expect(&tar, wanted);
}

static void sparse_files_of_every_format_are_read(void **state)
{
	struct tarball tar = { 0 }, records = { 0 };
	uint8_t *block;

	(void)state;
	/* old GNU: two regions, one of them empty at the end */
	tarball_add(&tar, &(struct tar_head){ .name = "gnu",
					      .type = 'S',
					      .data = "abcdef",
					      .size = 6,
					      .magic = "ustar  " });
	block = tar.bytes + tar.len - 1024;
	tarball_octal(block + 386, 11, 100);
	tarball_octal(block + 398, 11, 2);
	tarball_octal(block + 410, 11, 200);
	tarball_octal(block + 422, 11, 4);
	tarball_octal(block + 434, 11, 1000);
	tarball_octal(block + 446, 11, 0);
	tarball_octal(block + 483, 11, 1000);
	tarball_sum(block);
	/* pax 0.1 */
	tarball_record(&records, "GNU.sparse.map", "0,3,10,1", 8);
	tarball_record(&records, "GNU.sparse.size", "20", 2);
	tarball_meta(&tar, 'x', records.bytes, records.len);
	tarball_file(&tar, "zero-one", "wxyz");
	free(records.bytes);
	/* pax 1.0: the map in front of the data */
	records = (struct tarball){ 0 };
	tarball_record(&records, "GNU.sparse.major", "1", 1);
	tarball_record(&records, "GNU.sparse.minor", "0", 1);
	tarball_record(&records, "GNU.sparse.name", "one", 3);
	tarball_record(&records, "GNU.sparse.realsize", "4096", 4);
	tarball_meta(&tar, 'x', records.bytes, records.len);
	free(records.bytes);
	records = (struct tarball){ 0 };
	tarball_put(&records, "1\n4000\n2\n", 9);
	tarball_pad(&records);
	tarball_put(&records, "ok", 2);
	tarball_add(&tar, &(struct tar_head){ .name = "GNUSparse/x",
					      .data = records.bytes,
					      .size = records.len });
	free(records.bytes);
	tarball_end(&tar);
	expect(&tar, "f gnu 644 0:0 1600000000.000000000 1000 [100+2] [200+4] @100=ab @200=cdef ."
		     "f zero-one 644 0:0 1600000000.000000000 20 [0+3] [10+1] @0=wxy @10=z ."
		     "f one 644 0:0 1600000000.000000000 4096 [4000+2] @4000=ok .");
}

static void sizes_of_what_has_no_content_do_not_count(void **state)
{
	struct tarball tar = { 0 };

	(void)state;
	tarball_add(&tar, &(struct tar_head){ .name = "d/", .type = '5', .size = 4096 });
	tarball_add(&tar, &(struct tar_head){ .name = "h", .type = '1', .link = "d", .size = 77 });
	tarball_file(&tar, "after", "");
	expect(&tar, "d d/ 755 0:0 1600000000.000000000h h -> d 644 0:0 1600000000.000000000"
		     "f after 644 0:0 1600000000.000000000 0 .");
}

static void the_end_may_be_missing_but_not_wrong(void **state)
{
	struct tarball tar = { 0 };

	(void)state;
	expect(&tar, "");
	tar = (struct tarball){ 0 };
	tarball_file(&tar, "f", "x");
	tarball_end(&tar);
	tarball_zeros(&tar, 20000);
	expect(&tar, "f f 644 0:0 1600000000.000000000 1 @0=x .");
	tar = (struct tarball){ 0 };
	tarball_end(&tar);
	tarball_file(&tar, "late", "");
	expect_error(&tar, "garbage behind the end");
	tar = (struct tarball){ 0 };
	tarball_file(&tar, "f", "x");
	tar.len = 513;
	expect_error(&tar, "ends in the middle");
	tar = (struct tarball){ 0 };
	tarball_pax(&tar, "path", "x");
	expect_error(&tar, "ends in the middle");
}

/* One broken thing each. */
static void broken_headers_are_refused_by_name(void **state)
{
	static const struct {
		struct tar_head head;
		const char *error;
	} rows[] = {
		{{ .name = "m", .type = 'M' },						      "type 'M'"             },
		{ { .name = "v", .type = 'V' },						     "type 'V'"             },
		{ { .name = "d", .type = 'D' },						     "type 'D'"             },
		{ { .name = "z", .type = 'z' },						     "entry \"z\": type 'z'"},
		{ { .name = "n", .size_text = "0000000000x" },                                      "size is no octal"     },
		{ { .name = "n", .size_text = "\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff" },
                 "size is out of range"										    },
		{ { .name = "n", .size_text = "\x80\0\0\0\xff\xff\xff\xff\xff\xff\xff\xff" },
                 "size is out of range"										    },
	};
	struct tarball tar = { 0 };

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		tar = (struct tarball){ 0 };
		tarball_add(&tar, &rows[i].head);
		expect_error(&tar, rows[i].error);
	}
	tar = (struct tarball){ 0 };
	tarball_file(&tar, "f", "");
	tar.bytes[0] ^= 1;
	expect_error(&tar, "wrong checksum");
}

static void broken_pax_records_are_refused(void **state)
{
	static const struct {
		const char *text, *error;
	} rows[] = {
		{"99 path=x\n",                   "outside"           },
		{ "9 path=x",                     "pax record"        },
		{ "3 \n",                         ""                  },
		{ "10 path=xy\nz",                ""                  },
		{ "10 =value\n",                  "without a key"     },
		{ "x path=a\n",                   "not a whole number"},
		{ "12 uid=-123\n",                "pax record uid"    },
		{ "18 uid=4294967295\n",          "outside"           },
		{ "14 mtime=1.2x\n",              "mtime"             },
		{ "25 GNU.sparse.offset=100\n",   "without a length"  },
		{ "27 GNU.sparse.numbytes=100\n", "without an offset" },
		{ "27 GNU.sparse.map=10,5,3,1\n", "not in order"      },
		{ "22 GNU.sparse.major=2\n",      "outside"           },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct tarball tar = { 0 };

		tarball_meta(&tar, 'x', rows[i].text, strlen(rows[i].text));
		tarball_file(&tar, "f", "");
		expect_error(&tar, rows[i].error);
	}
}

static void sparse_maps_have_to_fit(void **state)
{
	static const char *const maps[] = { "0,5,3,1", "0,100", "0,4,30,4", "0,1" };

	(void)state;
	for (size_t i = 0; i < 4; i++) {
		struct tarball tar = { 0 }, records = { 0 };

		tarball_record(&records, "GNU.sparse.map", maps[i], strlen(maps[i]));
		tarball_record(&records, "GNU.sparse.size", "20", 2);
		tarball_meta(&tar, 'x', records.bytes, records.len);
		tarball_file(&tar, "f", "12345678");
		expect_error(&tar, "sparse map");
		free(records.bytes);
	}
}

static void headers_alone_can_be_read(void **state)
{
	struct tarball tarball = { 0 };
	struct told told = { 0 };
	AUTO(tar) struct tar *tar = tar_new(&told_events, &told);
	struct err err = ERR_NONE;
	size_t at = 0;

	(void)state;
	tarball_file(&tarball, "a", "0123456789");
	tarball_pax(&tarball, "path", "b");
	tarball_file(&tarball, "x", "");
	tarball_end(&tarball);
	told.stream = open_memstream(&told.text, &told.len);
	while (at < tarball.len) {
		uint64_t skip = tar_skippable(tar);

		if (skip) {
			tar_skip(tar, skip);
			at += skip;
			continue;
		}
		assert_int_equal(tar_write(tar, tarball.bytes + at, 512, &err), 0);
		at += 512;
	}
	assert_int_equal(tar_end(tar, &err), 0);
	fclose(told.stream);
	assert_string_equal(told.text, "f a 644 0:0 1600000000.000000000 10"
				       "f b 644 0:0 1600000000.000000000 0 .");
	free(told.text);
	free(tarball.bytes);
}

static void what_is_written_is_read_back(void **state)
{
	char name[] = P_tmpdir "/test_tar.XXXXXX", path[400];
	int fd = mkstemp(name);
	AUTO(tar_out) struct tar_out *out = tar_out_new(fd);
	struct tar_xattr xattrs[] = {
		{"user.a",  "=\nb", 3},
                { "user.e", "",     0}
	};
	struct tar_region regions[] = {
		{512,   3, 0},
                { 4000, 1, 0}
	};
	struct tar_entry entry = { .type = TAR_FILE,
				   .path = path,
				   .link = "",
				   .mode = 04755,
				   .uid = 4000000000u,
				   .mtime_s = -13,
				   .mtime_ns = 500000000,
				   .size = 5000,
				   .xattrs = xattrs,
				   .xattr_count = 2,
				   .is_sparse = true,
				   .regions = regions,
				   .region_count = 2 };
	struct err err = ERR_NONE;
	struct tarball back = { 0 };
	char buffer[4096], wanted[900];
	ssize_t n;

	(void)state;
	unlink(name);
	memset(path, 'p', 399);
	path[399] = '\0';
	assert_int_equal(tar_out_entry(out, &entry, &err), 0);
	assert_int_equal(tar_out_data(out, "abcd", 4, &err), 0);
	assert_int_equal(tar_out_done(out, &err), 0);
	entry = (struct tar_entry){ .type = TAR_SYMLINK, .path = "s", .link = path, .mode = 0777 };
	assert_int_equal(tar_out_entry(out, &entry, &err), 0);
	assert_int_equal(tar_out_file(out, "plain", "text", 4, &err), 0);
	assert_int_equal(tar_out_end(out, &err), 0);
	lseek(fd, 0, SEEK_SET);
	while ((n = read(fd, buffer, sizeof(buffer))) > 0)
		tarball_put(&back, buffer, (size_t)n);
	close(fd);
	assert_int_equal(back.len % 512, 0);
	snprintf(wanted, sizeof(wanted),
		 "f %s 4755 4000000000:0 -13.500000000 5000 [512+3] [4000+1] user.a==\nb user.e= "
		 "@512=abc @4000=d .s s -> p",
		 path);
	{
		AUTO(free) char *got = read_tar(&back, 4096);

		assert_true(strncmp(got, wanted, strlen(wanted)) == 0);
	}
	free(back.bytes);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_type_is_told),
		cmocka_unit_test(pax_records_win_over_the_header),
		cmocka_unit_test(gnu_long_names_and_base256_are_read),
		cmocka_unit_test(sparse_files_of_every_format_are_read),
		cmocka_unit_test(sizes_of_what_has_no_content_do_not_count),
		cmocka_unit_test(the_end_may_be_missing_but_not_wrong),
		cmocka_unit_test(broken_headers_are_refused_by_name),
		cmocka_unit_test(broken_pax_records_are_refused),
		cmocka_unit_test(sparse_maps_have_to_fit),
		cmocka_unit_test(headers_alone_can_be_read),
		cmocka_unit_test(what_is_written_is_read_back),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
