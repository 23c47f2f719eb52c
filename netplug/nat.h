/* netplug/nat - the table `inet stack`: published ports, masquerade, isolation, the loopback guard.
 *
 * The rules are made once and never change; a network or a port is elements of sets and maps, each
 * with its owner "PROJECT/SERVICE/N" (networks: "PROJECT//NETWORK") as a comment. One batch is one
 * transaction: all or nothing, seen at once by every packet. Several supervisors may write at the
 * same time. Blocks (kernel).
 */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/cleanup.h"
#include "base/err.h"
#include "netplug/address.h"
#include "netplug/network.h"
#include "netplug/nft.h"

/* A published port. address unset or any: all addresses of target's family. */
struct nat_port {
	const char *owner; /* the slot */
	struct address address;
	struct address target; /* the container's address on the network of its default route */
	uint16_t port, target_port;
	uint8_t protocol;
	bool routed; /* gateway_mode routed: no DNAT, the target port is opened for direct access */
};

struct nat_batch;

/* An empty one; whoever made it frees it, sent or not. */
struct nat_batch *nat_batch_new(void);
void nat_batch_free(struct nat_batch *batch);
AUTO_TYPE(nat_batch, nat_batch_free);

/* All elements of one network: bridge, isolation, masquerade; added or taken away. */
void nat_add_network(struct nat_batch *batch, const struct network_record *network);
void nat_del_network(struct nat_batch *batch, const struct network_record *network);
void nat_add_port(struct nat_batch *batch, const struct nat_port *port);
void nat_del_port(struct nat_batch *batch, const struct nat_port *port);
/* A port that moves: both halves in one batch. */
void nat_move_port(struct nat_batch *batch, const struct nat_port *from, const struct nat_port *to);

/* A link of the host that nothing is forwarded to from another such link (netplug/switches). Its
 * owner is the host; it goes with the table. */
#define NAT_HOST_OWNER "//host"
void nat_close_link(struct nat_batch *batch, int family, const char *link);

/* Sends it: the skeleton first when the table lacks it or has another version. Adding what is there
 * with the same data and taking away what is not there are fine. ERR_EXISTS names the port that
 * another owner holds. The batch is empty afterwards. */
int nat_commit(struct nft *nft, struct nat_batch *batch, struct err *err);

/* Everything of a project (or of one owner of it), found by the comments; drops the table when
 * nothing of anybody is left. */
int nat_remove_project(struct nft *nft, const char *project, struct err *err);
/* All but the elements of some of its networks (those that other projects still use). */
int nat_remove_project_except(struct nft *nft, const char *project, const char *const *networks,
			      size_t count, struct err *err);
int nat_remove_owner(struct nft *nft, const char *owner, struct err *err);
int nat_remove_owners(struct nft *nft, const char *const *owners, size_t count, struct err *err);

/* An element as the kernel has it, for adoption and comparison; texts in one normal form. project
 * NULL: of all but the host. */
struct nat_element {
	const char *set, *key, *value, *owner;
};
int nat_list(struct nft *nft, struct arena *arena, const char *project, struct nat_element **out,
	     size_t *out_count, struct err *err);

/* Compares what the kernel has of the project with the batch (only adds count): *out_missing and
 * *out_extra; with repair the difference is put right in one transaction. The batch stays as
 * it was. */
int nat_reconcile(struct nft *nft, const char *project, const struct nat_batch *batch, bool repair,
		  size_t *out_missing, size_t *out_extra, struct err *err);

/* A socket that becomes readable when tables change (NFNLGRP_NFTABLES), for the caller's loop. Read
 * it dry with nat_watch_read: *out_lost is true when something of `inet stack`, or any whole table,
 * was deleted, by whomever: a delete of our own looks the same, so the caller compares with
 * nat_reconcile (which finds nothing then). Never blocks. */
int nat_watch_open(struct err *err);
int nat_watch_read(int fd, bool *out_lost, struct err *err);
