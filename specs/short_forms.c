/* specs/short_forms - one-line forms of ports, mounts, devices, hosts, and other small grammars.
 *
 * Owns: the grammars. May not touch: files, the tree.
 * Source: Compose Specification, short syntaxes of ports, volumes, devices, extra_hosts.
 */
#include "specs/short_forms.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "base/num.h"
#include "base/text.h"
#include "specs/pathname.h"

#define PORT_MAX         65535u
#define RANGE_PORTS_MAX  4096u /* ports that one entry may expand to */
#define MOUNT_PARTS_MAX  3
#define DEVICE_PARTS_MAX 3

static const char *const protocols[] = { "tcp", "udp", "sctp" };
static const char *const propagations[] = { "rprivate", "private", "rshared",
					    "shared",   "rslave",  "slave" };

bool short_is_ip(const char *text)
{
	unsigned char address[sizeof(struct in6_addr)];

	return inet_pton(AF_INET, text, address) == 1 || inet_pton(AF_INET6, text, address) == 1;
}

static int parse_range(struct slice text, unsigned minimum, unsigned *out_low, unsigned *out_high,
		       struct err *err)
{
	struct slice low, high;
	uint64_t first, last;
	bool is_range = slice_split(text, '-', &low, &high);

	if (num_parse_u64("port", low.at, low.len, minimum, PORT_MAX, &first, err) < 0)
		return -1;
	last = first;
	if (is_range && num_parse_u64("port", high.at, high.len, minimum, PORT_MAX, &last, err) < 0)
		return -1;
	if (last < first)
		return err_set(err, ERR_INVALID, "the range %ju-%ju goes backwards",
			       (uintmax_t)first, (uintmax_t)last);
	*out_low = (unsigned)first;
	*out_high = (unsigned)last;
	return 0;
}

int short_port_range(const char *text, unsigned *out_low, unsigned *out_high, struct err *err)
{
	return parse_range(SLICE(text), 0, out_low, out_high, err);
}

/* Cuts what stands behind the last `separator` off *text; false when there is none. */
static bool cut_last(struct slice *text, char separator, struct slice *out_right)
{
	const char *found = text->len ? memrchr(text->at, separator, text->len) : NULL;

	if (!found)
		return false;
	*out_right = (struct slice){ found + 1, text->len - (size_t)(found + 1 - text->at) };
	text->len = (size_t)(found - text->at);
	return true;
}

static int take_protocol(struct slice text, const char **out, struct err *err)
{
	*out = protocols[0];
	if (text.len == 0)
		return 0;
	for (size_t i = 0; i < sizeof(protocols) / sizeof(*protocols); i++)
		if (strlen(protocols[i]) == text.len &&
		    strncasecmp(protocols[i], text.at, text.len) == 0) {
			*out = protocols[i];
			return 0;
		}
	return err_set(err, ERR_INVALID, "unknown protocol \"%.*s\" (want tcp, udp or sctp)",
		       SLICE_ARG(text));
}

static int take_address(struct arena *arena, struct slice text, const char **out, struct err *err)
{
	const char *ip = arena_strndup(arena, text.at, text.len);
	bool bracketed = text.len > 1 && text.at[0] == '[' && text.at[text.len - 1] == ']';

	if (bracketed)
		ip = arena_strndup(arena, text.at + 1, text.len - 2);
	if (!short_is_ip(ip) || (strchr(ip, ':') != NULL) != bracketed)
		return err_set(err, ERR_INVALID, "\"%.*s\" is no address (want 127.0.0.1 or [::1])",
			       SLICE_ARG(text));
	*out = ip;
	return 0;
}

struct port_parts {
	const char *host_ip;
	const char *protocol;
	bool has_host;
	unsigned host_low, host_high, low, high;
};

static int take_parts(struct arena *arena, struct slice text, struct port_parts *out,
		      struct err *err)
{
	struct slice protocol = { "", 0 }, container, host = { "", 0 };

	cut_last(&text, '/', &protocol);
	if (take_protocol(protocol, &out->protocol, err) < 0)
		return -1;
	container = text;
	if (cut_last(&text, ':', &container)) {
		host = text;
		/* An empty address is none: ${ADDRESS:-}:80:80. */
		if (cut_last(&text, ':', &host) && text.len > 0 &&
		    take_address(arena, text, &out->host_ip, err) < 0)
			return -1;
	}
	if (parse_range(container, 1, &out->low, &out->high, err) < 0)
		return err_wrap(err, "container port");
	out->has_host = host.len > 0;
	if (out->has_host && parse_range(host, 0, &out->host_low, &out->host_high, err) < 0)
		return err_wrap(err, "host port");
	return 0;
}

int short_port(struct arena *arena, const char *text, struct port **out_ports, size_t *out_count,
	       struct err *err)
{
	struct port_parts parts = { 0 };
	unsigned width, host_width;

	if (take_parts(arena, SLICE(text), &parts, err) < 0)
		return err_wrap(err, "\"%.80s\"", text);
	width = parts.high - parts.low + 1;
	host_width = parts.host_high - parts.host_low + 1;
	if (parts.has_host && width > 1 && width != host_width)
		return err_set(err, ERR_INVALID, "\"%.80s\": %u host ports for %u container ports",
			       text, host_width, width);
	if (width > RANGE_PORTS_MAX)
		return err_set(err, ERR_INVALID, "\"%.80s\": more than %u ports in one entry", text,
			       RANGE_PORTS_MAX);
	*out_ports = arena_alloc(arena, width * sizeof(**out_ports));
	*out_count = width;
	for (unsigned i = 0; i < width; i++) {
		struct port *port = &(*out_ports)[i];

		*port = (struct port){ .mode = "ingress",
				       .host_ip = parts.host_ip,
				       .protocol = parts.protocol,
				       .target = parts.low + i };
		if (parts.has_host && width == 1 && host_width > 1)
			port->published =
				arena_format(arena, "%u-%u", parts.host_low, parts.host_high);
		else if (parts.has_host)
			port->published = arena_format(arena, "%u", parts.host_low + i);
	}
	return 0;
}

/* Splits at ':' into at most max parts; none may be empty. */
static int split_parts(struct arena *arena, const char *text, const char **parts, size_t max,
		       size_t *out_count, struct err *err)
{
	struct slice rest = SLICE(text), part;
	size_t count = 0;

	while (slice_next(&rest, ':', &part)) {
		if (part.len == 0)
			return err_set(err, ERR_INVALID, "\"%.80s\": an empty part", text);
		if (count == max)
			return err_set(err, ERR_INVALID, "\"%.80s\": more than %zu parts", text,
				       max);
		parts[count++] = arena_strndup(arena, part.at, part.len);
	}
	*out_count = count;
	return 0;
}

static void take_mount_option(struct arena *arena, struct mount *mount, const char *option,
			      const char **out_unknown)
{
	if (strcmp(option, "ro") == 0 || strcmp(option, "rw") == 0) {
		mount->read_only = option[1] == 'o';
		return;
	}
	if (strcmp(option, "nocopy") == 0) {
		if (!mount->volume)
			mount->volume = arena_alloc(arena, sizeof(*mount->volume));
		mount->volume->nocopy = true;
		return;
	}
	if (!mount->bind)
		mount->bind = arena_alloc(arena, sizeof(*mount->bind));
	if (strcmp(option, "z") == 0 || strcmp(option, "Z") == 0) {
		mount->bind->selinux = option;
		return;
	}
	for (size_t i = 0; i < sizeof(propagations) / sizeof(*propagations); i++)
		if (strcmp(option, propagations[i]) == 0) {
			mount->bind->propagation = propagations[i];
			return;
		}
	*out_unknown = *out_unknown ? arena_format(arena, "%s,%s", *out_unknown, option) : option;
	if (strcmp(mount->type, "bind") != 0)
		mount->bind = NULL;
}

int short_mount(struct arena *arena, const char *text, struct mount *out, const char **out_unknown,
		struct err *err)
{
	const char *parts[MOUNT_PARTS_MAX] = { 0 };
	size_t count;
	struct slice rest, option;

	*out_unknown = NULL;
	if (split_parts(arena, text, parts, MOUNT_PARTS_MAX, &count, err) < 0)
		return -1;
	*out = (struct mount){ .type = "volume" };
	out->target = count == 1 ? parts[0] : parts[1];
	out->source = count == 1 ? NULL : parts[0];
	if (out->target[0] != '/')
		return err_set(err, ERR_INVALID, "\"%.80s\": the target \"%.60s\" is not absolute",
			       text, out->target);
	out->target = pathname_clean(arena, out->target);
	if (out->source && strchr("./~", out->source[0])) {
		out->type = "bind";
		out->bind = arena_alloc(arena, sizeof(*out->bind));
		out->bind->create_host_path = true;
	} else {
		out->volume = arena_alloc(arena, sizeof(*out->volume));
	}
	rest = count == MOUNT_PARTS_MAX ? SLICE(parts[2]) : (struct slice){ NULL, 0 };
	while (slice_next(&rest, ',', &option))
		if (option.len)
			take_mount_option(arena, out, arena_strndup(arena, option.at, option.len),
					  out_unknown);
	return 0;
}

int short_device(struct arena *arena, const char *text, struct device *out, struct err *err)
{
	const char *parts[DEVICE_PARTS_MAX] = { 0 };
	size_t count;

	if (split_parts(arena, text, parts, DEVICE_PARTS_MAX, &count, err) < 0)
		return -1;
	*out = (struct device){ .source = parts[0],
				.target = parts[1] ? parts[1] : parts[0],
				.permissions = parts[2] ? parts[2] : "rwm" };
	if (strspn(out->permissions, "rwm") != strlen(out->permissions))
		return err_set(err, ERR_INVALID, "\"%.80s\": permissions are made of r, w and m",
			       text);
	return 0;
}

static int short_host_address(const char *text, struct err *err)
{
	if (strcmp(text, "host-gateway") == 0 || short_is_ip(text))
		return 0;
	return err_set(err, ERR_INVALID, "\"%.60s\" is no address (want an IP or host-gateway)",
		       text);
}

int short_host(struct arena *arena, const char *text, const char **out_entry, struct err *err)
{
	const char *cut = strchr(text, '=') ?: strchr(text, ':');
	const char *address;
	size_t len;

	if (!cut || cut == text || !cut[1])
		return err_set(err, ERR_INVALID, "\"%.80s\": want HOST=IP", text);
	address = cut + 1;
	len = strlen(address);
	if (len > 1 && address[0] == '[' && address[len - 1] == ']')
		address = arena_strndup(arena, address + 1, len - 2);
	if (short_host_address(address, err) < 0)
		return err_wrap(err, "\"%.80s\"", text);
	*out_entry = arena_format(arena, "%.*s=%s", (int)(cut - text), text, address);
	return 0;
}

int short_restart(const char *text, const char **out_word, uint64_t *out_attempts, struct err *err)
{
	static const char *const words[] = { "no", "always", "unless-stopped", "on-failure" };
	struct slice word, number;
	bool has_number = slice_split(SLICE(text), ':', &word, &number);

	*out_attempts = 0;
	for (size_t i = 0; i < sizeof(words) / sizeof(*words); i++) {
		if (!slice_is(word, words[i]))
			continue;
		*out_word = words[i];
		if (!has_number)
			return 0;
		if (strcmp(words[i], "on-failure") == 0)
			return num_parse_u64("tries", number.at, number.len, 0, INT32_MAX,
					     out_attempts, err);
	}
	return err_set(err, ERR_INVALID,
		       "\"%.60s\" is no restart policy (want no, always, on-failure[:N] or "
		       "unless-stopped)",
		       text);
}
