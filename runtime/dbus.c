/* runtime/dbus - a caller's side of D-Bus.
 *
 * Owns: authentication, headers, which answer belongs to which call. May not touch: what systemd
 * means by it (cgroup_systemd).
 */
#include "runtime/dbus.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/stamp.h"
#include "base/text.h"

#define MESSAGE_MAX_BYTES (1u << 20) /* answers of systemd are some hundred */
#define HEADER_BYTES      16         /* up to the header fields, their length included */

enum {
	FIELD_PATH = 1,
	FIELD_INTERFACE,
	FIELD_MEMBER,
	FIELD_ERROR,
	FIELD_REPLY,
	FIELD_DESTINATION,
	FIELD_SENDER,
	FIELD_SIGNATURE
};

struct dbus {
	int fd;
	uint32_t serial;
};

static int send_all(int fd, const void *bytes, size_t len, struct err *err)
{
	const char *at = bytes;

	while (len) {
		ssize_t n = send(fd, at, len, MSG_NOSIGNAL);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return err_sys(err, errno, "write to the bus");
		at += n;
		len -= (size_t)n;
	}
	return 0;
}

static int receive_all(int fd, void *bytes, size_t len, uint64_t end_us, struct err *err)
{
	char *at = bytes;

	while (len) {
		uint64_t now_us = stamp_monotonic_us();
		struct pollfd polled = { fd, POLLIN, 0 };
		ssize_t n;

		if (now_us >= end_us ||
		    poll(&polled, 1, (int)((end_us - now_us + 999) / 1000)) == 0)
			return err_set(err, ERR_TIMEOUT, "the bus does not answer");
		n = recv(fd, at, len, 0);
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return n < 0 ? err_sys(err, errno, "read from the bus")
				     : err_set(err, ERR_SYSTEM,
					       "the bus has closed the connection");
		at += n;
		len -= (size_t)n;
	}
	return 0;
}

static void put_field(struct dbus_body *out, uint8_t code, const char *type, const char *text)
{
	if (!text || !*text)
		return;
	dbus_pad(out, 8);
	dbus_put_u8(out, code);
	dbus_put_signature(out, type);
	if (*type == 'g')
		dbus_put_signature(out, text);
	else
		dbus_put_text(out, text);
}

int dbus_send(int fd, const struct dbus_message *head, const char *destination,
	      const struct dbus_body *body, struct err *err)
{
	AUTO(dbus_body) struct dbus_body out = { 0 };
	size_t fields;

	dbus_put_u8(&out, 'l');
	dbus_put_u8(&out, (uint8_t)head->kind);
	dbus_put_u8(&out, 0);
	dbus_put_u8(&out, 1); /* version of the protocol */
	dbus_put_u32(&out, body ? (uint32_t)body->len : 0);
	dbus_put_u32(&out, head->serial);
	fields = dbus_array_begin(&out, 8);
	put_field(&out, FIELD_PATH, "o", head->path);
	put_field(&out, FIELD_INTERFACE, "s", head->interface);
	put_field(&out, FIELD_MEMBER, "s", head->member);
	put_field(&out, FIELD_ERROR, "s", head->error);
	if (head->reply_serial) {
		dbus_pad(&out, 8);
		dbus_put_u8(&out, FIELD_REPLY);
		dbus_put_signature(&out, "u");
		dbus_put_u32(&out, head->reply_serial);
	}
	put_field(&out, FIELD_DESTINATION, "s", destination);
	put_field(&out, FIELD_SIGNATURE, "g", head->signature);
	dbus_array_end(&out, fields, 8);
	dbus_pad(&out, 8);
	if (send_all(fd, out.at, out.len, err) < 0)
		return -1;
	return body && body->len ? send_all(fd, body->at, body->len, err) : 0;
}

/* One header field: a code and a variant of a basic type. */
static void read_field(struct dbus_reader *reader, struct dbus_message *out)
{
	const char **texts[] = { [FIELD_PATH] = &out->path,
				 [FIELD_INTERFACE] = &out->interface,
				 [FIELD_MEMBER] = &out->member,
				 [FIELD_ERROR] = &out->error,
				 [FIELD_SIGNATURE] = &out->signature };
	const char *type, *text = NULL;
	uint8_t code;

	dbus_skip_pad(reader, 8);
	code = dbus_get_u8(reader);
	type = dbus_get_signature(reader);
	if (strcmp(type, "u") == 0) {
		uint32_t number = dbus_get_u32(reader);

		if (code == FIELD_REPLY)
			out->reply_serial = number;
		return;
	}
	if (strcmp(type, "g") == 0)
		text = dbus_get_signature(reader);
	else if (strcmp(type, "s") == 0 || strcmp(type, "o") == 0)
		text = dbus_get_text(reader);
	else
		reader->bad = true;
	if (text && code < sizeof(texts) / sizeof(*texts) && texts[code])
		*texts[code] = text;
}

static int parse(struct dbus_message *out, size_t fields_len, size_t body_len, struct err *err)
{
	size_t body_at = HEADER_BYTES + (fields_len + 7) / 8 * 8;
	struct dbus_reader reader = { .at = out->bytes,
				      .len = HEADER_BYTES + fields_len,
				      .pos = HEADER_BYTES };

	out->path = out->interface = out->member = out->error = out->signature = "";
	out->kind = (enum dbus_kind)out->bytes[1];
	memcpy(&out->serial, out->bytes + 8, sizeof(out->serial));
	while (!reader.bad && reader.pos < reader.len)
		read_field(&reader, out);
	if (reader.bad)
		return err_set(err, ERR_INVALID, "the bus sent a message that is none");
	out->body = (struct dbus_reader){ .at = out->bytes + body_at, .len = body_len };
	return 0;
}

int dbus_read(int fd, int timeout_ms, struct dbus_message *out, struct err *err)
{
	uint64_t end_us = stamp_monotonic_us() + (uint64_t)timeout_ms * 1000;
	unsigned char head[HEADER_BYTES] = { 0 };
	uint32_t body_len, fields_len;
	size_t rest;

	*out = (struct dbus_message){ 0 };
	if (receive_all(fd, head, sizeof(head), end_us, err) < 0)
		return -1;
	memcpy(&body_len, head + 4, sizeof(body_len));
	memcpy(&fields_len, head + 12, sizeof(fields_len));
	if (head[0] != 'l' || body_len > MESSAGE_MAX_BYTES || fields_len > MESSAGE_MAX_BYTES)
		return err_set(err, ERR_INVALID, "the bus sent a message that is none");
	rest = (fields_len + 7) / 8 * 8 + (size_t)body_len;
	out->bytes = xcalloc(1, HEADER_BYTES + rest);
	memcpy(out->bytes, head, sizeof(head));
	if (receive_all(fd, out->bytes + HEADER_BYTES, rest, end_us, err) < 0)
		return -1;
	return parse(out, fields_len, body_len, err);
}

void dbus_message_free(struct dbus_message *message)
{
	free(message->bytes);
	*message = (struct dbus_message){ 0 };
}

/* AUTH EXTERNAL with our uid as hex of its decimal digits; "OK" lets us begin. BEGIN goes along
 * with it: systemd lets a call lie that it reads together with BEGIN. */
static int authenticate(int fd, struct err *err)
{
	char uid[16], line[256] = "AUTH EXTERNAL ";
	uint64_t end_us = stamp_monotonic_us() + DBUS_TIMEOUT_MS * 1000ull;
	size_t len = strlen(line);

	snprintf(uid, sizeof(uid), "%u", (unsigned)geteuid());
	for (const char *digit = uid; *digit; digit++)
		len += (size_t)snprintf(line + len, sizeof(line) - len, "%02x", (unsigned)*digit);
	snprintf(line + len, sizeof(line) - len, "\r\nBEGIN\r\n");
	if (send_all(fd, "", 1, err) < 0 || send_all(fd, line, strlen(line), err) < 0)
		return -1;
	for (len = 0; len + 1 < sizeof(line); len++) {
		if (receive_all(fd, line + len, 1, end_us, err) < 0)
			return -1;
		if (line[len] == '\n')
			break;
	}
	line[len] = '\0';
	return text_starts(line, "OK")
		       ? 0
		       : err_set(err, ERR_DENIED, "the bus does not let us in: %.60s", line);
}

static int connect_to(const char *address, struct err *err)
{
	struct sockaddr_un name = { .sun_family = AF_UNIX };
	const char *at = strstr(address, "unix:path=");
	size_t len = at ? strcspn(at + 10, ",;") : 0;
	AUTO(fd) int fd = -1;

	if (!len || len >= sizeof(name.sun_path))
		return err_set(err, ERR_UNSUPPORTED,
			       "bus address %.80s: is no unix:path=", address);
	memcpy(name.sun_path, at + 10, len);
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0 || connect(fd, (struct sockaddr *)&name, sizeof(name)) < 0)
		return err_sys(err, errno, "connect to %s", name.sun_path);
	return TAKE_FD(fd);
}

struct dbus *dbus_open(const char *address, bool has_daemon, struct err *err)
{
	static const struct dbus_method hello = { "org.freedesktop.DBus", "/org/freedesktop/DBus",
						  "org.freedesktop.DBus", "Hello", NULL };
	AUTO(dbus_message) struct dbus_message answer = { 0 };
	AUTO(dbus) struct dbus *bus = xcalloc(1, sizeof(*bus));

	bus->fd = connect_to(address, err);
	if (bus->fd < 0 || authenticate(bus->fd, err) < 0)
		return NULL;
	if (has_daemon && dbus_call(bus, &hello, NULL, &answer, err) < 0)
		return NULL;
	return TAKE(bus);
}

void dbus_close(struct dbus *bus)
{
	if (!bus)
		return;
	if (bus->fd >= 0)
		close(bus->fd);
	free(bus);
}

int dbus_receive(struct dbus *bus, struct dbus_message *out, struct err *err)
{
	return dbus_read(bus->fd, DBUS_TIMEOUT_MS, out, err);
}

int dbus_call(struct dbus *bus, const struct dbus_method *method, const struct dbus_body *body,
	      struct dbus_message *out, struct err *err)
{
	struct dbus_message head = { .kind = DBUS_CALL,
				     .serial = ++bus->serial,
				     .path = method->path,
				     .interface = method->interface,
				     .member = method->member,
				     .signature = method->signature };

	*out = (struct dbus_message){ 0 };
	if (dbus_send(bus->fd, &head, method->destination, body, err) < 0)
		return -1;
	for (;;) {
		dbus_message_free(out);
		if (dbus_receive(bus, out, err) < 0)
			return -1;
		if (out->reply_serial != head.serial)
			continue;
		if (out->kind != DBUS_ERROR)
			return 0;
		return err_set(err, ERR_SYSTEM, "%s: %s", method->member,
			       *out->signature == 's' ? dbus_get_text(&out->body) : out->error);
	}
}
