/* netplug/nft_write - the attributes of nf_tables objects.
 *
 * Owns: how tables, chains, sets, rules and elements are written, type numbers and comments as nft
 * has them. May not touch: sockets. Source: linux/netfilter/nf_tables.h. Blocks: never.
 */
#include "netplug/nft_write.h"

#include <arpa/inet.h>
#include <endian.h>
#include <linux/rtnetlink.h>
#include <string.h>

#define COMMENT_MAX    127 /* of nft; with its NUL it fits one length byte */
#define COMMENT_TAG    0   /* the first type of userdata, of every kind of object */
#define ROUND_UP(size) (((size) + 3u) & ~3u)

static const struct {
	uint32_t number; /* nft's datatype */
	uint32_t len;
} types[] = {
	[NFT_T_NONE] = {0,   0 },
          [NFT_T_IPV4] = { 7,  4 },
          [NFT_T_IPV6] = { 8,  16},
	[NFT_T_PROTO] = { 12, 1 },
          [NFT_T_PORT] = { 13, 2 },
          [NFT_T_IFNAME] = { 41, 16},
};

static void put_u32(struct nlmsghdr *message, uint16_t type, uint32_t value)
{
	mnl_attr_put_u32(message, type, htonl(value));
}

static void put_comment(struct nlmsghdr *message, uint16_t type, const char *comment)
{
	uint8_t data[COMMENT_MAX + 3];
	size_t len;

	if (!comment || !*comment)
		return;
	len = strnlen(comment, COMMENT_MAX);
	data[0] = COMMENT_TAG;
	data[1] = (uint8_t)(len + 1);
	memcpy(&data[2], comment, len);
	data[2 + len] = '\0';
	mnl_attr_put(message, type, len + 3, data);
}

const char *nft_read_comment(const struct nlattr *userdata)
{
	const uint8_t *at = mnl_attr_get_payload(userdata);
	size_t left = mnl_attr_get_payload_len(userdata);

	while (left >= 2 && at[1] + 2u <= left) {
		if (at[0] == COMMENT_TAG && at[1] && at[1 + at[1]] == '\0')
			return (const char *)&at[2];
		left -= at[1] + 2u;
		at += at[1] + 2u;
	}
	return "";
}

void nft_write_table(struct nlmsghdr *message, const char *table)
{
	mnl_attr_put_strz(message, NFTA_TABLE_NAME, table);
}

void nft_write_chain_name(struct nlmsghdr *message, const char *table, const char *chain)
{
	mnl_attr_put_strz(message, NFTA_CHAIN_TABLE, table);
	mnl_attr_put_strz(message, NFTA_CHAIN_NAME, chain);
}

void nft_write_chain(struct nlmsghdr *message, const struct nft_chain *chain)
{
	struct nlattr *hook;

	nft_write_chain_name(message, chain->table, chain->name);
	if (!chain->type)
		return;
	hook = mnl_attr_nest_start(message, NFTA_CHAIN_HOOK);
	put_u32(message, NFTA_HOOK_HOOKNUM, chain->hook);
	put_u32(message, NFTA_HOOK_PRIORITY, (uint32_t)chain->priority);
	mnl_attr_nest_end(message, hook);
	mnl_attr_put_strz(message, NFTA_CHAIN_TYPE, chain->type);
	put_u32(message, NFTA_CHAIN_POLICY, NF_ACCEPT);
}

/* nft's number for a list of types (each takes six bits) and its length in registers. */
static uint32_t fold_types(const enum nft_type *fields, uint32_t *out_len, size_t *out_count)
{
	uint32_t number = 0;

	*out_len = 0;
	*out_count = 0;
	for (size_t i = 0; i < NFT_FIELDS && fields[i] != NFT_T_NONE; i++) {
		number = number << 6 | types[fields[i]].number;
		*out_len += ROUND_UP(types[fields[i]].len);
		++*out_count;
	}
	if (*out_count == 1)
		*out_len = types[fields[0]].len;
	return number;
}

static void put_fields(struct nlmsghdr *message, const struct nft_set *set, size_t count)
{
	struct nlattr *description = mnl_attr_nest_start(message, NFTA_SET_DESC);
	struct nlattr *list = mnl_attr_nest_start(message, NFTA_SET_DESC_CONCAT);

	for (size_t i = 0; i < count; i++) {
		struct nlattr *field = mnl_attr_nest_start(message, NFTA_LIST_ELEM);

		put_u32(message, NFTA_SET_FIELD_LEN, types[set->key[i]].len);
		mnl_attr_nest_end(message, field);
	}
	mnl_attr_nest_end(message, list);
	mnl_attr_nest_end(message, description);
}

/* For nft's listing: link names stand in the host's byte order. */
static void put_byte_order(struct nlmsghdr *message)
{
	struct __attribute__((packed)) {
		uint8_t type, len;
		uint32_t value;
	} order = { .type = 0, .len = sizeof(uint32_t), .value = 1 };

	mnl_attr_put(message, NFTA_SET_USERDATA, sizeof(order), &order);
}

void nft_write_set(struct nlmsghdr *message, const struct nft_set *set, uint32_t id)
{
	uint32_t key_len, data_len, flags = 0;
	size_t key_count, data_count;
	uint32_t key_type = fold_types(set->key, &key_len, &key_count);
	uint32_t data_type = fold_types(set->data, &data_len, &data_count);

	if (set->interval)
		flags |= NFT_SET_INTERVAL;
	if (key_count > 1)
		flags |= NFT_SET_CONCAT;
	if (data_count)
		flags |= NFT_SET_MAP;
	mnl_attr_put_strz(message, NFTA_SET_TABLE, set->table);
	mnl_attr_put_strz(message, NFTA_SET_NAME, set->name);
	put_u32(message, NFTA_SET_FLAGS, flags);
	put_u32(message, NFTA_SET_KEY_TYPE, key_type);
	put_u32(message, NFTA_SET_KEY_LEN, key_len);
	put_u32(message, NFTA_SET_ID, id);
	if (data_count) {
		put_u32(message, NFTA_SET_DATA_TYPE, data_type);
		put_u32(message, NFTA_SET_DATA_LEN, data_len);
	}
	if (key_count > 1)
		put_fields(message, set, key_count);
	else if (set->key[0] == NFT_T_IFNAME)
		put_byte_order(message);
}

struct expression {
	struct nlattr *list, *data;
};

static struct expression begin(struct nlmsghdr *message, const char *name)
{
	struct expression e = { .list = mnl_attr_nest_start(message, NFTA_LIST_ELEM) };

	mnl_attr_put_strz(message, NFTA_EXPR_NAME, name);
	e.data = mnl_attr_nest_start(message, NFTA_EXPR_DATA);
	return e;
}

static void end(struct nlmsghdr *message, struct expression e)
{
	mnl_attr_nest_end(message, e.data);
	mnl_attr_nest_end(message, e.list);
}

static void put_value(struct nlmsghdr *message, uint16_t type, const void *bytes, size_t len)
{
	struct nlattr *nest = mnl_attr_nest_start(message, type);

	mnl_attr_put(message, NFTA_DATA_VALUE, len, bytes);
	mnl_attr_nest_end(message, nest);
}

static uint32_t reg_number(unsigned reg)
{
	return NFT_REG32_00 + reg;
}

static void put_compare(struct nlmsghdr *message, unsigned reg, uint32_t op, const void *bytes,
			size_t len)
{
	struct expression e = begin(message, "cmp");

	put_u32(message, NFTA_CMP_SREG, reg_number(reg));
	put_u32(message, NFTA_CMP_OP, op);
	put_value(message, NFTA_CMP_DATA, bytes, len);
	end(message, e);
}

static void put_load(struct nlmsghdr *message, const char *name, const struct nft_step *step,
		     uint16_t key_attr, uint16_t reg_attr)
{
	struct expression e = begin(message, name);

	put_u32(message, key_attr, step->key);
	put_u32(message, reg_attr, reg_number(step->reg));
	end(message, e);
}

static void put_payload(struct nlmsghdr *message, const struct nft_step *step, uint32_t base,
			uint32_t offset, uint32_t len)
{
	struct expression e = begin(message, "payload");

	put_u32(message, NFTA_PAYLOAD_DREG, reg_number(step->reg));
	put_u32(message, NFTA_PAYLOAD_BASE, base);
	put_u32(message, NFTA_PAYLOAD_OFFSET, offset);
	put_u32(message, NFTA_PAYLOAD_LEN, len);
	end(message, e);
}

static void put_local(struct nlmsghdr *message)
{
	struct expression e = begin(message, "fib");
	uint32_t local = RTN_LOCAL;

	put_u32(message, NFTA_FIB_DREG, reg_number(0));
	put_u32(message, NFTA_FIB_RESULT, NFT_FIB_RESULT_ADDRTYPE);
	put_u32(message, NFTA_FIB_FLAGS, NFTA_FIB_F_DADDR);
	end(message, e);
	put_compare(message, 0, NFT_CMP_EQ, &local, sizeof(local));
}

static void put_any_of(struct nlmsghdr *message, const struct nft_step *step)
{
	struct expression e = begin(message, "bitwise");
	uint32_t zero = 0;

	put_u32(message, NFTA_BITWISE_SREG, reg_number(step->reg));
	put_u32(message, NFTA_BITWISE_DREG, reg_number(step->reg));
	put_u32(message, NFTA_BITWISE_LEN, sizeof(step->key));
	put_value(message, NFTA_BITWISE_MASK, &step->key, sizeof(step->key));
	put_value(message, NFTA_BITWISE_XOR, &zero, sizeof(zero));
	end(message, e);
	put_compare(message, step->reg, NFT_CMP_NEQ, &zero, sizeof(zero));
}

static void put_lookup(struct nlmsghdr *message, const struct nft_step *step)
{
	struct expression e = begin(message, "lookup");

	mnl_attr_put_strz(message, NFTA_LOOKUP_SET, step->name);
	put_u32(message, NFTA_LOOKUP_SREG, reg_number(step->reg));
	if (step->op == NFT_OP_MAP)
		put_u32(message, NFTA_LOOKUP_DREG, reg_number(step->reg));
	if (step->op == NFT_OP_NOT_IN)
		put_u32(message, NFTA_LOOKUP_FLAGS, NFT_LOOKUP_F_INV);
	end(message, e);
}

static void put_nat(struct nlmsghdr *message, const struct nft_step *step)
{
	struct expression e = begin(message, "nat");
	bool dnat = step->op == NFT_OP_DNAT;
	unsigned port_reg = step->reg + (step->key == NFPROTO_IPV6 ? 4 : 1);

	put_u32(message, NFTA_NAT_TYPE, dnat ? NFT_NAT_DNAT : NFT_NAT_SNAT);
	put_u32(message, NFTA_NAT_FAMILY, step->key);
	put_u32(message, NFTA_NAT_REG_ADDR_MIN, reg_number(step->reg));
	if (dnat)
		put_u32(message, NFTA_NAT_REG_PROTO_MIN, reg_number(port_reg));
	end(message, e);
}

static void put_immediate(struct nlmsghdr *message, const struct nft_step *step)
{
	struct expression e = begin(message, "immediate");

	put_u32(message, NFTA_IMMEDIATE_DREG, reg_number(step->reg));
	put_value(message, NFTA_IMMEDIATE_DATA, step->bytes, step->len);
	end(message, e);
}

static void put_verdict(struct nlmsghdr *message, const struct nft_step *step)
{
	struct expression e = begin(message, "immediate");
	struct nlattr *data, *verdict;
	uint32_t code = step->op == NFT_OP_ACCEPT   ? (uint32_t)NF_ACCEPT
			: step->op == NFT_OP_DROP   ? (uint32_t)NF_DROP
			: step->op == NFT_OP_RETURN ? (uint32_t)NFT_RETURN
						    : (uint32_t)NFT_JUMP;

	put_u32(message, NFTA_IMMEDIATE_DREG, NFT_REG_VERDICT);
	data = mnl_attr_nest_start(message, NFTA_IMMEDIATE_DATA);
	verdict = mnl_attr_nest_start(message, NFTA_DATA_VERDICT);
	put_u32(message, NFTA_VERDICT_CODE, code);
	if (step->op == NFT_OP_JUMP)
		mnl_attr_put_strz(message, NFTA_VERDICT_CHAIN, step->name);
	mnl_attr_nest_end(message, verdict);
	mnl_attr_nest_end(message, data);
	end(message, e);
}

static void put_step(struct nlmsghdr *message, const struct nft_step *step)
{
	switch (step->op) {
	case NFT_OP_META:
		put_load(message, "meta", step, NFTA_META_KEY, NFTA_META_DREG);
		break;
	case NFT_OP_CT:
		put_load(message, "ct", step, NFTA_CT_KEY, NFTA_CT_DREG);
		break;
	case NFT_OP_NETWORK:
		put_payload(message, step, NFT_PAYLOAD_NETWORK_HEADER, step->offset, step->len);
		break;
	case NFT_OP_PORT:
		put_payload(message, step, NFT_PAYLOAD_TRANSPORT_HEADER, 2, 2);
		break;
	case NFT_OP_LOCAL:
		put_local(message);
		break;
	case NFT_OP_EQ:
		put_compare(message, step->reg, NFT_CMP_EQ, step->bytes, step->len);
		break;
	case NFT_OP_NE:
		put_compare(message, step->reg, NFT_CMP_NEQ, step->bytes, step->len);
		break;
	case NFT_OP_ANY_OF:
		put_any_of(message, step);
		break;
	case NFT_OP_IN:
	case NFT_OP_NOT_IN:
	case NFT_OP_MAP:
		put_lookup(message, step);
		break;
	case NFT_OP_DNAT:
	case NFT_OP_SNAT:
		put_nat(message, step);
		break;
	case NFT_OP_SET:
		put_immediate(message, step);
		break;
	case NFT_OP_MASQUERADE:
		end(message, begin(message, "masq"));
		break;
	case NFT_OP_COUNTER:
		end(message, begin(message, "counter"));
		break;
	case NFT_OP_ACCEPT:
	case NFT_OP_DROP:
	case NFT_OP_RETURN:
	case NFT_OP_JUMP:
		put_verdict(message, step);
		break;
	}
}

void nft_write_rule(struct nlmsghdr *message, const char *table, const char *chain,
		    const struct nft_step *steps, size_t count, const char *comment)
{
	struct nlattr *list;

	mnl_attr_put_strz(message, NFTA_RULE_TABLE, table);
	mnl_attr_put_strz(message, NFTA_RULE_CHAIN, chain);
	list = mnl_attr_nest_start(message, NFTA_RULE_EXPRESSIONS);
	for (size_t i = 0; i < count; i++)
		put_step(message, &steps[i]);
	mnl_attr_nest_end(message, list);
	put_comment(message, NFTA_RULE_USERDATA, comment);
}

void nft_write_rule_handle(struct nlmsghdr *message, const char *table, const char *chain,
			   uint64_t handle)
{
	mnl_attr_put_strz(message, NFTA_RULE_TABLE, table);
	if (chain)
		mnl_attr_put_strz(message, NFTA_RULE_CHAIN, chain);
	if (handle)
		mnl_attr_put_u64(message, NFTA_RULE_HANDLE, htobe64(handle));
}

void nft_write_element(struct nlmsghdr *message, const char *table, const char *set,
		       const struct nft_element *element, bool whole)
{
	struct nlattr *list, *item;

	mnl_attr_put_strz(message, NFTA_SET_ELEM_LIST_TABLE, table);
	mnl_attr_put_strz(message, NFTA_SET_ELEM_LIST_SET, set);
	if (!element)
		return;
	list = mnl_attr_nest_start(message, NFTA_SET_ELEM_LIST_ELEMENTS);
	item = mnl_attr_nest_start(message, NFTA_LIST_ELEM);
	put_value(message, NFTA_SET_ELEM_KEY, element->key, element->key_len);
	if (element->key_end_len)
		put_value(message, NFTA_SET_ELEM_KEY_END, element->key_end, element->key_end_len);
	if (whole && element->data_len)
		put_value(message, NFTA_SET_ELEM_DATA, element->data, element->data_len);
	if (whole)
		put_comment(message, NFTA_SET_ELEM_USERDATA, element->comment);
	mnl_attr_nest_end(message, item);
	mnl_attr_nest_end(message, list);
}
