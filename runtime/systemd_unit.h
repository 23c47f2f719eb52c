/* runtime/systemd_unit - what config.json asks for, as properties of a systemd unit. Pure but for
 * /proc/devices.
 *
 * Source: systemd's org.freedesktop.systemd1(5), systemd.resource-control(5).
 */
#pragma once
#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"
#include "runtime/cgroup.h"
#include "runtime/dbus_text.h"

/* "a-b.slice" to "/a.slice/a-b.slice", "-.slice" to "". To be freed; ERR_INVALID for what is no
 * slice. */
char *systemd_slice_path(const char *slice, struct err *err);

#define SYSTEMD_V2     1u /* names of cgroup v2 */
#define SYSTEMD_UPDATE 2u /* a list of devices that is not given stays as it is */

/* Appends (name, variant) pairs for the limits; the array is the caller's. */
void systemd_put_limits(struct dbus_body *body, const struct config_resources *resources,
			unsigned flags);
/* Of annotations org.systemd.property.NAME, values in GVariant's text form: 'text', true, 7,
 * uint64 7, ['a', 'b']. NAMESec takes seconds and sets NAMEUSec. ERR_INVALID names the
 * annotation. */
int systemd_put_annotations(struct dbus_body *body, const struct config_pairs *annotations,
			    struct err *err);
void systemd_put_text(struct dbus_body *body, const char *name, const char *text);
void systemd_put_bool(struct dbus_body *body, const char *name, bool value);
