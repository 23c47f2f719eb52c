/* netplug/foreign - living beside rules of others that drop what is forwarded (Docker, firewalld,
 * ufw).
 *
 * An accept of ours does not undo a drop in another base chain. When one is found, two plain rules
 * per bridge are put into DOCKER-USER, or at the head of FORWARD, with the comment "stack". Blocks
 * (kernel).
 */
#pragma once
#include <stdbool.h>
#include <stddef.h>

#include "base/arena.h"
#include "base/err.h"
#include "netplug/nft.h"

/* Sets our rules for exactly these bridges where a foreign base chain needs them; takes away those
 * of bridges in `gone`. *out_warning (arena) is what could not be reached (legacy xtables) with the
 * commands that help, or NULL. Idempotent. */
int foreign_admit(struct nft *nft, struct arena *arena, const char *const *bridges, size_t count,
		  const char **out_warning, struct err *err);
int foreign_withdraw(struct nft *nft, const char *const *bridges, size_t count, struct err *err);
