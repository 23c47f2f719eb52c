/* netplug/nft_dump - what the packet filter holds, and the notices of its changes. Blocks until
 * answered. Texts given to callbacks live for the call; a dump that another writer interrupts is
 * told again from the start, so things may be seen twice.
 */
#pragma once
#include "netplug/nft.h"

/* The number that the kernel raises with each change of any table. */
int nft_generation(struct nft *nft, uint32_t *out, struct err *err);
/* 1 there, 0 not, -1 error. */
int nft_has_chain(struct nft *nft, uint8_t family, const char *table, const char *chain,
		  struct err *err);

struct nft_chain_info {
	uint8_t family;
	const char *table, *name;
	bool is_base, policy_drop;
	uint32_t hook;
	int32_t priority;
};
/* All chains of all tables; each() other than 0 ends it with that. */
int nft_dump_chains(struct nft *nft, int (*each)(const struct nft_chain_info *, void *), void *ctx,
		    struct err *err);

struct nft_rule_info {
	const char *chain;
	uint64_t handle;
	const char *comment; /* "" when none */
	bool is_drop;        /* nothing but (a counter and) drop or reject */
	bool is_return;      /* nothing but (a counter and) return */
	const char *link; /* it accepts what has this link name and tests nothing else; or NULL */
	bool link_is_in;  /* of the incoming link */
};
/* chain NULL: all of the table. An absent table has no rules. */
int nft_dump_rules(struct nft *nft, uint8_t family, const char *table, const char *chain,
		   int (*each)(const struct nft_rule_info *, void *), void *ctx, struct err *err);
/* An absent table or set has no elements. The element is the callback's for the call. */
int nft_dump_elements(struct nft *nft, uint8_t family, const char *table, const char *set,
		      int (*each)(const struct nft_element *, void *), void *ctx, struct err *err);

/* A socket that hears of changes (NFNLGRP_NFTABLES), non-blocking. Reading it dry: each deletion of
 * a table, chain, rule, set or element that another process made is told once (table name, what
 * "table", "chain", "rule", "set", "element"); ENOBUFS counts as a deletion with table "". */
int nft_watch_open(struct err *err);
int nft_watch_read(int fd, int (*each)(const char *table, const char *what, void *), void *ctx,
		   struct err *err);
