/* netplug/nat_table - the shape of the table `inet stack`: its sets, chains and rules, which never
 * change while elements come and go. Pure but for nat_table_missing.
 */
#pragma once
#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"
#include "netplug/nft.h"

#define NAT_TABLE "stack"

enum nat_set {
	NAT_PUB4, /* proto . host address . port : address . port */
	NAT_ANY4, /* proto . port : address . port */
	NAT_PUB6,
	NAT_ANY6,
	NAT_BRIDGES,  /* every bridge of ours */
	NAT_INTERNAL, /* those that nothing may leave or enter */
	NAT_OPEN4,    /* those that may be reached by address from outside */
	NAT_OPEN6,
	NAT_CLOSED4, /* links between which nothing is forwarded (netplug/switches) */
	NAT_CLOSED6,
	NAT_SAME,  /* in . out that may pass: a bridge and itself, trusted links */
	NAT_HAIR4, /* subnet . the same subnet */
	NAT_HAIR6,
	NAT_INSIDE4, /* subnet . its bridge */
	NAT_INSIDE6,
	NAT_MASQ4, /* subnet . its bridge, when it is masqueraded */
	NAT_MASQ6,
	NAT_SNAT4, /* subnet . its bridge : source address instead */
	NAT_SNAT6,
	NAT_DIRECT4, /* address . proto . port, reached without NAT */
	NAT_DIRECT6,
	NAT_SET_COUNT
};

/* Name, types and flags of one set; static. */
const struct nft_set *nat_table_set(enum nat_set set);

/* Adds messages for all of it to a transaction. EEXIST of the commit: another process made it
 * meanwhile. */
void nat_table_write(struct nft *nft);
/* Are the chains of this version there (1), absent or of another version (0); -1 error. */
int nat_table_there(struct nft *nft, struct err *err);
/* Does some chain lack rules, or have rules that are not ours. */
int nat_table_damaged(struct nft *nft, bool *out, struct err *err);
/* Messages that put the rules of existing chains right. */
void nat_table_rewrite(struct nft *nft);
