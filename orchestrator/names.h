/* orchestrator/names - the supervisor's side of stack-netd: started, fed, started again when it
 * dies.
 *
 * Blocks (netd answers within a millisecond): for the pool; guarded by its own mutex.
 */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/err.h"
#include "netplug/netd.h"
#include "netplug/zone.h"
#include "orchestrator/roots.h"
#include "specs/model.h"

struct names;

/* netd_path: the program. Nothing is started yet. dirs: borrowed. */
struct names *names_open(const struct project_dirs *dirs, const char *netd_path, int log_fd,
			 struct err *err);

/* Around the way of a port from the question what netd holds to its answer that it holds more: two
 * at once would bind the same port for it. */
void names_ports_lock(struct names *names);
void names_ports_unlock(struct names *names);
/* Connects to the one that runs, or starts it; *out_fresh: it was started now and holds nothing. */
int names_ensure(struct names *names, bool *out_fresh, struct err *err);
bool names_has_slot(struct names *names, const char *slot);
int names_add_slot(struct names *names, const struct netd_slot *slot, struct err *err);
int names_drop_slot(struct names *names, const char *slot, struct err *err);
int names_hold(struct names *names, const struct netd_hold *holds, size_t count, struct err *err);
int names_unhold(struct names *names, const char *const *keys, size_t count, struct err *err);
int names_relay(struct names *names, const struct netd_relay *relay, struct err *err);
int names_unrelay(struct names *names, const char *const *keys, size_t count, struct err *err);
/* A duplicate of a socket that netd has, by key. */
int names_socket(struct names *names, const char *key, struct err *err);
/* Keys of all sockets of published ports that netd has; in the arena. */
int names_held(struct names *names, struct arena *arena, struct texts *out, struct err *err);
/* Writes the zone (its serial is set here) and hands it over. */
int names_publish(struct names *names, struct zone *zone, struct err *err);
/* Another file lies at netd's path than the one that runs: a new process takes its place, with all
 * its sockets; no query is lost, and connections stay with the old one until they end. Not
 * connected, or the same file: nothing. Takes names_ports_lock itself. ERR_UNSUPPORTED: the one
 * that runs is too old to be renewed; it goes on. */
int names_renew(struct names *names, bool *out_renewed, struct err *err);
/* netd ends; not there: fine. */
void names_end(struct names *names);
/* A pidfd (the caller's) of the netd that we speak to when it is another than that of *generation
 * (0: none), which is then updated; else -1. */
int names_watch(struct names *names, unsigned *generation);
