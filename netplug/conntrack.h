/* netplug/conntrack - forgetting UDP flows whose target changed. Blocks (kernel). */
#pragma once
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

/* Deletes the entries whose original destination port is one of these host ports (UDP and SCTP
 * only; TCP is left alone). Call after the transaction that added, moved or removed such a port. */
int conntrack_forget(uint8_t protocol, const uint16_t *host_ports, size_t count, struct err *err);
