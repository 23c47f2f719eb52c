/* orchestrator/network_drop - what slots, networks and the whole project have is taken away.
 *
 * Owns: the order in which it goes. May not touch: netlink and nft messages (netplug).
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/cleanup.h"
#include "netplug/foreign.h"
#include "netplug/link.h"
#include "netplug/link_end.h"
#include "orchestrator/connections.h"
#include "orchestrator/network_inner.h"
#include "orchestrator/network_spec.h"

#define NETNS_AT_ONCE 8

void net_keep_first(struct err *first, const struct err *err)
{
	if (first->code == ERR_OK)
		*first = *err;
}

static void drop_netns(const char *path, struct err *first)
{
	struct err err = ERR_NONE;

	if (!path)
		return;
	if (umount2(path, MNT_DETACH) < 0 && errno != EINVAL && errno != ENOENT) {
		err_sys(&err, errno, "unmount %s", path);
		net_keep_first(first, &err);
	}
	if (unlink(path) < 0 && errno != ENOENT) {
		err_sys(&err, errno, "remove %s", path);
		net_keep_first(first, &err);
	}
}

/* PROJECT.SERVICE.N: whatever is there, also of slots that a crash left without a record. */
static char **list_netns(const struct project_net *net, size_t *out_count)
{
	int fd = openat(net->np.runtime_fd, "netns", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *dir = fd < 0 ? NULL : fdopendir(fd);
	size_t len = strlen(net->project);
	struct dirent *entry;
	char **paths = NULL;

	*out_count = 0;
	while (dir && (entry = readdir(dir)) != NULL) {
		if (strncmp(entry->d_name, net->project, len) != 0 || entry->d_name[len] != '.')
			continue;
		*(char **)xgrow(&paths, out_count, sizeof(*paths)) =
			xformat("%s/netns/%s", net->run_path, entry->d_name);
	}
	if (dir)
		closedir(dir);
	return paths;
}

static void drop_links(struct project_net *net, struct slot_net *const *slots, size_t count,
		       struct err *first)
{
	AUTO(rtnl) struct rtnl *rtnl = NULL;
	AUTO(free) const char **names = NULL;
	struct err err = ERR_NONE;
	size_t name_count = 0;
	unsigned group;

	for (size_t i = 0; i < count; i++)
		for (size_t n = 0; n < slots[i]->interface_count; n++)
			if (slots[i]->interfaces[n].kind == ATTACH_VETH)
				*(const char **)xgrow(&names, &name_count, sizeof(char *)) =
					slots[i]->interfaces[n].host_name;
	if (!name_count)
		return;
	if (rtnl_open(&rtnl, &err) < 0 ||
	    link_group_take(&net->np, net->project, &group, &err) < 0 ||
	    link_delete_names(rtnl, link_group_trash(group), names, name_count, &err) < 0)
		net_keep_first(first, &err);
}

/* The network of network_mode: bridge goes with its last member. */
static void drop_common(struct project_net *net, struct err *first)
{
	struct arena *arena = arena_new();
	struct network_record *network;
	struct err err = ERR_NONE;

	if (network_load(&net->np, arena, CONNECTIONS_BRIDGE, &network, &err) == 0 &&
	    !*network->project && !network->lease_count) {
		const char *owner = network_group_owner(arena, network);

		if (net_remove_locked(net, arena, CONNECTIONS_BRIDGE, &err) < 0 ||
		    link_group_drop(&net->np, owner, &err) < 0)
			net_keep_first(first, &err);
	} else if (err.code != ERR_NOT_FOUND && err.code) {
		net_keep_first(first, &err);
	}
	arena_free(arena);
}

static bool is_on_common(struct slot_net *const *slots, size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (net_on_network(slots[i], CONNECTIONS_BRIDGE))
			return true;
	return false;
}

void net_drop_locked(struct project_net *net, struct slot_net *const *slots, size_t count,
		     struct err *first)
{
	AUTO(nft) struct nft *nft = NULL;
	AUTO(free) const char **keys = xcalloc(count + 1, sizeof(char *));
	struct err err = ERR_NONE;
	size_t rules = 0;

	if (!count)
		return;
	for (size_t i = 0; i < count; i++) {
		keys[i] = slots[i]->key;
		rules += slots[i]->rule_count;
	}
	if (rules && (nft_open(&nft, &err) < 0 || nat_remove_owners(nft, keys, count, &err) < 0))
		net_keep_first(first, &err);
	for (size_t i = 0; i < count; i++)
		net_forget_flows(slots[i]->rules, slots[i]->rule_count);
	err = ERR_NONE;
	if (ports_release_slots(&net->np, keys, count, &err) < 0)
		net_keep_first(first, &err);
	err = ERR_NONE;
	if (network_release_slots(&net->np, keys, count, &err) < 0)
		net_keep_first(first, &err);
	drop_links(net, slots, count, first);
	if (is_on_common(slots, count))
		drop_common(net, first);
	for (size_t i = 0; i < count; i++) {
		drop_netns(slots[i]->netns, first);
		if (slots[i]->stale)
			drop_links(net, &slots[i]->stale, 1, first);
		net_unregister(net, slots[i]);
	}
}

int net_drop_slots(struct project_net *net, struct slot_net *const *slots, size_t count,
		   struct err *err)
{
	struct err first = ERR_NONE;

	pthread_mutex_lock(&net->lock);
	net_drop_locked(net, slots, count, &first);
	pthread_mutex_unlock(&net->lock);
	*err = first;
	return first.code == ERR_OK ? 0 : -1;
}

static void release_left(struct project_net *net, const struct slot_net *from,
			 const struct slot_net *to, struct err *first)
{
	for (size_t i = 0; i < from->link_count; i++) {
		struct err one = ERR_NONE;

		if (!net_on_network(to, from->links[i].network) &&
		    network_release(&net->np, from->links[i].network, net->project, to->key, &one) <
			    0)
			net_keep_first(first, &one);
	}
}

int net_release_left(struct project_net *net, const struct slot_net *from,
		     const struct slot_net *to, struct err *err)
{
	pthread_mutex_lock(&net->lock);
	release_left(net, from, to, err);
	pthread_mutex_unlock(&net->lock);
	return err->code ? -1 : 0;
}

int net_drop_left(struct project_net *net, const struct slot_net *from, const struct slot_net *to,
		  struct err *err)
{
	AUTO(free)
	struct attach_interface *left = xcalloc(from->interface_count + 1, sizeof(*left));
	struct slot_net gone = { .interfaces = left };

	for (size_t i = 0; i < from->interface_count; i++)
		if (!net_has_interface(to, &from->interfaces[i]))
			left[gone.interface_count++] = from->interfaces[i];
	pthread_mutex_lock(&net->lock);
	drop_links(net, &(struct slot_net *){ &gone }, 1, err);
	release_left(net, from, to, err);
	pthread_mutex_unlock(&net->lock);
	return err->code ? -1 : 0;
}

int net_renew(struct project_net *net, struct slot_net *slot, struct err *err)
{
	struct slot_net *stale;
	struct err first = ERR_NONE;

	pthread_mutex_lock(&net->lock);
	stale = TAKE(slot->stale);
	if (stale) {
		drop_links(net, &stale, 1, &first);
		drop_netns(stale->netns, &first);
	}
	if (stale)
		release_left(net, stale, slot, &first);
	pthread_mutex_unlock(&net->lock);
	if (first.code)
		*err = first;
	if (!stale)
		return 0;
	slot_net_free(stale);
	return first.code ? -1 : 1;
}

/* ---- networks, the project */

/* Networks that others still have leases on stay, with their bridge and their rules. */
struct shared {
	const char **names, **bridges;
	size_t count;
};

static void sort_networks(struct project_net *net, struct arena *arena,
			  struct network_record **networks, size_t *count, struct shared *shared)
{
	size_t own = 0;

	shared->names = arena_alloc(arena, (*count + 1) * sizeof(char *));
	shared->bridges = arena_alloc(arena, (*count + 1) * sizeof(char *));
	for (size_t i = 0; i < *count; i++) {
		if (net_foreign_holder(net, networks[i])) {
			shared->names[shared->count] = networks[i]->name;
			shared->bridges[shared->count++] = networks[i]->bridge;
		} else {
			networks[own++] = networks[i];
		}
	}
	*count = own;
}

/* What the kernel lets go while it takes the links away: each of them waits for grace periods, the
 * rules' socket when it is closed. Threads of their own, as all of them block. */
struct beside {
	pthread_t thread;
	bool is_running;
	struct project_net *net;
	const char **bridges; /* of networks that go */
	size_t bridge_count;
	const struct shared *shared;
	char **paths; /* of pinned namespaces, taken by whichever thread comes next */
	size_t path_count;
	_Atomic size_t *next;
	struct err first;
};

static void *drop_rules(void *data)
{
	struct beside *job = data;
	AUTO(nft) struct nft *nft = NULL;
	struct err err = ERR_NONE;

	if (nft_open(&nft, &job->first) < 0)
		return NULL;
	if (foreign_withdraw(nft, job->bridges, job->bridge_count, &err) < 0)
		net_keep_first(&job->first, &err);
	err = ERR_NONE;
	if (nat_remove_project_except(nft, job->net->project, job->shared->names,
				      job->shared->count, &err) < 0)
		net_keep_first(&job->first, &err);
	return NULL;
}

static void *drop_namespaces(void *data)
{
	struct beside *job = data;
	size_t i;

	while ((i = atomic_fetch_add(job->next, 1)) < job->path_count)
		drop_netns(job->paths[i], &job->first);
	return NULL;
}

static void begin_beside(struct beside *job, void *(*work)(void *))
{
	job->is_running = pthread_create(&job->thread, NULL, work, job) == 0;
	if (!job->is_running)
		work(job);
}

static void await_beside(struct beside *job, struct err *first)
{
	if (job->is_running)
		pthread_join(job->thread, NULL);
	if (job->first.code)
		net_keep_first(first, &job->first);
}

/* Several at a time: each waits for a grace period of the kernel, and those that wait together
 * share it. */
struct namespaces {
	struct beside jobs[NETNS_AT_ONCE];
	_Atomic size_t next;
	char **paths;
	size_t count;
};

static void begin_namespaces(struct namespaces *all, struct project_net *net)
{
	atomic_init(&all->next, 0);
	all->paths = list_netns(net, &all->count);
	for (size_t i = 0; i < NETNS_AT_ONCE && i < all->count; i++) {
		all->jobs[i] = (struct beside){ .net = net,
						.paths = all->paths,
						.path_count = all->count,
						.next = &all->next };
		begin_beside(&all->jobs[i], drop_namespaces);
	}
}

static void await_namespaces(struct namespaces *all, struct err *first)
{
	for (size_t i = 0; i < NETNS_AT_ONCE && i < all->count; i++)
		await_beside(&all->jobs[i], first);
	for (size_t i = 0; i < all->count; i++)
		free(all->paths[i]);
	free(all->paths);
}

static const char **bridges_of(struct arena *arena, struct network_record **networks, size_t count)
{
	const char **bridges = arena_alloc(arena, (count + 1) * sizeof(char *));

	for (size_t i = 0; i < count; i++)
		bridges[i] = networks[i]->bridge;
	return bridges;
}

static void drop_group(struct project_net *net, const struct shared *shared,
		       const char *const *bridges, size_t bridge_count, struct err *first)
{
	AUTO(rtnl) struct rtnl *rtnl = NULL;
	struct err err = ERR_NONE;
	unsigned group;

	if (link_group_find(&net->np, net->project, &group, &err) < 0)
		return;
	if (rtnl_open(&rtnl, &err) < 0 ||
	    (shared->count && link_keep(rtnl, shared->bridges, shared->count, &err) < 0) ||
	    link_end_group(group, bridges, bridge_count, &err) < 0)
		net_keep_first(first, &err);
}

static size_t drop_all(struct project_net *net, struct err *first)
{
	struct arena *arena = arena_new();
	struct network_record **networks = NULL;
	struct shared shared = { 0 };
	struct beside rules = { .net = net, .shared = &shared };
	struct err err = ERR_NONE;
	size_t count = 0;

	if (network_list(&net->np, arena, net->project, &networks, &count, &err) < 0)
		net_keep_first(first, &err);
	sort_networks(net, arena, networks, &count, &shared);
	rules.bridges = bridges_of(arena, networks, count);
	rules.bridge_count = count;
	begin_beside(&rules, drop_rules);
	drop_group(net, &shared, rules.bridges, count, first);
	await_beside(&rules, first);
	err = ERR_NONE;
	if (network_release(&net->np, NULL, net->project, NULL, &err) < 0)
		net_keep_first(first, &err);
	for (size_t i = 0; i < count; i++) {
		err = ERR_NONE;
		if (network_remove(&net->np, networks[i]->name, &err) < 0)
			net_keep_first(first, &err);
	}
	err = ERR_NONE;
	if (ports_release(&net->np, net->project, NULL, &err) < 0)
		net_keep_first(first, &err);
	if (is_on_common(net->nets, net->net_count))
		drop_common(net, first);
	while (net->net_count)
		net_unregister(net, net->nets[0]);
	arena_free(arena);
	return shared.count;
}

static void drop_project_group(struct project_net *net, size_t shared, struct err *first)
{
	struct err err = ERR_NONE;

	if (!shared && first->code == ERR_OK && link_group_drop(&net->np, net->project, &err) < 0)
		net_keep_first(first, &err);
}

int net_drop_project(struct project_net *net, struct err *err)
{
	struct namespaces namespaces = { .count = 0 };
	struct err first = ERR_NONE;
	size_t shared;

	pthread_mutex_lock(&net->lock);
	for (size_t i = 0; i < net->net_count; i++)
		net_forget_flows(net->nets[i]->rules, net->nets[i]->rule_count);
	begin_namespaces(&namespaces, net);
	shared = drop_all(net, &first);
	await_namespaces(&namespaces, &first);
	drop_project_group(net, shared, &first);
	pthread_mutex_unlock(&net->lock);
	*err = first;
	if (first.code == ERR_OK && shared)
		return err_set(err, ERR_BUSY, "a network is still in use by another project");
	return first.code == ERR_OK ? 0 : -1;
}

int net_remove_locked(struct project_net *net, struct arena *arena, const char *name,
		      struct err *err)
{
	AUTO(rtnl) struct rtnl *rtnl = NULL;
	AUTO(nft) struct nft *nft = NULL;
	AUTO(nat_batch) struct nat_batch *nat = nat_batch_new();
	struct network_record *network;
	const char *bridge;
	unsigned group;

	if (network_load(&net->np, arena, name, &network, err) < 0)
		return err->code == ERR_NOT_FOUND ? 0 : -1;
	if (nft_open(&nft, err) < 0 || rtnl_open(&rtnl, err) < 0 ||
	    link_group_take(&net->np, net->project, &group, err) < 0)
		return -1;
	bridge = network->bridge;
	nat_del_network(nat, network);
	if (network_remove(&net->np, name, err) < 0 || nat_commit(nft, nat, err) < 0)
		return -1;
	if (network->driver != NETWORK_BRIDGE)
		return 0;
	if (foreign_withdraw(nft, &bridge, 1, err) < 0)
		return -1;
	return link_delete_names(rtnl, link_group_trash(group), &bridge, 1, err);
}

int net_remove(struct project_net *net, const char *name, struct err *err)
{
	struct arena *arena = arena_new();
	bool is_new = false;
	int status;

	pthread_mutex_lock(&net->lock);
	for (size_t i = 0; i < net->made_count; i++)
		is_new |= strcmp(net->made[i], name) == 0;
	/* A network that was replaced: the change has made the new one already. */
	status = is_new ? 0 : net_remove_locked(net, arena, name, err);
	pthread_mutex_unlock(&net->lock);
	arena_free(arena);
	return status;
}

/* Nothing of the project is left: nor shall its group and its rules be. */
static void end_if_empty(struct project_net *net, struct arena *arena, struct err *first)
{
	struct network_record **networks = NULL;
	size_t count = 0;

	if (net->net_count == 0 &&
	    network_list(&net->np, arena, net->project, &networks, &count, first) == 0 &&
	    count == 0)
		drop_project_group(net, drop_all(net, first), first);
}

int net_end_if_empty(struct project_net *net, struct err *err)
{
	struct arena *arena = arena_new();
	struct err first = ERR_NONE;

	pthread_mutex_lock(&net->lock);
	end_if_empty(net, arena, &first);
	pthread_mutex_unlock(&net->lock);
	arena_free(arena);
	*err = first;
	return first.code == ERR_OK ? 0 : -1;
}

int net_undo_made(struct project_net *net, struct err *err)
{
	struct arena *arena = arena_new();
	struct err first = ERR_NONE;

	pthread_mutex_lock(&net->lock);
	for (size_t i = 0; i < net->made_count; i++) {
		struct err one = ERR_NONE;

		if (net_remove_locked(net, arena, net->made[i], &one) < 0 && one.code != ERR_BUSY)
			net_keep_first(&first, &one);
	}
	end_if_empty(net, arena, &first);
	pthread_mutex_unlock(&net->lock);
	arena_free(arena);
	*err = first;
	return first.code == ERR_OK ? 0 : -1;
}
