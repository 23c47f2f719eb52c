/* orchestrator/profile_seccomp - which system calls a container may make: our default profile, as a
 * table. Pure.
 *
 * What the table does not allow ends with EPERM. Calls that only make sense with a capability are
 * open exactly when the container has it. clone3 ends with ENOSYS without CAP_SYS_ADMIN, because
 * its flags lie in memory that no filter can look at, and libc falls back to clone then.
 */
#pragma once
#include <json-c/json.h>
#include <stdbool.h>

#include "orchestrator/profile.h"

/* linux.seccomp of config.json for a container with these capabilities; to be put. For printing:
 * the list of allowed names is text that is an array only once it is parsed again. */
struct json_object *profile_seccomp(cap_set caps);

enum seccomp_answer {
	SECCOMP_UNKNOWN, /* not in the table: refused, and a gap */
	SECCOMP_REFUSED,
	SECCOMP_DEPENDS, /* on arguments */
	SECCOMP_ALLOWED,
};
/* What the table says of a name. */
enum seccomp_answer profile_seccomp_answer(const char *name, cap_set caps);
