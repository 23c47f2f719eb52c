/* netplug/rtnl - conversations over a NETLINK_ROUTE socket: a batch out, its ACKs back; dumps.
 *
 * A batch is any number of messages that are sent with few system calls and answered one by one;
 * one that fails does not keep the others from being done. Each message carries `tag`, the number
 * of the job it belongs to, so that failures find their owner. Blocks until the kernel has
 * answered. Not thread-safe: one conversation, one thread. libmnl builds the attributes
 * (docs/decisions/0400).
 */
#pragma once
#include <libmnl/libmnl.h>
#include <linux/rtnetlink.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/cleanup.h"
#include "base/err.h"

/* for (each attribute of a message behind a header of `skip` bytes; of a nest). */
#define rtnl_each_attr(attr, message, skip)                                                        \
	for ((attr) = mnl_nlmsg_get_payload_offset((message), (skip));                             \
	     mnl_attr_ok((attr), (int)((char *)mnl_nlmsg_get_payload_tail(message) -               \
				       (const char *)(attr)));                                     \
	     (attr) = mnl_attr_next(attr))
#define rtnl_each_nested(attr, nest)                                                               \
	for ((attr) = mnl_attr_get_payload(nest);                                                  \
	     mnl_attr_ok((attr), (int)((const char *)mnl_attr_get_payload(nest) +                  \
				       mnl_attr_get_payload_len(nest) - (const char *)(attr)));    \
	     (attr) = mnl_attr_next(attr))

struct rtnl;

/* A socket in the caller's own namespace. */
int rtnl_open(struct rtnl **out, struct err *err);
/* Talks through somebody's socket (one that a monitor opened inside a container); it stays the
 * caller's and is only read from while a call runs. */
int rtnl_over(int socket_fd, struct rtnl **out, struct err *err);
void rtnl_close(struct rtnl *rtnl);
AUTO_TYPE(rtnl, rtnl_close);

#define RTNL_MAY_EXIST 1u /* EEXIST counts as done */
#define RTNL_MAY_LACK                                                                              \
	4u /* EAFNOSUPPORT: without IPv6 in the kernel or on the link (MTU below 1280) */
#define RTNL_MAY_MISS 2u /* ENODEV, ENOENT, ESRCH, EADDRNOTAVAIL count as done */

/* Begins a message of the batch; attributes follow with mnl_attr_put_* (at most 3 KiB a message)
 * until the next begin or flush. NLM_F_REQUEST|NLM_F_ACK are added. `what` is for the error text:
 * borrowed until flush. */
struct nlmsghdr *rtnl_begin(struct rtnl *rtnl, uint16_t type, uint16_t flags, unsigned allow,
			    unsigned tag, const char *what);
/* Puts `size` zeroed bytes (ifinfomsg, ifaddrmsg, rtmsg) behind the header and returns them. */
void *rtnl_put_header(struct nlmsghdr *message, size_t size);

/* Begins a message by which the link (index, or by name when it is 0) gets no link-local IPv6
 * address; fine where there is no IPv6. Before the link is up. */
void rtnl_no_link_local(struct rtnl *rtnl, unsigned index, const char *name, unsigned tag);

/* Sends what was begun and waits for every answer. failed(ctx, tag, errno, err) is told each
 * failure that is not allowed, err holding "what: the kernel's words"; without it the first failure
 * is the result. -1 also when the socket itself failed. The batch is empty afterwards in any case.
 */
typedef void rtnl_failed(void *ctx, unsigned tag, int errno_value, const struct err *err);
int rtnl_flush(struct rtnl *rtnl, rtnl_failed *failed, void *ctx, struct err *err);

/* RTM_GET* with NLM_F_DUMP; header_size bytes at header are the request's fixed part. A dump that
 * changed meanwhile is repeated, so each() may see things twice: restart(ctx) is called before
 * every pass. */
int rtnl_dump(struct rtnl *rtnl, uint16_t type, const void *header, size_t header_size,
	      void (*restart)(void *ctx), int (*each)(const struct nlmsghdr *, void *ctx),
	      void *ctx, struct err *err);

/* Header and attributes of a request for links without their counters. */
struct rtnl_link_request {
	struct ifinfomsg info;
	struct nlattr mask_attr;
	uint32_t mask;
};
struct rtnl_link_request rtnl_link_request(void);

/* The link of that name: its index, or ERR_NOT_FOUND "no link NAME". */
int rtnl_link_index(struct rtnl *rtnl, const char *name, unsigned *out_index, struct err *err);
/* Its IFF_ flags, likewise. */
int rtnl_link_flags(struct rtnl *rtnl, const char *name, unsigned *out_flags, struct err *err);
/* The whole answer of RTM_GETLINK by name is given to each(). */
int rtnl_link_get(struct rtnl *rtnl, const char *name,
		  int (*each)(const struct nlmsghdr *, void *ctx), void *ctx, struct err *err);
