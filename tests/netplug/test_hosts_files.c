/* tests/netplug/test_hosts_files - mirrors netplug/hosts_files. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "netplug/hosts_files.h"

static void hosts_names_extra_hosts_before_own_addresses(void **state)
{
	const struct hosts_entry extra[] = {
		{"db",  "10.9.9.9" },
                { "db", "10.9.9.10"}
	};
	const char *const addresses[] = { "172.20.0.2", "fd00::2" };
	const struct hosts_spec spec = { .hostname = "web",
					 .domainname = "lan",
					 .addresses = addresses,
					 .address_count = 2,
					 .extra = extra,
					 .extra_count = 2 };
	AUTO(free) char *text = hosts_text(&spec);

	(void)state;
	assert_string_equal(text, "127.0.0.1\tlocalhost\n"
				  "::1\tlocalhost ip6-localhost ip6-loopback\n"
				  "fe00::\tip6-localnet\n"
				  "ff00::\tip6-mcastprefix\n"
				  "ff02::1\tip6-allnodes\n"
				  "ff02::2\tip6-allrouters\n"
				  "10.9.9.9\tdb\n"
				  "10.9.9.10\tdb\n"
				  "172.20.0.2\tweb.lan web\n"
				  "fd00::2\tweb.lan web\n");
}

static void host_mode_copies_the_host_and_adds(void **state)
{
	const struct hosts_entry extra[] = {
		{"db", "10.9.9.9"}
	};
	const struct hosts_spec spec = { .host_text = "127.0.0.1 localhost\n10.1.1.1 printer",
					 .extra = extra,
					 .extra_count = 1 };
	AUTO(free) char *text = hosts_text(&spec);

	(void)state;
	assert_string_equal(text, "127.0.0.1 localhost\n10.1.1.1 printer\n10.9.9.9\tdb\n");
}

static void resolv_conf_is_read_as_libc_does(void **state)
{
	struct resolv_conf *conf = resolv_parse("# c\n"
						"nameserver 127.0.0.53\n"
						"nameserver  fe80::1%eth0 trailing\n"
						"nameserver not-an-address\n"
						";nameserver 9.9.9.9\n"
						"domain old.lan\n"
						"search a.lan b.lan .\n"
						"options edns0 trust-ad\n"
						"options timeout:1\r\n"
						"nameserver 10.0.0.2");

	(void)state;
	assert_int_equal(conf->server_count, 3);
	assert_string_equal(conf->servers[0], "127.0.0.53");
	assert_string_equal(conf->servers[1], "fe80::1%eth0");
	assert_string_equal(conf->servers[2], "10.0.0.2");
	assert_int_equal(conf->search_count, 2);
	assert_string_equal(conf->search[0], "a.lan");
	assert_int_equal(conf->option_count, 3);
	assert_string_equal(conf->options[2], "timeout:1");
	resolv_free(conf);
}

static const struct resolv_case {
	enum resolv_mode mode;
	const char *host, *dns, *search, *option, *expected;
} resolv_cases[] = {
  /* clang-format off */
	{ RESOLV_OURS, "nameserver 127.0.0.53\nsearch a.lan\noptions edns0", NULL, NULL, NULL,
	  "nameserver 127.0.0.11\nsearch a.lan\noptions edns0 ndots:0\n" },
	{ RESOLV_OURS, "search a.lan", "10.0.0.9", "x.lan", "ndots:2",
	  "nameserver 127.0.0.11\nsearch x.lan\noptions ndots:2\n" },
	{ RESOLV_OURS, "search a.lan", NULL, ".", NULL, "nameserver 127.0.0.11\noptions ndots:0\n" },
	{ RESOLV_BRIDGE, "nameserver 127.0.0.53\nnameserver 10.0.0.2", NULL, NULL, NULL,
	  "nameserver 10.0.0.2\n" },
	{ RESOLV_BRIDGE, "nameserver 127.0.0.53", "9.9.9.9", NULL, NULL, "nameserver 9.9.9.9\n" },
	{ RESOLV_BRIDGE, "nameserver 127.0.0.53\nnameserver ::1", NULL, NULL, NULL, NULL },
	{ RESOLV_HOST, "nameserver 127.0.0.53", NULL, NULL, NULL, "nameserver 127.0.0.53\n" },
	{ RESOLV_HOST, "", NULL, NULL, NULL, "" },
  /* clang-format on */
};

static void resolv_conf_says_who_is_asked(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(resolv_cases) / sizeof(*resolv_cases); i++) {
		const struct resolv_case *c = &resolv_cases[i];
		struct resolv_conf *host = resolv_parse(c->host);
		const struct resolv_spec spec = { .mode = c->mode,
						  .host = host,
						  .dns = &c->dns,
						  .dns_count = c->dns != NULL,
						  .search = &c->search,
						  .search_count = c->search != NULL,
						  .options = &c->option,
						  .option_count = c->option != NULL };
		struct err err = ERR_NONE;
		AUTO(free) char *text = resolv_text(&spec, &err);

		if (!c->expected) {
			assert_null(text);
			assert_int_equal(err.code, ERR_INVALID);
		} else {
			assert_non_null(text);
			assert_string_equal(strchr(text, '\n') + 1, c->expected);
		}
		resolv_free(host);
	}
}

static void writing_keeps_the_inode_and_shortens(void **state)
{
	char dir[] = P_tmpdir "/test_hosts.XXXXXX", got[64] = "";
	struct stat before, after;
	struct err err = ERR_NONE;
	AUTO(fd) int dir_fd = -1;
	AUTO(fd) int fd = -1;

	(void)state;
	assert_non_null(mkdtemp(dir));
	dir_fd = open(dir, O_DIRECTORY | O_CLOEXEC);
	assert_int_equal(hosts_file_write(dir_fd, "hosts", "a long first text\n", &err), 0);
	fstatat(dir_fd, "hosts", &before, 0);
	assert_int_equal(before.st_mode & 0777, 0644);
	assert_int_equal(hosts_file_write(dir_fd, "hosts", "short\n", &err), 0);
	fstatat(dir_fd, "hosts", &after, 0);
	assert_true(before.st_ino == after.st_ino);
	fd = openat(dir_fd, "hosts", O_RDONLY | O_CLOEXEC);
	assert_int_equal(read(fd, got, sizeof(got)), 6);
	unlinkat(dir_fd, "hosts", 0);
	symlinkat("/etc/passwd", dir_fd, "hosts");
	assert_int_equal(hosts_file_write(dir_fd, "hosts", "x", &err), -1);
	unlinkat(dir_fd, "hosts", 0);
	rmdir(dir);
}

static void what_the_container_wrote_itself_stays(void **state)
{
	char dir[] = P_tmpdir "/test_hosts.XXXXXX";
	struct err err = ERR_NONE;
	AUTO(fd) int dir_fd = -1;
	bool written = true;

	(void)state;
	assert_non_null(mkdtemp(dir));
	dir_fd = open(dir, O_DIRECTORY | O_CLOEXEC);
	hosts_file_write(dir_fd, "r", "ours\n", &err);
	assert_int_equal(hosts_file_update(dir_fd, "r", "ours\n", "new\n", &written, &err), 0);
	assert_true(written);
	hosts_file_write(dir_fd, "r", "edited\n", &err);
	assert_int_equal(hosts_file_update(dir_fd, "r", "new\n", "newer\n", &written, &err), 0);
	assert_false(written);
	unlinkat(dir_fd, "r", 0);
	rmdir(dir);
}

static void lines_come_and_go_and_others_stay(void **state)
{
	static const struct {
		const char *now, *from, *to, *wanted;
	} cases[] = {
		{"a\nb\n",       "a\nb\n", "a\nc\n", "a\nc\n"     },
		{ "a\nb\nown\n", "a\nb\n", "a\nc\n", "a\nown\nc\n"},
		{ "own\n",       "a\nb\n", "a\nb\n", "own\na\nb\n"},
		{ "a\nb\nc\n",   "a\nb\n", "a\nc\n", "a\nc\n"     },
		{ "a\nb",        "a\n",    "",       "b\n"        },
		{ "",            "a\n",    "a\n",    "a\n"        },
		{ "ab\n",        "a\n",    "b\n",    "ab\nb\n"    },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		AUTO(free) char *merged = hosts_merge(cases[i].now, cases[i].from, cases[i].to);

		assert_string_equal(merged, cases[i].wanted);
	}
}

static void a_running_containers_file_changes_in_place(void **state)
{
	char path[] = "/tmp/hosts.XXXXXX", file[64], text[64] = "";
	struct stat before, after;
	struct err err = ERR_NONE;
	int dir_fd, fd;

	(void)state;
	assert_non_null(mkdtemp(path));
	dir_fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	snprintf(file, sizeof(file), "%s/hosts", path);
	assert_int_equal(hosts_file_change(dir_fd, "hosts", "a\n", "b\n", &err), -1);
	assert_int_equal(err.code, ERR_NOT_FOUND);
	assert_int_equal(hosts_file_write(dir_fd, "hosts", "one\ntwo\n", &err), 0);
	assert_int_equal(stat(file, &before), 0);
	assert_int_equal(hosts_file_change(dir_fd, "hosts", "one\ntwo\n", "one\n", &err), 0);
	assert_int_equal(stat(file, &after), 0);
	assert_int_equal(before.st_ino, after.st_ino);
	assert_int_equal(after.st_size, 4);
	fd = open(file, O_RDONLY | O_CLOEXEC);
	assert_int_equal(read(fd, text, sizeof(text)), 4);
	assert_string_equal(text, "one\n");
	close(fd);
	unlink(file);
	/* A link in the way is not followed. */
	assert_int_equal(symlink("/etc/hosts", file), 0);
	assert_int_equal(hosts_file_change(dir_fd, "hosts", "a\n", "b\n", &err), -1);
	unlink(file);
	rmdir(path);
	close(dir_fd);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(hosts_names_extra_hosts_before_own_addresses),
		cmocka_unit_test(host_mode_copies_the_host_and_adds),
		cmocka_unit_test(resolv_conf_is_read_as_libc_does),
		cmocka_unit_test(resolv_conf_says_who_is_asked),
		cmocka_unit_test(writing_keeps_the_inode_and_shortens),
		cmocka_unit_test(what_the_container_wrote_itself_stays),
		cmocka_unit_test(lines_come_and_go_and_others_stay),
		cmocka_unit_test(a_running_containers_file_changes_in_place),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
