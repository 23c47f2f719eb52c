/* tests/images/dockerfile/k_fetch - contexts and sources that come from elsewhere: archives, git
 * repositories, URLs of a server that this test is itself. Root; in a network namespace of its own.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>
#include <netinet/in.h>
#include <pthread.h>
#include <sys/socket.h>

#include "images/dockerfile/context_fetch.h"
#include "tests/images/dockerfile/build_cases.h"

/* ---- a server ---- */

/* Rows leave out what they do not need. */
#pragma GCC diagnostic ignored "-Wmissing-field-initializers"

struct server {
	int fd;
	unsigned port;
	pthread_t thread;
	const char *body;
	size_t len;
	const char *etag;
	unsigned full, unchanged; /* answers given */
	bool is_broken;
};

static void answer(struct server *server, int fd)
{
	char request[4096] = "";
	AUTO(free) char *head = NULL;
	AUTO(free) char *match = NULL;
	size_t len = 0;

	while (len < sizeof(request) - 1 && !strstr(request, "\r\n\r\n")) {
		ssize_t n = read(fd, request + len, sizeof(request) - 1 - len);

		if (n <= 0)
			return;
		len += (size_t)n;
	}
	match = xformat("If-None-Match: %s\r\n", server->etag ? server->etag : "-");
	if (server->is_broken) {
		head = xstrdup("HTTP/1.1 500 no\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
	} else if (strncmp(request, "GET /moved/", 11) == 0) {
		head = xformat("HTTP/1.1 302 there\r\nLocation: /file.txt\r\nContent-Length: 0\r\n"
			       "Connection: close\r\n\r\n");
	} else if (strncmp(request, "GET /local", 10) == 0) {
		head = xstrdup("HTTP/1.1 302 there\r\nLocation: file:///etc/passwd\r\n"
			       "Content-Length: 0\r\nConnection: close\r\n\r\n");
	} else if (strncmp(request, "GET /none", 9) == 0) {
		head = xstrdup("HTTP/1.1 404 no\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
	} else if (strstr(request, match)) {
		server->unchanged++;
		head = xstrdup("HTTP/1.1 304 same\r\nConnection: close\r\n\r\n");
	} else {
		server->full++;
		head = xformat("HTTP/1.1 200 yes\r\nContent-Length: %zu\r\n%s%s%sLast-Modified: "
			       "Thu, 01 Jan 2015 00:00:00 GMT\r\nConnection: close\r\n\r\n",
			       server->len, server->etag ? "ETag: " : "",
			       server->etag ? server->etag : "", server->etag ? "\r\n" : "");
		file_write_all(fd, head, strlen(head));
		file_write_all(fd, server->body, server->len);
		return;
	}
	file_write_all(fd, head, strlen(head));
}

static void *serve(void *ctx)
{
	struct server *server = ctx;

	for (;;) {
		int fd = accept(server->fd, NULL, NULL);

		if (fd < 0)
			return NULL;
		answer(server, fd);
		shutdown(fd, SHUT_WR);
		close(fd);
	}
}

static void server_start(struct server *server, const char *body)
{
	struct sockaddr_in address = { .sin_family = AF_INET,
				       .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t len = sizeof(address);

	*server = (struct server){ .body = body, .len = strlen(body) };
	server->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_int_equal(bind(server->fd, (struct sockaddr *)&address, sizeof(address)), 0);
	assert_int_equal(listen(server->fd, 8), 0);
	assert_int_equal(getsockname(server->fd, (struct sockaddr *)&address, &len), 0);
	server->port = ntohs(address.sin_port);
	assert_int_equal(pthread_create(&server->thread, NULL, serve, server), 0);
}

static void server_stop(struct server *server)
{
	shutdown(server->fd, SHUT_RDWR);
	pthread_join(server->thread, NULL);
	close(server->fd);
}

/* ---- ADD ---- */

struct add {
	const char *source, *destination, *checksum, *chown;
	unsigned flags;
};

/* What the layer shows, or "E:..."; *out_key (or NULL) is the step's key. */
static char *add(struct build_case *it, const struct add *how, const char *below,
		 char out_key[DF_KEY_SIZE])
{
	struct err err = ERR_NONE;
	AUTO(df_context) struct df_context *context = df_context_open_dir(it->folder, NULL, &err);
	AUTO(df_context)
	struct df_context *stage =
		df_context_open_layers(it->lease, &below, below ? 1 : 0, "below");
	struct df_copy_spec spec = { .kind = DF_ADD,
				     .context = context,
				     .sources = &how->source,
				     .source_count = 1,
				     .destination = how->destination,
				     .cwd = "/",
				     .checksum = how->checksum,
				     .chown = how->chown,
				     .flags = how->flags,
				     .lease = it->lease };
	struct df_layer_spec layer_spec = { .lease = it->lease,
					    .now_unix_ns = CASE_NOW,
					    .lower_fd = -1 };
	AUTO(df_copy) struct df_copy *copy = NULL;
	struct df_layer layer;
	const char *diff_id = layer.diff_id;

	if (df_copy_plan(&spec, &copy, &err) < 0)
		return xformat("E:%s", err.msg);
	if (out_key)
		df_copy_key(copy, "", out_key);
	if (df_copy_run(copy, below ? df_context_root(stage, &err) : -1, &layer_spec, &layer,
			&err) < 0)
		return xformat("E:%s", err.msg);
	return build_show(it, &diff_id, *layer.diff_id ? 1 : 0);
}

static void put_tar(struct build_case *it, const char *name, const struct tarball *tar)
{
	AUTO(free) char *path = xformat("%s/%s", it->folder, name);
	FILE *file = fopen(path, "w");

	fwrite(tar->bytes, 1, tar->len, file);
	fclose(file);
}

static void make_tar(struct tarball *tar)
{
	tarball_dir(tar, "d/");
	tarball_add(tar, &(struct tar_head){
				 .name = "d/f", .data = "1", .size = 1, .uid = 3, .gid = 4 });
	tarball_link(tar, "d/l", '2', "f");
	tarball_link(tar, "d/h", '1', "d/f");
	tarball_end(tar);
}

static void archives_are_told_by_their_content_and_unpacked(void **state)
{
	static const struct {
		const char *name, *command;
	} forms[] = {
		{"plain",  "cp t.tar x.bin"          },
                { "gzip",  "gzip -c t.tar > x.bin"   },
		{ "bzip2", "bzip2 -c t.tar > x.bin"  },
                { "xz",    "xz -c t.tar > x.bin"     },
		{ "zstd",  "zstd -q -c t.tar > x.bin"},
	};
	struct build_case it;
	struct tarball tar = { 0 };

	(void)state;
	build_case_open(&it, STORE_DIR);
	make_tar(&tar);
	put_tar(&it, "t.tar", &tar);
	free(tar.bytes);
	for (size_t i = 0; i < sizeof(forms) / sizeof(forms[0]); i++) {
		const struct add how = { .source = "x.bin", .destination = "/to/" };
		AUTO(free)
		char *line = xformat("cd %s && if command -v %s > /dev/null || [ %s = plain ]; "
				     "then %s; else cp t.tar x.bin; fi",
				     it.folder, forms[i].name, forms[i].name, forms[i].command);
		AUTO(free) char *got = NULL;

		assert_int_equal(system(line), 0);
		got = add(&it, &how, NULL, NULL);
		if (strcmp(got, "to/ 755 0:0\nto/d/ 755 0:0\nto/d/f 644 3:4 x2 =1\n"
				"to/d/h 644 3:4 x2 =1\nto/d/l 777 0:0 ->f\n") != 0)
			fail_msg("%s: %s", forms[i].name, got);
	}
	build_case_close(&it);
}

static void archives_go_where_the_table_says(void **state)
{
	/* clang-format off */
	static const struct { const char *name, *below; struct add how; const char *shows; } rows[] = {
		{ "a destination without a slash is a folder", NULL, { "t.tar", "/to" },
		  "to/ 755 0:0\nto/d/ 755 0:0\nto/d/f 644 3:4 x2 =1\nto/d/h 644 3:4 x2 =1\nto/d/l 777 0:0 ->f\n" },
		{ "the root", "etc/x=1", { "t.tar", "/" },
		  "d/ 755 0:0\nd/f 644 3:4 x2 =1\nd/h 644 3:4 x2 =1\nd/l 777 0:0 ->f\n" },
		{ "owners", NULL, { "t.tar", "/", .chown = "7:8" },
		  "d/ 755 7:8\nd/f 644 7:8 x2 =1\nd/h 644 7:8 x2 =1\nd/l 777 7:8 ->f\n" },
		{ "a folder below is joined", "d/g=1", { "t.tar", "/" },
		  "d/ 755 0:0\nd/f 644 3:4 x2 =1\nd/h 644 3:4 x2 =1\nd/l 777 0:0 ->f\n" },
		{ "a file in the folder's way goes", "d=1", { "t.tar", "/" },
		  "d/ 755 0:0\nd/f 644 3:4 x2 =1\nd/h 644 3:4 x2 =1\nd/l 777 0:0 ->f\n" },
		{ "a link in the folder's way goes", "d->/etc etc/x=1", { "t.tar", "/" },
		  "d/ 755 0:0\nd/f 644 3:4 x2 =1\nd/h 644 3:4 x2 =1\nd/l 777 0:0 ->f\n" },
		{ "a folder in the file's way stays", "d/f/", { "t.tar", "/" }, "E:is a folder already" },
		{ "no unpacking when it is not wanted", NULL, { "t.tar", "/t", .flags = DF_COPY_NO_UNPACK }, "t 644 0:0 =d/" },
	};
	/* clang-format on */
	size_t failed = 0;
	struct build_case it;

	(void)state;
	build_case_open(&it, STORE_DIR);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct tarball tar = { 0 };
		char below[DIGEST_TEXT_MAX];
		AUTO(free) char *got = NULL;
		bool fine;

		build_case_again(&it);
		make_tar(&tar);
		put_tar(&it, "t.tar", &tar);
		free(tar.bytes);
		if (rows[i].below)
			build_layer(&it, rows[i].below, below);
		got = add(&it, &rows[i].how, rows[i].below ? below : NULL, NULL);
		fine = strncmp(rows[i].shows, "E:", 2) == 0
			       ? strstr(got, rows[i].shows + 2) != NULL
			       : strncmp(got, rows[i].shows, strlen(rows[i].shows)) == 0;
		if (!fine) {
			print_error("%s:\n%s", rows[i].name, got);
			failed++;
		}
	}
	build_case_close(&it);
	assert_int_equal(failed, 0);
}

/* Each archive with one wrong thing in it; none may leave the image, and none the folder. */
static void hostile_archives_lead_nowhere(void **state)
{
	/* clang-format off */
	static const struct { const char *name; struct tar_head heads[3]; const char *shows; } rows[] = {
		{ "..", { { .name = "../x", .data = "1", .size = 1 } }, "E:leads out of it" },
		{ ".. inside", { { .name = "a/../../x", .data = "1", .size = 1 } }, "E:leads out of it" },
		{ "an absolute name", { { .name = "/etc/x", .data = "1", .size = 1 } }, "t/ 755 0:0\nt/etc/ 755 0:0\nt/etc/x 644 0:0 =1\n" },
		{ "through an absolute link", { { .name = "l", .type = '2', .link = "/etc" }, { .name = "l/x", .data = "1", .size = 1 } },
		  "etc/ 755 0:0\netc/x 644 0:0 =1\nt/ 755 0:0\nt/l 777 0:0 ->/etc\n" },
		{ "through a link far above", { { .name = "l", .type = '2', .link = "../../../../etc" }, { .name = "l/x", .data = "1", .size = 1 } },
		  "etc/ 755 0:0\netc/x 644 0:0 =1\nt/ 755 0:0\nt/l 777 0:0 ->../../../../etc\n" },
		{ "a hard link out", { { .name = "h", .type = '1', .link = "../../etc/passwd" } }, "E:leads out of it" },
		{ "a hard link to what is below", { { .name = "h", .type = '1', .link = "etc/passwd" } }, "E:which is not in it" },
		{ "a hard link to a folder", { { .name = "d/", .type = '5' }, { .name = "h", .type = '1', .link = "d" } }, "E:which is not in it" },
		{ "links in a circle", { { .name = "a", .type = '2', .link = "b" }, { .name = "b", .type = '2', .link = "a" }, { .name = "a/x", .data = "1", .size = 1 } },
		  "E:too many symbolic links" },
		{ "a whiteout's name", { { .name = ".wh.etc", .data = "1", .size = 1 } }, "E:names that begin with .wh." },
		{ "a whiteout device", { { .name = "w", .type = '3' } }, "E:device 0:0" },
		{ "an empty link", { { .name = "l", .type = '2', .link = "" } }, "E:bad link" },
		{ "a file for its own folder", { { .name = "d/f", .data = "1", .size = 1 }, { .name = "d", .data = "2", .size = 1 } },
		  "t/ 755 0:0\nt/d 644 0:0 =2\n" },
		{ "a name twice", { { .name = "f", .data = "1", .size = 1 }, { .name = "f", .data = "2", .size = 1 } }, "t/ 755 0:0\nt/f 644 0:0 =2\n" },
	};
	/* clang-format on */
	size_t failed = 0;
	struct build_case it;

	(void)state;
	build_case_open(&it, STORE_DIR);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		const struct add how = { .source = "t.tar", .destination = "/t/" };
		struct tarball tar = { 0 };
		AUTO(free) char *got = NULL;
		bool fine;

		build_case_again(&it);
		for (size_t k = 0; k < 3 && rows[i].heads[k].name; k++)
			tarball_add(&tar, &rows[i].heads[k]);
		tarball_end(&tar);
		put_tar(&it, "t.tar", &tar);
		free(tar.bytes);
		got = add(&it, &how, NULL, NULL);
		fine = strncmp(rows[i].shows, "E:", 2) == 0
			       ? strncmp(got, "E:", 2) == 0 && strstr(got, rows[i].shows + 2)
			       : strcmp(got, rows[i].shows) == 0;
		if (!fine) {
			print_error("%s:\n%s", rows[i].name, got);
			failed++;
		}
	}
	build_case_close(&it);
	assert_int_equal(failed, 0);
}

static void a_damaged_archive_is_an_error_and_leaves_nothing(void **state)
{
	const struct add how = { .source = "t.tar.gz", .destination = "/t/" };
	struct build_case it;
	struct tarball tar = { 0 };
	AUTO(free) char *line = NULL;
	AUTO(free) char *got = NULL;

	(void)state;
	build_case_open(&it, STORE_DIR);
	make_tar(&tar);
	put_tar(&it, "t.tar", &tar);
	free(tar.bytes);
	line = xformat("cd %s && head -c 300000 /dev/urandom > r && tar -cf u.tar t.tar r && gzip "
		       "-c u.tar | "
		       "head -c 200000 > t.tar.gz",
		       it.folder);
	assert_int_equal(system(line), 0);
	got = add(&it, &how, NULL, NULL);
	assert_int_equal(strncmp(got, "E:unpack: ", 10), 0);
	assert_int_equal(test_count(&it.test, "layers"), 0);
	assert_int_equal(test_count(&it.test, "tmp"), 0);
	build_case_close(&it);
}

/* ---- URLs ---- */

static void a_url_is_fetched_once_while_it_stays_the_same(void **state)
{
	struct build_case it;
	struct server server;
	char keys[3][DF_KEY_SIZE];
	AUTO(free) char *url = NULL;
	struct add how = { .destination = "/d/" };

	(void)state;
	build_case_open(&it, STORE_DIR);
	server_start(&server, "hello");
	server.etag = "\"one\"";
	url = xformat("http://127.0.0.1:%u/dir/file.txt?x=y", server.port);
	how.source = url;
	for (int i = 0; i < 3; i++) {
		AUTO(free) char *got = NULL;

		if (i == 2) {
			server.etag = "\"two\"";
			server.body = "other";
		}
		got = add(&it, &how, NULL, keys[i]);
		assert_string_equal(got, i == 2 ? "d/ 755 0:0\nd/file.txt 600 0:0 =other\n"
						: "d/ 755 0:0\nd/file.txt 600 0:0 =hello\n");
	}
	assert_string_equal(keys[0], keys[1]);
	assert_string_not_equal(keys[0], keys[2]);
	assert_int_equal(server.unchanged, 1);
	server_stop(&server);
	build_case_close(&it);
}

static void a_checksum_is_checked_before_anything_shows(void **state)
{
	/* sha256 of "hello" */
	static const char right[] =
		"sha256:2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824";
	static const char wrong[] =
		"sha256:0000000000000000000000000000000000000000000000000000000000000000";
	struct build_case it;
	struct server server;
	AUTO(free) char *url = NULL;
	AUTO(free) char *got = NULL;
	AUTO(free) char *bad = NULL;
	struct add how = { .destination = "/f", .checksum = right };

	(void)state;
	build_case_open(&it, STORE_DIR);
	server_start(&server, "hello");
	url = xformat("http://127.0.0.1:%u/moved/file.txt", server.port);
	how.source = url;
	got = add(&it, &how, NULL, NULL);
	assert_string_equal(got, "f 600 0:0 =hello\n");
	how.checksum = wrong;
	bad = add(&it, &how, NULL, NULL);
	assert_int_equal(strncmp(bad, "E:", 2), 0);
	assert_non_null(strstr(bad, "--checksum wants"));
	server_stop(&server);
	build_case_close(&it);
}

static void urls_that_fail_say_why(void **state)
{
	static const struct {
		const char *path, *text;
	} rows[] = {
		{"none",   "404"},
                { "local", ""   }, /* a redirect to a file of this machine */
	};
	struct build_case it;
	struct server server;
	struct add how = { .destination = "/f" };

	(void)state;
	build_case_open(&it, STORE_DIR);
	server_start(&server, "hello");
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		AUTO(free) char *url = xformat("http://127.0.0.1:%u/%s", server.port, rows[i].path);
		AUTO(free) char *got = NULL;

		how.source = url;
		got = add(&it, &how, NULL, NULL);
		assert_int_equal(strncmp(got, "E:", 2), 0);
		assert_non_null(strstr(got, rows[i].text));
	}
	server.is_broken = true;
	{
		AUTO(free) char *url = xformat("http://127.0.0.1:%u/x", server.port);
		AUTO(free) char *got = NULL;

		how.source = url;
		got = add(&it, &how, NULL, NULL);
		assert_non_null(strstr(got, "500"));
	}
	server_stop(&server);
	assert_int_equal(test_count(&it.test, "tmp"), 0);
	build_case_close(&it);
}

/* ---- streams ---- */

static struct df_fetched *from_file(struct build_case *it, const char *name, struct err *err)
{
	AUTO(free) char *path = xformat("%s/%s", it->folder, name);
	AUTO(fd) int fd = open(path, O_RDONLY);

	assert_true(fd >= 0);
	return df_context_from_stream(it->test.store, fd, "stdin", err);
}

/* COPY . / from a context. */
static char *copy_all(struct build_case *it, struct df_context *context)
{
	static const char *const all[] = { "." };
	struct df_copy_spec spec = { .kind = DF_COPY,
				     .context = context,
				     .sources = all,
				     .source_count = 1,
				     .destination = "/",
				     .cwd = "/",
				     .lease = it->lease };
	struct df_layer_spec how = { .lease = it->lease, .now_unix_ns = CASE_NOW, .lower_fd = -1 };
	AUTO(df_copy) struct df_copy *copy = NULL;
	struct df_layer layer;
	const char *diff_id = layer.diff_id;
	struct err err = ERR_NONE;

	if (df_copy_plan(&spec, &copy, &err) < 0 || df_copy_run(copy, -1, &how, &layer, &err) < 0)
		return xformat("E:%s", err.msg);
	return build_show(it, &diff_id, *layer.diff_id ? 1 : 0);
}

static void a_tar_on_stdin_is_a_context(void **state)
{
	struct build_case it;
	struct tarball tar = { 0 };
	struct df_fetched *fetched;
	struct err err = ERR_NONE;
	AUTO(free) char *text = NULL;
	AUTO(free) char *got = NULL;
	const char *name;
	size_t len;

	(void)state;
	build_case_open(&it, STORE_DIR);
	tarball_file(&tar, "Dockerfile", "FROM x\n");
	tarball_file(&tar, ".dockerignore", "no\nDockerfile\n.dockerignore\n");
	tarball_file(&tar, "no", "1");
	tarball_add(&tar, &(struct tar_head){ .name = "d/f", .data = "1", .size = 1, .uid = 5 });
	tarball_end(&tar);
	put_tar(&it, "t.tar", &tar);
	free(tar.bytes);
	fetched = from_file(&it, "t.tar", &err);
	assert_non_null(fetched);
	assert_null(fetched->dockerfile);
	assert_int_equal(
		df_context_read_file(fetched->context, NULL, NULL, &text, &len, &name, &err), 0);
	assert_string_equal(text, "FROM x\n");
	got = copy_all(&it, fetched->context);
	assert_string_equal(got, "d/ 755 0:0\nd/f 644 0:0 =1\n");
	df_fetched_free(fetched);
	assert_int_equal(test_count(&it.test, "tmp"), 0);
	assert_int_equal(test_count(&it.test, "leases"), 1);
	build_case_close(&it);
}

static void a_dockerfile_on_stdin_has_an_empty_context(void **state)
{
	struct build_case it;
	struct df_fetched *fetched;
	struct err err = ERR_NONE;
	AUTO(free) char *got = NULL;

	(void)state;
	build_case_open(&it, STORE_DIR);
	build_things(it.folder, "plain=FROM");
	fetched = from_file(&it, "plain", &err);
	assert_non_null(fetched);
	assert_string_equal(fetched->dockerfile, "FROM");
	got = copy_all(&it, fetched->context);
	assert_string_equal(got, "");
	df_fetched_free(fetched);
	build_case_close(&it);
}

static void a_url_may_be_a_context(void **state)
{
	struct build_case it;
	struct server server;
	struct df_fetched *fetched;
	struct err err = ERR_NONE;
	AUTO(free) char *url = NULL;

	(void)state;
	build_case_open(&it, STORE_DIR);
	server_start(&server, "FROM x\n");
	url = xformat("http://127.0.0.1:%u/Dockerfile", server.port);
	fetched = df_context_from_url(it.test.store, url, &err);
	assert_non_null(fetched);
	assert_string_equal(fetched->dockerfile, "FROM x\n");
	df_fetched_free(fetched);
	server_stop(&server);
	build_case_close(&it);
}

/* ---- git ---- */

static void make_repository(const struct build_case *it)
{
	AUTO(free)
	char *line = xformat(
		"cd %s && mkdir repo && cd repo && export HOME=$PWD GIT_CONFIG_NOSYSTEM=1 && "
		"git init -q -b main . && git config user.email a@b && git config user.name a && "
		"echo 1 > f && mkdir sub && echo 2 > sub/g && ln -s /etc/passwd sub/l && "
		"git add -A && git commit -qm one && git tag v1 && git rev-parse HEAD > ../one && "
		"echo 3 > f && git commit -qam two && git checkout -q -b side && echo 4 > f && "
		"git commit -qam three && git checkout -q main && "
		"printf '#!/bin/sh\\ntouch %s/hooked\\n' > .git/hooks/post-checkout && "
		"chmod +x .git/hooks/post-checkout",
		it->test.dir, it->test.dir);

	assert_int_equal(system(line), 0);
}

static void a_repository_is_a_context(void **state)
{
	/* clang-format off */
	static const struct { const char *suffix, *shows; } rows[] = {
		{ "", "f 644 0:0 =3\n\nsub/ 755 0:0\nsub/g 644 0:0 =2\n\nsub/l 777 0:0 ->/etc/passwd\n" },
		{ "#v1", "f 644 0:0 =1\n\nsub/ 755 0:0\nsub/g 644 0:0 =2\n\nsub/l 777 0:0 ->/etc/passwd\n" },
		{ "#side", "f 644 0:0 =4\n\nsub/ 755 0:0\nsub/g 644 0:0 =2\n\nsub/l 777 0:0 ->/etc/passwd\n" },
		{ "#side:sub", "g 644 0:0 =2\n\nl 777 0:0 ->/etc/passwd\n" },
		{ "#:sub", "g 644 0:0 =2\n\nl 777 0:0 ->/etc/passwd\n" },
		{ "#none", "E:git fetch" },
		{ "#main:none", "E:no folder \"none\"" },
		{ "#main:../..", "f 644" },
		{ "#--upload-pack=x", "E:is no branch" },
		{ "#a b", "E:is no branch" },
	};
	/* clang-format on */
	struct build_case it;
	AUTO(free) char *hooked = NULL;

	(void)state;
	build_case_open(&it, STORE_DIR);
	make_repository(&it);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		AUTO(free) char *url = xformat("file://%s/repo%s", it.test.dir, rows[i].suffix);
		AUTO(free) char *got = NULL;
		struct err err = ERR_NONE;
		struct df_fetched *fetched = df_context_from_git(it.test.store, url, false, &err);

		got = fetched ? copy_all(&it, fetched->context) : xformat("E:%s", err.msg);
		if (strncmp(rows[i].shows, "E:", 2) == 0
			    ? strncmp(got, "E:", 2) != 0 || !strstr(got, rows[i].shows + 2)
			    : strncmp(got, rows[i].shows, strlen(rows[i].shows)) != 0)
			fail_msg("%s: %s", rows[i].suffix, got);
		df_fetched_free(fetched);
	}
	assert_int_equal(test_count(&it.test, "tmp"), 0);
	hooked = xformat("%s/hooked", it.test.dir);
	assert_int_equal(access(hooked, F_OK), -1);
	build_case_close(&it);
}

static void a_commit_by_its_name_is_found(void **state)
{
	struct build_case it;
	AUTO(free) char *path = NULL;
	AUTO(free) char *commit = NULL;
	AUTO(free) char *url = NULL;
	AUTO(free) char *got = NULL;
	struct err err = ERR_NONE;
	struct df_fetched *fetched;
	size_t len;

	(void)state;
	build_case_open(&it, STORE_DIR);
	make_repository(&it);
	path = xformat("%s/one", it.test.dir);
	assert_int_equal(file_read(AT_FDCWD, path, 100, &commit, &len, &err), 0);
	commit[40] = '\0';
	url = xformat("file://%s/repo#%s", it.test.dir, commit);
	fetched = df_context_from_git(it.test.store, url, false, &err);
	if (!fetched)
		fail_msg("%s", err.msg);
	assert_string_equal(fetched->commit, commit);
	got = copy_all(&it, fetched->context);
	assert_int_equal(strncmp(got, "f 644 0:0 =1\n", 13), 0);
	df_fetched_free(fetched);
	build_case_close(&it);
}

static void add_of_a_repository_depends_on_the_commit(void **state)
{
	struct build_case it;
	char keys[3][DF_KEY_SIZE];
	AUTO(free) char *url = NULL;
	AUTO(free) char *line = NULL;
	struct add how = { .destination = "/src" };

	(void)state;
	build_case_open(&it, STORE_DIR);
	make_repository(&it);
	url = xformat("file://%s/repo#main:sub", it.test.dir);
	how.source = url;
	line = xformat("cd %s/repo && HOME=$PWD && echo 9 > sub/g && git commit -qam four",
		       it.test.dir);
	for (int i = 0; i < 3; i++) {
		AUTO(free) char *got = NULL;

		if (i == 2)
			assert_int_equal(system(line), 0);
		got = add(&it, &how, NULL, keys[i]);
		assert_string_equal(got, i == 2 ? "src/ 755 0:0\nsrc/g 644 0:0 =9\n\nsrc/l 777 0:0 "
						  "->/etc/passwd\n"
						: "src/ 755 0:0\nsrc/g 644 0:0 =2\n\nsrc/l 777 0:0 "
						  "->/etc/passwd\n");
	}
	assert_string_equal(keys[0], keys[1]);
	assert_string_not_equal(keys[0], keys[2]);
	build_case_close(&it);
}

static void the_kind_of_a_context_is_told_by_its_text(void **state)
{
	static const struct {
		const char *text;
		enum df_context_kind kind;
	} rows[] = {
		{".",			 DF_CONTEXT_FOLDER},
		{ "/x/y.git",                 DF_CONTEXT_FOLDER},
		{ "-",			DF_CONTEXT_STDIN },
		{ "https://h/x.git",          DF_CONTEXT_GIT   },
		{ "https://h/x.git#main:sub", DF_CONTEXT_GIT   },
		{ "https://h/x.tar.gz",       DF_CONTEXT_URL   },
		{ "http://h/Dockerfile",      DF_CONTEXT_URL   },
		{ "https://h/x#y.git",        DF_CONTEXT_URL   },
		{ "git@h:x/y.git",            DF_CONTEXT_GIT   },
		{ "git://h/x",                DF_CONTEXT_GIT   },
		{ "ssh://git@h/x",            DF_CONTEXT_GIT   },
		{ "github.com/a/b",           DF_CONTEXT_GIT   },
		{ "file:///x/y",              DF_CONTEXT_GIT   },
		{ "github.computer",          DF_CONTEXT_FOLDER},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		if (df_context_kind(rows[i].text) != rows[i].kind)
			fail_msg("%s", rows[i].text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(archives_are_told_by_their_content_and_unpacked),
		cmocka_unit_test(archives_go_where_the_table_says),
		cmocka_unit_test(hostile_archives_lead_nowhere),
		cmocka_unit_test(a_damaged_archive_is_an_error_and_leaves_nothing),
		cmocka_unit_test(a_url_is_fetched_once_while_it_stays_the_same),
		cmocka_unit_test(a_checksum_is_checked_before_anything_shows),
		cmocka_unit_test(urls_that_fail_say_why),
		cmocka_unit_test(a_tar_on_stdin_is_a_context),
		cmocka_unit_test(a_dockerfile_on_stdin_has_an_empty_context),
		cmocka_unit_test(a_url_may_be_a_context),
		cmocka_unit_test(a_repository_is_a_context),
		cmocka_unit_test(a_commit_by_its_name_is_found),
		cmocka_unit_test(add_of_a_repository_depends_on_the_commit),
		cmocka_unit_test(the_kind_of_a_context_is_told_by_its_text),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
