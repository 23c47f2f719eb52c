/* netplug/link_end - a project's links taken away, as far as anybody can see. Blocks. */
#pragma once
#include <stddef.h>

#include "base/err.h"

/* Deletes the links of the group (link_delete_group) and returns as soon as none of the names, its
 * bridges, is there any more: all of the group leave the namespace together, then. The kernel goes
 * on for a while to wait for whoever still looks at them, in a thread of ours that nobody waits
 * for. Without names it returns when the kernel does. */
int link_end_group(unsigned group, const char *const *names, size_t count, struct err *err);
