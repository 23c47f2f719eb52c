/* orchestrator/build_net - network namespaces for RUN: a bridge of the builder's own, NAT to the
 * outside, no names of any project.
 *
 * A namespace serves one RUN at a time and is given to the next one afterwards, so that a build has
 * as many as steps run at once. The first one makes the bridge. Any thread; blocks (kernel, a short
 * process).
 */
#pragma once
#include "base/arena.h"
#include "base/cleanup.h"
#include "base/err.h"
#include "orchestrator/build_work.h"
#include "orchestrator/settings.h"

struct build_net;

/* All borrowed. Nothing is made yet. */
struct build_net *build_net_open(const struct build_work *work, const struct settings *settings,
				 int runtime_fd);
/* Everything of it goes: links, rules, records. */
void build_net_close(struct build_net *net);
AUTO_TYPE(build_net, build_net_close);

struct build_lane {
	char *netns;      /* path of the namespace */
	char address[64]; /* of the build in it */
	char gateway[64]; /* the host, seen from there */
};

enum build_net_kind { BUILD_NET_DEFAULT, BUILD_NET_NONE, BUILD_NET_HOST };
/* A free namespace, or a new one; NONE: with lo alone. */
int build_net_take(struct build_net *net, enum build_net_kind kind, const struct build_lane **out,
		   struct err *err);
void build_net_give(struct build_net *net, const struct build_lane *lane);

/* "default" (and "", NULL, "bridge"), "none", "host". ERR_INVALID for another word. */
int build_net_kind(const char *word, enum build_net_kind *out, struct err *err);
