/* specs/part_keys - rows of the maps that a service is made of: ports, mounts, networks, limits ...
 *
 * Owns: names, forms, fields and meanings. May not touch: how rows are run.
 * Source: Compose Specification, services.
 */
#include "specs/checks.h"
#include "specs/expand.h"
#include "specs/keys.h"
#include "specs/model.h"
#include "specs/rules.h"

#define EXTENSIONS(type) .extensions_offset = offsetof(struct type, extensions)
#define NO_EXTENSIONS    .extensions_offset = NO_FIELD
#define PLAIN            .place_offset = NO_FIELD, .null_offset = NO_FIELD

/* clang-format off */
#define AT(field) offsetof(struct port, field)
static const struct key port_rows[] = {
	{ "name", KEY_TEXT, 0, AT(name), .doc = "C documentation" },
	{ "mode", KEY_TEXT, 0, AT(mode), .choices = "ingress host", .doc = "B equal here" },
	{ "host_ip", KEY_TEXT, 0, AT(host_ip), .check = check_ip,
	  .doc = "A address of the host; default: all" },
	{ "target", KEY_PORT, KEY_NEEDED, AT(target), .doc = "A port in the container" },
	{ "published", KEY_LOOSE, 0, AT(published), .check = check_published,
	  .doc = "A port of the host, or a range to choose from; default: any free one" },
	{ "protocol", KEY_TEXT, 0, AT(protocol), .choices = "tcp udp sctp",
	  .doc = "A tcp, udp, sctp" },
	{ "app_protocol", KEY_TEXT, 0, AT(app_protocol), .doc = "C documentation" },
};
const struct table port_table = {
	.what = "a port", TABLE_KEYS(port_rows),
	.size = sizeof(struct port), PLAIN, EXTENSIONS(port),
	.expand = expand_port, .finish = finish_port, .unique = unique_port,
};
#undef AT

#define AT(field) offsetof(struct mount_bind, field)
static const struct key mount_bind_rows[] = {
	{ "selinux", KEY_TEXT, 0, AT(selinux), .choices = "z Z",
	  .doc = "C relabel; ignored without SELinux" },
	{ "propagation", KEY_TEXT, 0, AT(propagation),
	  .choices = "rprivate private rshared shared rslave slave", .doc = "B default rprivate" },
	{ "create_host_path", KEY_BOOL, 0, AT(create_host_path),
	  .doc = "A make a missing source; the short form does" },
	{ "recursive", KEY_TEXT, 0, AT(recursive), .choices = "enabled disabled writable readonly",
	  .doc = "C mounts below the source" },
};
static const struct table mount_bind_table = {
	.what = "bind options", TABLE_KEYS(mount_bind_rows),
	.size = sizeof(struct mount_bind), PLAIN, EXTENSIONS(mount_bind),
};
#undef AT

#define AT(field) offsetof(struct mount_volume, field)
static const struct key mount_volume_rows[] = {
	{ "labels", KEY_PAIRS, KEY_NULL_TO_EMPTY, AT(labels),
	  .doc = "C labels of an anonymous volume" },
	{ "nocopy", KEY_BOOL, 0, AT(nocopy), .doc = "B do not fill a new volume from the image" },
	{ "subpath", KEY_TEXT, 0, AT(subpath), .doc = "B folder in the volume" },
};
static const struct table mount_volume_table = {
	.what = "volume options", TABLE_KEYS(mount_volume_rows),
	.size = sizeof(struct mount_volume), PLAIN, EXTENSIONS(mount_volume),
};
#undef AT

#define AT(field) offsetof(struct mount_tmpfs, field)
static const struct key mount_tmpfs_rows[] = {
	{ "size", KEY_BYTES, KEY_ZERO_UNSET, AT(size), .doc = "B most bytes" },
	{ "mode", KEY_INT, KEY_ZERO_UNSET, AT(mode), .has_minimum = true,
	  .doc = "B by value: write 0o1777" },
};
static const struct table mount_tmpfs_table = {
	.what = "tmpfs options", TABLE_KEYS(mount_tmpfs_rows),
	.size = sizeof(struct mount_tmpfs), PLAIN, EXTENSIONS(mount_tmpfs),
};
#undef AT

static const struct key mount_image_rows[] = {
	{ "subpath", KEY_TEXT, 0, offsetof(struct mount_image, subpath),
	  .doc = "C folder of the image" },
};
static const struct table mount_image_table = {
	.what = "image options", TABLE_KEYS(mount_image_rows),
	.size = sizeof(struct mount_image), PLAIN, EXTENSIONS(mount_image),
};

#define AT(field) offsetof(struct mount, field)
static const struct key mount_rows[] = {
	{ "type", KEY_TEXT, KEY_NEEDED, AT(type),
	  .choices = "bind volume tmpfs image npipe cluster",
	  .doc = "A bind, volume, tmpfs, image" },
	{ "source", KEY_TEXT, 0, AT(source), .doc = "A path, key of a volume, or image" },
	{ "target", KEY_TEXT, KEY_NEEDED, AT(target), .check = check_target,
	  .doc = "A absolute path in the container" },
	{ "read_only", KEY_BOOL, 0, AT(read_only), .doc = "A no writing" },
	{ "consistency", KEY_TEXT, KEY_WARNED, AT(consistency), .doc = "D no effect on Linux" },
	{ "bind", KEY_OBJECT, 0, AT(bind), &mount_bind_table, .doc = "A options of a bind" },
	{ "volume", KEY_OBJECT, 0, AT(volume), &mount_volume_table,
	  .doc = "A options of a volume" },
	{ "tmpfs", KEY_OBJECT, 0, AT(tmpfs), &mount_tmpfs_table, .doc = "A options of a tmpfs" },
	{ "image", KEY_OBJECT, 0, AT(image), &mount_image_table, .doc = "A options of an image" },
	{ "x-stack", KEY_INLINE, KEY_EXTENSION, 0, &mount_stack_table, .doc = "A idmap" },
};
const struct table mount_table = {
	.what = "a mount", TABLE_KEYS(mount_rows),
	.size = sizeof(struct mount), PLAIN, EXTENSIONS(mount),
	.expand = expand_mount, .settle = settle_mount, .finish = finish_mount,
	.unique = unique_mount,
};
#undef AT

#define AT(field) offsetof(struct file_use, field)
static const struct key file_use_rows[] = {
	{ "source", KEY_TEXT, KEY_NEEDED, AT(source), .doc = "A key in the list of the project" },
	{ "target", KEY_TEXT, 0, AT(target), .doc = "A path in the container" },
	{ "uid", KEY_TEXT, 0, AT(uid), .doc = "A owner" },
	{ "gid", KEY_TEXT, 0, AT(gid), .doc = "A group" },
	{ "mode", KEY_MODE, 0, AT(mode), .doc = "A default 0444; numbers by value, texts octal" },
};
const struct table file_use_table = {
	.what = "a file", TABLE_KEYS(file_use_rows),
	.size = sizeof(struct file_use), PLAIN, EXTENSIONS(file_use),
	.expand = expand_source, .unique = unique_config,
};
const struct table secret_use_table = {
	.what = "a secret", TABLE_KEYS(file_use_rows),
	.size = sizeof(struct file_use), PLAIN, EXTENSIONS(file_use),
	.expand = expand_source, .finish = finish_secret_use, .unique = unique_secret,
};
#undef AT

#define AT(field) offsetof(struct attachment, field)
static const struct key attachment_rows[] = {
	{ "priority", KEY_NUMBER, KEY_ZERO_UNSET, AT(priority),
	  .doc = "C order of joining, high first" },
	{ "gw_priority", KEY_NUMBER, KEY_ZERO_UNSET, AT(gw_priority),
	  .doc = "C who gives the default route" },
	{ "aliases", KEY_TEXTS, KEY_UNIQUE, AT(aliases), .doc = "A further names on that network" },
	{ "interface_name", KEY_TEXT, 0, AT(interface_name),
	  .doc = "B name of the interface inside" },
	{ "ipv4_address", KEY_TEXT, 0, AT(ipv4_address), .check = check_ip,
	  .doc = "A fixed address in a pool of the network" },
	{ "ipv6_address", KEY_TEXT, 0, AT(ipv6_address), .check = check_ip,
	  .doc = "A fixed address in a pool of the network" },
	{ "link_local_ips", KEY_TEXTS, KEY_UNIQUE, AT(link_local_ips), .check = check_ip,
	  .doc = "C further addresses" },
	{ "mac_address", KEY_TEXT, 0, AT(mac_address), .check = check_mac,
	  .doc = "B MAC of the interface" },
	{ "driver_opts", KEY_OPTIONS, 0, AT(driver_opts), .doc = "C options of the endpoint" },
};
const struct table attachment_table = {
	.what = "a network of the service", TABLE_KEYS(attachment_rows),
	.size = sizeof(struct attachment),
	.place_offset = NO_FIELD, EXTENSIONS(attachment), .null_offset = AT(is_null),
	.null_names_ok = true,
};
#undef AT

#define AT(field) offsetof(struct dependency, field)
static const struct key dependency_rows[] = {
	{ "condition", KEY_TEXT, KEY_NEEDED, AT(condition),
	  .choices = "service_started service_healthy service_completed_successfully",
	  .doc = "A what to wait for" },
	{ "restart", KEY_BOOL, 0, AT(restart),
	  .doc = "B restart this one when a command restarted the other" },
	{ "required", KEY_BOOL, KEY_SHOWN, AT(required),
	  .doc = "B default true; false: missing or failing only warns" },
};
const struct table dependency_table = {
	.what = "a dependency", TABLE_KEYS(dependency_rows),
	.size = sizeof(struct dependency), PLAIN, EXTENSIONS(dependency),
	.finish = finish_dependency, .expand = expand_dependency,
};
#undef AT

#define AT(field) offsetof(struct ulimit, field)
static const struct key ulimit_rows[] = {
	{ "soft", KEY_INT, 0, AT(soft), .has_minimum = true, .minimum = -1, .doc = "A soft limit" },
	{ "hard", KEY_INT, 0, AT(hard), .has_minimum = true, .minimum = -1, .doc = "A hard limit" },
};
const struct table ulimit_table = {
	.what = "a limit", TABLE_KEYS(ulimit_rows),
	.size = sizeof(struct ulimit), PLAIN, EXTENSIONS(ulimit),
	.finish = finish_ulimit,
};
#undef AT

#define AT(field) offsetof(struct device, field)
static const struct key device_rows[] = {
	{ "source", KEY_TEXT, KEY_NEEDED, AT(source), .doc = "B path on the host" },
	{ "target", KEY_TEXT, 0, AT(target), .doc = "B path in the container" },
	{ "permissions", KEY_TEXT, 0, AT(permissions), .check = check_permissions,
	  .doc = "B of r, w, m" },
};
const struct table device_table = {
	.what = "a device", TABLE_KEYS(device_rows),
	.size = sizeof(struct device), PLAIN, EXTENSIONS(device),
	.expand = expand_device, .unique = unique_device,
};
#undef AT

#define AT(field) offsetof(struct device_request, field)
static const struct key device_request_rows[] = {
	{ "capabilities", KEY_TEXTS, KEY_UNIQUE, AT(capabilities),
	  .doc = "C what the device can do" },
	{ "driver", KEY_TEXT, 0, AT(driver), .doc = "C its vendor" },
	{ "count", KEY_INT, KEY_ZERO_UNSET | KEY_ALL_OK, AT(count), .has_minimum = true,
	  .minimum = -1, .doc = "C how many; all" },
	{ "device_ids", KEY_TEXTS, KEY_UNIQUE, AT(device_ids), .doc = "C which; excludes count" },
	{ "options", KEY_PAIRS, KEY_NULL_TO_EMPTY, AT(options), .doc = "C options of the driver" },
};
const struct table device_request_table = {
	.what = "a device request", TABLE_KEYS(device_request_rows),
	.size = sizeof(struct device_request), PLAIN, EXTENSIONS(device_request),
	.expand = expand_gpus, .finish = finish_device_request,
};
#undef AT

#define AT(field) offsetof(struct healthcheck, field)
static const struct key healthcheck_rows[] = {
	{ "test", KEY_TEST, KEY_REPLACED, AT(test),
	  .doc = "A text: CMD-SHELL; a list starts with NONE, CMD or CMD-SHELL; []: the image's" },
	{ "timeout", KEY_DURATION, 0, AT(timeout), .doc = "A default 30s" },
	{ "interval", KEY_DURATION, 0, AT(interval), .doc = "A default 30s" },
	{ "retries", KEY_INT, 0, AT(retries), .has_minimum = true,
	  .doc = "A failures to unhealthy; default 3" },
	{ "start_period", KEY_DURATION, 0, AT(start_period),
	  .doc = "A failures in it do not count; default 0s" },
	{ "start_interval", KEY_DURATION, 0, AT(start_interval),
	  .doc = "B interval in start_period; default 5s" },
	{ "disable", KEY_BOOL, 0, AT(disable), .doc = "A the same as test: [NONE]" },
	{ "x-stack", KEY_OBJECT, KEY_EXTENSION, AT(probe), &probe_table,
	  .doc = "A probe from outside, in place of test" },
};
const struct table healthcheck_table = {
	.what = "a healthcheck", TABLE_KEYS(healthcheck_rows),
	.size = sizeof(struct healthcheck), PLAIN, EXTENSIONS(healthcheck),
};
#undef AT

#define AT(field) offsetof(struct logging, field)
static const struct key logging_rows[] = {
	{ "driver", KEY_TEXT, 0, AT(driver), .check = check_log_driver,
	  .doc = "A json-file, local, none; journald, syslog; others are refused" },
	{ "options", KEY_OPTIONS, 0, AT(options),
	  .doc = "A max-size, max-file, compress, mode, tag, labels, env" },
};
const struct table logging_table = {
	.what = "logging", TABLE_KEYS(logging_rows),
	.size = sizeof(struct logging), PLAIN, EXTENSIONS(logging),
};
#undef AT

static const struct key blkio_weight_rows[] = {
	{ "path", KEY_TEXT, KEY_NEEDED, offsetof(struct blkio_weight, path), .doc = "C device" },
	{ "weight", KEY_INT, 0, offsetof(struct blkio_weight, weight), .doc = "C 10 to 1000" },
};
static const struct table blkio_weight_table = {
	.what = "a weight", TABLE_KEYS(blkio_weight_rows),
	.size = sizeof(struct blkio_weight), PLAIN, EXTENSIONS(blkio_weight),
};
static const struct key blkio_rate_rows[] = {
	{ "path", KEY_TEXT, KEY_NEEDED, offsetof(struct blkio_rate, path), .doc = "C device" },
	{ "rate", KEY_BYTES, 0, offsetof(struct blkio_rate, rate),
	  .doc = "C bytes or operations a second" },
};
static const struct table blkio_rate_table = {
	.what = "a rate", TABLE_KEYS(blkio_rate_rows),
	.size = sizeof(struct blkio_rate), PLAIN, EXTENSIONS(blkio_rate),
};
#define AT(field) offsetof(struct blkio, field)
static const struct key blkio_rows[] = {
	{ "weight", KEY_INT, KEY_ZERO_UNSET, AT(weight), .doc = "C 10 to 1000" },
	{ "weight_device", KEY_OBJECTS, 0, AT(weight_device), &blkio_weight_table,
	  .doc = "C weight for a device" },
	{ "device_read_bps", KEY_OBJECTS, 0, AT(device_read_bps), &blkio_rate_table,
	  .doc = "C throttle" },
	{ "device_read_iops", KEY_OBJECTS, 0, AT(device_read_iops), &blkio_rate_table,
	  .doc = "C throttle" },
	{ "device_write_bps", KEY_OBJECTS, 0, AT(device_write_bps), &blkio_rate_table,
	  .doc = "C throttle" },
	{ "device_write_iops", KEY_OBJECTS, 0, AT(device_write_iops), &blkio_rate_table,
	  .doc = "C throttle" },
};
const struct table blkio_table = {
	.what = "blkio_config", TABLE_KEYS(blkio_rows),
	.size = sizeof(struct blkio), PLAIN, EXTENSIONS(blkio),
};
#undef AT

#define AT(field) offsetof(struct hook, field)
#define HOOK_ROWS \
	{ "command", KEY_COMMAND, KEY_NEEDED | KEY_REPLACED | KEY_NULL_OK, AT(command), \
	  .doc = "B what to run" }, \
	{ "user", KEY_TEXT, 0, AT(user), .doc = "B as whom" }, \
	{ "privileged", KEY_BOOL, 0, AT(privileged), .doc = "B with all capabilities" }, \
	{ "working_dir", KEY_TEXT, 0, AT(working_dir), .doc = "B where" }, \
	{ "environment", KEY_PAIRS, 0, AT(environment), .doc = "B further variables" }
static const struct key hook_rows[] = { HOOK_ROWS };
static const struct key pre_start_rows[] = {
	HOOK_ROWS,
	{ "image", KEY_TEXT, 0, AT(image), .check = check_image,
	  .doc = "C image of the container; default: the service's" },
	{ "per_replica", KEY_BOOL, 0, AT(per_replica), .doc = "C once for each replica" },
};
const struct table hook_table = {
	.what = "a hook", TABLE_KEYS(hook_rows),
	.size = sizeof(struct hook), PLAIN, EXTENSIONS(hook),
};
const struct table pre_start_table = {
	.what = "a hook", TABLE_KEYS(pre_start_rows),
	.size = sizeof(struct hook), PLAIN, EXTENSIONS(hook),
};
#undef AT

#define AT(field) offsetof(struct env_file, field)
static const struct key env_file_rows[] = {
	{ "path", KEY_TEXT, KEY_NEEDED, AT(path), .doc = "A file of NAME=VALUE lines" },
	{ "required", KEY_OPT_BOOL, 0, AT(required), .doc = "A default true; false: it may lack" },
	{ "format", KEY_TEXT, 0, AT(format), .choices = "raw",
	  .doc = "A raw: no quotes, no variables" },
};
const struct table env_file_table = {
	.what = "an env_file", TABLE_KEYS(env_file_rows),
	.size = sizeof(struct env_file), PLAIN, NO_EXTENSIONS,
	.expand = expand_env_file, .unique = unique_env_file, .first_place = true,
};
#undef AT

static const struct key provider_rows[] = {
	{ "type", KEY_TEXT, KEY_NEEDED, offsetof(struct provider, type), .doc = "D program" },
	{ "options", KEY_PROVIDER_OPTIONS, 0, offsetof(struct provider, options),
	  .doc = "D its arguments" },
};
const struct table provider_table = {
	.what = "a provider", TABLE_KEYS(provider_rows),
	.size = sizeof(struct provider), PLAIN, EXTENSIONS(provider),
};

static const struct key model_use_rows[] = {
	{ "endpoint_var", KEY_TEXT, 0, offsetof(struct model_use, endpoint_var),
	  .doc = "D variable for the URL" },
	{ "model_var", KEY_TEXT, 0, offsetof(struct model_use, model_var),
	  .doc = "D variable for the name" },
};
const struct table model_use_table = {
	.what = "a model of the service", TABLE_KEYS(model_use_rows),
	.size = sizeof(struct model_use),
	.place_offset = NO_FIELD, EXTENSIONS(model_use),
	.null_offset = offsetof(struct model_use, is_null), .null_names_ok = true,
};

#define AT(field) offsetof(struct credential_spec, field)
static const struct key credential_spec_rows[] = {
	{ "config", KEY_TEXT, 0, AT(config), .doc = "D Windows only" },
	{ "file", KEY_TEXT, 0, AT(file), .doc = "D Windows only" },
	{ "registry", KEY_TEXT, 0, AT(registry), .doc = "D Windows only" },
};
const struct table credential_spec_table = {
	.what = "credential_spec", TABLE_KEYS(credential_spec_rows),
	.size = sizeof(struct credential_spec), PLAIN, EXTENSIONS(credential_spec),
};
#undef AT

static const struct key extends_rows[] = {
	{ "service", KEY_TEXT, KEY_NEEDED, NO_FIELD, .doc = "A name of the base" },
	{ "file", KEY_TEXT, 0, NO_FIELD, .doc = "A file of the base; default: the same" },
};
const struct table extends_table = {
	.what = "extends", TABLE_KEYS(extends_rows), PLAIN, NO_EXTENSIONS, .expand = expand_extends,
};
/* clang-format on */
