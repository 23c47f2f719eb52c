/* runtime/monitor_spec - what a monitor is told: monitor.json as a struct.
 *
 * One JSON object, "version": 1; unknown keys are ignored, a newer version is refused by name. The
 * writer (the supervisor) only ever adds keys; docs/monitor.md says what each means. An example:
 *
 *	{"version":1, "id":"ab..", "name":"shop-web-1", "project":"shop", "service":"web", "life":3,
 *	 "run_dir":"/run/stack/containers/ab..",
 *	 "container_dir":"/var/lib/stack/projects/shop/containers/ab..",
 *	 "slot_dir":"/var/lib/stack/projects/shop/slots/web.1",
 *	 "bundle":"/somewhere/else",
 *	 "rootfs":{"lowers":["/top","/bottom"], "upper":"/u", "work":"/w",
 *	           "readonly":false, "volatile":false},
 *	 "netns":{"path":"/run/stack/netns/shop.web.1", "make":true},
 *	 "sockets":["route","netfilter","dns"],
 *	 "log":{"driver":"json-file", "max_size":10000000, "max_file":3, "compress":true,
 *	        "mode":"blocking", "max_buffer":1048576, "attrs":{"tag":"x"}, "tag":"x",
 *	        "image":"nginx:1.27"},
 *	 "stdin_open":false, "cgroup_oom":true, "runtime":"/usr/bin/crun"}
 *
 * Owns: the reading of that form. Pure: no file, no side effect.
 */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/cleanup.h"
#include "base/err.h"

#define MONITOR_SPEC_VERSION   1
#define MONITOR_SPEC_MAX_BYTES (1u << 20)

enum monitor_socket {
	MONITOR_SOCKET_ROUTE,     /* one fd: NETLINK_ROUTE */
	MONITOR_SOCKET_NETFILTER, /* one fd: NETLINK_NETFILTER */
	MONITOR_SOCKET_DNS,       /* three fds: UDP, listening TCP, UDP for upstream queries */
	MONITOR_SOCKET_DNS_TCP,   /* one fd: TCP for long upstream answers */
	MONITOR_SOCKET_COUNT
};

enum log_driver { LOG_DRIVER_JSON_FILE, LOG_DRIVER_LOCAL, LOG_DRIVER_NONE, LOG_DRIVER_JOURNALD };

struct log_spec {
	enum log_driver driver;    /* local is written as json-file */
	uint64_t max_size_bytes;   /* 0: no rotation */
	unsigned max_file_count;   /* at least 1 */
	bool compress;             /* rotated files become .gz */
	bool non_blocking;         /* mode: output that does not fit max_buffer_bytes is dropped */
	uint64_t max_buffer_bytes; /* for non_blocking */
	char *attrs_json;          /* ready text `{"k":"v",…}` in the order given, or NULL */
	char *tag;   /* journald: CONTAINER_TAG; NULL: the first 12 digits of the id */
	char *image; /* journald: IMAGE_NAME; NULL: left out */
};

struct monitor_spec {
	char *id, *name, *project, *service; /* name, project, service may be NULL */
	int64_t life;
	char *run_dir, *container_dir, *slot_dir, *bundle; /* slot_dir NULL: no log */
	char **lowers; /* top first; lower_count 0: config root.path counts */
	size_t lower_count;
	char *upper, *work; /* NULL both: read-only */
	bool rootfs_readonly;
	bool rootfs_volatile; /* nothing of the upper layer is ever synced; default false */
	char *netns_path;     /* NULL: what config.json says */
	bool netns_make;
	enum monitor_socket sockets[MONITOR_SOCKET_COUNT];
	size_t socket_count;
	struct log_spec log;
	bool stdin_open;
	bool cgroup_oom;
	char *runtime; /* NULL: in this process */
};

/* Reads the text of monitor.json. The result is the caller's (monitor_spec_free). Errors: INVALID
 * with the key's path, UNSUPPORTED for a newer version or an unknown log driver or socket. */
struct monitor_spec *monitor_spec_parse(const char *text, size_t len, struct err *err);
/* The same from a descriptor, which stays the caller's; at most MONITOR_SPEC_MAX_BYTES. Blocks
 * (disk). */
struct monitor_spec *monitor_spec_read(int fd, struct err *err);
void monitor_spec_free(struct monitor_spec *spec);
AUTO_TYPE(monitor_spec, monitor_spec_free);

/* "route", "netfilter", "dns", "dns-tcp" to a value; -1 when it is none. */
int monitor_socket_from_name(const char *name);
