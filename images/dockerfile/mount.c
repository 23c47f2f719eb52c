/* images/dockerfile/mount - the value of RUN --mount.
 *
 * Owns: keys, their aliases, which type takes which, defaults.
 * May not touch: variables, the mounts themselves.
 */
#include "images/dockerfile/mount.h"

#include <string.h>

#include "base/num.h"

#define BIT(type) (1u << (type))
#define ALL       0x1fu
#define MODE_MAX  07777u

struct reader {
	struct df_report *report;
	struct df_place place;
	struct df_mount *mount;
	struct err *err;
	unsigned seen; /* bit per row */
};

static int bad_value(const struct reader *reader, const char *key, const char *value,
		     const char *want)
{
	return df_report_fail(reader->report, ERR_INVALID, reader->place, reader->err,
			      "--mount: %s is \"%.60s\": it can be %s", key, value, want);
}

static int choose(const struct reader *reader, const char *key, const char *value,
		  const char *const *names, const char *want, unsigned *out)
{
	for (unsigned i = 0; names[i]; i++)
		if (strcmp(value, names[i]) == 0) {
			*out = i;
			return 0;
		}
	return bad_value(reader, key, value, want);
}

static int set_sharing(struct reader *reader, const char *value)
{
	static const char *const names[] = { "shared", "private", "locked", NULL };
	unsigned sharing = 0;

	if (choose(reader, "sharing", value, names, "shared, private or locked", &sharing) < 0)
		return -1;
	reader->mount->sharing = (enum df_sharing)sharing;
	return 0;
}

static int set_bool(struct reader *reader, const char *key, const char *value, bool *out)
{
	static const char *const names[] = { "false", "true", "0", "1", "", NULL };
	unsigned at = 0;

	if (choose(reader, key, value, names, "true or false", &at) < 0)
		return -1;
	*out = at == 4 || at % 2;
	return 0;
}

static int set_read_only(struct reader *reader, const char *value)
{
	return set_bool(reader, "readonly", value, &reader->mount->read_only);
}

static int set_read_write(struct reader *reader, const char *value)
{
	bool writes = false;

	if (set_bool(reader, "rw", value, &writes) < 0)
		return -1;
	reader->mount->read_only = !writes;
	return 0;
}

static int set_required(struct reader *reader, const char *value)
{
	return set_bool(reader, "required", value, &reader->mount->required);
}

static int set_mode(struct reader *reader, const char *value)
{
	unsigned mode = 0;
	size_t n = 0;

	for (; value[n] >= '0' && value[n] <= '7' && mode <= MODE_MAX; n++)
		mode = mode * 8 + (unsigned)(value[n] - '0');
	if (!n || value[n] || mode > MODE_MAX)
		return bad_value(reader, "mode", value, "octal, up to 7777");
	reader->mount->mode = mode;
	return 0;
}

static int set_number(struct reader *reader, const char *key, const char *value, unsigned *out)
{
	struct err ignored = ERR_NONE;
	uint64_t number;

	if (num_parse_u64(key, value, strlen(value), 0, UINT32_MAX - 1, &number, &ignored) < 0)
		return bad_value(reader, key, value, "a number");
	*out = (unsigned)number;
	return 0;
}

static int set_uid(struct reader *reader, const char *value)
{
	return set_number(reader, "uid", value, &reader->mount->uid);
}

static int set_gid(struct reader *reader, const char *value)
{
	return set_number(reader, "gid", value, &reader->mount->gid);
}

/* 64m, 1G, 1gib, 4096. */
static int set_size(struct reader *reader, const char *value)
{
	size_t digits = num_digits(value, strlen(value));
	const char *unit = value + digits;
	static const char units[] = "bkmgt";
	const char *at = *unit ? strchr(units, *unit | 0x20) : units;
	struct err ignored = ERR_NONE;
	uint64_t number;

	if (!at ||
	    num_parse_u64("size", value, digits, 1, UINT64_MAX >> 41, &number, &ignored) < 0 ||
	    (unit[0] && unit[1] && strcmp(unit + 1, "b") && strcmp(unit + 1, "B") &&
	     strcmp(unit + 1, "ib") && strcmp(unit + 1, "iB")))
		return bad_value(reader, "size", value, "bytes such as 64m");
	reader->mount->size_bytes = number << (10 * (at - units));
	return 0;
}

/* Rows of one key stand together: aliases share the bit of the first. */
/* clang-format off */
static const struct {
	const char *key;
	unsigned types;
	size_t text_offset;                                       /* of a text field, when set is NULL */
	int (*set)(struct reader *reader, const char *value);
	const char *same_as;                                      /* the key that this one is an alias of */
} keys[] = {
	{ "type",        ALL,                                    0, NULL, NULL },
	{ "target",      ALL,                                    offsetof(struct df_mount, target), NULL, NULL },
	{ "dst",         ALL,                                    offsetof(struct df_mount, target), NULL, "target" },
	{ "destination", ALL,                                    offsetof(struct df_mount, target), NULL, "target" },
	{ "source",      BIT(DF_MOUNT_BIND) | BIT(DF_MOUNT_CACHE), offsetof(struct df_mount, source), NULL, NULL },
	{ "src",         BIT(DF_MOUNT_BIND) | BIT(DF_MOUNT_CACHE), offsetof(struct df_mount, source), NULL, "source" },
	{ "from",        BIT(DF_MOUNT_BIND) | BIT(DF_MOUNT_CACHE), offsetof(struct df_mount, from), NULL, NULL },
	{ "id",          BIT(DF_MOUNT_CACHE) | BIT(DF_MOUNT_SECRET) | BIT(DF_MOUNT_SSH), offsetof(struct df_mount, id), NULL, NULL },
	{ "env",         BIT(DF_MOUNT_SECRET),                   offsetof(struct df_mount, env), NULL, NULL },
	{ "sharing",     BIT(DF_MOUNT_CACHE),                    0, set_sharing, NULL },
	{ "readonly",    BIT(DF_MOUNT_BIND) | BIT(DF_MOUNT_CACHE), 0, set_read_only, NULL },
	{ "ro",          BIT(DF_MOUNT_BIND) | BIT(DF_MOUNT_CACHE), 0, set_read_only, "readonly" },
	{ "rw",          BIT(DF_MOUNT_BIND) | BIT(DF_MOUNT_CACHE), 0, set_read_write, "readonly" },
	{ "readwrite",   BIT(DF_MOUNT_BIND) | BIT(DF_MOUNT_CACHE), 0, set_read_write, "readonly" },
	{ "required",    BIT(DF_MOUNT_SECRET) | BIT(DF_MOUNT_SSH), 0, set_required, NULL },
	{ "mode",        BIT(DF_MOUNT_CACHE) | BIT(DF_MOUNT_SECRET) | BIT(DF_MOUNT_SSH), 0, set_mode, NULL },
	{ "uid",         BIT(DF_MOUNT_CACHE) | BIT(DF_MOUNT_SECRET) | BIT(DF_MOUNT_SSH), 0, set_uid, NULL },
	{ "gid",         BIT(DF_MOUNT_CACHE) | BIT(DF_MOUNT_SECRET) | BIT(DF_MOUNT_SSH), 0, set_gid, NULL },
	{ "size",        BIT(DF_MOUNT_TMPFS),                    0, set_size, NULL },
};
/* clang-format on */
#define KEY_COUNT (sizeof(keys) / sizeof(*keys))

static const char *const type_names[] = { "bind", "cache", "tmpfs", "secret", "ssh", NULL };

static const char *key_name(const void *ctx, size_t i)
{
	(void)ctx;
	return i < KEY_COUNT ? keys[i].key : NULL;
}

static size_t find_key(const char *name)
{
	size_t i = 0;

	while (i < KEY_COUNT && strcmp(keys[i].key, name) != 0)
		i++;
	return i;
}

static int read_field(struct reader *reader, const char *key, const char *value)
{
	size_t row = find_key(key), first;
	const char *near = row < KEY_COUNT ? NULL : text_near(key, key_name, NULL);

	if (row == KEY_COUNT)
		return df_report_fail(reader->report, ERR_INVALID, reader->place, reader->err,
				      "--mount has no key \"%.60s\"%s%s%s", key,
				      near ? " (did you mean " : "", near ? near : "",
				      near ? "?)" : "");
	if (!(keys[row].types & BIT(reader->mount->type)))
		return df_report_fail(reader->report, ERR_INVALID, reader->place, reader->err,
				      "--mount: type=%s takes no %s",
				      type_names[reader->mount->type], key);
	first = keys[row].same_as ? find_key(keys[row].same_as) : row;
	if (reader->seen & (1u << first))
		return df_report_fail(reader->report, ERR_INVALID, reader->place, reader->err,
				      "--mount: %s stands here a second time", keys[first].key);
	reader->seen |= 1u << first;
	if (keys[row].set)
		return keys[row].set(reader, value);
	if (keys[row].text_offset || first != 0)
		memcpy((char *)reader->mount + keys[row].text_offset, &value, sizeof(value));
	if (first != 0 && !*value)
		return bad_value(reader, key, value, "a text, but not empty");
	return 0;
}

static const char *text_of(struct arena *arena, struct slice text)
{
	return arena_strndup(arena, text.at, text.len);
}

static int finish(struct reader *reader)
{
	struct df_mount *mount = reader->mount;
	const char *slash;

	if (!mount->id && mount->type == DF_MOUNT_SSH)
		mount->id = "default";
	if (!mount->id && mount->type == DF_MOUNT_SECRET && mount->target) {
		slash = strrchr(mount->target, '/');
		mount->id = slash ? slash + 1 : mount->target;
	}
	if (mount->type == DF_MOUNT_SECRET && (!mount->id || !*mount->id))
		return df_report_fail(reader->report, ERR_INVALID, reader->place, reader->err,
				      "--mount: type=secret needs id= or target=");
	if (mount->type < DF_MOUNT_SECRET && !mount->target)
		return df_report_fail(reader->report, ERR_INVALID, reader->place, reader->err,
				      "--mount: type=%s needs target=", type_names[mount->type]);
	return 0;
}

/* type= may stand anywhere, and everything hangs on it: it is read first. */
static int read_type(struct reader *reader, struct slice rest)
{
	static const unsigned modes[] = { 0, 0755, 0, 0400, 0600 };
	struct slice field, key, value;
	unsigned type = DF_MOUNT_BIND;

	while (slice_next(&rest, ',', &field))
		if (slice_split(field, '=', &key, &value) && slice_is(key, "type") &&
		    choose(reader, "type", text_of(reader->report->arena, value), type_names,
			   "bind, cache, tmpfs, secret or ssh", &type) < 0)
			return -1;
	*reader->mount = (struct df_mount){ .type = (enum df_mount_type)type,
					    .read_only = type == DF_MOUNT_BIND,
					    .mode = modes[type] };
	return 0;
}

int df_mount_parse(struct df_report *report, struct df_place place, const char *text,
		   struct df_mount *out, struct err *err)
{
	struct reader reader = { report, place, out, err, 0 };
	struct slice rest = SLICE(text), field, key, value;

	if (read_type(&reader, rest) < 0)
		return -1;
	while (slice_next(&rest, ',', &field)) {
		slice_split(field, '=', &key, &value);
		if (read_field(&reader, text_of(report->arena, key),
			       text_of(report->arena, value)) < 0)
			return -1;
	}
	return finish(&reader);
}

const char *df_mount_from(struct arena *arena, const char *text)
{
	struct slice rest = SLICE(text), field, key, value;

	while (slice_next(&rest, ',', &field))
		if (slice_split(field, '=', &key, &value) && slice_is(key, "from"))
			return text_of(arena, value);
	return NULL;
}
