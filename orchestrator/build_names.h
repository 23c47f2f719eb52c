/* orchestrator/build_names - hosts, resolv.conf and hostname of one RUN. Blocks (disk). */
#pragma once
#include "base/err.h"
#include "orchestrator/build_net.h"
#include "orchestrator/settings.h"
#include "specs/model_values.h"

struct build_names {
	const struct settings *settings;
	enum build_net_kind kind;
	const struct build_lane *lane; /* NULL: the host's network */
	const char *hostname;
	const struct texts *extra_hosts; /* "NAME=IP", host-gateway for the host; may be NULL */
};

/* Into the folder dir_fd. The default network has the settings' name servers, else those of the
 * host that a bridge can reach: systemd's own file is asked where the host's names its loopback.
 * None at all: an empty file. */
int build_names_write(const struct build_names *names, int dir_fd, struct err *err);
