/* orchestrator/check - can this machine do it, and do records and kernel agree: `stack system
 * check`. Blocks. */
#pragma once
#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"
#include "images/store.h"
#include "orchestrator/roots.h"

enum check_result { CHECK_GOOD, CHECK_NOTE, CHECK_WRONG, CHECK_FIXED };

/* One line for a person. */
typedef void (*check_found)(void *ctx, enum check_result result, const char *line);

/* What the kernel and the machine must offer. Returns how many things that are needed are lacking.
 */
size_t check_machine(const struct roots *roots, check_found found, void *ctx);
/* Links, leases, ports, rules, namespaces, run folders and images that no record knows, or that are
 * damaged. fix: they are cleared and repaired. Returns how many findings are left, -1 with *err. */
int check_records(const struct roots *roots, struct store *images, bool fix, check_found found,
		  void *ctx, struct err *err);
