/* orchestrator/reattach - a running slot gets again what was lost around it.
 *
 * Owns: the question to its monitor. May not touch: when this is needed (repair).
 */
#include "orchestrator/reattach.h"

#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/cleanup.h"
#include "base/file.h"
#include "base/json.h"
#include "base/message.h"

#define PATIENCE_S 10 /* a monitor answers at once, unless somebody has stopped it */

enum { ROUTE, NETFILTER, UDP, TCP, UPSTREAM, UPSTREAM_TCP, SOCKETS_MAX };

static void close_all(int *fds)
{
	for (size_t i = 0; i < SOCKETS_MAX; i++)
		if (fds[i] >= 0)
			close(fds[i]);
}

static int ask(const struct supervisor *sv, const char *container, const char *question,
	       size_t wanted, int *fds, struct err *err)
{
	AUTO(free) char *path = xformat("containers/%s", container);
	AUTO(fd) int dir_fd = file_open_dir(sv->roots->run_fd, path, false, err);
	AUTO(json) struct json_object *words = json_tokener_parse(question);
	AUTO(json) struct json_object *answer = NULL;
	AUTO(fd) int monitor_fd = -1;
	const struct timeval patience = { .tv_sec = PATIENCE_S };
	size_t count = SOCKETS_MAX;
	int n;

	for (size_t i = 0; i < SOCKETS_MAX; i++)
		fds[i] = -1;
	if (dir_fd < 0)
		return -1;
	monitor_fd = message_connect(dir_fd, "monitor.sock", SOCK_SEQPACKET, err);
	if (monitor_fd < 0 ||
	    setsockopt(monitor_fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience)) < 0 ||
	    message_send(monitor_fd, words, NULL, 0, err) < 0)
		return -1;
	n = message_receive(monitor_fd, &answer, fds, &count, err);
	for (size_t i = n > 0 ? count : 0; i < SOCKETS_MAX; i++)
		fds[i] = -1;
	if (n < 0)
		return -1;
	if (n == 0 || count != wanted) {
		close_all(fds);
		return err_set(err, ERR_NOT_FOUND, "the monitor gave %zu of %zu sockets",
			       n ? count : 0, wanted);
	}
	return 0;
}

static uint16_t port_of(int fd)
{
	struct sockaddr_in address = { 0 };
	socklen_t len = sizeof(address);

	return getsockname(fd, (struct sockaddr *)&address, &len) == 0 ? ntohs(address.sin_port)
								       : 0;
}

int reattach_names(const struct supervisor *sv, const struct reattach *slot, struct err *err)
{
	int fds[SOCKETS_MAX], status;
	struct netd_slot names = { .slot = slot->name,
				   .servers = slot->servers,
				   .server_count = slot->server_count,
				   .internal_only = slot->net->internal_only };

	if (ask(sv, slot->container,
		"{\"op\":\"sockets\",\"sockets\":[\"route\",\"netfilter\",\"dns\",\"dns-tcp\"]}",
		SOCKETS_MAX, fds, err) < 0)
		return -1;
	names.udp_fd = fds[UDP];
	names.tcp_fd = fds[TCP];
	names.upstream_fd = fds[UPSTREAM];
	names.upstream_tcp_fd = fds[UPSTREAM_TCP];
	status = net_attach(sv->net, slot->net, fds[ROUTE], fds[NETFILTER], port_of(fds[UDP]),
			    port_of(fds[TCP]), true, err);
	if (status == 0)
		status = names_add_slot(sv->names, &names, err);
	close_all(fds);
	return status;
}

int reattach_links(const struct supervisor *sv, const struct reattach *slot, struct err *err)
{
	int fds[SOCKETS_MAX], status;

	if (ask(sv, slot->container, "{\"op\":\"sockets\",\"sockets\":[\"route\"]}", 1, fds, err) <
	    0)
		return -1;
	status = net_attach_again(sv->net, slot->net, fds[ROUTE], err);
	close_all(fds);
	return status;
}

int reattach_changed(const struct supervisor *sv, const struct reattach *slot,
		     const struct slot_net *from, struct err *err)
{
	int fds[SOCKETS_MAX], status;

	if (ask(sv, slot->container, "{\"op\":\"sockets\",\"sockets\":[\"route\"]}", 1, fds, err) <
	    0)
		return -1;
	status = net_change_links(sv->net, from, slot->net, fds[ROUTE], err);
	close_all(fds);
	if (status < 0 || (slot->net->internal_only == from->internal_only && from->link_count))
		return status;
	/* netd must know whether the host's name servers may be asked for it. */
	return reattach_names(sv, slot, err);
}
