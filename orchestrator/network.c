/* orchestrator/network - the network side of a project: the object, its slots, what is there.
 *
 * Owns: struct slot_net's life, the registry of slots, attaching. May not touch: netlink and nft
 * messages (netplug), namespaces by setns, the supervisor's loop.
 */
#include "orchestrator/network.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/alloc.h"
#include "netplug/link.h"
#include "netplug/naming.h"
#include "orchestrator/network_inner.h"
#include "orchestrator/network_spec.h"

struct slot_net *slot_net_new(void)
{
	struct slot_net *net = xcalloc(1, sizeof(*net));

	net->arena = arena_new();
	atomic_init(&net->refs, 1);
	return net;
}

struct slot_net *slot_net_ref(struct slot_net *net)
{
	if (net)
		atomic_fetch_add(&net->refs, 1);
	return net;
}

void slot_net_free(struct slot_net *net)
{
	if (!net || atomic_fetch_sub(&net->refs, 1) > 1)
		return;
	slot_net_free(net->stale);
	arena_free(net->arena);
	free(net->key);
	free(net->netns);
	free(net);
}

struct project_net *net_open(const struct roots *roots, const char *project,
			     const struct settings *settings, struct err *err)
{
	struct project_net *net = xcalloc(1, sizeof(*net));

	(void)err;
	net->project = xstrdup(project);
	naming_machine_id(net->machine_id);
	net->run_path = roots->run;
	net->settings = settings;
	net->np = network_books(roots, settings, net->machine_id);
	pthread_mutex_init(&net->lock, NULL);
	pthread_mutex_init(&net->wiring, NULL);
	return net;
}

void net_close(struct project_net *net)
{
	if (!net)
		return;
	for (size_t i = 0; i < net->net_count; i++)
		slot_net_free(net->nets[i]);
	free(net->nets);
	pthread_mutex_destroy(&net->lock);
	pthread_mutex_destroy(&net->wiring);
	free(net->project);
	free(net);
}

void net_unregister(struct project_net *net, const struct slot_net *slot)
{
	for (size_t i = 0; i < net->net_count; i++) {
		struct slot_net *one = net->nets[i];

		if (strcmp(one->key, slot->key) != 0)
			continue;
		net->nets[i] = net->nets[--net->net_count];
		slot_net_free(one);
		return;
	}
}

void net_register(struct project_net *net, struct slot_net *slot)
{
	slot_net_ref(slot);
	net_unregister(net, slot);
	*(struct slot_net **)xgrow(&net->nets, &net->net_count, sizeof(slot)) = slot;
}

const char *net_foreign_holder(const struct project_net *net, const struct network_record *network)
{
	size_t len = strlen(net->project);

	for (size_t i = 0; i < network->lease_count; i++) {
		const char *slot = network->leases[i].slot;

		if (strncmp(slot, net->project, len) != 0 || slot[len] != '/')
			return slot;
	}
	return NULL;
}

/* netns_fd is the caller's. */
static int job_of(const struct slot_net *slot, int route_fd, struct attach_job *out,
		  struct err *err)
{
	*out = (struct attach_job){ .route_fd = route_fd,
				    .netfilter_fd = -1,
				    .interfaces = slot->interfaces,
				    .interface_count = slot->interface_count };
	out->netns_fd = open(slot->netns, O_RDONLY | O_CLOEXEC);
	return out->netns_fd < 0 ? err_sys(err, errno, "open the namespace %s", slot->netns) : 0;
}

int net_attach(struct project_net *net, const struct slot_net *slot, int route_fd, int netfilter_fd,
	       uint16_t dns_udp_port, uint16_t dns_tcp_port, bool only_redirect, struct err *err)
{
	AUTO(rtnl) struct rtnl *rtnl = NULL;
	struct attach_job job;
	int status = -1;

	if (job_of(slot, route_fd, &job, err) < 0)
		return -1;
	job.netfilter_fd = netfilter_fd;
	job.dns_udp_port = dns_udp_port;
	job.dns_tcp_port = dns_tcp_port;
	if (only_redirect)
		job.interface_count = 0;
	if (link_group_take(&net->np, net->project, &job.group, err) == 0 &&
	    rtnl_open(&rtnl, err) == 0)
		status = attach_wire(rtnl, &job, 1, err);
	close(job.netns_fd);
	return status;
}

bool net_has_interface(const struct slot_net *slot, const struct attach_interface *wanted)
{
	for (size_t i = 0; i < slot->interface_count; i++)
		if (strcmp(slot->interfaces[i].name, wanted->name) == 0 &&
		    strcmp(slot->interfaces[i].host_name, wanted->host_name) == 0)
			return true;
	return false;
}

static bool is_current(struct project_net *net, const struct slot_net *slot)
{
	bool found = false;

	pthread_mutex_lock(&net->lock);
	for (size_t i = 0; i < net->net_count; i++)
		found |= net->nets[i] == slot;
	pthread_mutex_unlock(&net->lock);
	return found;
}

int net_attach_again(struct project_net *net, const struct slot_net *slot, int route_fd,
		     struct err *err)
{
	int status = 0;

	pthread_mutex_lock(&net->wiring);
	if (is_current(net, slot))
		status = net_attach(net, slot, route_fd, -1, 0, 0, false, err);
	pthread_mutex_unlock(&net->wiring);
	return status;
}

static int unwire_left(struct project_net *net, const struct slot_net *from,
		       const struct slot_net *to, int route_fd, struct err *err)
{
	AUTO(rtnl) struct rtnl *rtnl = NULL;
	AUTO(free)
	struct attach_interface *left = xcalloc(from->interface_count + 1, sizeof(*left));
	struct attach_job job;
	int status = -1;

	if (job_of(from, route_fd, &job, err) < 0)
		return -1;
	job.interfaces = left;
	job.interface_count = 0;
	for (size_t i = 0; i < from->interface_count; i++)
		if (!net_has_interface(to, &from->interfaces[i]))
			left[job.interface_count++] = from->interfaces[i];
	if (link_group_take(&net->np, net->project, &job.group, err) == 0 &&
	    rtnl_open(&rtnl, err) == 0)
		status = attach_unwire(rtnl, link_group_trash(job.group), &job, 1, err);
	close(job.netns_fd);
	return status;
}

int net_change_links(struct project_net *net, const struct slot_net *from,
		     const struct slot_net *to, int route_fd, struct err *err)
{
	int status;

	pthread_mutex_lock(&net->wiring);
	status = unwire_left(net, from, to, route_fd, err);
	if (status == 0)
		status = net_attach(net, to, route_fd, -1, 0, 0, false, err);
	pthread_mutex_unlock(&net->wiring);
	return status;
}

int net_verify(const struct slot_net *slot, int route_fd, bool *out_ok, char *why, struct err *err)
{
	struct attach_job job;
	int status;

	if (job_of(slot, route_fd, &job, err) < 0)
		return -1;
	status = attach_verify(&job, out_ok, why, err);
	close(job.netns_fd);
	return status;
}

int net_observe(struct project_net *net, const struct project *project, struct net_seen **out,
		size_t *out_count, struct err *err)
{
	struct arena *arena = arena_new();
	struct network_record **networks = NULL;
	struct net_seen *seen = NULL;
	size_t count = 0, seen_count = 0;
	int status = network_list(&net->np, arena, net->project, &networks, &count, err);

	for (size_t i = 0; status == 0 && i < count; i++) {
		struct net_seen *one = xgrow(&seen, &seen_count, sizeof(*one));

		one->name = xstrdup(networks[i]->name);
		for (size_t n = 0; project && n < project->network_count; n++) {
			struct network_spec spec;
			char why[240];

			if (project->networks[n].external ||
			    strcmp(project->networks[n].name, networks[i]->name) != 0)
				continue;
			network_spec_of(arena, project, &project->networks[n], &spec);
			one->changed = network_differs(networks[i], &spec, why);
		}
	}
	arena_free(arena);
	*out = seen;
	*out_count = seen_count;
	return status;
}

void net_seen_free(struct net_seen *seen, size_t count)
{
	for (size_t i = 0; i < count; i++)
		free(seen[i].name);
	free(seen);
}

static bool is_listed(struct network_record *const *networks, size_t count, const char *name)
{
	for (size_t i = 0; i < count; i++)
		if (strcmp(networks[i]->name, name) == 0)
			return true;
	return false;
}

int net_zone_records(struct project_net *net, struct arena *arena, struct network_record ***out,
		     size_t *out_count, struct err *err)
{
	struct network_record **own = NULL, **all = NULL;
	size_t own_count = 0, count = 0;

	if (network_list(&net->np, arena, net->project, &own, &own_count, err) < 0)
		return -1;
	for (size_t i = 0; i < own_count; i++)
		*(struct network_record **)arena_grow(arena, &all, &count, sizeof(*all)) = own[i];
	for (size_t i = 0; i < net->net_count; i++)
		for (size_t k = 0; k < net->nets[i]->link_count; k++) {
			const char *name = net->nets[i]->links[k].network;
			struct network_record *network;

			if (is_listed(all, count, name))
				continue;
			if (network_load(&net->np, arena, name, &network, err) < 0)
				return -1;
			*(struct network_record **)arena_grow(arena, &all, &count, sizeof(*all)) =
				network;
		}
	*out = all;
	*out_count = count;
	return 0;
}

int net_zone_networks(struct project_net *net, struct arena *arena, struct zone_network **out,
		      size_t *out_count, struct err *err)
{
	struct network_record **networks = NULL;
	size_t count = 0;
	int status;

	pthread_mutex_lock(&net->lock);
	status = net_zone_records(net, arena, &networks, &count, err);
	pthread_mutex_unlock(&net->lock);
	if (status < 0)
		return -1;
	*out = arena_alloc(arena, (count + 1) * sizeof(**out));
	*out_count = count;
	for (size_t i = 0; i < count; i++) {
		const char **subnets =
			arena_alloc(arena, (networks[i]->subnet_count + 1) * sizeof(char *));

		for (size_t s = 0; s < networks[i]->subnet_count; s++)
			subnets[s] = prefix_text(&networks[i]->subnets[s].subnet,
						 arena_alloc(arena, ADDRESS_TEXT));
		(*out)[i] = (struct zone_network){ networks[i]->name, subnets,
						   networks[i]->subnet_count };
	}
	return 0;
}
