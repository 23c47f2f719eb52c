/* orchestrator/image_cache - what a start needs of an image, looked up once.
 *
 * Owns: the list of entries. May not touch: the store's files.
 */
#include "orchestrator/image_cache.h"

#include <fcntl.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/arena.h"

struct entry {
	char *image_id;
	char *key; /* user and groups; NULL: of no user (claims) */
	struct arena *arena;
	struct snapshot *snapshot;
	struct image_config *config;
	struct image_facts facts;
};

struct image_cache {
	struct store *store;
	struct entry **entries;
	size_t count;
	pthread_mutex_t lock;
};

struct image_cache *image_cache_new(struct store *store)
{
	struct image_cache *cache = xcalloc(1, sizeof(*cache));

	cache->store = store;
	pthread_mutex_init(&cache->lock, NULL);
	return cache;
}

static void entry_free(struct entry *entry)
{
	if (entry->snapshot)
		snapshot_free(entry->snapshot);
	arena_free(entry->arena);
	free(entry->image_id);
	free(entry->key);
	free(entry);
}

AUTO_TYPE(entry, entry_free);

static char *key_of(const char *user, const struct texts *groups)
{
	char *key = xstrdup(user ? user : "");

	for (size_t i = 0; groups && i < groups->count; i++) {
		char *longer = xformat("%s\n%s", key, groups->items[i]);

		free(key);
		key = longer;
	}
	return key;
}

static struct entry *find(struct image_cache *cache, const char *image_id, const char *key)
{
	for (size_t i = 0; i < cache->count; i++)
		if (strcmp(cache->entries[i]->image_id, image_id) == 0 &&
		    strcmp(cache->entries[i]->key, key) == 0)
			return cache->entries[i];
	return NULL;
}

static int resolve_user(struct entry *entry, const char *user, const struct texts *groups,
			struct err *err)
{
	AUTO(fd) int root_fd = snapshot_mount(entry->snapshot, err);

	if (root_fd < 0)
		return -1;
	return user_resolve(root_fd, user && *user ? user : entry->config->user,
			    groups ? groups->items : NULL, groups ? groups->count : 0,
			    &entry->facts.user, err);
}

static struct entry *add(struct image_cache *cache, const char *image_id, const char *user,
			 const struct texts *groups, char *key, struct err *err)
{
	AUTO(entry) struct entry *entry = xcalloc(1, sizeof(*entry));

	entry->image_id = xstrdup(image_id);
	entry->key = key;
	entry->arena = arena_new();
	entry->snapshot = snapshot_open(cache->store, image_id, NULL, err);
	if (!entry->snapshot ||
	    config_parse(entry->arena, entry->snapshot->config, entry->snapshot->config_len,
			 SIZE_MAX, &entry->config, err) < 0 ||
	    resolve_user(entry, user, groups, err) < 0)
		return NULL;
	entry->facts.snapshot = entry->snapshot;
	entry->facts.config = entry->config;
	*(struct entry **)xgrow(&cache->entries, &cache->count, sizeof(*cache->entries)) = entry;
	return TAKE(entry);
}

const struct image_facts *image_cache_get(struct image_cache *cache, const char *image_id,
					  const char *user, const struct texts *groups,
					  struct err *err)
{
	AUTO(free) char *key = key_of(user, groups);
	struct entry *entry;

	pthread_mutex_lock(&cache->lock);
	entry = find(cache, image_id, key);
	if (!entry)
		entry = add(cache, image_id, user, groups, TAKE(key), err);
	pthread_mutex_unlock(&cache->lock);
	return entry ? &entry->facts : NULL;
}

/* Folders of the store are always there; EROFS layers must be mounted. */
static bool is_mounted(const struct image_cache *cache, const struct snapshot *snapshot)
{
	const char *mounts = store_runtime_path(cache->store);
	size_t len = strlen(mounts);

	for (size_t i = 0; i < snapshot->lower_count; i++) {
		struct statx info;

		if (strncmp(snapshot->lowers[i], mounts, len) != 0)
			continue;
		if (statx(AT_FDCWD, snapshot->lowers[i], 0, STATX_MODE, &info) < 0 ||
		    !(info.stx_attributes & STATX_ATTR_MOUNT_ROOT))
			return false;
	}
	return true;
}

static const struct snapshot *known_snapshot(struct image_cache *cache, const char *image_id,
					     struct err *err)
{
	const struct snapshot *known = NULL;
	const struct image_facts *facts;

	pthread_mutex_lock(&cache->lock);
	for (size_t i = 0; i < cache->count && !known; i++)
		if (strcmp(cache->entries[i]->image_id, image_id) == 0)
			known = cache->entries[i]->snapshot;
	pthread_mutex_unlock(&cache->lock);
	if (known)
		return known;
	facts = image_cache_get(cache, image_id, NULL, NULL, err);
	return facts ? facts->snapshot : NULL;
}

int image_cache_mount(struct image_cache *cache, const char *image_id, const char *owner,
		      struct err *err)
{
	const struct snapshot *known = known_snapshot(cache, image_id, err);
	AUTO(snapshot) struct snapshot *again = NULL;

	if (!known)
		return -1;
	if (is_mounted(cache, known))
		return 0;
	again = snapshot_open(cache->store, image_id, owner, err);
	return again ? 0 : -1;
}

/* With the root in place nobody unmounts the layers any more; were they gone before, they are
 * mounted again. */
int image_cache_claim(struct image_cache *cache, const char *image_id, const char *owner,
		      const struct snapshot **out, struct err *err)
{
	*out = known_snapshot(cache, image_id, err);
	if (!*out || store_root_add(cache->store, owner, image_id, err) < 0)
		return -1;
	return image_cache_mount(cache, image_id, owner, err);
}
