/* orchestrator/slot_launch - a start between the bundle and the names: the monitor, its namespace,
 * its sockets.
 *
 * Owns: these stages. May not touch: their order (slot_start), the words to a monitor (launch),
 * links (network).
 */
#include <netinet/in.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/log.h"
#include "orchestrator/settings.h"
#include "orchestrator/slot_end.h"
#include "orchestrator/slot_start_inner.h"

/* A namespace that was made with other settings goes before the monitor makes or joins one. */
int start_renew_network(void *data, struct err *err)
{
	struct start_job *job = data;
	struct slot_net *net = job->slot->net;

	if (!net || !net->stale)
		return 0;
	if (names_drop_slot(job->sv->names, job->slot->name, err) < 0 ||
	    net_renew(job->sv->net, net, err) < 0)
		return -1;
	job->needs_names = net->netns && net->link_count;
	job->verifies = net->unverified = false;
	return 0;
}

/* The namespace of an adopted slot before its next life: one that was changed meanwhile is made
 * anew. */
static int keep_or_renew(struct start_job *job, struct err *err)
{
	struct slot_net *net = job->slot->net;
	char why[240] = "";
	bool fine = true;

	if (!job->launch.netns_made && net_verify(net, job->launch.route_fd, &fine, why, err) < 0)
		return -1;
	net->unverified = false;
	if (fine)
		return 0;
	log_info("namespace-renewed", KV_S("slot", job->slot->name), KV_S("why", &why[0]));
	launch_close_sockets(&job->launch);
	launch_abort(&job->launch);
	net->stale = slot_net_ref(net);
	if (slot_clear_left_overs(job->sv, job->slot->record->id, err) < 0 ||
	    net_renew(job->sv->net, net, err) < 0 ||
	    lseek(job->launch.config_fd, 0, SEEK_SET) < 0 ||
	    lseek(job->launch.monitor_fd, 0, SEEK_SET) < 0)
		return err->code ? -1 : err_sys(err, errno, "rewind the bundle");
	return launch_start(&job->launch, true, err);
}

int start_launch_monitor(void *data, struct err *err)
{
	struct start_job *job = data;

	job->launch.container = job->slot->record->id;
	job->launch.runtime_fd = job->sv->runtime_fd;
	job->launch.log_fd = job->sv->log_fd;
	job->launch.trace_fd = job->sv->trace_fd;
	job->launched = true;
	if (launch_start(&job->launch, job->needs_names, err) < 0 ||
	    (job->verifies && keep_or_renew(job, err) < 0))
		return -1;
	job->slot->record->monitor = job->launch.monitor;
	return job->cut ? err_set(err, ERR_CANCELLED, "cancelled") : 0;
}

int start_end_monitor(void *data, struct err *err)
{
	struct start_job *job = data;

	if (!job->launched)
		return 0;
	launch_close_sockets(&job->launch);
	launch_abort(&job->launch);
	return slot_clear_left_overs(job->sv, job->slot->record->id, err);
}

static uint16_t port_of(int fd)
{
	struct sockaddr_in address = { 0 };
	socklen_t len = sizeof(address);

	return fd >= 0 && getsockname(fd, (struct sockaddr *)&address, &len) == 0
		       ? ntohs(address.sin_port)
		       : 0;
}

int start_attach_network(void *data, struct err *err)
{
	struct start_job *job = data;
	struct launch *launch = &job->launch;
	const struct texts *servers = settings_or(&job->service->dns, &job->sv->settings->dns);
	struct netd_slot names = { .slot = job->slot->name,
				   .udp_fd = launch->dns_udp_fd,
				   .tcp_fd = launch->dns_tcp_fd,
				   .upstream_fd = launch->upstream_fd,
				   .upstream_tcp_fd = launch->upstream_tcp_fd,
				   .servers = servers->items,
				   .server_count = servers->count,
				   .internal_only =
					   job->slot->net && job->slot->net->internal_only };

	if (!job->needs_names)
		return 0;
	if (net_attach(job->sv->net, job->slot->net, launch->route_fd, launch->netfilter_fd,
		       port_of(launch->dns_udp_fd), port_of(launch->dns_tcp_fd), false, err) < 0 ||
	    names_add_slot(job->sv->names, &names, err) < 0)
		return -1;
	launch_close_sockets(launch);
	return 0;
}

int start_await_created(void *data, struct err *err)
{
	struct start_job *job = data;

	if (launch_await_created(&job->launch, err) < 0)
		return -1;
	job->slot->record->init = job->launch.init;
	if (job->env.volumes)
		storage_settled(&job->env, &job->storage);
	return 0;
}
