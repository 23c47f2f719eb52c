/* orchestrator/cdi - devices by their descriptions: the Container Device Interface (files below
 * /etc/cdi and /var/run/cdi, JSON or YAML). For `devices: ["vendor.com/class=name"]`, gpus and
 * deploy.resources.reservations.devices. Blocks (disk). */
#pragma once
#include <json-c/json.h>

#include "base/arena.h"
#include "base/err.h"
#include "specs/model.h"

/* NULL-terminated; what stands in a later folder wins. */
extern const char *const cdi_dirs[];

/* The qualified names that a service asks for, in the arena. A request without device_ids or count,
 * or with -1, is "all"; a count N is the names 0 to N-1. Its driver: a vendor ("nvidia", the
 * default, "amd"), a kind
 * ("vendor.com/class"), or "cdi": device_ids are whole names. ERR_UNSUPPORTED for others. */
int cdi_names(struct arena *arena, const struct service *service, struct texts *out,
	      struct err *err);
/* Adds what the descriptions say to an OCI config: variables, device nodes with their cgroup rules,
 * mounts, hooks, groups. ERR_NOT_FOUND names the device and the folders. */
int cdi_apply(struct arena *arena, const char *const *dirs, const struct service *service,
	      struct json_object *config, struct err *err);
