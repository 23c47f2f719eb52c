/* netplug/switches - the host's network switches below /proc/sys.
 *
 * Owns: ip_forward and its IPv6 sisters. May not touch: rp_filter, br_netfilter (others depend on
 * them). Blocks: writes to /proc, one dump, one transaction.
 */
#include "netplug/switches.h"

#include <errno.h>
#include <fcntl.h>
#include <net/if.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/text.h"
#include "netplug/link.h"
#include "netplug/nat.h"

#define FORWARD4 "/proc/sys/net/ipv4/ip_forward"
#define FORWARD6 "/proc/sys/net/ipv6/conf/all/forwarding"

/* The number in a switch; -1 when it cannot be read. */
static int read_switch(const char *path)
{
	AUTO(fd) int fd = open(path, O_RDONLY | O_CLOEXEC);
	char text[16];

	if (fd < 0 || read(fd, text, sizeof(text)) <= 0)
		return -1;
	return text[0] - '0';
}

static int write_switch(const char *path, const char *value, struct err *err)
{
	AUTO(fd) int fd = open(path, O_WRONLY | O_CLOEXEC);

	if (fd < 0 || write(fd, value, strlen(value)) < 0)
		return err_sys(err, errno, "set %s to %s", path, value);
	return 0;
}

/* Routers' advertisements count no more once a link forwards, unless accept_ra is 2: the host would
 * lose its own IPv6 route. */
static int keep_advertisements(const struct link_table *links, struct err *err)
{
	for (size_t i = 0; i < links->count; i++) {
		char path[128];

		snprintf(path, sizeof(path), "/proc/sys/net/ipv6/conf/%s/accept_ra",
			 links->items[i].name);
		if (read_switch(path) == 1 && write_switch(path, "2", err) < 0)
			return -1;
	}
	return 0;
}

/* Once the host forwards, its neighbours could route through it: between links that were there
 * before, nothing passes. What others make later (virtual machines' bridges) is theirs to judge. */
static int close_links(const struct link_table *links, const struct switches_done *done,
		       struct nft *nft, struct err *err)
{
	AUTO(nat_batch) struct nat_batch *batch = nat_batch_new();

	for (size_t i = 0; i < links->count; i++) {
		if (links->items[i].flags & IFF_LOOPBACK ||
		    text_starts(links->items[i].alias, "stack:"))
			continue;
		if (done->forward4)
			nat_close_link(batch, AF_INET, links->items[i].name);
		if (done->forward6)
			nat_close_link(batch, AF_INET6, links->items[i].name);
	}
	return nat_commit(nft, batch, err);
}

int switches_ensure(struct rtnl *host, struct nft *nft, bool need4, bool need6,
		    struct switches_done *out, struct err *err)
{
	AUTO(arena) struct arena *arena = arena_new();
	struct link_table links = { 0 };

	out->forward4 = need4 && read_switch(FORWARD4) == 0;
	out->forward6 = need6 && read_switch(FORWARD6) == 0;
	if (!out->forward4 && !out->forward6)
		return 0;
	if (link_dump(host, arena, &links, err) < 0 || close_links(&links, out, nft, err) < 0)
		return -1;
	if (out->forward6 &&
	    (keep_advertisements(&links, err) < 0 || write_switch(FORWARD6, "1", err) < 0))
		return -1;
	return out->forward4 ? write_switch(FORWARD4, "1", err) : 0;
}

bool switches_bridge_netfilter(int family)
{
	return read_switch(family == AF_INET6
				   ? "/proc/sys/net/bridge/bridge-nf-call-ip6tables"
				   : "/proc/sys/net/bridge/bridge-nf-call-iptables") == 1;
}
