/* netplug/nat_batch - a batch of elements as the rooms of nat share it: nat, nat_found. Nobody else
 * includes it. */
#pragma once
#include <stdbool.h>

#include "netplug/nat.h"
#include "netplug/nat_table.h"

#define OWNER_MAX 128 /* nft's limit of a comment, with its NUL */
#define TRIES     32  /* looks and acts that another writer may come between */

struct item {
	enum nat_set set;
	bool removes;
	struct nft_element element; /* its comment is owner */
	char owner[OWNER_MAX];
	char name[40]; /* for errors: "port 8080/tcp" */
};

struct nat_batch {
	struct item *items;
	size_t count;
};

/* The same place of a set or map, whatever it leads to. */
bool nat_same_key(const struct nft_element *a, const struct nft_element *b);
/* One more element; its bytes are the caller's to fill. name: for errors, may be NULL. */
struct nft_element *nat_new_item(struct nat_batch *batch, enum nat_set set, bool removes,
				 const char *owner, const char *name);
/* The message for it, into the transaction on its way. */
void nat_write_item(struct nft *nft, struct item *item);
