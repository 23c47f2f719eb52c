/* images/user - names of users and groups, looked up inside an image.
 *
 * Owns: the reading of passwd and group, which entry wins.
 * May not touch: the host's own passwd, anything outside of root_fd.
 */
#include "images/user.h"

#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "base/num.h"
#include "base/text.h"

#define FILE_MAX_BYTES (4u << 20)
#define ID_MAX         INT32_MAX
#define FIELDS         7

struct entry {
	struct slice field[FIELDS];
	size_t count;
};

/* "" when the file is absent or no regular file. */
static int read_table(int root_fd, const char *path, char **out_text, struct err *err)
{
	AUTO(fd) int fd = file_open_in_root(root_fd, path, O_RDONLY | O_NONBLOCK | O_NOCTTY, 0);
	struct stat st;
	size_t len;

	*out_text = NULL;
	if (fd < 0 || fstat(fd, &st) < 0 || !S_ISREG(st.st_mode))
		return 0;
	return file_read_fd(fd, path, FILE_MAX_BYTES, out_text, &len, err);
}

/* The next line with at least `min` fields; false at the end. */
static bool next_entry(struct slice *rest, size_t min, struct entry *out)
{
	struct slice line, fields;

	while (slice_next(rest, '\n', &line)) {
		line = slice_trim(line);
		if (line.len == 0 || line.at[0] == '#')
			continue;
		fields = line;
		out->count = 0;
		while (out->count < FIELDS && slice_next(&fields, ':', &out->field[out->count]))
			out->count++;
		if (out->count >= min)
			return true;
	}
	return false;
}

static bool to_id(struct slice text, uint32_t *out)
{
	struct err ignored = ERR_NONE;
	uint64_t value;

	if (num_parse_u64("id", text.at, text.len, 0, ID_MAX, &value, &ignored) < 0)
		return false;
	*out = (uint32_t)value;
	return true;
}

static bool same(struct slice a, struct slice b)
{
	return a.len == b.len && memcmp(a.at, b.at, a.len) == 0;
}

/* The line whose name is `key`, else the one whose number it is. id_field 2 in both files. */
static bool find_entry(const char *table, struct slice key, size_t min, struct entry *out)
{
	struct slice rest = SLICE(table ? table : "");
	struct entry entry, by_number;
	bool has_number = false;
	uint32_t wanted = 0, id;
	bool is_number = to_id(key, &wanted);

	while (next_entry(&rest, min, &entry)) {
		if (!to_id(entry.field[2], &id))
			continue;
		if (same(entry.field[0], key)) {
			*out = entry;
			return true;
		}
		if (is_number && !has_number && id == wanted) {
			by_number = entry;
			has_number = true;
		}
	}
	if (has_number)
		*out = by_number;
	return has_number;
}

static int resolve_group(const char *groups, struct slice key, uint32_t *out_gid, struct err *err)
{
	struct entry entry;

	if (find_entry(groups, key, 3, &entry)) {
		to_id(entry.field[2], out_gid);
		return 0;
	}
	if (to_id(key, out_gid))
		return 0;
	return err_set(err, ERR_NOT_FOUND,
		       "unable to find group %.*s: no matching entries in "
		       "/etc/group",
		       SLICE_ARG(key));
}

static int add_group(struct image_user *user, uint32_t gid, struct err *err)
{
	if (gid == user->gid)
		return 0;
	for (size_t i = 0; i < user->group_count; i++)
		if (user->groups[i] == gid)
			return 0;
	if (user->group_count == USER_GROUPS_MAX)
		return err_set(err, ERR_INVALID, "user %.60s: in more than %d groups", user->name,
			       USER_GROUPS_MAX);
	user->groups[user->group_count++] = gid;
	return 0;
}

static int add_member_groups(const char *groups, struct image_user *user, struct err *err)
{
	struct slice rest = SLICE(groups ? groups : ""), members, member;
	struct entry entry;
	uint32_t gid;

	while (user->name[0] && next_entry(&rest, 4, &entry)) {
		members = entry.field[3];
		while (slice_next(&members, ',', &member))
			if (slice_is(slice_trim(member), user->name) &&
			    to_id(entry.field[2], &gid) && add_group(user, gid, err) < 0)
				return -1;
	}
	return 0;
}

static int take_entry(const char *users, struct slice key, struct image_user *out, struct err *err)
{
	struct entry entry;

	snprintf(out->home, sizeof(out->home), "/");
	if (!find_entry(users, key, 4, &entry)) {
		if (to_id(key, &out->uid))
			return 0;
		return err_set(err, ERR_NOT_FOUND,
			       "unable to find user %.*s: no matching entries in /etc/passwd",
			       SLICE_ARG(key));
	}
	to_id(entry.field[2], &out->uid);
	if (!to_id(entry.field[3], &out->gid))
		out->gid = 0;
	if (entry.field[0].len < sizeof(out->name))
		snprintf(out->name, sizeof(out->name), "%.*s", SLICE_ARG(entry.field[0]));
	if (entry.count > 5 && entry.field[5].len && entry.field[5].len < sizeof(out->home))
		snprintf(out->home, sizeof(out->home), "%.*s", SLICE_ARG(entry.field[5]));
	return 0;
}

int user_resolve(int root_fd, const char *text, const char *const *more_groups, size_t more_count,
		 struct image_user *out, struct err *err)
{
	AUTO(free) char *users = NULL;
	AUTO(free) char *groups = NULL;
	struct slice user, group;
	bool has_group = slice_split(SLICE(text), ':', &user, &group);
	uint32_t gid = 0;

	memset(out, 0, sizeof(*out));
	if (user.len == 0)
		user = SLICE("0");
	if (read_table(root_fd, "etc/passwd", &users, err) < 0 ||
	    read_table(root_fd, "etc/group", &groups, err) < 0 ||
	    take_entry(users, user, out, err) < 0)
		return -1;
	if (has_group && group.len) {
		if (resolve_group(groups, group, &out->gid, err) < 0)
			return -1;
	} else if (add_member_groups(groups, out, err) < 0) {
		return -1;
	}
	for (size_t i = 0; i < more_count; i++)
		if (resolve_group(groups, SLICE(more_groups[i]), &gid, err) < 0 ||
		    add_group(out, gid, err) < 0)
			return -1;
	return 0;
}
