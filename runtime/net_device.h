/* runtime/net_device - a network device of the host, moved into a container. Blocks (rtnetlink). */
#pragma once
#include <sys/types.h>

#include "base/err.h"

/* Moves it into the network namespace of the process, renamed, with its MTU, MAC and global
 * addresses, and sets it up there. */
int net_device_move(const char *host_name, const char *name, pid_t pid, struct err *err);
