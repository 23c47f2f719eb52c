/* netplug/nat_table - the shape of the table `inet stack`.
 *
 * Owns: sets, chains and rules and their version. May not touch: elements (netplug/nat).
 * Everything is a table here: a rule is a row of steps. The chain VERSION, always empty, says which
 * version the kernel holds. Blocks: only where the header says so.
 */
#include "netplug/nat_table.h"

#include <arpa/inet.h>
#include <linux/netfilter/nf_conntrack_common.h>
#include <string.h>

#include "netplug/nft_dump.h"

#define VERSION "skeleton_1" /* count up with every change below */
#define FAMILY  NFPROTO_INET

#define STATE_BIT(info) (1u << ((info) % IP_CT_IS_REPLY + 1))

/* clang-format off */
#define IP4 NFT_T_IPV4
#define IP6 NFT_T_IPV6
#define PRO NFT_T_PROTO
#define POR NFT_T_PORT
#define LNK NFT_T_IFNAME

#define SET(n, ...)      { .family = FAMILY, .table = NAT_TABLE, .name = n, .key = { __VA_ARGS__ } }
#define RANGES(n, ...)   { .family = FAMILY, .table = NAT_TABLE, .name = n, .key = { __VA_ARGS__ }, .interval = true }
#define MAP(n, to, ...)  { .family = FAMILY, .table = NAT_TABLE, .name = n, .key = { __VA_ARGS__ }, .data = { to, POR } }
#define SNAT(n, to, ...) { .family = FAMILY, .table = NAT_TABLE, .name = n, .key = { __VA_ARGS__ }, .data = { to }, .interval = true }

static const struct nft_set sets[NAT_SET_COUNT] = {
	[NAT_PUB4]     = MAP("pub4", IP4, PRO, IP4, POR),
	[NAT_ANY4]     = MAP("any4", IP4, PRO, POR),
	[NAT_PUB6]     = MAP("pub6", IP6, PRO, IP6, POR),
	[NAT_ANY6]     = MAP("any6", IP6, PRO, POR),
	[NAT_BRIDGES]  = SET("bridges", LNK),
	[NAT_INTERNAL] = SET("internal", LNK),
	[NAT_OPEN4]    = SET("open4", LNK),
	[NAT_OPEN6]    = SET("open6", LNK),
	[NAT_CLOSED4]  = SET("closed4", LNK),
	[NAT_CLOSED6]  = SET("closed6", LNK),
	[NAT_SAME]     = SET("same", LNK, LNK),
	[NAT_HAIR4]    = RANGES("hair4", IP4, IP4),
	[NAT_HAIR6]    = RANGES("hair6", IP6, IP6),
	[NAT_INSIDE4]  = RANGES("inside4", IP4, LNK),
	[NAT_INSIDE6]  = RANGES("inside6", IP6, LNK),
	[NAT_MASQ4]    = RANGES("masq4", IP4, LNK),
	[NAT_MASQ6]    = RANGES("masq6", IP6, LNK),
	[NAT_SNAT4]    = SNAT("snat4", IP4, IP4, LNK),
	[NAT_SNAT6]    = SNAT("snat6", IP6, IP6, LNK),
	[NAT_DIRECT4]  = SET("direct4", IP4, PRO, POR),
	[NAT_DIRECT6]  = SET("direct6", IP6, PRO, POR),
};

static const struct nft_chain chains[] = {
	{ FAMILY, NAT_TABLE, VERSION, NULL, 0, 0 }, /* first: the one that two makers race for */
	{ FAMILY, NAT_TABLE, "to", NULL, 0, 0 },
	{ FAMILY, NAT_TABLE, "guard", "filter", NF_INET_PRE_ROUTING, -300 },
	{ FAMILY, NAT_TABLE, "pre", "nat", NF_INET_PRE_ROUTING, -100 },
	{ FAMILY, NAT_TABLE, "out", "nat", NF_INET_LOCAL_OUT, -100 },
	{ FAMILY, NAT_TABLE, "post", "nat", NF_INET_POST_ROUTING, 100 },
	{ FAMILY, NAT_TABLE, "route", "filter", NF_INET_FORWARD, 0 },
};

/* Register words: an IPv4 address, protocol or port takes one, a link name or IPv6 address four. */
#define META(reg_, key_)          { .op = NFT_OP_META, .reg = (reg_), .key = (key_) }
#define PROTO(reg_)               META(reg_, NFT_META_L4PROTO)
#define IN_LINK(reg_)             META(reg_, NFT_META_IIFNAME)
#define OUT_LINK(reg_)            META(reg_, NFT_META_OIFNAME)
#define FAMILY_IS(f)              META(0, NFT_META_NFPROTO), { .op = NFT_OP_EQ, .len = 1, .bytes = { (f) } }
#define V4                        FAMILY_IS(NFPROTO_IPV4)
#define V6                        FAMILY_IS(NFPROTO_IPV6)
#define NET(reg_, offset_, len_)  { .op = NFT_OP_NETWORK, .reg = (reg_), .offset = (offset_), .len = (len_) }
#define SADDR4(reg_)              NET(reg_, 12, 4)
#define DADDR4(reg_)              NET(reg_, 16, 4)
#define SADDR6(reg_)              NET(reg_, 8, 16)
#define DADDR6(reg_)              NET(reg_, 24, 16)
#define FROM_127                  NET(0, 12, 1), { .op = NFT_OP_EQ, .len = 1, .bytes = { 127 } }
#define TO_127                    NET(0, 16, 1), { .op = NFT_OP_EQ, .len = 1, .bytes = { 127 } }
#define TO_V6_LOOPBACK            DADDR6(0), { .op = NFT_OP_EQ, .len = 16, .bytes = { [15] = 1 } }
#define NOT_LO                    IN_LINK(0), { .op = NFT_OP_NE, .len = 16, .bytes = "lo" }
#define PORT(reg_)                { .op = NFT_OP_PORT, .reg = (reg_) }
#define IN(set)                   { .op = NFT_OP_IN, .name = (set) }
#define NOT_IN(set)               { .op = NFT_OP_NOT_IN, .name = (set) }
#define LOOK_UP(map)              { .op = NFT_OP_MAP, .name = (map) }
#define DNAT(f)                   { .op = NFT_OP_DNAT, .key = (f) }
#define SOURCE(f)                 { .op = NFT_OP_SNAT, .key = (f) }
#define CT_ANY(what, bits)        { .op = NFT_OP_CT, .key = (what) }, { .op = NFT_OP_ANY_OF, .key = (bits) }
#define DNATED                    CT_ANY(NFT_CT_STATUS, IPS_DST_NAT)
#define KNOWN                     CT_ANY(NFT_CT_STATE, STATE_BIT(IP_CT_ESTABLISHED) | STATE_BIT(IP_CT_RELATED))
#define TO_LOCAL                  { .op = NFT_OP_LOCAL }
#define MASQUERADE                { .op = NFT_OP_MASQUERADE }
#define ACCEPT                    { .op = NFT_OP_ACCEPT }
#define DROP                      { .op = NFT_OP_DROP }
#define RETURN                    { .op = NFT_OP_RETURN }
#define JUMP(chain)               { .op = NFT_OP_JUMP, .name = (chain) }

#define STEPS 10
static const struct rule {
	const char *chain;
	struct nft_step steps[STEPS]; /* the last is a verdict or a translation */
} rules[] = {
	/* What arrives from outside for or from 127.0.0.0/8 is forged (CVE-2020-8558). */
	{ "guard", { NOT_LO, V4, TO_127, DROP } },
	{ "guard", { NOT_LO, V4, FROM_127, DROP } },
	/* Published ports. ::1 cannot be translated; the relay serves it. */
	{ "to",    { V6, TO_V6_LOOPBACK, RETURN } },
	{ "to",    { V4, PROTO(0), DADDR4(1), PORT(2), LOOK_UP("pub4"), DNAT(NFPROTO_IPV4) } },
	{ "to",    { V4, PROTO(0), PORT(1), LOOK_UP("any4"), DNAT(NFPROTO_IPV4) } },
	{ "to",    { V6, PROTO(0), DADDR6(1), PORT(5), LOOK_UP("pub6"), DNAT(NFPROTO_IPV6) } },
	{ "to",    { V6, PROTO(0), PORT(1), LOOK_UP("any6"), DNAT(NFPROTO_IPV6) } },
	{ "pre",   { TO_LOCAL, JUMP("to") } },
	{ "out",   { TO_LOCAL, JUMP("to") } },
	/* Loopback clients, a container that reaches itself by a published port, the way out. The hairpin
	 * compares addresses: on a bridged path (br_netfilter) link names do not match. */
	{ "post",  { V4, FROM_127, DNATED, MASQUERADE } },
	{ "post",  { V4, DNATED, SADDR4(0), DADDR4(1), IN("hair4"), MASQUERADE } },
	{ "post",  { V6, DNATED, SADDR6(0), DADDR6(4), IN("hair6"), MASQUERADE } },
	{ "post",  { V4, SADDR4(0), OUT_LINK(1), IN("inside4"), RETURN } },
	{ "post",  { V6, SADDR6(0), OUT_LINK(4), IN("inside6"), RETURN } },
	{ "post",  { V4, SADDR4(0), IN_LINK(1), LOOK_UP("snat4"), SOURCE(NFPROTO_IPV4) } },
	{ "post",  { V6, SADDR6(0), IN_LINK(4), LOOK_UP("snat6"), SOURCE(NFPROTO_IPV6) } },
	{ "post",  { V4, SADDR4(0), IN_LINK(1), IN("masq4"), MASQUERADE } },
	{ "post",  { V6, SADDR6(0), IN_LINK(4), IN("masq6"), MASQUERADE } },
	/* Who may pass. Within a network: all. Between networks and from outside: what was published. */
	{ "route", { IN_LINK(0), OUT_LINK(4), IN("same"), ACCEPT } },
	{ "route", { IN_LINK(0), IN("internal"), DROP } },
	{ "route", { OUT_LINK(0), IN("internal"), DROP } },
	{ "route", { KNOWN, ACCEPT } },
	{ "route", { DNATED, OUT_LINK(0), IN("bridges"), ACCEPT } },
	{ "route", { V4, DADDR4(0), PROTO(1), PORT(2), IN("direct4"), ACCEPT } },
	{ "route", { V6, DADDR6(0), PROTO(4), PORT(5), IN("direct6"), ACCEPT } },
	{ "route", { V4, OUT_LINK(0), IN("open4"), ACCEPT } },
	{ "route", { V6, OUT_LINK(0), IN("open6"), ACCEPT } },
	{ "route", { OUT_LINK(0), IN("bridges"), DROP } },
	{ "route", { V4, IN_LINK(0), IN("closed4"), OUT_LINK(0), IN("closed4"), DROP } },
	{ "route", { V6, IN_LINK(0), IN("closed6"), OUT_LINK(0), IN("closed6"), DROP } },
};
/* clang-format on */

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static bool ends_rule(enum nft_op op)
{
	return op >= NFT_OP_DNAT && op != NFT_OP_SET && op != NFT_OP_COUNTER;
}

static size_t step_count(const struct rule *rule)
{
	size_t count = 0;

	while (count < STEPS && !ends_rule(rule->steps[count].op))
		count++;
	return count + 1;
}

const struct nft_set *nat_table_set(enum nat_set set)
{
	return &sets[set];
}

static void write_rules(struct nft *nft)
{
	for (size_t i = 0; i < COUNT(rules); i++)
		nft_add_rule(nft, FAMILY, NAT_TABLE, rules[i].chain, rules[i].steps,
			     step_count(&rules[i]), NULL, 0);
}

void nat_table_write(struct nft *nft)
{
	nft_add_table(nft, FAMILY, NAT_TABLE, 0);
	for (size_t i = 0; i < COUNT(chains); i++)
		nft_add_chain(nft, &chains[i], i == 0 ? NFT_EXCL : 0);
	/* An older version's rules, if any, make room. */
	for (size_t i = 1; i < COUNT(chains); i++)
		nft_del_rule(nft, FAMILY, NAT_TABLE, chains[i].name, 0, NFT_MAY_MISS);
	for (size_t i = 0; i < COUNT(sets); i++)
		nft_add_set(nft, &sets[i]);
	write_rules(nft);
}

void nat_table_rewrite(struct nft *nft)
{
	for (size_t i = 1; i < COUNT(chains); i++)
		nft_add_chain(nft, &chains[i], 0);
	for (size_t i = 1; i < COUNT(chains); i++)
		nft_del_rule(nft, FAMILY, NAT_TABLE, chains[i].name, 0, NFT_MAY_MISS);
	for (size_t i = 0; i < COUNT(sets); i++)
		nft_add_set(nft, &sets[i]);
	write_rules(nft);
}

int nat_table_there(struct nft *nft, struct err *err)
{
	return nft_has_chain(nft, FAMILY, NAT_TABLE, VERSION, err);
}

static int count_rule(const struct nft_rule_info *info, void *ctx)
{
	size_t *counts = ctx;

	for (size_t i = 0; i < COUNT(chains); i++)
		if (strcmp(chains[i].name, info->chain) == 0)
			counts[i]++;
	return 0;
}

int nat_table_damaged(struct nft *nft, bool *out, struct err *err)
{
	size_t found[COUNT(chains)] = { 0 }, wanted[COUNT(chains)] = { 0 };

	*out = false;
	for (size_t r = 0; r < COUNT(rules); r++)
		for (size_t i = 0; i < COUNT(chains); i++)
			if (strcmp(chains[i].name, rules[r].chain) == 0)
				wanted[i]++;
	if (nft_dump_rules(nft, FAMILY, NAT_TABLE, NULL, count_rule, found, err) < 0)
		return -1;
	*out = memcmp(found, wanted, sizeof(found)) != 0;
	return 0;
}
