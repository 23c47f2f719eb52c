/* netplug/link_group - groups.json: which owner has which interface group numbers.
 *
 * Owns: the book and the choice of a number. May not touch: links. Blocks: disk, flock.
 */
#include "base/cleanup.h"
#include "base/file.h"
#include "base/json.h"
#include "netplug/link.h"

#define GROUP_FIRST 1024u
#define GROUP_LAST  65534u
#define BOOK_MAX    (4u << 20)

static struct json_object *read_groups(const struct netplug *np, struct err *err)
{
	struct err local = ERR_NONE;
	struct json_object *book = json_read_file(np->state_fd, "groups.json", BOOK_MAX, &local);

	if (!book && local.code == ERR_NOT_FOUND) {
		book = json_object_new_object();
		json_add_int(book, "version", 1);
		json_add_object(book, "groups");
	} else if (!book) {
		*err = local;
		return NULL;
	}
	if (!json_object_at(book, "groups")) {
		json_object_put(book);
		err_set(err, ERR_INVALID, "groups.json: groups: is missing");
		return NULL;
	}
	return book;
}

static unsigned free_group(struct json_object *groups)
{
	unsigned group = GROUP_FIRST;
	bool taken = true;

	while (taken && group < GROUP_LAST) {
		taken = false;
		json_each(groups, name, value) {
			(void)name;
			if (json_object_get_int64(value) == group)
				taken = true;
		}
		if (taken)
			group += 2;
	}
	return group;
}

int link_group_take(const struct netplug *np, const char *owner, unsigned *out_group,
		    struct err *err)
{
	AUTO(fd) int lock = file_lock(np->state_fd, "groups.lock", true, err);
	AUTO(json) struct json_object *book = lock < 0 ? NULL : read_groups(np, err);
	struct json_object *groups;
	int64_t known;

	if (!book)
		return -1;
	groups = json_object_at(book, "groups");
	known = json_int_or(groups, owner, 0);
	if (known >= GROUP_FIRST && known <= GROUP_LAST) {
		*out_group = (unsigned)known;
		return 0;
	}
	*out_group = free_group(groups);
	if (*out_group >= GROUP_LAST)
		return err_set(err, ERR_NO_SPACE, "groups.json: all link groups are in use");
	json_add_int(groups, owner, *out_group);
	return json_write_file(np->state_fd, "groups.json", book, 0, err);
}

int link_group_find(const struct netplug *np, const char *owner, unsigned *out_group,
		    struct err *err)
{
	AUTO(json) struct json_object *book = read_groups(np, err);
	int64_t known;

	if (!book)
		return -1;
	known = json_int_or(json_object_at(book, "groups"), owner, 0);
	if (known < GROUP_FIRST || known > GROUP_LAST)
		return err_set(err, ERR_NOT_FOUND, "%s has no link group", owner);
	*out_group = (unsigned)known;
	return 0;
}

int link_group_drop(const struct netplug *np, const char *owner, struct err *err)
{
	AUTO(fd) int lock = file_lock(np->state_fd, "groups.lock", true, err);
	AUTO(json) struct json_object *book = lock < 0 ? NULL : read_groups(np, err);

	if (!book)
		return -1;
	if (!json_object_object_get_ex(json_object_at(book, "groups"), owner, NULL))
		return 0;
	json_object_object_del(json_object_at(book, "groups"), owner);
	return json_write_file(np->state_fd, "groups.json", book, 0, err);
}

int link_group_each(const struct netplug *np,
		    int (*each)(void *ctx, const char *owner, unsigned group), void *ctx,
		    struct err *err)
{
	AUTO(json) struct json_object *book = read_groups(np, err);
	struct json_object *groups = book ? json_object_at(book, "groups") : NULL;

	if (!groups)
		return -1;
	json_each(groups, owner, value) {
		if (each(ctx, owner, (unsigned)json_object_get_int64(value)) < 0)
			return 0;
	}
	return 0;
}
