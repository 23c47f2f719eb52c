/* orchestrator/slot_names - hosts, resolv.conf and hostname of a slot (below /run, mounted into its
 * container as single files). Blocks (disk): for the pool. */
#pragma once
#include "base/arena.h"
#include "base/err.h"
#include "orchestrator/network.h"
#include "orchestrator/supervisor.h"
#include "specs/model.h"

#define SLOT_NAMES_FOLDER "slots" /* in RUN/projects/NAME: a folder for each slot */

/* All borrowed. net NULL: the host's network, or another slot's. */
struct slot_names {
	const struct supervisor *sv;
	const struct service *service;
	const struct slot_net *net;
	const char *slot_name, *container;
	struct arena *arena;
};

/* What the container calls itself: the service's hostname, the host's, or 12 letters of the ID. */
const char *slot_names_hostname(const struct slot_names *names);
/* All three, anew, in place. */
int slot_names_write(const struct slot_names *names, struct err *err);
/* The same of a running container whose links were those of `former`: in place. Lines that the
 * container wrote into hosts stay, a resolv.conf that it changed stays as it is. */
int slot_names_change(const struct slot_names *names, const struct slot_net *former,
		      struct err *err);
/* Those of a slot that goes; a failure is logged. */
void slot_names_remove(const struct supervisor *sv, const char *slot_name);
