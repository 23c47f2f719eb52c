/* runtime/dbus - a caller's side of D-Bus: connect, call a method, wait for a signal.
 *
 * Enough to ask systemd for a scope, and statically linked. Over a bus daemon or straight to
 * systemd's own socket. Blocks, at most DBUS_TIMEOUT_MS for an answer.
 * Source: D-Bus specification (authentication EXTERNAL, messages).
 */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "runtime/dbus_text.h"

#define DBUS_TIMEOUT_MS 30000

struct dbus; /* opaque */

/* address: "unix:path=/run/dbus/system_bus_socket[,...]" (alternatives after ;), has_daemon: say
 * Hello to it. ERR_NOT_FOUND when nobody listens. */
struct dbus *dbus_open(const char *address, bool has_daemon, struct err *err);
void dbus_close(struct dbus *bus);
AUTO_TYPE(dbus, dbus_close);

enum dbus_kind { DBUS_CALL = 1, DBUS_RETURN = 2, DBUS_ERROR = 3, DBUS_SIGNAL = 4 };

struct dbus_message {
	enum dbus_kind kind;
	uint32_t serial, reply_serial;
	const char *path, *interface, *member, *error, *signature; /* "" when absent; borrowed */
	struct dbus_reader body;
	unsigned char *bytes; /* owns all of the above */
};

/* Frees the bytes that all of it lies in. */
void dbus_message_free(struct dbus_message *message);
static inline void auto_dbus_message(struct dbus_message *message)
{
	dbus_message_free(message);
}

struct dbus_method {
	const char *destination, *path, *interface, *member;
	const char *signature; /* of body; "" or NULL: no arguments */
};

/* The answer in *out, to be freed by dbus_message_free also when it is an error of the other side
 * (-1 with its text; out->error is its name). */
int dbus_call(struct dbus *bus, const struct dbus_method *method, const struct dbus_body *body,
	      struct dbus_message *out, struct err *err);
/* The next message of any kind. */
int dbus_receive(struct dbus *bus, struct dbus_message *out, struct err *err);
/* Sends one message: for the other side of a test. */
int dbus_send(int fd, const struct dbus_message *head, const char *destination,
	      const struct dbus_body *body, struct err *err);
/* Reads one message from a socket; timeout_ms as for poll. */
int dbus_read(int fd, int timeout_ms, struct dbus_message *out, struct err *err);
