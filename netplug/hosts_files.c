/* netplug/hosts_files - /etc/hosts, /etc/resolv.conf and /etc/hostname of a container.
 *
 * Owns: their texts, and the writing in place. May not touch: leases, zones, mounts.
 * Source: resolv.conf(5), hosts(5).
 */
#include "netplug/hosts_files.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/cleanup.h"
#include "base/file.h"
#include "base/text.h"

#define RESOLVER "127.0.0.11"

static const char standard_hosts[] = "127.0.0.1\tlocalhost\n"
				     "::1\tlocalhost ip6-localhost ip6-loopback\n"
				     "fe00::\tip6-localnet\n"
				     "ff00::\tip6-mcastprefix\n"
				     "ff02::1\tip6-allnodes\n"
				     "ff02::2\tip6-allrouters\n";

/* Text that grows; an arena of stdio. */
struct writer {
	FILE *file;
	char *text;
	size_t len;
};

static void writer_open(struct writer *writer)
{
	writer->file = open_memstream(&writer->text, &writer->len);
	if (!writer->file)
		abort(); /* out of memory, as base/alloc does */
}

static char *writer_close(struct writer *writer)
{
	fclose(writer->file);
	return writer->text;
}

char *hosts_text(const struct hosts_spec *spec)
{
	struct writer writer;

	writer_open(&writer);
	fputs(spec->host_text ? spec->host_text : standard_hosts, writer.file);
	if (spec->host_text && *spec->host_text && !text_ends(spec->host_text, "\n"))
		fputc('\n', writer.file);
	for (size_t i = 0; i < spec->extra_count; i++)
		fprintf(writer.file, "%s\t%s\n", spec->extra[i].address, spec->extra[i].name);
	for (size_t i = 0; spec->hostname && i < spec->address_count; i++)
		if (spec->domainname && *spec->domainname)
			fprintf(writer.file, "%s\t%s.%s %s\n", spec->addresses[i], spec->hostname,
				spec->domainname, spec->hostname);
		else
			fprintf(writer.file, "%s\t%s\n", spec->addresses[i], spec->hostname);
	return writer_close(&writer);
}

/* Cuts the first word off the line; false when none is left. */
static bool next_word(struct slice *line, struct slice *out)
{
	size_t at = 0, end;

	while (at < line->len && strchr(" \t\r", line->at[at]))
		at++;
	end = at;
	while (end < line->len && !strchr(" \t\r", line->at[end]))
		end++;
	*out = (struct slice){ line->at + at, end - at };
	*line = (struct slice){ line->at + end, line->len - end };
	return out->len > 0;
}

static void push(char ***list, size_t *count, struct slice word)
{
	char **place = xgrow(list, count, sizeof(*place));

	*place = xstrndup(word.at, word.len);
}

static void empty_list(char **list, size_t *count)
{
	while (*count)
		free(list[--*count]);
}

static bool is_address(struct slice word)
{
	char text[INET6_ADDRSTRLEN + 1];
	struct in6_addr unused;
	const char *scope = memchr(word.at, '%', word.len);
	size_t len = scope ? (size_t)(scope - word.at) : word.len;

	if (len >= sizeof(text))
		return false;
	memcpy(text, word.at, len);
	text[len] = '\0';
	return inet_pton(AF_INET6, text, &unused) == 1 ||
	       (!scope && inet_pton(AF_INET, text, &unused) == 1);
}

static void parse_line(struct resolv_conf *conf, struct slice line)
{
	struct slice key, word;

	if (!next_word(&line, &key) || key.at[0] == '#' || key.at[0] == ';')
		return;
	if (slice_is(key, "nameserver")) {
		if (next_word(&line, &word) && is_address(word))
			push(&conf->servers, &conf->server_count, word);
		return;
	}
	if (slice_is(key, "search") || slice_is(key, "domain")) {
		empty_list(conf->search, &conf->search_count);
		while (next_word(&line, &word))
			if (!slice_is(word, "."))
				push(&conf->search, &conf->search_count, word);
	}
	if (slice_is(key, "options"))
		while (next_word(&line, &word))
			push(&conf->options, &conf->option_count, word);
}

struct resolv_conf *resolv_parse(const char *text)
{
	struct resolv_conf *conf = xcalloc(1, sizeof(*conf));
	struct slice rest = SLICE(text), line;

	while (slice_next(&rest, '\n', &line))
		parse_line(conf, line);
	return conf;
}

void resolv_free(struct resolv_conf *conf)
{
	if (!conf)
		return;
	empty_list(conf->servers, &conf->server_count);
	empty_list(conf->search, &conf->search_count);
	empty_list(conf->options, &conf->option_count);
	free(conf->servers);
	free(conf->search);
	free(conf->options);
	free(conf);
}

static bool is_loopback(const char *address)
{
	return text_starts(address, "127.") || strcmp(address, "::1") == 0;
}

static void write_list(FILE *file, const char *key, const char *const *words, size_t count,
		       const char *more)
{
	if (!count && !more)
		return;
	fputs(key, file);
	for (size_t i = 0; i < count; i++)
		fprintf(file, " %s", words[i]);
	if (more)
		fprintf(file, " %s", more);
	fputc('\n', file);
}

/* Returns how many servers the file names. */
static size_t write_servers(FILE *file, const struct resolv_spec *spec)
{
	size_t count = 0;

	if (spec->mode == RESOLV_OURS) {
		fputs("nameserver " RESOLVER "\n", file);
		return 1;
	}
	for (size_t i = 0; i < spec->dns_count; i++, count++)
		fprintf(file, "nameserver %s\n", spec->dns[i]);
	for (size_t i = 0; !spec->dns_count && i < spec->host->server_count; i++)
		if (spec->mode == RESOLV_HOST || !is_loopback(spec->host->servers[i])) {
			fprintf(file, "nameserver %s\n", spec->host->servers[i]);
			count++;
		}
	return count;
}

char *resolv_text(const struct resolv_spec *spec, struct err *err)
{
	const char *const *search = spec->search, *const *options = spec->options;
	size_t search_count = spec->search_count, option_count = spec->option_count, servers;
	bool has_ndots = spec->mode != RESOLV_OURS;
	struct writer writer;

	if (!search_count) {
		search = (const char *const *)spec->host->search;
		search_count = spec->host->search_count;
	} else if (search_count == 1 && strcmp(search[0], ".") == 0) {
		search_count = 0;
	}
	if (!option_count) {
		options = (const char *const *)spec->host->options;
		option_count = spec->host->option_count;
	}
	for (size_t i = 0; i < option_count; i++)
		has_ndots |= text_starts(options[i], "ndots:");
	writer_open(&writer);
	fprintf(writer.file, "# written by stack\n");
	servers = write_servers(writer.file, spec);
	write_list(writer.file, "search", search, search_count, NULL);
	write_list(writer.file, "options", options, option_count, has_ndots ? NULL : "ndots:0");
	if (!writer_close(&writer) || servers || spec->mode == RESOLV_HOST)
		return writer.text;
	free(writer.text);
	err_set(err, ERR_INVALID,
		"the host's name servers are on its loopback, which the container cannot reach; "
		"give `dns:`");
	return NULL;
}

char *hostname_text(const char *name)
{
	return xformat("%s\n", name);
}

static int write_in_place(int fd, const char *name, const char *text, struct err *err)
{
	size_t len = strlen(text), done = 0;

	while (done < len || len == 0) {
		ssize_t n = pwrite(fd, text + done, len - done, (off_t)done);

		if (n < 0 && errno != EINTR)
			return err_sys(err, errno, "write %s", name);
		if (n >= 0 && (done += (size_t)n) >= len)
			break;
	}
	if (ftruncate(fd, (off_t)len) < 0)
		return err_sys(err, errno, "write %s", name);
	return 0;
}

int hosts_file_write(int dir_fd, const char *name, const char *text, struct err *err)
{
	AUTO(fd)
	int fd = openat(dir_fd, name, O_WRONLY | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0644);

	if (fd < 0 || fchmod(fd, 0644) < 0) /* whatever our umask is */
		return err_sys(err, errno, "open %s", name);
	return write_in_place(fd, name, text, err);
}

int hosts_file_update(int dir_fd, const char *name, const char *old_text, const char *new_text,
		      bool *out_written, struct err *err)
{
	AUTO(fd) int fd = openat(dir_fd, name, O_RDWR | O_CLOEXEC | O_NOFOLLOW);
	AUTO(free) char *now = NULL;
	size_t len;

	*out_written = false;
	if (fd < 0)
		return err_sys(err, errno, "open %s", name);
	if (file_read_fd(fd, name, HOSTS_MAX_BYTES, &now, &len, err) < 0)
		return -1;
	if (len != strlen(old_text) || memcmp(now, old_text, len) != 0)
		return 0;
	*out_written = true;
	return write_in_place(fd, name, new_text, err);
}

static bool has_line(const char *text, struct slice wanted)
{
	struct slice rest = SLICE(text), line;

	while (slice_next(&rest, '\n', &line))
		if (line.len == wanted.len && memcmp(line.at, wanted.at, line.len) == 0)
			return true;
	return false;
}

/* The lines of a text that one other has not. */
static void write_lines(FILE *out, const char *text, const char *unless, const char *but_if)
{
	struct slice rest = SLICE(text), line;

	while (slice_next(&rest, '\n', &line))
		if (line.len && (!has_line(unless, line) || (but_if && has_line(but_if, line))))
			fprintf(out, "%.*s\n", SLICE_ARG(line));
}

char *hosts_merge(const char *now, const char *from, const char *to)
{
	struct writer writer;
	AUTO(free) char *kept = NULL;

	writer_open(&writer);
	write_lines(writer.file, now, from, to);
	writer_close(&writer);
	kept = writer.text;
	writer_open(&writer);
	fputs(kept, writer.file);
	write_lines(writer.file, to, kept, NULL);
	writer_close(&writer);
	return writer.text;
}

int hosts_file_change(int dir_fd, const char *name, const char *from, const char *to,
		      struct err *err)
{
	AUTO(fd) int fd = openat(dir_fd, name, O_RDWR | O_CLOEXEC | O_NOFOLLOW);
	AUTO(free) char *now = NULL;
	AUTO(free) char *merged = NULL;

	if (fd < 0)
		return err_sys(err, errno, "open %s", name);
	if (file_read_fd(fd, name, HOSTS_MAX_BYTES, &now, NULL, err) < 0)
		return -1;
	merged = strcmp(now, from) == 0 ? xstrdup(to) : hosts_merge(now, from, to);
	return strcmp(now, merged) == 0 ? 0 : write_in_place(fd, name, merged, err);
}
