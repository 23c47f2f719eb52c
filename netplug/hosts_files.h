/* netplug/hosts_files - the texts of /etc/hosts, /etc/resolv.conf and /etc/hostname of a container,
 * and how they are written: in place, as a single-file bind mount follows the inode.
 *
 * The texts are pure and to be freed. Writing blocks (disk).
 */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

#define HOSTS_MAX_BYTES (1u << 20)

struct hosts_entry {
	const char *name;
	const char *address; /* text; "host-gateway" is resolved by the caller */
};

struct hosts_spec {
	const char *hostname;         /* NULL: no own lines */
	const char *domainname;       /* NULL or "": none */
	const char *const *addresses; /* own ones, networks in interface order, IPv4 before IPv6 */
	size_t address_count;
	const struct hosts_entry *extra; /* extra_hosts in file order */
	size_t extra_count;
	const char *host_text; /* network_mode host: the host's /etc/hosts, copied; else NULL */
};

/* The text of /etc/hosts, to be freed. */
char *hosts_text(const struct hosts_spec *spec);

/* What a resolv.conf says. All texts live in one block: resolv_free. */
struct resolv_conf {
	char **servers, **search, **options;
	size_t server_count, search_count, option_count;
};

/* Never fails: what is not understood is left out; of several `search` or `domain` lines the last
 * counts. */
struct resolv_conf *resolv_parse(const char *text);
void resolv_free(struct resolv_conf *conf);

enum resolv_mode {
	RESOLV_OURS,   /* nameserver 127.0.0.11; search and options of the service, else of the host
			*/
	RESOLV_BRIDGE, /* no resolver of ours: the host's servers without loopback ones */
	RESOLV_HOST,   /* network_mode host: the host's as they are */
};

struct resolv_spec {
	enum resolv_mode mode;
	const struct resolv_conf *host;
	const char *const *dns; /* `dns:`; in RESOLV_OURS they go to netd instead of the file */
	size_t dns_count;
	const char *const *search; /* `dns_search:`; "." alone: none */
	size_t search_count;
	const char *const *options; /* `dns_opt:` */
	size_t option_count;
};

/* NULL with ERR_INVALID when RESOLV_BRIDGE is left without any server. */
char *resolv_text(const struct resolv_spec *spec, struct err *err);

/* "NAME\n". */
char *hostname_text(const char *name);

/* Writes dir_fd/name in place: the same inode, one pwrite of the whole, then ftruncate. Made with
 * mode 0644 when absent; a link there is an error. */
int hosts_file_write(int dir_fd, const char *name, const char *text, struct err *err);
/* As above, but only while the file still is old_text: what the container wrote itself stays.
 * *out_written tells which. */
int hosts_file_update(int dir_fd, const char *name, const char *old_text, const char *new_text,
		      bool *out_written, struct err *err);

/* The lines of `now` without those that only `from` has, then those of `to` that are missing: what
 * others wrote between stays. */
char *hosts_merge(const char *now, const char *from, const char *to);
/* The file of a running container, in place: what was written as `from` becomes `to`; a container's
 * own lines stay (hosts_merge). */
int hosts_file_change(int dir_fd, const char *name, const char *from, const char *to,
		      struct err *err);
