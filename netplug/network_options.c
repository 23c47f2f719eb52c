/* netplug/network_options - driver_opts: docker's names, podman's short forms, macvlan's.
 *
 * Owns: the table of known options and their forms. May not touch: links, files. Blocks: never.
 */
#include <linux/if_link.h>
#include <net/if.h>
#include <stdio.h>
#include <string.h>

#include "base/num.h"
#include "base/text.h"
#include "netplug/network.h"

#define BRIDGE "com.docker.network.bridge."
#define NET    "com.docker.network."

struct option;
typedef int option_read(struct arena *arena, const struct option *option, const char *value,
			struct network_options *out, struct err *err);

struct option {
	const char *name;
	option_read *read;
	size_t offset; /* in struct network_options */
	unsigned detail;
};

static void *field(struct network_options *out, const struct option *option)
{
	return (char *)out + option->offset;
}

static int refuse(const struct option *option, const char *value, const char *form, struct err *err)
{
	return err_set(err, ERR_INVALID, "driver_opts: %s: \"%.60s\" is not %s", option->name,
		       value, form);
}

/* A name that the kernel takes for a link; detail: its largest length. */
static int read_link_name(struct arena *arena, const struct option *option, const char *value,
			  struct network_options *out, struct err *err)
{
	size_t len = strlen(value);

	(void)arena;
	if (!len || len > option->detail || strcmp(value, ".") == 0 || strcmp(value, "..") == 0 ||
	    strpbrk(value, "/: \t\n"))
		return refuse(option, value, "a link name of at most 15 bytes", err);
	memcpy(field(out, option), value, len + 1);
	return 0;
}

static int read_number(struct arena *arena, const struct option *option, const char *value,
		       struct network_options *out, struct err *err)
{
	uint64_t number;

	(void)arena;
	if (num_parse_u64(option->name, value, strlen(value), option->detail,
			  option->detail ? 65535 : UINT32_MAX, &number, err) < 0)
		return err_wrap(err, "driver_opts");
	*(unsigned *)field(out, option) = (unsigned)number;
	return 0;
}

/* detail: the field is the opposite of the option. */
static int read_bool(struct arena *arena, const struct option *option, const char *value,
		     struct network_options *out, struct err *err)
{
	static const char *const words[][2] = {
		{"false", "true"},
                { "0",    "1"   },
                { "no",   "yes" }
	};

	(void)arena;
	for (size_t i = 0; i < 3; i++)
		for (unsigned k = 0; k < 2; k++)
			if (strcasecmp(value, words[i][k]) == 0) {
				*(bool *)field(out, option) = k != option->detail;
				return 0;
			}
	return refuse(option, value, "true or false", err);
}

static int read_address(struct arena *arena, const struct option *option, const char *value,
			struct network_options *out, struct err *err)
{
	struct address *address = field(out, option);

	(void)arena;
	if (address_parse(option->name, value, address, err) < 0)
		return err_wrap(err, "driver_opts");
	if (option->detail && address->family != option->detail)
		return refuse(option, value,
			      option->detail == AF_INET ? "an IPv4 address" : "an IPv6 address",
			      err);
	return 0;
}

struct word {
	const char *name;
	unsigned value;
};

static const struct word gateway_modes[] = {
	{"nat",              GATEWAY_NAT            },
	{ "nat-unprotected", GATEWAY_NAT_UNPROTECTED},
	{ "routed",          GATEWAY_ROUTED         },
	{ "isolated",        GATEWAY_ISOLATED       },
	{ NULL,              0		      }
};
static const struct word macvlan_modes[] = {
	{"bridge",    MACVLAN_MODE_BRIDGE  },
	{ "private",  MACVLAN_MODE_PRIVATE },
	{ "vepa",     MACVLAN_MODE_VEPA    },
	{ "passthru", MACVLAN_MODE_PASSTHRU},
	{ NULL,       0		    }
};
static const struct word ipvlan_modes[] = {
	{"l2",   IPVLAN_MODE_L2 },
        { "l3",  IPVLAN_MODE_L3 },
        { "l3s", IPVLAN_MODE_L3S},
        { NULL,  0              }
};
static const struct word ipvlan_flags[] = {
	{"bridge",   0               },
        { "private", IPVLAN_F_PRIVATE},
        { "vepa",    IPVLAN_F_VEPA   },
        { NULL,      0               }
};

static int find_word(const struct word *words, const struct option *option, const char *value,
		     unsigned *out, struct err *err)
{
	char known[100] = "one of:";

	for (; words->name; words++) {
		if (strcmp(words->name, value) == 0) {
			*out = words->value;
			return 0;
		}
		snprintf(known + strlen(known), sizeof(known) - strlen(known), " %s", words->name);
	}
	return refuse(option, value, known, err);
}

static int read_gateway_mode(struct arena *arena, const struct option *option, const char *value,
			     struct network_options *out, struct err *err)
{
	unsigned mode = 0;

	(void)arena;
	if (find_word(gateway_modes, option, value, &mode, err) < 0)
		return -1;
	*(enum network_gateway_mode *)field(out, option) = (enum network_gateway_mode)mode;
	return 0;
}

static int read_macvlan_mode(struct arena *arena, const struct option *option, const char *value,
			     struct network_options *out, struct err *err)
{
	(void)arena;
	return find_word(macvlan_modes, option, value, &out->macvlan_mode, err);
}

static int read_ipvlan_mode(struct arena *arena, const struct option *option, const char *value,
			    struct network_options *out, struct err *err)
{
	unsigned mode = 0;

	(void)arena;
	if (find_word(option->detail ? ipvlan_flags : ipvlan_modes, option, value, &mode, err) < 0)
		return -1;
	*(uint16_t *)field(out, option) = (uint16_t)mode;
	return 0;
}

/* `mode` means macvlan's or ipvlan's: both tables are tried, the driver reads its own. */
static int read_mode(struct arena *arena, const struct option *option, const char *value,
		     struct network_options *out, struct err *err)
{
	struct option ipvlan = { option->name, NULL, offsetof(struct network_options, ipvlan_mode),
				 0 };
	struct err ignored = ERR_NONE;

	if (read_ipvlan_mode(arena, &ipvlan, value, out, &ignored) == 0)
		return 0;
	return read_macvlan_mode(arena, option, value, out, err);
}

static int read_text(struct arena *arena, const struct option *option, const char *value,
		     struct network_options *out, struct err *err)
{
	(void)err;
	*(const char **)field(out, option) = arena_strdup(arena, value);
	return 0;
}

/* Known, and without effect here: every network is isolated from the others. */
static int read_nothing(struct arena *arena, const struct option *option, const char *value,
			struct network_options *out, struct err *err)
{
	(void)arena;
	(void)option;
	(void)value;
	(void)out;
	(void)err;
	return 0;
}

static int read_unsupported(struct arena *arena, const struct option *option, const char *value,
			    struct network_options *out, struct err *err)
{
	(void)arena;
	(void)value;
	(void)out;
	return err_set(err, ERR_UNSUPPORTED, "driver_opts: %s is not supported yet", option->name);
}

#define AT(member) offsetof(struct network_options, member)

/* clang-format off */
static const struct option options[] = {
	{ BRIDGE "name",                    read_link_name,    AT(bridge_name),      15 },
	{ BRIDGE "enable_icc",              read_bool,         AT(no_icc),           1 },
	{ BRIDGE "enable_ip_masquerade",    read_bool,         AT(no_masquerade),    1 },
	{ BRIDGE "host_binding_ipv4",       read_address,      AT(host_binding),     AF_INET },
	{ BRIDGE "gateway_mode_ipv4",       read_gateway_mode, AT(mode4),            0 },
	{ BRIDGE "gateway_mode_ipv6",       read_gateway_mode, AT(mode6),            0 },
	{ BRIDGE "inhibit_ipv4",            read_bool,         AT(inhibit_ipv4),     0 },
	{ BRIDGE "trusted_host_interfaces", read_text,         AT(trusted_links),    0 },
	{ BRIDGE "default_bridge",          read_nothing,      0,                    0 },
	{ NET "driver.mtu",                 read_number,       AT(mtu),              68 },
	{ NET "host_ipv4",                  read_address,      AT(snat4),            AF_INET },
	{ NET "host_ipv6",                  read_address,      AT(snat6),            AF_INET6 },
	{ NET "container_iface_prefix",     read_link_name,    AT(interface_prefix), 11 },
	{ "mtu",                            read_number,       AT(mtu),              68 },
	{ "metric",                         read_number,       AT(metric),           0 },
	{ "no_default_route",               read_bool,         AT(no_default_route), 0 },
	{ "isolate",                        read_nothing,      0,                    0 },
	{ "vlan",                           read_unsupported,  0,                    0 },
	{ "vrf",                            read_unsupported,  0,                    0 },
	{ "parent",                         read_link_name,    AT(parent),           15 },
	{ "mode",                           read_mode,         0,                    0 },
	{ "macvlan_mode",                   read_macvlan_mode, 0,                    0 },
	{ "ipvlan_mode",                    read_ipvlan_mode,  AT(ipvlan_mode),      0 },
	{ "ipvlan_flag",                    read_ipvlan_mode,  AT(ipvlan_flags),     1 },
};
/* clang-format on */

#define OPTION_COUNT (sizeof(options) / sizeof(options[0]))

static const char *option_name(const void *ctx, size_t i)
{
	(void)ctx;
	return i < OPTION_COUNT ? options[i].name : NULL;
}

static const struct option *find_option(const char *name)
{
	for (size_t i = 0; i < OPTION_COUNT; i++)
		if (strcmp(options[i].name, name) == 0)
			return &options[i];
	return NULL;
}

int network_options_read(struct arena *arena, const struct network_pairs *pairs,
			 struct network_options *out, const char **out_warning, struct err *err)
{
	*out = (struct network_options){ .interface_prefix = "eth",
					 .macvlan_mode = MACVLAN_MODE_BRIDGE,
					 .ipvlan_mode = IPVLAN_MODE_L2 };
	if (out_warning)
		*out_warning = NULL;
	for (size_t i = 0; i < pairs->count; i++) {
		const struct network_pair *pair = &pairs->items[i];
		const struct option *option = find_option(pair->key);
		const char *near;

		if (option) {
			if (option->read(arena, option, pair->value ? pair->value : "", out, err) <
			    0)
				return -1;
			continue;
		}
		near = text_near(pair->key, option_name, NULL);
		if (out_warning && !*out_warning)
			*out_warning = arena_format(arena,
						    "driver_opts: %s is not known and has no "
						    "effect%s%s%s",
						    pair->key, near ? "; did you mean " : "",
						    near ? near : "", near ? "?" : "");
	}
	return 0;
}
