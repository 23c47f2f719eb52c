/* orchestrator/network_stray - what a crash left of slots that nobody knows any more.
 *
 * A slot's network goes after its container's record; a supervisor that dies between leaves leases,
 * ports, rules and a namespace. Owns: finding them by the owner in their names. May not touch:
 * slots that have a record.
 */
#include <dirent.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mount.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/cleanup.h"
#include "base/log.h"
#include "orchestrator/network_inner.h"

struct search {
	struct project_net *net;
	struct arena *arena;
	const struct texts *known; /* keys of slots: "PROJECT/SERVICE/N" */
	struct texts strays;
	struct texts *keys; /* sockets of their ports */
};

static void add(struct arena *arena, struct texts *texts, const char *text)
{
	*(const char **)arena_grow(arena, &texts->items, &texts->count, sizeof(char *)) = text;
}

/* True: nobody knows it. */
static bool meet(struct search *search, const char *key)
{
	size_t len = strlen(search->net->project);

	if (strncmp(key, search->net->project, len) != 0 || key[len] != '/' ||
	    texts_has(search->known, key))
		return false;
	if (!texts_has(&search->strays, key))
		add(search->arena, &search->strays, arena_strdup(search->arena, key));
	return true;
}

static int search_books(struct search *search, struct err *err)
{
	struct network_record **networks;
	struct port_entry *ports;
	size_t count;

	if (ports_list(&search->net->np, search->arena, search->net->project, &ports, &count, err) <
	    0)
		return -1;
	for (size_t i = 0; i < count; i++) {
		char text[ADDRESS_TEXT];

		if (meet(search, ports[i].slot))
			add(search->arena, search->keys,
			    arena_format(search->arena, "%s %s %u",
					 ports_protocol_name(ports[i].protocol),
					 address_text(&ports[i].address, text), ports[i].port));
	}
	if (network_list(&search->net->np, search->arena, NULL, &networks, &count, err) < 0)
		return -1;
	for (size_t i = 0; i < count; i++)
		for (size_t k = 0; k < networks[i]->lease_count; k++)
			meet(search, networks[i]->leases[k].slot);
	return 0;
}

/* "PROJECT.SERVICE.N" to "PROJECT/SERVICE/N": no project name holds a dot, a service's may. */
static char *key_of(struct arena *arena, const char *name)
{
	char *key = arena_strdup(arena, name), *first = strchr(key, '.'), *last = strrchr(key, '.');

	if (!first || first == last)
		return NULL;
	*first = *last = '/';
	return key;
}

static void search_namespaces(struct search *search, int netns_fd)
{
	int fd = openat(netns_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *dir = fd < 0 ? NULL : fdopendir(fd);
	struct dirent *entry;

	while (dir && (entry = readdir(dir)) != NULL) {
		const char *key = key_of(search->arena, entry->d_name);

		if (key)
			meet(search, key);
	}
	if (dir)
		closedir(dir);
}

/* The mount goes by name; the links in it go with the namespace. */
static void drop_namespace(const char *run, const char *key)
{
	AUTO(free) char *path = xformat("%s/netns/%s", run, key);
	char *name = path + strlen(path) - strlen(key);

	/* "PROJECT/SERVICE/N", as a book says it: a damaged one may have any number of slashes. */
	while ((name = strchr(name, '/')) != NULL)
		*name = '.';
	if (umount2(path, MNT_DETACH) == 0)
		log_info("stray-namespace", KV_S("slot", key));
	unlink(path);
}

/* "PROJECT/web/1" is the slot "web.1". */
static const char *slot_name(struct arena *arena, const char *key)
{
	char *name = arena_strdup(arena, strchr(key, '/') + 1), *last = strrchr(name, '/');

	if (last)
		*last = '.';
	return name;
}

int net_drop_strays(struct project_net *net, const char *run, int netns_fd,
		    const struct texts *known, struct arena *arena, struct texts *out_slots,
		    struct texts *out_keys, struct err *err)
{
	AUTO(nft) struct nft *nft = NULL;
	struct search search = { .net = net, .arena = arena, .known = known, .keys = out_keys };
	struct err first = ERR_NONE, one = ERR_NONE;

	pthread_mutex_lock(&net->lock);
	if (search_books(&search, &first) == 0 && netns_fd >= 0)
		search_namespaces(&search, netns_fd);
	if (search.strays.count) {
		const char *const *keys = search.strays.items;

		if (nft_open(&nft, &one) < 0 ||
		    nat_remove_owners(nft, keys, search.strays.count, &one) < 0)
			net_keep_first(&first, &one);
		one = ERR_NONE;
		if (ports_release_slots(&net->np, keys, search.strays.count, &one) < 0)
			net_keep_first(&first, &one);
		one = ERR_NONE;
		if (network_release_slots(&net->np, keys, search.strays.count, &one) < 0)
			net_keep_first(&first, &one);
		for (size_t i = 0; i < search.strays.count; i++)
			drop_namespace(run, keys[i]);
	}
	for (size_t i = 0; i < search.strays.count; i++)
		add(arena, out_slots, slot_name(arena, search.strays.items[i]));
	pthread_mutex_unlock(&net->lock);
	*err = first;
	return first.code ? -1 : 0;
}
