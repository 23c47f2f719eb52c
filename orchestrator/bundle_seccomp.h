/* orchestrator/bundle_seccomp - linux.seccomp of config.json: the default, none, or a file of the
 * user's. */
#pragma once
#include "orchestrator/bundle.h"
#include "orchestrator/profile.h"

/* Adds "seccomp" to the linux section: nothing for privileged and security_opt seccomp=unconfined;
 * the default profile otherwise and for seccomp=builtin; seccomp=FILE.json (from the project's
 * folder) in docker's form. Blocks (disk) for a file. Errors: NOT_FOUND, INVALID, UNSUPPORTED with
 * the file's name. */
int bundle_add_seccomp(struct arena *arena, struct json_object *linux_section,
		       const struct bundle_spec *spec, struct err *err);

/* A profile in docker's form as linux.seccomp: entries whose conditions (capabilities,
 * architecture, kernel) do not hold are left out. To be put. */
struct json_object *bundle_seccomp_translate(const struct json_object *profile, cap_set caps,
					     struct err *err);
