/* images/ref - the grammar of image names.
 *
 * Owns: what a name may look like, its canonical and its familiar form.
 * May not touch: files, the heap, the network.
 */
#include "images/ref.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>

#include "base/num.h"
#include "base/text.h"

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

static bool is_lower(char c)
{
	return is_digit(c) || (c >= 'a' && c <= 'z');
}

static bool is_upper(char c)
{
	return c >= 'A' && c <= 'Z';
}

static bool is_alnum(char c)
{
	return is_lower(c) || is_upper(c);
}

static bool is_tag_byte(char c)
{
	return is_alnum(c) || c == '_' || c == '.' || c == '-';
}

static bool is_hex(struct slice text)
{
	for (size_t i = 0; i < text.len; i++)
		if (!is_digit(text.at[i]) && !(text.at[i] >= 'a' && text.at[i] <= 'f'))
			return false;
	return text.len > 0;
}

/* What is wrong at `at`: the byte in printable form and its column, counted from 1. */
static int refuse(const char *whole, const char *at, const char *why, struct err *err)
{
	unsigned char byte = (unsigned char)*at;
	unsigned column = (unsigned)(at - whole) + 1;
	char shown[REF_TEXT_MAX + 1];
	char byte_text[16] = "end of text";

	snprintf(shown, sizeof(shown), "%.80s%s", whole, strlen(whole) > 80 ? "…" : "");
	if (byte > 0x20 && byte < 0x7f)
		snprintf(byte_text, sizeof(byte_text), "'%c'", byte);
	else if (byte)
		snprintf(byte_text, sizeof(byte_text), "byte 0x%02x", byte);
	return err_set(err, ERR_INVALID, "image name \"%s\": column %u (%s): %s", text_plain(shown),
		       column, byte_text, why);
}

static bool is_domain(struct slice first)
{
	if (slice_is(first, "localhost"))
		return true;
	for (size_t i = 0; i < first.len; i++)
		if (first.at[i] == '.' || first.at[i] == ':' || is_upper(first.at[i]))
			return true;
	return false;
}

/* Length of "[...]" at the start when it holds an IPv6 address, else 0. */
static size_t ipv6_host_len(struct slice text)
{
	const char *end = text.len ? memchr(text.at, ']', text.len) : NULL;
	char address[INET6_ADDRSTRLEN] = "";
	struct in6_addr parsed;

	if (!end || (size_t)(end - text.at) > sizeof(address))
		return 0;
	memcpy(address, text.at + 1, (size_t)(end - text.at) - 1);
	return inet_pton(AF_INET6, address, &parsed) == 1 ? (size_t)(end - text.at) + 1 : 0;
}

/* Checks the labels of a host name; returns its length (to ':' or the end), 0 with *err. */
static size_t check_host(const char *whole, struct slice text, struct err *err)
{
	size_t i = 0;

	for (; i < text.len && text.at[i] != ':'; i++) {
		char c = text.at[i];
		bool at_edge = i == 0 || text.at[i - 1] == '.' || i + 1 == text.len ||
			       text.at[i + 1] == '.' || text.at[i + 1] == ':';

		if (!is_alnum(c) && c != '-' && c != '.')
			return refuse(whole, text.at + i, "not part of a host name", err), 0;
		if (!is_alnum(c) && at_edge)
			return refuse(whole, text.at + i,
				      "a host's labels begin and end with a "
				      "letter or digit",
				      err),
			       0;
	}
	if (i == 0)
		refuse(whole, text.at, "the host is missing", err);
	return i;
}

static int check_domain(const char *whole, struct slice text, struct err *err)
{
	bool is_ipv6 = text.at[0] == '[';
	size_t host_len = is_ipv6 ? ipv6_host_len(text) : check_host(whole, text, err);
	struct err port_err = ERR_NONE;
	uint64_t port;

	if (host_len == 0)
		return is_ipv6 ? refuse(whole, text.at, "no IPv6 address in brackets", err) : -1;
	if (host_len == text.len)
		return 0;
	if (text.at[host_len] != ':')
		return refuse(whole, text.at + host_len, "a port begins with ':'", err);
	if (num_parse_u64("port", text.at + host_len + 1, text.len - host_len - 1, 1, 65535, &port,
			  &port_err) < 0)
		return refuse(whole, text.at + host_len + 1, "the port is not within 1..65535",
			      err);
	return 0;
}

/* Length of the separator at text: "." "_" "__" or any number of "-"; 0: none. */
static size_t separator_len(struct slice text)
{
	size_t n = 0;

	if (text.len && text.at[0] == '.')
		return 1;
	if (text.len && text.at[0] == '_')
		return text.len > 1 && text.at[1] == '_' ? 2 : 1;
	while (n < text.len && text.at[n] == '-')
		n++;
	return n;
}

static int refuse_path_byte(const char *whole, const char *at, struct err *err)
{
	if (is_upper(*at))
		return refuse(whole, at, "repository names are lower case", err);
	if (*at == '/' || !*at || *at == ':' || *at == '@')
		return refuse(whole, at, "a component of the name is empty or ends in a separator",
			      err);
	return refuse(whole, at, "not part of a repository name", err);
}

static int check_path(const char *whole, struct slice path, struct err *err)
{
	size_t i = 0;

	while (i < path.len) {
		size_t separator;

		if (!is_lower(path.at[i]))
			return refuse_path_byte(whole, path.at + i, err);
		while (i < path.len && is_lower(path.at[i]))
			i++;
		if (i == path.len)
			return 0;
		if (path.at[i] == '/') {
			i++;
			continue;
		}
		separator = separator_len((struct slice){ path.at + i, path.len - i });
		if (separator == 0)
			return refuse_path_byte(whole, path.at + i, err);
		i += separator;
	}
	return refuse_path_byte(whole, path.at + i, err);
}

static int check_tag(const char *whole, struct slice tag, struct err *err)
{
	if (tag.len == 0)
		return refuse(whole, tag.at, "the tag is empty", err);
	if (tag.len > REF_TAG_MAX)
		return refuse(whole, tag.at + REF_TAG_MAX, "a tag has at most 128 bytes", err);
	if (!is_alnum(tag.at[0]) && tag.at[0] != '_')
		return refuse(whole, tag.at, "a tag begins with a letter, digit or '_'", err);
	for (size_t i = 1; i < tag.len; i++)
		if (!is_tag_byte(tag.at[i]))
			return refuse(whole, tag.at + i, "not part of a tag", err);
	return 0;
}

static void put(char *out, struct slice text)
{
	memcpy(out, text.at, text.len);
	out[text.len] = '\0';
}

/* name[:tag] into domain, path, tag slices; docker.io and library/ are put in. */
static int split_name(const char *text, struct slice name, struct ref *out, struct err *err)
{
	struct slice domain = SLICE("docker.io"), path = name, tag = { "", 0 }, first, rest;
	bool is_library = false;
	const char *colon;

	if (slice_split(name, '/', &first, &rest) && is_domain(first)) {
		if (check_domain(text, first, err) < 0)
			return -1;
		domain = slice_is(first, "index.docker.io") ? domain : first;
		path = rest;
	}
	colon = path.len ? memchr(path.at, ':', path.len) : NULL;
	if (colon) {
		tag = (struct slice){ colon + 1, path.len - (size_t)(colon - path.at) - 1 };
		path.len = (size_t)(colon - path.at);
	}
	if (check_path(text, path, err) < 0 || (colon && check_tag(text, tag, err) < 0))
		return -1;
	is_library = slice_is(domain, "docker.io") && !memchr(path.at, '/', path.len);
	if (domain.len + 1 + path.len + (is_library ? strlen("library/") : 0) > REF_NAME_MAX)
		return err_set(err, ERR_INVALID, "image name \"%.60s…\": longer than %d bytes",
			       text, REF_NAME_MAX);
	put(out->domain, domain);
	put(out->tag, tag);
	snprintf(out->path, sizeof(out->path), "%s%.*s", is_library ? "library/" : "",
		 SLICE_ARG(path));
	return 0;
}

static int parse(const char *text, struct ref *out, struct err *err)
{
	struct slice whole = SLICE(text), name, digest;
	const char *scheme = strstr(text, "://");
	struct ref ref = { 0 };

	if (whole.len == 0)
		return err_set(err, ERR_INVALID, "image name is empty");
	if (whole.len > REF_TEXT_MAX)
		return err_set(err, ERR_INVALID, "image name \"%.60s…\": longer than %d bytes",
			       text, REF_TEXT_MAX);
	if (scheme)
		return refuse(text, scheme, "write the name without a scheme or transport", err);
	if (ref_is_id(text))
		return err_set(err, ERR_INVALID,
			       "image name \"%.80s\": this is an image id, not a "
			       "name that a registry knows",
			       text);
	if (slice_split(whole, '@', &name, &digest)) {
		put(ref.digest,
		    (struct slice){ digest.at, digest.len < sizeof(ref.digest) ? digest.len : 0 });
		if (!ref_is_digest(ref.digest))
			return refuse(text, digest.at,
				      "a digest is sha256: and 64, or sha512: and "
				      "128 lower-case hex digits",
				      err);
	}
	if (split_name(text, name, &ref, err) < 0)
		return -1;
	if (!ref.tag[0] && !ref.digest[0])
		strcpy(ref.tag, "latest");
	*out = ref;
	return 0;
}

int ref_parse(const char *text, struct ref *out, struct err *err)
{
	if (parse(text, out, err) == 0)
		return 0;
	text_plain(err->msg);
	return -1;
}

static const char *familiar_path(const struct ref *ref)
{
	const char *path = ref->path;

	if (strcmp(ref->domain, "docker.io") == 0 && text_starts(path, "library/") &&
	    !strchr(path + strlen("library/"), '/'))
		path += strlen("library/");
	return path;
}

/* Without the domain "library" or "localhost.x" as first component would be read as another name.
 */
static bool can_hide_domain(const struct ref *ref)
{
	const char *path = familiar_path(ref);
	struct slice first, rest;

	if (strcmp(ref->domain, "docker.io") != 0)
		return false;
	return !slice_split(SLICE(path), '/', &first, &rest) || !is_domain(first);
}

char *ref_familiar_repository(const struct ref *ref, char *out, size_t size)
{
	bool hide = can_hide_domain(ref);

	snprintf(out, size, "%s%s%s", hide ? "" : ref->domain, hide ? "" : "/",
		 hide ? familiar_path(ref) : ref->path);
	return out;
}

char *ref_repository(const struct ref *ref, char *out, size_t size)
{
	snprintf(out, size, "%s/%s", ref->domain, ref->path);
	return out;
}

static char *with_target(const struct ref *ref, char *out, size_t size)
{
	size_t used = strlen(out);

	snprintf(out + used, size - used, "%s%s%s%s", ref->tag[0] ? ":" : "", ref->tag,
		 ref->digest[0] ? "@" : "", ref->digest);
	return out;
}

char *ref_canonical(const struct ref *ref, char *out, size_t size)
{
	return with_target(ref, ref_repository(ref, out, size), size);
}

char *ref_familiar(const struct ref *ref, char *out, size_t size)
{
	return with_target(ref, ref_familiar_repository(ref, out, size), size);
}

const char *ref_target(const struct ref *ref)
{
	return ref->digest[0] ? ref->digest : ref->tag;
}

const char *ref_api_host(const char *domain)
{
	return strcmp(domain, "docker.io") == 0 ? "registry-1.docker.io" : domain;
}

bool ref_is_digest(const char *text)
{
	struct slice algorithm, hex;

	if (!slice_split(SLICE(text), ':', &algorithm, &hex) || !is_hex(hex))
		return false;
	return (slice_is(algorithm, "sha256") && hex.len == 64) ||
	       (slice_is(algorithm, "sha512") && hex.len == 128);
}

static struct slice bare_id(const char *text)
{
	return SLICE(text_starts(text, "sha256:") ? text + strlen("sha256:") : text);
}

bool ref_is_id(const char *text)
{
	struct slice id = bare_id(text);

	return id.len == REF_ID_LEN && is_hex(id);
}

bool ref_may_be_short_id(const char *text)
{
	struct slice id = bare_id(text);

	return id.len >= 4 && id.len <= REF_ID_LEN && is_hex(id);
}

bool ref_is_tag(const char *text)
{
	struct err err = ERR_NONE;

	return check_tag(text, SLICE(text), &err) == 0;
}

bool ref_is_path(const char *text)
{
	struct err err = ERR_NONE;

	return strlen(text) <= REF_NAME_MAX && check_path(text, SLICE(text), &err) == 0;
}
