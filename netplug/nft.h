/* netplug/nft - nf_tables messages: a socket and its transaction. With netplug/nft_write the only
 * room that knows the attributes of linux/netfilter/nf_tables.h (docs/decisions/0401).
 *
 * Works on any NETLINK_NETFILTER socket, also one opened inside a container. A transaction is begun
 * by its first message, holds any number of them, and takes effect as a whole or not at all. Blocks
 * until answered. Texts and data handed in are copied at once.
 */
#pragma once
#include <netinet/in.h> /* before linux/in.h */

#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
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

/* ---- writing: each adds a message to the transaction */

#define NFT_EXCL     1u /* adding: EEXIST when it is there (else what is there and equal is fine) */
#define NFT_MAY_MISS 2u /* deleting: absent is fine (the transaction is sent again without it) */
#define NFT_AT_HEAD  4u /* a rule: in front of the others */

struct nft_chain {
	uint8_t family; /* NFPROTO_* */
	const char *table, *name;
	const char *type; /* NULL: no base chain; "filter", "nat" */
	uint32_t hook;    /* NF_INET_* */
	int32_t priority;
};

/* Types of keys and data, as nft prints them. Each field takes a multiple of four bytes in a key.
 */
enum nft_type { NFT_T_NONE, NFT_T_IPV4, NFT_T_IPV6, NFT_T_PROTO, NFT_T_PORT, NFT_T_IFNAME };
#define NFT_FIELDS 4

struct nft_set {
	uint8_t family;
	const char *table, *name;
	enum nft_type key[NFT_FIELDS];  /* NFT_T_NONE behind the last */
	enum nft_type data[NFT_FIELDS]; /* a map's */
	bool interval;                  /* elements have an end; at least two fields */
};

#define NFT_KEY_MAX 64

/* An element. Bytes laid out field by field, padded; key_end only for interval sets. */
struct nft_element {
	uint8_t key[NFT_KEY_MAX], key_end[NFT_KEY_MAX], data[NFT_KEY_MAX];
	size_t key_len, key_end_len, data_len;
	const char *comment; /* NULL: none */
};

/* Appends a field to a key: the bytes, zeros up to the next multiple of four. */
void nft_key_put(uint8_t *key, size_t *key_len, const void *bytes, size_t len);
void nft_key_put_name(uint8_t *key, size_t *key_len, const char *link_name); /* 16 bytes */

/* One expression of a rule. reg counts four-byte registers from 0. */
enum nft_op {
	NFT_OP_META,    /* reg = meta `key` (NFT_META_*) */
	NFT_OP_CT,      /* reg = conntrack `key` (NFT_CT_*) */
	NFT_OP_NETWORK, /* reg = `len` bytes of the network header at `offset` */
	NFT_OP_PORT,    /* reg = destination port */
	NFT_OP_LOCAL,   /* go on when the destination is the host's own address */
	NFT_OP_EQ,      /* go on when reg == bytes[len] */
	NFT_OP_NE,      /* go on when reg != bytes[len] */
	NFT_OP_ANY_OF,  /* go on when the word in reg has one of the bits `key` */
	NFT_OP_IN,      /* go on when reg is in the set `name` */
	NFT_OP_NOT_IN,  /* go on when it is not */
	NFT_OP_MAP,     /* reg = what the map `name` has for reg; none: next rule */
	NFT_OP_DNAT,    /* to the address in reg, port in the register behind it; key: NFPROTO_* */
	NFT_OP_SNAT,    /* from the address in reg; key: NFPROTO_* */
	NFT_OP_SET,     /* reg = bytes[len] */
	NFT_OP_MASQUERADE,
	NFT_OP_COUNTER,
	NFT_OP_ACCEPT,
	NFT_OP_DROP,
	NFT_OP_RETURN,
	NFT_OP_JUMP, /* to the chain `name` */
};

struct nft_step {
	enum nft_op op;
	unsigned reg;
	uint32_t key, offset;
	unsigned len;
	const char *name;
	uint8_t bytes[16];
};

void nft_add_table(struct nft *nft, uint8_t family, const char *table, unsigned flags);
void nft_del_table(struct nft *nft, uint8_t family, const char *table, unsigned flags);
void nft_add_chain(struct nft *nft, const struct nft_chain *chain, unsigned flags);
void nft_add_set(struct nft *nft, const struct nft_set *set);
void nft_add_rule(struct nft *nft, uint8_t family, const char *table, const char *chain,
		  const struct nft_step *steps, size_t count, const char *comment, unsigned flags);
/* In front of the rule with that handle. */
void nft_add_rule_before(struct nft *nft, uint8_t family, const char *table, const char *chain,
			 const struct nft_step *steps, size_t count, const char *comment,
			 uint64_t handle);
/* handle 0: all rules of the chain. */
void nft_del_rule(struct nft *nft, uint8_t family, const char *table, const char *chain,
		  uint64_t handle, unsigned flags);
/* `name` is for the error text: "port 8080/tcp"; NULL: none. */
void nft_add_element(struct nft *nft, uint8_t family, const char *table, const char *set,
		     const struct nft_element *element, unsigned flags, const char *name);
void nft_del_element(struct nft *nft, uint8_t family, const char *table, const char *set,
		     const struct nft_element *element, unsigned flags);

/* How many messages wait. */
size_t nft_pending(const struct nft *nft);

/* Sends the transaction. generation != 0: only when nothing has changed since nft_generation (else
 * ERR_BUSY). *out_errno (may be NULL) is the first failed message's errno, *out_index its number in
 * the transaction. The transaction is empty afterwards. */
int nft_commit(struct nft *nft, uint32_t generation, int *out_errno, size_t *out_index,
	       struct err *err);

/* One request that changes nothing: a message made by the caller (type and flags of netfilter's
 * netlink), its answers told one by one. *out_errno is the kernel's errno when it refused (then
 * -1). */
struct nlmsghdr;
int nft_ask(struct nft *nft, struct nlmsghdr *request,
	    void (*each)(const struct nlmsghdr *, void *), void *ctx, int *out_errno,
	    bool *out_interrupted, struct err *err);
