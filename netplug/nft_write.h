/* netplug/nft_write - the attributes of nf_tables objects, put behind a message's header. Pure. */
#pragma once
#include <libmnl/libmnl.h>

#include "netplug/nft.h"

/* A whole object each; _name and _handle: what is enough to find one. Texts are copied. whole: the
 * element with its value and comment, for adding; without, its key alone. */
void nft_write_table(struct nlmsghdr *message, const char *table);
void nft_write_chain(struct nlmsghdr *message, const struct nft_chain *chain);
void nft_write_chain_name(struct nlmsghdr *message, const char *table, const char *chain);
void nft_write_set(struct nlmsghdr *message, const struct nft_set *set, uint32_t id);
void nft_write_rule(struct nlmsghdr *message, const char *table, const char *chain,
		    const struct nft_step *steps, size_t count, const char *comment);
void nft_write_rule_handle(struct nlmsghdr *message, const char *table, const char *chain,
			   uint64_t handle);
void nft_write_element(struct nlmsghdr *message, const char *table, const char *set,
		       const struct nft_element *element, bool whole);

/* The comment in userdata as nft writes it, or "". The text lies in the attribute. */
const char *nft_read_comment(const struct nlattr *userdata);
