/* tests/runtime/test_systemd - mirrors runtime/dbus_text, dbus (messages) and systemd_unit. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/alloc.h"
#include "runtime/config.h"
#include "runtime/dbus.h"
#include "runtime/systemd_unit.h"

/* The bytes as the specification's rules give them, worked out by hand. */
static void values_are_aligned_and_counted(void **state)
{
	static const unsigned char wanted[] = {
		7,  0,   0,   0,                 /* y 7, padding to the string's length */
		2,  0,   0,   0, 'h', 'i', 0, 0, /* s "hi", padding */
		1,  0,   0,   0,                 /* b true */
		9,  0,   0,   0, 0,   0,   0, 0, /* t 9 */
		2,  'a', 's', 0,                 /* g "as" */
		13, 0,   0,   0,                 /* a{...}: length of the elements */
		1,  0,   0,   0, 'x', 0,   0, 0, /* "x", padding */
		0,  0,   0,   0, 0,              /* "" */
	};
	AUTO(dbus_body) struct dbus_body body = { 0 };
	size_t mark;

	(void)state;
	dbus_put_u8(&body, 7);
	dbus_put_text(&body, "hi");
	dbus_put_u32(&body, 1);
	dbus_put_u64(&body, 9);
	dbus_put_signature(&body, "as");
	mark = dbus_array_begin(&body, 4);
	dbus_put_text(&body, "x");
	dbus_put_text(&body, "");
	dbus_array_end(&body, mark, 4);
	assert_int_equal(body.len, sizeof(wanted));
	assert_memory_equal(body.at, wanted, sizeof(wanted));
}

static void padding_before_the_first_element_is_not_counted(void **state)
{
	AUTO(dbus_body) struct dbus_body body = { 0 };
	size_t mark = dbus_array_begin(&body, 8);

	(void)state;
	assert_int_equal(body.len, 8);
	dbus_put_u64(&body, 1);
	dbus_array_end(&body, mark, 8);
	assert_int_equal(body.at[0], 8);
	assert_int_equal(body.len, 16);
}

static void what_is_cut_short_reads_as_bad(void **state)
{
	AUTO(dbus_body) struct dbus_body body = { 0 };

	(void)state;
	dbus_put_u32(&body, 1);
	dbus_put_text(&body, "text");
	for (size_t len = 0; len < body.len; len++) {
		struct dbus_reader reader = { .at = body.at, .len = len };

		dbus_get_u32(&reader);
		assert_string_equal(dbus_get_text(&reader), "");
		assert_true(reader.bad);
	}
	body.at[4] = 0xff; /* a length beyond the end */
	assert_string_equal(dbus_get_text(&(struct dbus_reader){ body.at, body.len, 4, false }),
			    "");
}

static void messages_cross_a_socket(void **state)
{
	struct dbus_message head = { .kind = DBUS_SIGNAL,
				     .serial = 5,
				     .reply_serial = 77,
				     .path = "/a",
				     .interface = "b.c",
				     .member = "D",
				     .signature = "s" };
	AUTO(dbus_message) struct dbus_message got = { 0 };
	AUTO(dbus_body) struct dbus_body body = { 0 };
	struct err err = ERR_NONE;
	int pair[2];

	(void)state;
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
	dbus_put_text(&body, "payload");
	assert_int_equal(dbus_send(pair[0], &head, "to.me", &body, &err), 0);
	assert_int_equal(dbus_read(pair[1], 1000, &got, &err), 0);
	assert_int_equal(got.kind, DBUS_SIGNAL);
	assert_int_equal(got.serial, 5);
	assert_int_equal(got.reply_serial, 77);
	assert_string_equal(got.path, "/a");
	assert_string_equal(got.interface, "b.c");
	assert_string_equal(got.member, "D");
	assert_string_equal(got.error, "");
	assert_string_equal(dbus_get_text(&got.body), "payload");
	assert_false(got.body.bad);
	close(pair[0]);
	close(pair[1]);
}

static void foreign_bytes_are_no_message(void **state)
{
	/* clang-format off */
	static const struct { unsigned char head[16]; } wrong[] = {
		{ { 'B', 1, 0, 1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0 } },          /* big-endian */
		{ { 'l', 1, 0, 1, 0, 0, 0, 255, 1, 0, 0, 0, 0, 0, 0, 0 } },        /* a body of 4 GB */
		{ { 'l', 1, 0, 1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 255 } },        /* fields of 4 GB */
		{ { 'l', 1, 0, 1, 8, 0, 0, 0, 1, 0, 0, 0, 8, 0, 0, 0 } },          /* eight zeroes are no field */
	};
	/* clang-format on */

	(void)state;
	for (size_t i = 0; i < sizeof(wrong) / sizeof(*wrong); i++) {
		AUTO(dbus_message) struct dbus_message got = { 0 };
		struct err err = ERR_NONE;
		int pair[2];

		assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
		assert_int_equal(write(pair[0], wrong[i].head, 16), 16);
		assert_int_equal(write(pair[0], "\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0", 16), 16);
		if (dbus_read(pair[1], 1000, &got, &err) == 0 || err.code != ERR_INVALID)
			fail_msg("row %zu: %s", i, err.msg);
		close(pair[0]);
		close(pair[1]);
	}
}

static void slices_nest_at_their_dashes(void **state)
{
	/* clang-format off */
	static const struct { const char *slice, *path; } rows[] = {
		{ "system.slice", "/system.slice" },
		{ "-.slice", "" },
		{ "a-b.slice", "/a.slice/a-b.slice" },
		{ "a-b-cd.slice", "/a.slice/a-b.slice/a-b-cd.slice" },
		{ "a", NULL }, { ".slice", NULL }, { "a-.slice", NULL }, { "-a.slice", NULL },
		{ "a--b.slice", NULL }, { "a/b.slice", NULL }, { "", NULL },
	};
	/* clang-format on */

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		struct err err = ERR_NONE;
		AUTO(free) char *path = systemd_slice_path(rows[i].slice, &err);

		if (!path != !rows[i].path || (path && strcmp(path, rows[i].path) != 0))
			fail_msg("%s: %s", rows[i].slice, path ? path : err.msg);
	}
}

/* "Name=type:value" of every property, for short values. */
static void describe(const struct dbus_body *body, char *out, size_t size)
{
	struct dbus_reader reader = { .at = body->at, .len = body->len };
	size_t len = 0;

	out[0] = '\0';
	while (reader.pos < reader.len && !reader.bad && len < size) {
		const char *name, *type;
		uint32_t bytes;

		dbus_skip_pad(&reader, 8);
		name = dbus_get_text(&reader);
		type = dbus_get_signature(&reader);
		len += (size_t)snprintf(out + len, size - len, "%s%s=%s:", len ? " " : "", name,
					type);
		if (*type == 's')
			len += (size_t)snprintf(out + len, size - len, "%s",
						dbus_get_text(&reader));
		else if (*type == 't' || *type == 'x')
			len += (size_t)snprintf(out + len, size - len, "%lld",
						(long long)dbus_get_u64(&reader));
		else if (*type == 'a')
			for (bytes = dbus_get_u32(&reader); bytes && type[1] == 'y'; bytes--)
				len += (size_t)snprintf(out + len, size - len, "%02x",
							dbus_get_u8(&reader));
		else
			len += (size_t)snprintf(out + len, size - len, "%d",
						(int)dbus_get_u32(&reader));
		if (*type == 'a' && type[1] != 'y')
			return;
	}
}

static void limits_become_properties(void **state)
{
	/* clang-format off */
	static const struct { const char *resources, *v2, *v1; } rows[] = {
		{ "\"cpu\":{\"shares\":1024}", "CPUWeight=t:100", "CPUShares=t:1024" },
		{ "\"cpu\":{\"shares\":1024,\"idle\":1}", "", "" },
		{ "\"cpu\":{\"quota\":50000}", "CPUQuotaPerSecUSec=t:500000", "CPUQuotaPerSecUSec=t:500000" },
		{ "\"cpu\":{\"quota\":12345,\"period\":100000}", "CPUQuotaPerSecUSec=t:130000 CPUQuotaPeriodUSec=t:100000",
		  "CPUQuotaPerSecUSec=t:130000 CPUQuotaPeriodUSec=t:100000" },
		{ "\"cpu\":{\"quota\":-1}", "CPUQuotaPerSecUSec=t:-1", "CPUQuotaPerSecUSec=t:-1" },
		{ "\"cpu\":{\"cpus\":\"0-2,9\"}", "AllowedCPUs=ay:0702", "" },
		{ "\"cpu\":{\"mems\":\"1\"}", "AllowedMemoryNodes=ay:02", "" },
		{ "\"memory\":{\"limit\":4096,\"swap\":8192}", "MemoryMax=t:4096 MemorySwapMax=t:4096", "MemoryLimit=t:4096" },
		{ "\"memory\":{\"limit\":-1,\"swap\":-1}", "MemoryMax=t:-1 MemorySwapMax=t:-1", "MemoryLimit=t:-1" },
		{ "\"memory\":{\"reservation\":7}", "MemoryLow=t:7", "" },
		{ "\"pids\":{\"limit\":5}", "TasksMax=t:5", "TasksMax=t:5" },
		{ "\"pids\":{\"limit\":-1}", "TasksMax=t:-1", "TasksMax=t:-1" },
		{ "\"blockIO\":{\"weight\":10}", "IOWeight=t:1", "BlockIOWeight=t:10" },
		{ "\"devices\":[{\"allow\":false,\"access\":\"rwm\"}]", "DevicePolicy=s:strict DeviceAllow=a(ss):", "DevicePolicy=s:strict DeviceAllow=a(ss):" },
		{ "\"devices\":[{\"allow\":true,\"access\":\"rwm\"}]", "", "" },
		{ "\"devices\":[{\"allow\":false,\"access\":\"rwm\"},{\"allow\":true,\"type\":\"c\",\"access\":\"r\"},{\"allow\":false,\"type\":\"c\",\"major\":1,\"access\":\"r\"}]", "", "" },
	};
	/* clang-format on */

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++)
		for (int is_v2 = 0; is_v2 < 2; is_v2++) {
			AUTO(free) char *text = xformat("{%s}", rows[i].resources);
			AUTO(dbus_body) struct dbus_body body = { 0 };
			struct err err = ERR_NONE;
			struct config *config = config_parse_resources(text, strlen(text), &err);
			char got[1024];

			assert_non_null(config);
			systemd_put_limits(&body, &config->resources,
					   SYSTEMD_UPDATE | (is_v2 ? SYSTEMD_V2 : 0));
			config_free(config);
			describe(&body, got, sizeof(got));
			if (strcmp(got, is_v2 ? rows[i].v2 : rows[i].v1) != 0)
				fail_msg("%s: %s", rows[i].resources, got);
		}
}

static void annotations_become_properties(void **state)
{
	/* clang-format off */
	static const struct { const char *name, *value, *wanted; } rows[] = {
		{ "org.systemd.property.KillMode", "'process'", "KillMode=s:process" },
		{ "org.systemd.property.KillMode", " \"process\" ", "KillMode=s:process" },
		{ "org.systemd.property.SendSIGHUP", "true", "SendSIGHUP=b:1" },
		{ "org.systemd.property.TimeoutStopUSec", "uint64 7", "TimeoutStopUSec=t:7" },
		{ "org.systemd.property.TimeoutStopSec", "7", "TimeoutStopUSec=t:7000000" },
		{ "org.systemd.property.TimeoutStopSec", "uint64 7", "TimeoutStopUSec=t:7000000" },
		{ "org.systemd.property.OOMScoreAdjust", "-5", "OOMScoreAdjust=i:-5" },
		{ "org.systemd.property.X", "int64 -5", "X=x:-5" },
		{ "org.systemd.property.After", "['a.service', 'b']", "After=as:" },
		{ "org.other.property.After", "[", "" },
		{ "org.systemd.property.After", "['a.service', b]", NULL },
		{ "org.systemd.property.KillMode", "process", NULL },
		{ "org.systemd.property.", "1", NULL },
		{ "org.systemd.property.X", "uint32 4294967296", NULL },
		{ "org.systemd.property.X", "", NULL },
	};
	/* clang-format on */

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		struct config_pair pair = { rows[i].name, rows[i].value };
		struct config_pairs pairs = { &pair, 1 };
		AUTO(dbus_body) struct dbus_body body = { 0 };
		struct err err = ERR_NONE;
		int status = systemd_put_annotations(&body, &pairs, &err);
		char got[256] = "";

		if (status == 0)
			describe(&body, got, sizeof(got));
		if (rows[i].wanted ? status < 0 || strcmp(got, rows[i].wanted) != 0
				   : status == 0 || !strstr(err.msg, rows[i].name))
			fail_msg("%s %s: %s %s", rows[i].name, rows[i].value, got, err.msg);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(values_are_aligned_and_counted),
		cmocka_unit_test(padding_before_the_first_element_is_not_counted),
		cmocka_unit_test(what_is_cut_short_reads_as_bad),
		cmocka_unit_test(messages_cross_a_socket),
		cmocka_unit_test(foreign_bytes_are_no_message),
		cmocka_unit_test(slices_nest_at_their_dashes),
		cmocka_unit_test(limits_become_properties),
		cmocka_unit_test(annotations_become_properties),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
