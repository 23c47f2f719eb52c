/* specs/export/kube_mount - volumes and mounts of a pod, for those who add to them. */
#pragma once
#include "specs/export/kube.h"
#include "specs/units.h"

#define FROM_DEPTH 8u /* of volumes_from */

/* The volume of the pod for a thing, its name made of `wanted`; NULL when it is there already. */
struct json_object *pod_volume(struct pod *pod, const char *identity, const char *wanted,
			       const char **out_name);
/* A mount of the container; NULL (and told of the key) when the path has one. */
struct json_object *pod_mount(struct pod *pod, const char *name, const char *target,
			      const char *key);
/* A claim template for a volume of the project; NULL when it is there already. */
struct json_object *kube_claim_template(struct pod *pod, const char *volume_key,
					const char **out_name);
/* Configs and secrets of the service, one file each. */
void kube_mount_files(struct pod *pod, bool is_secret, const struct file_use *uses, size_t count);
/* The service of a volumes_from entry; NULL: none of the project. */
const struct service *kube_volumes_from(const struct project *project, const char *text,
					bool *out_read_only);
