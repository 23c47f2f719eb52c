/* runtime/net_device - a network device of the host, moved into a container.
 *
 * Owns: the rtnetlink messages of that move. May not touch: links that the orchestrator makes (they
 * are born in their namespace).
 */
#include "runtime/net_device.h"

int net_device_move(const char *host_name, const char *name, pid_t pid, struct err *err)
{
	(void)name;
	(void)pid;
	return err_set(err, ERR_UNSUPPORTED, "device %s: moving devices is not supported",
		       host_name);
}
