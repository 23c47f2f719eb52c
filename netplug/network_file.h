/* netplug/network_file - the form of networks/NAME.json: a record to JSON and back, and the normal
 * form of a definition. Reads and writes; the caller holds the lock.
 */
#pragma once
#include <json-c/json.h>
#include <stdbool.h>

#include "netplug/network.h"

/* Opens the folder of networks (made when missing) and locks it; both fds are the caller's. */
int network_file_lock(const struct netplug *np, int *out_dir_fd, int *out_lock_fd, struct err *err);
/* The folder alone, for reading; -1 with ERR_NOT_FOUND when nothing was ever made. */
int network_file_dir(const struct netplug *np, struct err *err);

int network_file_read(int dir_fd, struct arena *arena, const char *name,
		      struct network_record **out, struct err *err);
/* sync: on disk before it returns. */
int network_file_write(int dir_fd, const struct network_record *network, bool sync,
		       struct err *err);

/* Letters, digits, '_', '.', '-', at most 200, the first a letter or digit: safe as a file's name.
 */
int network_file_check_name(const char *name, struct err *err);

/* The definition in a form that compares; to be put. */
struct json_object *network_file_spec(const struct network_spec *spec);
