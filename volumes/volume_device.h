/* volumes/volume_device - volumes that are more than a folder: driver_opts type, device, o.
 *
 * type none with o=bind|rbind: a folder of the host; tmpfs; nfs, cifs, ext4 ... through the
 * kernel's new mount calls in a process of their own, so that a server that never answers costs its
 * time-out and no thread.
 */
#pragma once
#include <stdbool.h>

#include "base/err.h"

struct json_object;

#define DEVICE_TIMEOUT_MS 30000

/* options: volume.json's. Does the volume need a mount at all? */
bool device_is_needed(struct json_object *options);
/* Unknown keys (near miss), a type without device, ... Before the volume is made. */
int device_check(struct json_object *options, struct err *err);
/* Mounts it on target_fd (O_PATH folder). Errors hold the kernel's own words; passwords are masked.
 */
int device_mount(struct json_object *options, int target_fd, int timeout_ms, struct err *err);
/* options with the values of password=, pass=, credentials= in `o` as "***"; a new object, to be
 * put. */
struct json_object *device_mask(struct json_object *options);
