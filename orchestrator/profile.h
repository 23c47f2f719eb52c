/* orchestrator/profile - what a container may do unless the file says otherwise: capabilities,
 * masked paths, default mounts. Tables only; as docker users expect them. Pure. */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "specs/model_values.h"

/* Bit i is capability number i. */
typedef uint64_t cap_set;

/* The default set with cap_add and cap_drop ("ALL", "NET_ADMIN", "CAP_NET_ADMIN", any case)
 * applied, drops first when ALL is dropped. ERR_INVALID names an unknown one with a near miss. */
int profile_capabilities(const struct texts *add, const struct texts *drop, bool privileged,
			 cap_set *out, struct err *err);
/* "CAP_CHOWN" for a number; NULL above the last. */
const char *profile_capability_name(unsigned number);

/* NULL-terminated. */
extern const char *const profile_masked_paths[];
extern const char *const profile_readonly_paths[];

/* A mount that every container gets. */
struct profile_mount {
	const char *destination, *type, *source;
	const char *const *options; /* NULL-terminated */
};
extern const struct profile_mount profile_mounts[]; /* destination NULL ends it */

/* Rlimit names: "nofile" to "RLIMIT_NOFILE"; NULL when it is none. */
const char *profile_rlimit(const char *name);
