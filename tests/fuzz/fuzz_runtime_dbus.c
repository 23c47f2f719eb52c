/* tests/fuzz/fuzz_runtime_dbus - messages of a bus from foreign hands. */
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>
#include <unistd.h>

#include "runtime/dbus.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	AUTO(dbus_message) struct dbus_message message = { 0 };
	struct err err = ERR_NONE;
	int pair[2];

	if (size > 65536 || socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) < 0)
		return 0;
	if (write(pair[0], data, size) == (ssize_t)size) {
		shutdown(pair[0], SHUT_WR);
		if (dbus_read(pair[1], 1000, &message, &err) == 0) {
			dbus_get_u32(&message.body);
			dbus_get_text(&message.body);
			dbus_get_signature(&message.body);
			dbus_get_u64(&message.body);
			dbus_get_text(&message.body);
		}
	}
	close(pair[0]);
	close(pair[1]);
	return 0;
}
