/* specs/checks - grammars of single texts: image, signal, address, policy ...
 *
 * Owns: the small grammars that have no form of their own. May not touch: files, the tree.
 */
#include "specs/checks.h"

#include <arpa/inet.h>
#include <regex.h>
#include <string.h>
#include <strings.h>

#include "base/num.h"
#include "base/process.h"
#include "base/text.h"
#include "specs/short_forms.h"
#include "specs/units.h"

#define ALNUM       "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
#define IMAGE_MAX   512u
#define PATTERN_MAX 1024u
#define FIELDS      5u /* of a schedule */

static const char *const capabilities[] = {
	"ALL",
	"AUDIT_CONTROL",
	"AUDIT_READ",
	"AUDIT_WRITE",
	"BLOCK_SUSPEND",
	"BPF",
	"CHECKPOINT_RESTORE",
	"CHOWN",
	"DAC_OVERRIDE",
	"DAC_READ_SEARCH",
	"FOWNER",
	"FSETID",
	"IPC_LOCK",
	"IPC_OWNER",
	"KILL",
	"LEASE",
	"LINUX_IMMUTABLE",
	"MAC_ADMIN",
	"MAC_OVERRIDE",
	"MKNOD",
	"NET_ADMIN",
	"NET_BIND_SERVICE",
	"NET_BROADCAST",
	"NET_RAW",
	"PERFMON",
	"SETFCAP",
	"SETGID",
	"SETPCAP",
	"SETUID",
	"SYSLOG",
	"SYS_ADMIN",
	"SYS_BOOT",
	"SYS_CHROOT",
	"SYS_MODULE",
	"SYS_NICE",
	"SYS_PACCT",
	"SYS_PTRACE",
	"SYS_RAWIO",
	"SYS_RESOURCE",
	"SYS_TIME",
	"SYS_TTY_CONFIG",
	"WAKE_ALARM",
	NULL,
};
static const char *const pull_policies[] = { "always",         "never",   "missing",
					     "if_not_present", "build",   "daily",
					     "weekly",         "refresh", NULL };
static const char *const security_keys[] = {
	"no-new-privileges", "seccomp", "systempaths", "apparmor", "label", "unmask", "mask",
	"credentialspec",    NULL
};
static const char *const nicknames[] = { "@yearly", "@annually", "@monthly", "@weekly",
					 "@daily",  "@midnight", "@hourly",  NULL };

static bool is_one_of(const char *const *words, const char *text)
{
	for (; *words; words++)
		if (strcmp(*words, text) == 0)
			return true;
	return false;
}

static int refuse_near(const char *text, const char *const *words, const char *what,
		       struct err *err)
{
	const char *near = text_near_in(text, words);

	return err_set(err, ERR_INVALID, "\"%.60s\" is no %s%s%s%s", text, what,
		       near ? " (did you mean \"" : "", near ? near : "", near ? "\"?)" : "");
}

int check_capability(const char *text, struct err *err)
{
	const char *name = strncasecmp(text, "CAP_", 4) == 0 ? text + 4 : text;

	for (size_t i = 0; capabilities[i]; i++)
		if (strcasecmp(capabilities[i], name) == 0)
			return 0;
	return refuse_near(name, capabilities, "capability", err);
}

int check_container_name(const char *text, struct err *err)
{
	size_t len = strlen(text);

	if (len > 1 && strspn(text, ALNUM) > 0 && strspn(text, ALNUM "_.-") == len)
		return 0;
	return err_set(err, ERR_INVALID,
		       "\"%.60s\" is no container name (want two or more of a-z A-Z 0-9 _ . -, "
		       "the first a letter or digit)",
		       text);
}

int check_device_rule(const char *text, struct err *err)
{
	const char *at = text;
	size_t major, minor;

	if (!strchr("abc", *at) || !*at || at[1] != ' ')
		return err_set(err, ERR_INVALID, "\"%.60s\": want \"c 1:3 rwm\"", text);
	at += 2;
	major = *at == '*' ? 1 : num_digits(at, strlen(at));
	minor = at[major] != ':'       ? 0
		: at[major + 1] == '*' ? 1
				       : num_digits(at + major + 1, strlen(at + major + 1));
	at += major + 1 + minor;
	if (major == 0 || minor == 0 || *at != ' ' || !at[1] ||
	    strspn(at + 1, "rwm") != strlen(at + 1))
		return err_set(err, ERR_INVALID, "\"%.60s\": want \"c 1:3 rwm\"", text);
	return 0;
}

int check_http_path(const char *text, struct err *err)
{
	return text[0] == '/' ? 0
			      : err_set(err, ERR_INVALID, "\"%.60s\" does not start with /", text);
}

int check_idmap(const char *text, struct err *err)
{
	struct slice user, group;
	uint64_t id;

	if (strcmp(text, "caller") == 0)
		return 0;
	if (slice_split(SLICE(text), ':', &user, &group) &&
	    num_parse_u64("uid", user.at, user.len, 0, UINT32_MAX - 1, &id, err) == 0 &&
	    num_parse_u64("gid", group.at, group.len, 0, UINT32_MAX - 1, &id, err) == 0)
		return 0;
	return err_set(err, ERR_INVALID, "\"%.60s\": want caller, or UID:GID", text);
}

/* Does the name have capitals behind its registry host? */
static bool has_capitals(const char *text, size_t len)
{
	const char *slash = memchr(text, '/', len);
	size_t host = slash ? (size_t)(slash - text) : 0;

	if (host && (memchr(text, '.', host) || memchr(text, ':', host))) {
		text += host;
		len -= host;
	}
	for (size_t i = 0; i < len; i++)
		if (text[i] >= 'A' && text[i] <= 'Z')
			return true;
	return false;
}

int check_image(const char *text, struct err *err)
{
	const char *at = strchr(text, '@'), *slash = strrchr(text, '/');
	size_t len = strlen(text), name_len = at ? (size_t)(at - text) : len;
	const char *colon = memrchr(text, ':', name_len);

	if (len == 0)
		return 0;
	if (len > IMAGE_MAX || strspn(text, ALNUM "._-/:@[]") != len ||
	    !strchr(ALNUM "[", text[0]) || (slash && !slash[1]) || strstr(text, "//"))
		return err_set(err, ERR_INVALID, "\"%.60s\" is no image reference", text);
	if (at && (strncmp(at, "@sha256:", 8) != 0 || strlen(at) != 8 + 64) &&
	    (strncmp(at, "@sha512:", 8) != 0 || strlen(at) != 8 + 128))
		return err_set(err, ERR_INVALID, "\"%.60s\": the digest is none (want @sha256:...)",
			       text);
	if (colon && (!slash || colon > slash)) {
		if (colon == text + name_len - 1)
			return err_set(err, ERR_INVALID, "\"%.60s\": an empty tag", text);
		name_len = (size_t)(colon - text);
	}
	if (has_capitals(text, name_len))
		return err_set(err, ERR_INVALID, "\"%.60s\": names of images have no capitals",
			       text);
	return 0;
}

int check_ip(const char *text, struct err *err)
{
	return short_is_ip(text) ? 0
				 : err_set(err, ERR_INVALID, "\"%.60s\" is no IP address", text);
}

/* "service:X" or "container:X" with a name behind the colon. */
static bool is_shared(const char *text)
{
	return (text_starts(text, "service:") && text[8]) ||
	       (text_starts(text, "container:") && text[10]);
}

int check_ipc(const char *text, struct err *err)
{
	static const char *const words[] = { "host", "private", "shareable", "none", "", NULL };

	if (is_shared(text) || is_one_of(words, text))
		return 0;
	return err_set(err, ERR_INVALID,
		       "\"%.60s\": want host, private, shareable, service:NAME or container:NAME",
		       text);
}

int check_pid(const char *text, struct err *err)
{
	static const char *const words[] = { "host", "private", "", NULL };

	if (is_shared(text) || is_one_of(words, text))
		return 0;
	return err_set(err, ERR_INVALID,
		       "\"%.60s\": want host, private, service:NAME or container:NAME", text);
}

int check_log_driver(const char *text, struct err *err)
{
	if (*text && strspn(text, ALNUM "._-/:") == strlen(text))
		return 0;
	return err_set(err, ERR_INVALID, "\"%.60s\" is no log driver", text);
}

int check_mac(const char *text, struct err *err)
{
	size_t len = strlen(text);

	for (size_t i = 0; i < len; i++)
		if (i % 3 == 2 ? text[i] != ':' && text[i] != '-'
			       : !strchr("0123456789abcdefABCDEF", text[i]))
			len = 0;
	if (len == 17)
		return 0;
	return err_set(err, ERR_INVALID, "\"%.60s\" is no MAC (want 02:42:ac:11:00:02)", text);
}

int check_permissions(const char *text, struct err *err)
{
	if (*text && strspn(text, "rwm") == strlen(text))
		return 0;
	return err_set(err, ERR_INVALID, "\"%.60s\": permissions are made of r, w and m", text);
}

int check_platform(const char *text, struct err *err)
{
	struct slice rest = SLICE(text), part;
	size_t parts = 0;
	bool empty = false;

	while (slice_next(&rest, '/', &part)) {
		parts++;
		empty |= part.len == 0;
	}
	if (parts <= 3 && !empty && strspn(text, ALNUM "._-/") == strlen(text))
		return 0;
	return err_set(err, ERR_INVALID, "\"%.60s\" is no platform (want os/arch[/variant])", text);
}

int check_published(const char *text, struct err *err)
{
	unsigned low, high;

	return *text ? short_port_range(text, &low, &high, err) : 0;
}

int check_pull_policy(const char *text, struct err *err)
{
	uint64_t us;

	if (is_one_of(pull_policies, text))
		return 0;
	if (text_starts(text, "every_")) {
		if (units_parse_duration(text + 6, &us, err) < 0)
			return err_wrap(err, "\"%.60s\"", text);
		return 0;
	}
	return refuse_near(text, pull_policies, "pull policy", err);
}

int check_regex(const char *text, struct err *err)
{
	char reason[120];
	regex_t regex;
	int code;

	if (!*text || strlen(text) > PATTERN_MAX)
		return err_set(err, ERR_INVALID, "want 1 to %u characters", PATTERN_MAX);
	code = regcomp(&regex, text, REG_EXTENDED | REG_NOSUB);
	if (code != 0) {
		regerror(code, &regex, reason, sizeof(reason));
		return err_set(err, ERR_INVALID, "\"%.60s\": %s", text, reason);
	}
	regfree(&regex);
	return 0;
}

int check_restart(const char *text, struct err *err)
{
	const char *word;
	uint64_t attempts;

	return *text ? short_restart(text, &word, &attempts, err) : 0;
}

/* One field of a schedule: "*", "5", "1-5", each with an optional "/STEP", in a comma list. */
static int check_field(struct slice field, unsigned low, unsigned high, struct err *err)
{
	struct slice part;
	uint64_t first, last, step;

	while (slice_next(&field, ',', &part)) {
		struct slice range, slash, left, right;

		if (slice_split(part, '/', &range, &slash) &&
		    num_parse_u64("step", slash.at, slash.len, 1, high, &step, err) < 0)
			return -1;
		if (slice_is(range, "*"))
			continue;
		if (num_parse_u64("field", range.at, num_digits(range.at, range.len), low, high,
				  &first, err) < 0)
			return -1;
		if (!slice_split(range, '-', &left, &right))
			last = first + (num_digits(range.at, range.len) == range.len ? 0 : 1000);
		else if (num_parse_u64("field", right.at, right.len, low, high, &last, err) < 0)
			return -1;
		if (last < first || last > high)
			return err_set(err, ERR_INVALID, "\"%.*s\" is no range", SLICE_ARG(range));
	}
	return 0;
}

int check_schedule(const char *text, struct err *err)
{
	static const struct {
		unsigned low, high;
	} limits[] = {
		{0,  59},
                { 0, 23},
                { 1, 31},
                { 1, 12},
                { 0, 7 }
	};
	struct slice rest = SLICE(text), field, parts[FIELDS];
	size_t fields = 0;
	uint64_t us;

	if (is_one_of(nicknames, text))
		return 0;
	if (text_starts(text, "@every ")) {
		if (units_parse_duration(text + 7, &us, err) < 0)
			return -1;
		return us > 0 ? 0 : err_set(err, ERR_INVALID, "\"%.60s\": never is no time", text);
	}
	while (slice_next(&rest, ' ', &field))
		if (field.len > 0 && fields++ < FIELDS)
			parts[fields - 1] = field;
	if (fields != FIELDS)
		return err_set(err, ERR_INVALID,
			       "\"%.60s\": want five fields (minute hour day month weekday), "
			       "@every 10m, or @daily",
			       text);
	for (size_t i = 0; i < FIELDS; i++)
		if (check_field(parts[i], limits[i].low, limits[i].high, err) < 0)
			return err_wrap(err, "\"%.60s\"", text);
	return 0;
}

int check_security_opt(const char *text, struct err *err)
{
	char key[64];
	size_t len = strcspn(text, "=:");

	if (len < sizeof(key)) {
		memcpy(key, text, len);
		key[len] = '\0';
		if (is_one_of(security_keys, key))
			return 0;
		return refuse_near(key, security_keys, "security option", err);
	}
	return err_set(err, ERR_INVALID, "\"%.60s\" is no security option", text);
}

int check_signal(const char *text, struct err *err)
{
	if (process_signal_number(text) > 0)
		return 0;
	return err_set(err, ERR_INVALID, "\"%.60s\" is no signal (want SIGTERM, TERM, 15, ...)",
		       text);
}

int check_subnet(const char *text, struct err *err)
{
	unsigned char address[sizeof(struct in6_addr)];
	struct slice left, right;
	char ip[INET6_ADDRSTRLEN];
	uint64_t bits;
	bool v6;

	if (!slice_split(SLICE(text), '/', &left, &right) || left.len >= sizeof(ip))
		return err_set(err, ERR_INVALID, "\"%.60s\" is no subnet (want 10.1.0.0/16)", text);
	memcpy(ip, left.at, left.len);
	ip[left.len] = '\0';
	v6 = strchr(ip, ':') != NULL;
	if (inet_pton(v6 ? AF_INET6 : AF_INET, ip, address) != 1 ||
	    num_parse_u64("prefix", right.at, right.len, 0, v6 ? 128 : 32, &bits, err) < 0)
		return err_set(err, ERR_INVALID, "\"%.60s\" is no subnet (want 10.1.0.0/16)", text);
	return 0;
}

int check_target(const char *text, struct err *err)
{
	if (text[0] == '/')
		return 0;
	return err_set(err, ERR_INVALID, "the target \"%.60s\" is not absolute", text);
}

int check_tmpfs(const char *text, struct err *err)
{
	return check_target(text, err);
}
