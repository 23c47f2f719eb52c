/* volumes/bind - binds of host files and folders: checks, creation of what is missing, options, id
 * exchange.
 *
 * Blocks (disk). Sources are absolute paths (the loader has resolved `~` and `.`).
 */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/err.h"

enum bind_recursive {
	BIND_RECURSIVE_ENABLED,
	BIND_RECURSIVE_DISABLED,
	BIND_RECURSIVE_WRITABLE,
	BIND_RECURSIVE_READONLY
};

struct bind_spec {
	const char *source;
	bool create_host_path;   /* short form: true; long form: as written, absent is false */
	const char *propagation; /* NULL: rprivate */
	bool read_only;
	enum bind_recursive recursive;
	const char *idmap; /* x-stack.idmap: "caller", "UID:GID" or NULL */
	uid_t caller_uid;  /* whom "caller" means */
	gid_t caller_gid;
};

/* What was found. fd is O_PATH (links followed, as docker does): close it; when idmap or doubt asks
 * for it, mount from it through stage_clone instead of the path. */
struct bind_source {
	int fd;
	bool is_dir;
	bool created; /* a folder was made: tell the user "created directory P on the host" */
	bool looks_like_file; /* ... and its name has the look of a file: warn */
	bool exposes_host;    /* /, /proc, /sys, /dev, the container engines' sockets ...: for the
				 exposure notice */
};

/* What bind_open would find, without making anything. */
struct bind_outlook {
	bool will_create;     /* it is missing and would be made as a folder */
	bool looks_like_file; /* ... though its name has the look of a file */
	bool exposes_host;
};
/* ERR_NOT_FOUND as bind_open. */
int bind_foresee(const char *source, bool create_host_path, struct bind_outlook *out,
		 struct err *err);

/* Opens the source. Missing: made as a folder (0755) with create_host_path, else ERR_NOT_FOUND
 * "bind source path does not exist: P". shared and slave propagation on a source that is on no
 * shared mount: ERR_INVALID. */
int bind_open(const struct bind_spec *spec, struct bind_source *out, struct err *err);

/* The options of the OCI mount, comma-separated, to be freed: "rbind,rro,rprivate". NULL with
 * ERR_INVALID for an unknown propagation word. */
char *bind_options(const struct bind_spec *spec, struct err *err);

/* One line of an OCI uidMappings / gidMappings list. */
struct id_range {
	uint32_t container, host, size;
};
#define BIND_RANGES_MAX 5

/* The complete map that exchanges `inside` and `outside` and keeps every other id as it is (V-37):
 * with inside = the container's user and outside = the host user, what the container's user writes
 * belongs to the host user and the reverse. Goes into config.json as the mount's uidMappings (once
 * with uids, once with gids) beside the option "idmap". Returns the number of ranges. */
size_t bind_idmap_ranges(uint32_t inside, uint32_t outside, struct id_range out[BIND_RANGES_MAX]);
/* "caller" or "UID:GID" as ids; ERR_INVALID otherwise. */
int bind_idmap_parse(const struct bind_spec *spec, uid_t *out_uid, gid_t *out_gid, struct err *err);
/* Tries an idmapped clone of the source: ERR_UNSUPPORTED names the file system that cannot. */
int bind_idmap_check(const struct bind_source *source, struct err *err);
