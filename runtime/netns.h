/* runtime/netns - a slot's network namespace: made, pinned, entered for a moment, dropped.
 *
 * For processes with one thread only: the calls that say "enters" change the caller's network
 * namespace and change it back before they return (an error on the way back ends the process: it
 * must not go on elsewhere). Sockets that were opened inside stay inside, whoever holds them.
 * network.md §8 N-90; setns(2), netlink(7).
 */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

/* The most descriptors that netns_sockets gives: route, netfilter, three of DNS, one more. */
#define NETNS_SOCKETS_MAX 6

/* The namespace pinned at `path`, as a descriptor of the caller's. Where nothing is pinned and make
 * is set, a new one is made (no router, and believing none), its lo set up, and bind-mounted there
 * (folder mode 0700, made when absent); *out_made tells. Enters. Errors: NOT_FOUND without make,
 * INVALID when path shows a namespace of another kind. */
int netns_open(const char *path, bool make, bool *out_made, struct err *err);
/* Unpins and removes the file. Nothing there: fine. What still lives in the namespace keeps it
 * alive. */
int netns_drop(const char *path, struct err *err);
/* The verb `netns-drop PATH...`: all of them in one process; a line on stderr for each that failed.
 */
int netns_drop_main(int argc, char **argv);
/* True when path is a pinned namespace (nsfs), without entering it. */
bool netns_is_pinned(const char *path);

enum netns_socket { NETNS_ROUTE, NETNS_NETFILTER, NETNS_DNS, NETNS_DNS_TCP };

/* Opens the sockets named by kinds[] inside the namespace and puts them in out_fds in that order;
 * NETNS_DNS is three: UDP and listening TCP on 127.0.0.11 at ports that the kernel chose (ask
 * getsockname), and an unbound UDP socket for upstream queries (AF_INET6, for servers of both
 * families, where the kernel has IPv6); NETNS_DNS_TCP an unbound TCP socket (AF_INET) for long
 * answers from there. Those of DNS are non-blocking. All close-on-exec, the caller's. Enters; sets
 * lo up for DNS. *out_count is 0 on error. */
int netns_sockets(int netns_fd, const enum netns_socket *kinds, size_t kind_count, int *out_fds,
		  size_t *out_count, struct err *err);

/* Writes /proc/sys/KEY of that namespace: "net.ipv4.conf.eth0.forwarding" or, for names with dots
 * in them, "net/ipv4/conf/eth0.100/forwarding". Only net; enters. Errors: INVALID for another
 * subject or "..". */
int netns_sysctl(int netns_fd, const char *key, const char *value, struct err *err);

/* Any work inside: run(ctx) is called there, its result returned. Enters. */
int netns_run(int netns_fd, int (*run)(void *ctx, struct err *err), void *ctx, struct err *err);
