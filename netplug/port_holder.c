/* netplug/port_holder - which process holds a port of the host.
 *
 * Owns: the way from a bound port to an inode (sock_diag) and to a process (/proc/PID/fd).
 * May not touch: anything (reads only). Source: sock_diag(7). Blocks: a walk over /proc.
 */
#include "netplug/port_holder.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <dirent.h>
#include <fcntl.h>
#include <libmnl/libmnl.h>
#include <linux/inet_diag.h>
#include <linux/sock_diag.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/text.h"

struct search {
	const struct address *address;
	uint16_t port;
	uint32_t inode;
};

static void look_at(const struct inet_diag_msg *socket, struct search *search)
{
	const struct inet_diag_sockid *id = &socket->id;
	struct address source = { .family = socket->idiag_family };

	memcpy(source.bytes, id->idiag_src, address_size(&source));
	if (ntohs(id->idiag_sport) != search->port || search->inode)
		return;
	if (address_is_any(&source) || address_is_any(search->address) ||
	    address_equal(&source, search->address))
		search->inode = socket->idiag_inode;
}

static void ask_family(int fd, int family, uint8_t protocol, struct search *search)
{
	char request[256] = { 0 }, buffer[32768];
	struct nlmsghdr *message = mnl_nlmsg_put_header(request);
	struct inet_diag_req_v2 *query;

	message->nlmsg_type = SOCK_DIAG_BY_FAMILY;
	message->nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP;
	query = mnl_nlmsg_put_extra_header(message, sizeof(*query));
	query->sdiag_family = (uint8_t)family;
	query->sdiag_protocol = protocol;
	query->idiag_states = ~0u;
	if (send(fd, request, message->nlmsg_len, 0) < 0)
		return;
	for (;;) {
		ssize_t got = recv(fd, buffer, sizeof(buffer), 0);
		int len = (int)got;
		const struct nlmsghdr *answer = (const struct nlmsghdr *)buffer;

		if (got <= 0)
			return;
		for (; mnl_nlmsg_ok(answer, len); answer = mnl_nlmsg_next(answer, &len)) {
			if (answer->nlmsg_type == NLMSG_DONE || answer->nlmsg_type == NLMSG_ERROR)
				return;
			look_at(mnl_nlmsg_get_payload(answer), search);
		}
	}
}

static bool has_socket(const char *pid, const char *wanted)
{
	char path[300], target[64];
	DIR *dir;
	const struct dirent *entry;
	bool found = false;

	snprintf(path, sizeof(path), "/proc/%s/fd", pid);
	dir = opendir(path);
	while (dir && !found && (entry = readdir(dir))) {
		ssize_t len = readlinkat(dirfd(dir), entry->d_name, target, sizeof(target) - 1);

		target[len > 0 ? len : 0] = '\0';
		found = strcmp(target, wanted) == 0;
	}
	if (dir)
		closedir(dir);
	return found;
}

static void name_process(const char *pid, char *out, size_t size)
{
	char path[300], name[64] = "";
	AUTO(fd) int fd = -1;

	snprintf(path, sizeof(path), "/proc/%s/comm", pid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd >= 0 && read(fd, name, sizeof(name) - 1) > 0)
		name[strcspn(name, "\n")] = '\0';
	snprintf(out, size, "%s (pid %s)", text_plain(name), pid);
}

void port_holder_find(const struct address *address, uint8_t protocol, uint16_t port, char *out,
		      size_t size)
{
	struct search search = { .address = address, .port = port };
	AUTO(fd) int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_SOCK_DIAG);
	struct timeval patience = { .tv_sec = 1 };
	char wanted[64];
	const struct dirent *entry;
	DIR *proc;

	snprintf(out, size, "another program");
	if (fd < 0)
		return;
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
	ask_family(fd, address->family, protocol, &search);
	if (!search.inode && address->family == AF_INET)
		ask_family(fd, AF_INET6, protocol, &search); /* [::] that takes IPv4 too */
	if (!search.inode)
		return;
	snprintf(wanted, sizeof(wanted), "socket:[%u]", search.inode);
	proc = opendir("/proc");
	while (proc && (entry = readdir(proc)))
		if (isdigit((unsigned char)entry->d_name[0]) && has_socket(entry->d_name, wanted)) {
			name_process(entry->d_name, out, size);
			break;
		}
	if (proc)
		closedir(proc);
}
