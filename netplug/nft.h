/* netplug/nft - nf_tables messages: one transaction out, dumps in. The only room that knows the
 * attributes of linux/netfilter/nf_tables.h (docs/decisions/0401).
 *
 * Works on any NETLINK_NETFILTER socket, also one opened inside a container. Blocks until answered.
 */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/cleanup.h"
#include "base/err.h"

struct nft;

int nft_open(struct nft **out, struct err *err);                /* a socket of our own namespace */
int nft_over(int socket_fd, struct nft **out, struct err *err); /* borrowed, as rtnl_over */
void nft_close(struct nft *nft);
AUTO_TYPE(nft, nft_close);
