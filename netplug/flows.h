/* netplug/flows - who talks to a container through its published ports, as connection
 * tracking knows it. Blocks (kernel: a dump for each family and protocol). */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "netplug/address.h"

/* A port of a container, by the container's own address. */
struct flow_end {
	struct address address;
	uint16_t port;
	uint8_t protocol;
};

/* What the last look has seen; all zero before the first. */
struct flows {
	uint32_t *ids;
	size_t count;
};
void flows_free(struct flows *flows);

/* *out_active: somebody has begun to talk to one of these ends since the last look, however
 * shortly: TCP that has ended is remembered for a while. A flow of UDP counts until the kernel
 * forgets it (half a minute to two). Whether TCP is still open is not judged here: entries of peers
 * that have vanished stay for days. *seen becomes what is there now. */
int flows_look(const struct flow_end *ends, size_t count, struct flows *seen, bool *out_active,
	       struct err *err);
