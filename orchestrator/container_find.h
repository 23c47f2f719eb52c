/* orchestrator/container_find - a container of any project by its name or ID, and whose network it
 * has. Blocks (disk).
 */
#pragma once
#include "base/arena.h"
#include "base/err.h"
#include "orchestrator/roots.h"

struct container_place {
	const char *project, *slot; /* "shop", "web.1": whose namespace and files it uses */
	bool is_host;               /* it is in the host's network; no slot */
};

/* text: a name, or the beginning of an ID (4 digits and more). Follows network_mode: service:X and
 * container:X. NOT_FOUND "no such container: X". Texts in the arena. */
int container_find_network(struct arena *arena, const struct roots *roots, const char *text,
			   struct container_place *out, struct err *err);
