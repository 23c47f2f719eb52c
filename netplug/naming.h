/* netplug/naming - names of kernel objects, computable before the act.
 *
 * Every name is a function of what it stands for and of `attempt` (0, then 1..7 after a clash with
 * somebody else's object), so a record can state the intent first and recovery finds the object
 * again. Pure. spec: links carry their owner in the alias "stack:PROJECT/SERVICE/N/NETWORK".
 */
#pragma once
#include <stddef.h>
#include <stdint.h>

#define NAMING_LINK     16 /* IFNAMSIZ */
#define NAMING_ALIAS    256
#define NAMING_ATTEMPTS 8

/* "sv" + 11 characters: the host end of the slot's index-th link to the network. slot is
 * "PROJECT/SERVICE/N". */
char *naming_host_end(char out[NAMING_LINK], const char *network, const char *slot, unsigned index,
		      unsigned attempt);
/* "sb" + 11 characters: the network's bridge. */
char *naming_bridge(char out[NAMING_LINK], const char *network, unsigned attempt);
/* 02 + 5 bytes of a hash of machine, network and slot: the same over restarts and recreates. */
void naming_mac(uint8_t out[6], const char *machine_id, const char *network, const char *slot);
/* "stack:SLOT/NETWORK" for a host end, "stack:PROJECT//0/NETWORK" for a bridge (project "" when the
 * network belongs to none). Cut to NAMING_ALIAS - 1. */
char *naming_alias(char out[NAMING_ALIAS], const char *slot, const char *network);
char *naming_bridge_alias(char out[NAMING_ALIAS], const char *project, const char *network);
/* Readable alternative name of a bridge, "stack-NETWORK"; unique in a namespace, EEXIST is no
 * fault. */
char *naming_altname(char out[128], const char *network);

/* 64 bits of a text, well mixed; not for secrets. seed separates uses. */
uint64_t naming_hash(const char *text, uint64_t seed);
/* /etc/machine-id, else "". out holds 64 bytes. */
char *naming_machine_id(char out[64]);
