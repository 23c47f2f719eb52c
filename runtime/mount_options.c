/* runtime/mount_options - the options of a mount, split by one table.
 *
 * Owns: what each word means. May not touch: mounts.
 */
#include "runtime/mount_options.h"

#include <linux/mount.h>
#include <string.h>

enum option_kind {
	SET,
	CLEAR,
	REC_SET,
	REC_CLEAR,
	ATIME,
	REC_ATIME,
	PROPAGATE,
	REC_PROPAGATE,
	FLAG,
	SB_FLAG,
	NOTHING
};

enum { BIND, RBIND, REMOUNT, TMPCOPYUP, COPY_SYMLINK, IDMAP, RIDMAP };

static const struct option {
	const char *name;
	enum option_kind kind;
	uint64_t value;
} options[] = {
  /* clang-format off */
	{ "acl", SB_FLAG, 0 },           { "async", SB_FLAG, 0 },
	{ "atime", CLEAR, MOUNT_ATTR_NOATIME },
	{ "bind", FLAG, BIND },
	{ "copy-symlink", FLAG, COPY_SYMLINK },
	{ "defaults", NOTHING, 0 },
	{ "dev", CLEAR, MOUNT_ATTR_NODEV },
	{ "diratime", CLEAR, MOUNT_ATTR_NODIRATIME },
	{ "dirsync", SB_FLAG, 0 },
	{ "exec", CLEAR, MOUNT_ATTR_NOEXEC },
	{ "idmap", FLAG, IDMAP },
	{ "iversion", SB_FLAG, 0 },      { "lazytime", SB_FLAG, 0 },
	{ "loud", NOTHING, 0 },          { "mand", SB_FLAG, 0 },
	{ "noacl", SB_FLAG, 0 },
	{ "noatime", ATIME, MOUNT_ATTR_NOATIME },
	{ "nodev", SET, MOUNT_ATTR_NODEV },
	{ "nodiratime", SET, MOUNT_ATTR_NODIRATIME },
	{ "noexec", SET, MOUNT_ATTR_NOEXEC },
	{ "noiversion", NOTHING, 0 },    { "nolazytime", SB_FLAG, 0 },
	{ "nomand", NOTHING, 0 },
	{ "norelatime", ATIME, MOUNT_ATTR_STRICTATIME },
	{ "nostrictatime", CLEAR, MOUNT_ATTR_STRICTATIME },
	{ "nosuid", SET, MOUNT_ATTR_NOSUID },
	{ "nosymfollow", SET, MOUNT_ATTR_NOSYMFOLLOW },
	{ "private", PROPAGATE, MS_PRIVATE },
	{ "ratime", REC_CLEAR, MOUNT_ATTR_NOATIME },
	{ "rbind", FLAG, RBIND },
	{ "rdev", REC_CLEAR, MOUNT_ATTR_NODEV },
	{ "rdiratime", REC_CLEAR, MOUNT_ATTR_NODIRATIME },
	{ "relatime", ATIME, MOUNT_ATTR_RELATIME },
	{ "remount", FLAG, REMOUNT },
	{ "rexec", REC_CLEAR, MOUNT_ATTR_NOEXEC },
	{ "ridmap", FLAG, RIDMAP },
	{ "rnoatime", REC_ATIME, MOUNT_ATTR_NOATIME },
	{ "rnodev", REC_SET, MOUNT_ATTR_NODEV },
	{ "rnodiratime", REC_SET, MOUNT_ATTR_NODIRATIME },
	{ "rnoexec", REC_SET, MOUNT_ATTR_NOEXEC },
	{ "rnorelatime", REC_ATIME, MOUNT_ATTR_STRICTATIME },
	{ "rnostrictatime", REC_ATIME, MOUNT_ATTR_RELATIME },
	{ "rnosuid", REC_SET, MOUNT_ATTR_NOSUID },
	{ "rnosymfollow", REC_SET, MOUNT_ATTR_NOSYMFOLLOW },
	{ "ro", SET, MOUNT_ATTR_RDONLY },
	{ "rprivate", REC_PROPAGATE, MS_PRIVATE },
	{ "rrelatime", REC_ATIME, MOUNT_ATTR_RELATIME },
	{ "rro", REC_SET, MOUNT_ATTR_RDONLY },
	{ "rrw", REC_CLEAR, MOUNT_ATTR_RDONLY },
	{ "rshared", REC_PROPAGATE, MS_SHARED },
	{ "rslave", REC_PROPAGATE, MS_SLAVE },
	{ "rstrictatime", REC_ATIME, MOUNT_ATTR_STRICTATIME },
	{ "rsuid", REC_CLEAR, MOUNT_ATTR_NOSUID },
	{ "rsymfollow", REC_CLEAR, MOUNT_ATTR_NOSYMFOLLOW },
	{ "runbindable", REC_PROPAGATE, MS_UNBINDABLE },
	{ "rw", CLEAR, MOUNT_ATTR_RDONLY },
	{ "shared", PROPAGATE, MS_SHARED },
	{ "silent", NOTHING, 0 },
	{ "slave", PROPAGATE, MS_SLAVE },
	{ "strictatime", ATIME, MOUNT_ATTR_STRICTATIME },
	{ "suid", CLEAR, MOUNT_ATTR_NOSUID },
	{ "symfollow", CLEAR, MOUNT_ATTR_NOSYMFOLLOW },
	{ "sync", SB_FLAG, 0 },
	{ "tmpcopyup", FLAG, TMPCOPYUP },
	{ "unbindable", PROPAGATE, MS_UNBINDABLE },
  /* clang-format on */
};

#define OPTION_COUNT (sizeof(options) / sizeof(options[0]))

const char *mount_option_name(size_t index)
{
	return index < OPTION_COUNT ? options[index].name : NULL;
}

static const struct option *find(const char *word)
{
	for (size_t i = 0; i < OPTION_COUNT; i++)
		if (strcmp(options[i].name, word) == 0)
			return &options[i];
	return NULL;
}

static void add_data(struct arena *arena, const char *word, struct mount_options *out)
{
	struct mount_option *option =
		arena_grow(arena, &out->data, &out->data_count, sizeof(*option));
	const char *equals = strchr(word, '=');

	option->key = equals ? arena_strndup(arena, word, (size_t)(equals - word)) : word;
	option->value = equals ? equals + 1 : NULL;
}

static void take_flag(uint64_t flag, struct mount_options *out)
{
	switch (flag) {
	case RBIND:
		out->recursive_bind = true;
		out->bind = true;
		break;
	case BIND:
		out->bind = true;
		break;
	case REMOUNT:
		out->remount = true;
		break;
	case TMPCOPYUP:
		out->tmpcopyup = true;
		break;
	case COPY_SYMLINK:
		out->copy_symlink = true;
		break;
	case RIDMAP:
		out->recursive_idmap = true;
		out->idmap = true;
		break;
	default:
		out->idmap = true;
	}
}

static void take_attr(const struct option *option, struct mount_options *out)
{
	bool recursive =
		option->kind == REC_SET || option->kind == REC_CLEAR || option->kind == REC_ATIME;
	uint64_t *set = recursive ? &out->rec_set : &out->attr_set;
	uint64_t *clear = recursive ? &out->rec_clear : &out->attr_clear;

	switch (option->kind) {
	case SET:
	case REC_SET:
		*set |= option->value;
		*clear &= ~option->value;
		break;
	case ATIME: /* the access time modes exclude each other: clear them all, set one */
	case REC_ATIME:
		*set = (*set & ~(uint64_t)MOUNT_ATTR__ATIME) | option->value;
		*clear |= MOUNT_ATTR__ATIME;
		break;
	default:
		*set &= ~option->value;
		*clear |= option->value & MOUNT_ATTR__ATIME ? (uint64_t)MOUNT_ATTR__ATIME
							    : option->value;
		break;
	}
	if (!recursive)
		out->attr_named |= option->value & MOUNT_ATTR__ATIME || option->kind == ATIME
					   ? (uint64_t)MOUNT_ATTR__ATIME
					   : option->value;
}

void mount_options_parse(struct arena *arena, const struct config_texts *words,
			 struct mount_options *out)
{
	*out = (struct mount_options){ 0 };
	for (size_t i = 0; i < words->count; i++) {
		const struct option *option = find(words->at[i]);

		if (!option || option->kind == SB_FLAG) {
			if (words->at[i][0])
				add_data(arena, words->at[i], out);
			continue;
		}
		switch (option->kind) {
		case FLAG:
			take_flag(option->value, out);
			break;
		case PROPAGATE:
		case REC_PROPAGATE:
			if (out->propagation_count == 4)
				break;
			out->propagation_recursive[out->propagation_count] =
				option->kind == REC_PROPAGATE;
			out->propagation[out->propagation_count++] = option->value;
			break;
		case NOTHING:
			break;
		default:
			take_attr(option, out);
		}
	}
}
