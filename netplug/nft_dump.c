/* netplug/nft_dump - what the packet filter holds, and the notices of its changes.
 *
 * Owns: the reading of chains, rules, elements and notices. May not touch: what they mean.
 * Source: linux/netfilter/nf_tables.h. Blocks: until the kernel has answered; notices never.
 */
#include "netplug/nft_dump.h"

#include <arpa/inet.h>
#include <endian.h>
#include <errno.h>
#include <libmnl/libmnl.h>
#include <linux/netfilter/nfnetlink.h>
#include <string.h>
#include <sys/socket.h>

#include "netplug/nft_write.h"
#include "netplug/rtnl.h"

static struct nlmsghdr *new_request(char *buffer, unsigned type, uint16_t flags, uint8_t family)
{
	struct nlmsghdr *message = mnl_nlmsg_put_header(buffer);
	struct nfgenmsg *general;

	message->nlmsg_type = (uint16_t)(NFNL_SUBSYS_NFTABLES << 8 | type);
	message->nlmsg_flags = (uint16_t)(NLM_F_REQUEST | flags);
	general = mnl_nlmsg_put_extra_header(message, sizeof(*general));
	general->nfgen_family = family;
	general->version = NFNETLINK_V0;
	return message;
}

static void read_generation(const struct nlmsghdr *message, void *ctx)
{
	const struct nlattr *attr;

	rtnl_each_attr(attr, message,
		       sizeof(struct nfgenmsg)) if (mnl_attr_get_type(attr) == NFTA_GEN_ID) *
		(uint32_t *)ctx = ntohl(mnl_attr_get_u32(attr));
}

int nft_generation(struct nft *nft, uint32_t *out, struct err *err)
{
	char buffer[256] = { 0 };
	int error;
	bool interrupted = false;

	*out = 0;
	return nft_ask(nft, new_request(buffer, NFT_MSG_GETGEN, 0, AF_UNSPEC), read_generation, out,
		       &error, &interrupted, err);
}

static void ignore(const struct nlmsghdr *message, void *ctx)
{
	(void)message;
	(void)ctx;
}

int nft_has_chain(struct nft *nft, uint8_t family, const char *table, const char *chain,
		  struct err *err)
{
	char buffer[1024] = { 0 };
	struct nlmsghdr *request = new_request(buffer, NFT_MSG_GETCHAIN, 0, family);
	struct err local = ERR_NONE;
	int error;
	bool interrupted = false;

	nft_write_chain_name(request, table, chain);
	if (nft_ask(nft, request, ignore, NULL, &error, &interrupted, &local) == 0) {
		return 1;
	}
	if (error == ENOENT)
		return 0;
	*err = local;
	return -1;
}

/* A dump that another writer interrupted is told again from the start: callbacks may see things
 * twice, so they are only used for look-ups by key. */
static int dump(struct nft *nft, struct nlmsghdr *request,
		void (*each)(const struct nlmsghdr *, void *), void *ctx, struct err *err)
{
	for (int i = 0; i < 8; i++) {
		struct err local = ERR_NONE;
		bool interrupted = false;
		int error;

		if (nft_ask(nft, request, each, ctx, &error, &interrupted, &local) < 0) {
			if (error == ENOENT)
				return 0;
			*err = local;
			return -1;
		}
		if (!interrupted)
			return 0;
	}
	return err_set(err, ERR_BUSY, "the packet filter changes too fast to be read");
}

struct chain_reader {
	int (*each)(const struct nft_chain_info *, void *);
	void *ctx;
};

static void read_hook(const struct nlattr *nest, struct nft_chain_info *info)
{
	const struct nlattr *attr;

	info->is_base = true;
	rtnl_each_nested(attr, nest)
	{
		if (mnl_attr_get_type(attr) == NFTA_HOOK_HOOKNUM)
			info->hook = ntohl(mnl_attr_get_u32(attr));
		else if (mnl_attr_get_type(attr) == NFTA_HOOK_PRIORITY)
			info->priority = (int32_t)ntohl(mnl_attr_get_u32(attr));
	}
}

static void read_chain(const struct nlmsghdr *message, void *ctx)
{
	const struct nfgenmsg *general = mnl_nlmsg_get_payload(message);
	struct chain_reader *reader = ctx;
	struct nft_chain_info info = { .family = general->nfgen_family, .table = "", .name = "" };
	const struct nlattr *attr;

	rtnl_each_attr(attr, message, sizeof(*general))
	{
		if (mnl_attr_get_type(attr) == NFTA_CHAIN_TABLE)
			info.table = mnl_attr_get_str(attr);
		else if (mnl_attr_get_type(attr) == NFTA_CHAIN_NAME)
			info.name = mnl_attr_get_str(attr);
		else if (mnl_attr_get_type(attr) == NFTA_CHAIN_HOOK)
			read_hook(attr, &info);
		else if (mnl_attr_get_type(attr) == NFTA_CHAIN_POLICY)
			info.policy_drop = ntohl(mnl_attr_get_u32(attr)) == NF_DROP;
	}
	reader->each(&info, reader->ctx);
}

int nft_dump_chains(struct nft *nft, int (*each)(const struct nft_chain_info *, void *), void *ctx,
		    struct err *err)
{
	char buffer[256] = { 0 };
	struct chain_reader reader = { each, ctx };

	return dump(nft, new_request(buffer, NFT_MSG_GETCHAIN, NLM_F_DUMP, NFPROTO_UNSPEC),
		    read_chain, &reader, err);
}

struct rule_reader {
	const char *chain; /* NULL: all */
	int (*each)(const struct nft_rule_info *, void *);
	void *ctx;
};

static uint32_t verdict_of(const struct nlattr *data)
{
	const struct nlattr *attr, *inner, *code;

	rtnl_each_nested(attr, data) if (mnl_attr_get_type(attr) == NFTA_IMMEDIATE_DATA)
		rtnl_each_nested(inner, attr) if (mnl_attr_get_type(inner) == NFTA_DATA_VERDICT)
			rtnl_each_nested(
				code,
				inner) if (mnl_attr_get_type(code) ==
					   NFTA_VERDICT_CODE) return ntohl(mnl_attr_get_u32(code));
	return (uint32_t)NFT_CONTINUE;
}

static uint32_t number_in(const struct nlattr *data, uint16_t type)
{
	const struct nlattr *attr;

	rtnl_each_nested(attr, data) if (mnl_attr_get_type(attr) ==
					 type) return ntohl(mnl_attr_get_u32(attr));
	return 0;
}

/* The text that a comparison looks for; nft pads link names to 16 bytes, iptables ends them with a
 * NUL. */
static const char *compared_text(const struct nlattr *data)
{
	const struct nlattr *attr, *value;

	if (number_in(data, NFTA_CMP_OP) != NFT_CMP_EQ)
		return NULL;
	rtnl_each_nested(attr, data) if (mnl_attr_get_type(attr) == NFTA_CMP_DATA)
		rtnl_each_nested(value, attr)
	{
		const char *text = mnl_attr_get_payload(value);
		size_t len = mnl_attr_get_payload_len(value);

		if (len && strnlen(text, len) < len)
			return text;
	}
	return NULL;
}

/* Judges a rule by its first steps: a verdict without a test, or the comparison of a link's name.
 */
static void read_steps(const struct nlattr *list, struct nft_rule_info *info)
{
	const struct nlattr *item, *attr;
	bool is_first = true, name_loaded = false;
	const char *link = NULL;

	rtnl_each_nested(item, list)
	{
		const char *name = "";
		const struct nlattr *data = NULL;
		uint32_t key, verdict;

		rtnl_each_nested(attr, item)
		{
			if (mnl_attr_get_type(attr) == NFTA_EXPR_NAME)
				name = mnl_attr_get_str(attr);
			else if (mnl_attr_get_type(attr) == NFTA_EXPR_DATA)
				data = attr;
		}
		if (strcmp(name, "counter") == 0 || strcmp(name, "log") == 0)
			continue;
		if (is_first && strcmp(name, "meta") == 0 && data) {
			key = number_in(data, NFTA_META_KEY);
			name_loaded = key == NFT_META_IIFNAME || key == NFT_META_OIFNAME;
			info->link_is_in = key == NFT_META_IIFNAME;
			is_first = false;
			continue;
		}
		if (name_loaded && !link && strcmp(name, "cmp") == 0 && data) {
			link = compared_text(data);
			if (link)
				continue;
		}
		verdict = strcmp(name, "immediate") == 0 && data ? verdict_of(data)
								 : (uint32_t)NFT_CONTINUE;
		if (is_first) {
			info->is_drop = strcmp(name, "reject") == 0 || verdict == NF_DROP;
			info->is_return = verdict == (uint32_t)NFT_RETURN;
		}
		info->link = verdict == NF_ACCEPT ? link : NULL;
		return;
	}
}

static void read_rule(const struct nlmsghdr *message, void *ctx)
{
	struct rule_reader *reader = ctx;
	struct nft_rule_info info = { .chain = "", .comment = "" };
	const struct nlattr *attr;

	rtnl_each_attr(attr, message, sizeof(struct nfgenmsg))
	{
		if (mnl_attr_get_type(attr) == NFTA_RULE_CHAIN)
			info.chain = mnl_attr_get_str(attr);
		else if (mnl_attr_get_type(attr) == NFTA_RULE_HANDLE)
			info.handle = be64toh(mnl_attr_get_u64(attr));
		else if (mnl_attr_get_type(attr) == NFTA_RULE_USERDATA)
			info.comment = nft_read_comment(attr);
		else if (mnl_attr_get_type(attr) == NFTA_RULE_EXPRESSIONS)
			read_steps(attr, &info);
	}
	if (!reader->chain || strcmp(reader->chain, info.chain) == 0)
		reader->each(&info, reader->ctx);
}

int nft_dump_rules(struct nft *nft, uint8_t family, const char *table, const char *chain,
		   int (*each)(const struct nft_rule_info *, void *), void *ctx, struct err *err)
{
	char buffer[1024] = { 0 };
	struct rule_reader reader = { chain, each, ctx };
	struct nlmsghdr *request = new_request(buffer, NFT_MSG_GETRULE, NLM_F_DUMP, family);

	nft_write_rule_handle(request, table, chain, 0);
	return dump(nft, request, read_rule, &reader, err);
}

struct element_reader {
	int (*each)(const struct nft_element *, void *);
	void *ctx;
};

static void read_value(const struct nlattr *nest, uint8_t *out, size_t *out_len)
{
	const struct nlattr *attr;

	rtnl_each_nested(attr, nest) if (mnl_attr_get_type(attr) == NFTA_DATA_VALUE &&
					 mnl_attr_get_payload_len(attr) <= NFT_KEY_MAX)
	{
		*out_len = mnl_attr_get_payload_len(attr);
		memcpy(out, mnl_attr_get_payload(attr), *out_len);
	}
}

static void read_element(const struct nlattr *item, struct element_reader *reader)
{
	struct nft_element element = { .comment = "" };
	const struct nlattr *attr;

	rtnl_each_nested(attr, item)
	{
		if (mnl_attr_get_type(attr) == NFTA_SET_ELEM_KEY)
			read_value(attr, element.key, &element.key_len);
		else if (mnl_attr_get_type(attr) == NFTA_SET_ELEM_KEY_END)
			read_value(attr, element.key_end, &element.key_end_len);
		else if (mnl_attr_get_type(attr) == NFTA_SET_ELEM_DATA)
			read_value(attr, element.data, &element.data_len);
		else if (mnl_attr_get_type(attr) == NFTA_SET_ELEM_USERDATA)
			element.comment = nft_read_comment(attr);
	}
	reader->each(&element, reader->ctx);
}

static void read_elements(const struct nlmsghdr *message, void *ctx)
{
	const struct nlattr *attr, *item;

	rtnl_each_attr(attr, message, sizeof(struct nfgenmsg)) if (mnl_attr_get_type(attr) ==
								   NFTA_SET_ELEM_LIST_ELEMENTS)
		rtnl_each_nested(item, attr) read_element(item, ctx);
}

int nft_dump_elements(struct nft *nft, uint8_t family, const char *table, const char *set,
		      int (*each)(const struct nft_element *, void *), void *ctx, struct err *err)
{
	char buffer[1024] = { 0 };
	struct element_reader reader = { each, ctx };
	struct nlmsghdr *request = new_request(buffer, NFT_MSG_GETSETELEM, NLM_F_DUMP, family);

	nft_write_element(request, table, set, NULL, false);
	return dump(nft, request, read_elements, &reader, err);
}

int nft_watch_open(struct err *err)
{
	struct sockaddr_nl here = { .nl_family = AF_NETLINK };
	int group = NFNLGRP_NFTABLES;
	AUTO(fd)
	int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, NETLINK_NETFILTER);

	if (fd < 0 || bind(fd, (struct sockaddr *)&here, sizeof(here)) < 0 ||
	    setsockopt(fd, SOL_NETLINK, NETLINK_ADD_MEMBERSHIP, &group, sizeof(group)) < 0)
		return err_sys(err, errno, "watch the packet filter");
	return TAKE_FD(fd);
}

/* The first attribute of all these messages is the table's name. */
static const struct {
	unsigned type;
	const char *what;
} deletions[] = {
	{NFT_MSG_DELTABLE,    "table"  },
        { NFT_MSG_DELCHAIN,   "chain"  },
	{ NFT_MSG_DELRULE,    "rule"   },
        { NFT_MSG_DELSET,     "set"    },
	{ NFT_MSG_DELSETELEM, "element"},
};

static void read_notice(const struct nlmsghdr *message,
			int (*each)(const char *table, const char *what, void *), void *ctx)
{
	const struct nlattr *attr;
	const char *table = "";

	for (size_t i = 0; i < sizeof(deletions) / sizeof(deletions[0]); i++) {
		if (message->nlmsg_type != (NFNL_SUBSYS_NFTABLES << 8 | deletions[i].type))
			continue;
		rtnl_each_attr(attr, message,
			       sizeof(struct nfgenmsg)) if (mnl_attr_get_type(attr) ==
							    NFTA_TABLE_NAME) table =
			mnl_attr_get_str(attr);
		each(table, deletions[i].what, ctx);
	}
}

int nft_watch_read(int fd, int (*each)(const char *table, const char *what, void *), void *ctx,
		   struct err *err)
{
	char buffer[32768];

	for (;;) {
		ssize_t got = recv(fd, buffer, sizeof(buffer), 0);
		int len = (int)got;
		const struct nlmsghdr *message = (const struct nlmsghdr *)buffer;

		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0 && errno == EAGAIN)
			return 0;
		if (got < 0 && errno == ENOBUFS) {
			each("", "table", ctx);
			continue;
		}
		if (got < 0)
			return err_sys(err, errno, "watch the packet filter");
		for (; mnl_nlmsg_ok(message, len); message = mnl_nlmsg_next(message, &len))
			read_notice(message, each, ctx);
	}
}
