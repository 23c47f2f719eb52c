/* runtime/log_journal - records to systemd's journal.
 *
 * Owns: the datagram's form, the connection. May not touch: files.
 */
#include "runtime/log_journal.h"

#include <ctype.h>
#include <endian.h>
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/json.h"

#define JOURNAL_SOCKET "/run/systemd/journal/socket"
#define SHORT_ID       12
#define FIELD_MAX      64 /* the journal's limit of a field's name */

struct log_journal {
	const char *socket_path;
	int fd;       /* -1: not connected */
	char *fields; /* those that every record has, ready to send */
	size_t fields_len;
};

/* NAME=value, or the form with a length where the value has line ends. */
static void put_field(FILE *out, const char *name, const char *value, size_t len)
{
	uint64_t le_len = htole64(len);

	if (!value)
		return;
	if (!memchr(value, '\n', len)) {
		fprintf(out, "%s=%.*s\n", name, (int)len, value);
		return;
	}
	fprintf(out, "%s\n", name);
	fwrite(&le_len, sizeof(le_len), 1, out);
	fwrite(value, 1, len, out);
	fputc('\n', out);
}

static void put_text(FILE *out, const char *name, const char *value)
{
	put_field(out, name, value, value ? strlen(value) : 0);
}

/* A label's key as a field's name: capitals, digits, underscores, no underscore or digit first. */
static bool field_name(const char *key, char *out)
{
	size_t n = 0;

	for (; n < FIELD_MAX && key[n]; n++)
		out[n] = (char)(isalnum((unsigned char)key[n]) ? toupper((unsigned char)key[n])
							       : '_');
	out[n] = '\0';
	return n > 0 && isalpha((unsigned char)out[0]);
}

static void put_attrs(FILE *out, const char *attrs_json)
{
	AUTO(json) struct json_object *attrs = NULL;
	struct err err = ERR_NONE;
	char name[FIELD_MAX + 1];

	if (!attrs_json)
		return;
	attrs = json_parse("attrs", attrs_json, strlen(attrs_json), &err);
	if (!json_object_is_type(attrs, json_type_object))
		return;
	json_each(attrs, key, value) {
		if (field_name(key, name))
			put_text(out, name, json_object_get_string(value));
	}
}

struct log_journal *log_journal_open(const struct monitor_spec *spec, const char *socket_path)
{
	struct log_journal *journal = xcalloc(1, sizeof(*journal));
	AUTO(free) char *short_id = xstrndup(spec->id, SHORT_ID);
	const char *tag = spec->log.tag ? spec->log.tag : short_id;
	FILE *out = open_memstream(&journal->fields, &journal->fields_len);

	journal->socket_path = socket_path ? socket_path : JOURNAL_SOCKET;
	journal->fd = -1;
	if (!out)
		abort();
	put_text(out, "CONTAINER_ID", short_id);
	put_text(out, "CONTAINER_ID_FULL", spec->id);
	put_text(out, "CONTAINER_NAME", spec->name);
	put_text(out, "CONTAINER_TAG", tag);
	put_text(out, "SYSLOG_IDENTIFIER", tag);
	put_text(out, "IMAGE_NAME", spec->log.image);
	put_text(out, "STACK_PROJECT", spec->project);
	put_text(out, "STACK_SERVICE", spec->service);
	put_attrs(out, spec->log.attrs_json);
	fclose(out);
	return journal;
}

static bool connect_journal(struct log_journal *journal)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };

	if (strlen(journal->socket_path) >= sizeof(address.sun_path))
		return false;
	strcpy(address.sun_path, journal->socket_path);
	journal->fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (journal->fd < 0)
		return false;
	if (connect(journal->fd, (struct sockaddr *)&address, sizeof(address)) == 0)
		return true;
	close(TAKE_FD(journal->fd));
	return false;
}

static struct iovec part_of(const void *at, size_t len)
{
	return (struct iovec){ .iov_base = (void *)(uintptr_t)at, .iov_len = len };
}

bool log_journal_put(struct log_journal *journal, const char *text, size_t n, bool is_stderr,
		     bool is_partial)
{
	static const char partial[] = "CONTAINER_PARTIAL_MESSAGE=true\n";
	const char *priority = is_stderr ? "PRIORITY=3\n" : "PRIORITY=6\n";
	size_t len = n && text[n - 1] == '\n' ? n - 1 : n;
	uint64_t le_len = htole64(len);
	/* MESSAGE always in the form with a length: its bytes may be anything. */
	struct iovec parts[] = { part_of(journal->fields, journal->fields_len),
				 part_of(priority, strlen(priority)),
				 part_of(partial, is_partial ? sizeof(partial) - 1 : 0),
				 part_of("MESSAGE\n", 8),
				 part_of(&le_len, sizeof(le_len)),
				 part_of(text, len),
				 part_of("\n", 1) };
	struct msghdr header = { .msg_iov = parts, .msg_iovlen = sizeof(parts) / sizeof(parts[0]) };

	for (int tries = 0; tries < 2; tries++) {
		if (journal->fd < 0 && !connect_journal(journal))
			return false;
		if (sendmsg(journal->fd, &header, MSG_NOSIGNAL | MSG_DONTWAIT) >= 0)
			return true;
		if (errno == EAGAIN || errno == EMSGSIZE)
			return false;
		close(TAKE_FD(journal->fd)); /* journald was restarted */
	}
	return false;
}

void log_journal_close(struct log_journal *journal)
{
	if (journal->fd >= 0)
		close(journal->fd);
	free(journal->fields);
	free(journal);
}
