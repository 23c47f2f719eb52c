/* runtime/systemd_unit - what config.json asks for, as properties of a systemd unit.
 *
 * Owns: names and conversions of properties. May not touch: the bus (cgroup_systemd).
 */
#include "runtime/systemd_unit.h"

#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/file.h"
#include "base/num.h"
#include "base/text.h"
#include "runtime/cgroup_internal.h"
#include "runtime/device_rules.h"

#define QUOTA_STEP_US     10000 /* systemd rounds to it */
#define PERIOD_DEFAULT_US 100000
#define CPUS_MAX          8192
#define ANNOTATION_PREFIX "org.systemd.property."

char *systemd_slice_path(const char *slice, struct err *err)
{
	size_t len = strlen(slice), stem = len > 6 ? len - 6 : 0;
	char *out = NULL, *path = xstrdup("");

	if (strcmp(slice, "-.slice") == 0)
		return path;
	free(path);
	if (!stem || strcmp(slice + stem, ".slice") != 0 || strchr(slice, '/') || slice[0] == '-' ||
	    slice[stem - 1] == '-' || strstr(slice, "--")) {
		err_set(err, ERR_INVALID, "linux.cgroupsPath: %.100s is no slice of systemd",
			slice);
		return NULL;
	}
	out = xcalloc(1, 1);
	for (size_t i = 1; i <= stem; i++) {
		char *longer;

		if (i < stem && slice[i] != '-')
			continue;
		longer = xformat("%s/%.*s.slice", out, (int)i, slice);
		free(out);
		out = longer;
	}
	return out;
}

static void put_name(struct dbus_body *body, const char *name, const char *type)
{
	dbus_pad(body, 8);
	dbus_put_text(body, name);
	dbus_put_signature(body, type);
}

void systemd_put_text(struct dbus_body *body, const char *name, const char *text)
{
	put_name(body, name, "s");
	dbus_put_text(body, text);
}

void systemd_put_bool(struct dbus_body *body, const char *name, bool value)
{
	put_name(body, name, "b");
	dbus_put_u32(body, value);
}

static void put_u64(struct dbus_body *body, const char *name, uint64_t value)
{
	put_name(body, name, "t");
	dbus_put_u64(body, value);
}

/* -1: no limit. 0: was not asked for. */
static void put_limit(struct dbus_body *body, const char *name, int64_t value)
{
	if (value)
		put_u64(body, name, value < 0 ? UINT64_MAX : (uint64_t)value);
}

static void put_cpu(struct dbus_body *body, const struct config_resources *r, bool is_v2)
{
	uint64_t period =
		r->cpu_period.value > 0 ? (uint64_t)r->cpu_period.value : PERIOD_DEFAULT_US;

	if (r->cpu_shares.value > 0 && !r->cpu_idle.value)
		put_u64(body, is_v2 ? "CPUWeight" : "CPUShares",
			is_v2 ? cgroup_weight_of_shares((uint64_t)r->cpu_shares.value)
			      : (uint64_t)r->cpu_shares.value);
	if (r->cpu_quota.value < 0)
		put_u64(body, "CPUQuotaPerSecUSec", UINT64_MAX);
	if (r->cpu_quota.value > 0) {
		uint64_t steps = period * QUOTA_STEP_US;
		uint64_t wanted = (uint64_t)r->cpu_quota.value * 1000000;

		put_u64(body, "CPUQuotaPerSecUSec", (wanted + steps - 1) / steps * QUOTA_STEP_US);
	}
	if (r->cpu_period.value > 0)
		put_u64(body, "CPUQuotaPeriodUSec", period);
}

static void put_memory(struct dbus_body *body, const struct config_resources *r, bool is_v2)
{
	put_limit(body, is_v2 ? "MemoryMax" : "MemoryLimit", r->memory_limit.value);
	if (!is_v2)
		return;
	put_limit(body, "MemoryLow", r->memory_reservation.value);
	if (r->memory_swap.value < 0)
		put_u64(body, "MemorySwapMax", UINT64_MAX);
	else if (r->memory_swap.value > 0 && r->memory_limit.value > 0)
		put_u64(body, "MemorySwapMax",
			(uint64_t)(r->memory_swap.value - r->memory_limit.value));
}

/* "0-2,5" to a mask, lowest byte first. What is no list is left to the kernel's own file. */
static void put_mask(struct dbus_body *body, const char *name, const char *list)
{
	unsigned char mask[CPUS_MAX / 8] = { 0 };
	struct slice rest = SLICE(list), part, low, high;
	struct err ignored = ERR_NONE;
	size_t mark, used = 0;

	while (slice_next(&rest, ',', &part)) {
		uint64_t first, last;

		slice_split(part, '-', &low, &high);
		if (num_parse_u64(name, low.at, low.len, 0, CPUS_MAX - 1, &first, &ignored) < 0)
			return;
		last = first;
		if (high.len && num_parse_u64(name, high.at, high.len, first, CPUS_MAX - 1, &last,
					      &ignored) < 0)
			return;
		for (; first <= last; first++) {
			mask[first / 8] |= (unsigned char)(1u << first % 8);
			used = first / 8 + 1 > used ? first / 8 + 1 : used;
		}
	}
	put_name(body, name, "ay");
	mark = dbus_array_begin(body, 1);
	for (size_t i = 0; i < used; i++)
		dbus_put_u8(body, mask[i]);
	dbus_array_end(body, mark, 1);
}

/* "136 pts" below the heading of its kind in /proc/devices; NULL when the kernel has none. */
static char *device_group(const char *devices, char type, int64_t major)
{
	const char *heading = type == 'b' ? "Block devices:" : "Character devices:";
	struct slice rest = SLICE(devices), line;
	bool is_below = false;

	while (slice_next(&rest, '\n', &line)) {
		struct slice number, name;
		struct err ignored = ERR_NONE;
		uint64_t value;

		is_below = line.len && (is_below || slice_is(line, heading));
		slice_split(slice_trim(line), ' ', &number, &name);
		if (is_below &&
		    num_parse_u64("major", number.at, number.len, 0, UINT32_MAX, &value,
				  &ignored) == 0 &&
		    value == (uint64_t)major)
			return xformat("%s-%.*s", type == 'b' ? "block" : "char", (int)name.len,
				       name.at);
	}
	return NULL;
}

static char *device_text(const struct config_device_rule *rule, const char *devices)
{
	const char *kind = rule->type == 'b' ? "block" : "char";

	if (rule->major < 0)
		return rule->minor < 0 ? xformat("%s-*", kind) : NULL;
	return rule->minor < 0
		       ? device_group(devices, rule->type, rule->major)
		       : xformat("/dev/%s/%" PRId64 ":%" PRId64, kind, rule->major, rule->minor);
}

/* Only lists that systemd can express: nothing, then what is allowed. It writes them anew when it
 * is reloaded, which must not take a device away; others stand in the kernel alone. */
static void put_devices(struct dbus_body *body, const struct config_resources *r)
{
	AUTO(free) struct config_device_rule *rules = NULL;
	AUTO(free) char *devices = NULL;
	struct err ignored = ERR_NONE;
	size_t count = device_rules_complete(r, &rules), mark, len;

	if (!count || !device_rules_deny_first(rules, count) ||
	    file_read(AT_FDCWD, "/proc/devices", 65536, &devices, &len, &ignored) < 0)
		return;
	for (size_t i = 1; i < count; i++)
		if (!rules[i].allow || rules[i].type == 'a')
			return;
	systemd_put_text(body, "DevicePolicy", "strict");
	put_name(body, "DeviceAllow", "a(ss)");
	mark = dbus_array_begin(body, 8);
	for (size_t i = 1; i < count; i++) {
		AUTO(free) char *text = device_text(&rules[i], devices);
		char access[4];

		if (!text)
			continue;
		snprintf(access, sizeof(access), "%s%s%s", rules[i].access & DEVICE_READ ? "r" : "",
			 rules[i].access & DEVICE_WRITE ? "w" : "",
			 rules[i].access & DEVICE_MKNOD ? "m" : "");
		dbus_pad(body, 8);
		dbus_put_text(body, text);
		dbus_put_text(body, access);
	}
	dbus_array_end(body, mark, 8);
}

void systemd_put_limits(struct dbus_body *body, const struct config_resources *r, unsigned flags)
{
	bool is_v2 = flags & SYSTEMD_V2;

	put_cpu(body, r, is_v2);
	put_memory(body, r, is_v2);
	if (is_v2 && r->cpus)
		put_mask(body, "AllowedCPUs", r->cpus);
	if (is_v2 && r->mems)
		put_mask(body, "AllowedMemoryNodes", r->mems);
	put_limit(body, "TasksMax", r->pids_limit.value);
	if (r->blkio_weight.value > 0)
		put_u64(body, is_v2 ? "IOWeight" : "BlockIOWeight",
			is_v2 ? cgroup_weight_of_blkio((uint64_t)r->blkio_weight.value)
			      : (uint64_t)r->blkio_weight.value);
	if (!(flags & SYSTEMD_UPDATE) || r->device_count)
		put_devices(body, r);
}

/* 'text' or "text": without its quotes, in place; NULL when it is none. */
static char *unquoted(char *text)
{
	size_t len = strlen(text);

	if (len < 2 || (text[0] != '\'' && text[0] != '"') || text[len - 1] != text[0])
		return NULL;
	text[len - 1] = '\0';
	return text + 1;
}

static char *trimmed(char *text)
{
	size_t len;

	text += strspn(text, " ");
	len = strlen(text);
	while (len && text[len - 1] == ' ')
		text[--len] = '\0';
	return text;
}

static bool put_texts(struct dbus_body *body, const char *name, char *list)
{
	char *save = NULL;
	size_t mark;

	list[strlen(list) - 1] = '\0';
	put_name(body, name, "as");
	mark = dbus_array_begin(body, 4);
	for (char *item = strtok_r(list + 1, ",", &save); item; item = strtok_r(NULL, ",", &save)) {
		char *text = unquoted(trimmed(item));

		if (!text)
			return false;
		dbus_put_text(body, text);
	}
	dbus_array_end(body, mark, 4);
	return true;
}

static bool put_number(struct dbus_body *body, const char *name, const char *text)
{
	static const struct {
		const char *word, *type;
		unsigned width;
	} types[] = {
		{"uint64 ",  "t", 8},
		{ "int64 ",  "x", 8},
		{ "uint32 ", "u", 4},
		{ "int32 ",  "i", 4},
	};
	const char *type = "i";
	struct err ignored = ERR_NONE;
	unsigned width = 4;
	bool negative;
	uint64_t number;

	for (size_t i = 0; i < sizeof(types) / sizeof(*types); i++)
		if (text_starts(text, types[i].word)) {
			text += strlen(types[i].word);
			type = types[i].type;
			width = types[i].width;
		}
	negative = *text == '-';
	text += negative;
	if (num_parse_u64(name, text, strlen(text), 0, width == 8 ? UINT64_MAX : UINT32_MAX,
			  &number, &ignored) < 0)
		return false;
	number = negative ? 0 - number : number;
	put_name(body, name, type);
	if (width == 8)
		dbus_put_u64(body, number);
	else
		dbus_put_u32(body, (uint32_t)number);
	return true;
}

static bool put_variant(struct dbus_body *body, const char *name, char *text)
{
	char *plain;

	text = trimmed(text);
	if (strcmp(text, "true") == 0 || strcmp(text, "false") == 0) {
		systemd_put_bool(body, name, *text == 't');
		return true;
	}
	if (text[0] == '[' && text[strlen(text) - 1] == ']')
		return put_texts(body, name, text);
	plain = unquoted(text);
	if (plain) {
		systemd_put_text(body, name, plain);
		return true;
	}
	return put_number(body, name, text);
}

/* "TimeoutStopSec" of whole seconds is "TimeoutStopUSec" on the bus. */
static bool put_seconds(struct dbus_body *body, const char *name, const char *text)
{
	size_t stem = strlen(name) - 3;
	AUTO(free) char *micro = xformat("%.*sUSec", (int)stem, name);
	struct err ignored = ERR_NONE;
	const char *digits = strchr(text, ' ') ? strchr(text, ' ') + 1 : text;
	uint64_t seconds;

	if (num_parse_u64(name, digits, strlen(digits), 0, UINT64_MAX / 1000000, &seconds,
			  &ignored) < 0)
		return false;
	put_u64(body, micro, seconds * 1000000);
	return true;
}

int systemd_put_annotations(struct dbus_body *body, const struct config_pairs *annotations,
			    struct err *err)
{
	for (size_t i = 0; i < annotations->count; i++) {
		const struct config_pair *pair = &annotations->at[i];
		const char *name = pair->key + strlen(ANNOTATION_PREFIX);
		AUTO(free) char *value = xstrdup(pair->value);
		size_t len;

		if (!text_starts(pair->key, ANNOTATION_PREFIX))
			continue;
		len = strlen(name);
		if (len > 3 && strcmp(name + len - 3, "Sec") == 0 &&
				    !(len > 4 && strcmp(name + len - 4, "USec") == 0)
			    ? put_seconds(body, name, value)
			    : len > 0 && put_variant(body, name, value))
			continue;
		return err_set(err, ERR_INVALID, "annotations.%.100s: cannot read \"%.60s\"",
			       pair->key, pair->value);
	}
	return 0;
}
