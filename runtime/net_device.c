/* runtime/net_device - a network device of the host, moved into a container.
 *
 * Owns: the rtnetlink messages of that move. May not touch: links that the orchestrator makes (they
 * are born in their namespace).
 */
#include "runtime/net_device.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/if_addr.h>
#include <linux/if_link.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/cleanup.h"

struct request {
	struct nlmsghdr header;
	char body[512];
};

struct address {
	struct ifaddrmsg head;
	unsigned char local[16], peer[16];
	size_t local_len, peer_len;
};

struct addresses {
	struct address *at;
	size_t count;
};

static void *begin(struct request *request, int type, int flags, size_t head_len)
{
	memset(request, 0, sizeof(*request));
	request->header.nlmsg_type = (unsigned short)type;
	request->header.nlmsg_flags = (unsigned short)(NLM_F_REQUEST | flags);
	request->header.nlmsg_len = (unsigned)NLMSG_LENGTH(head_len);
	return NLMSG_DATA(&request->header);
}

static void add(struct request *request, int type, const void *data, size_t len)
{
	struct rtattr *attr =
		(struct rtattr *)(void *)((char *)request + NLMSG_ALIGN(request->header.nlmsg_len));

	attr->rta_type = (unsigned short)type;
	attr->rta_len = (unsigned short)RTA_LENGTH(len);
	memcpy(RTA_DATA(attr), data, len);
	request->header.nlmsg_len =
		(unsigned)(NLMSG_ALIGN(request->header.nlmsg_len) + RTA_ALIGN(attr->rta_len));
}

/* Sends and waits for the kernel's answer. */
static int ask(int fd, struct request *request, const char *what, struct err *err)
{
	union {
		struct nlmsghdr header;
		char bytes[4096];
	} answer;
	const struct nlmsgerr *result;
	ssize_t n;

	request->header.nlmsg_flags |= NLM_F_ACK;
	if (send(fd, request, request->header.nlmsg_len, 0) < 0)
		return err_sys(err, errno, "%s", what);
	n = recv(fd, &answer, sizeof(answer), 0);
	if (n < (ssize_t)NLMSG_LENGTH(sizeof(*result)) || answer.header.nlmsg_type != NLMSG_ERROR)
		return err_set(err, ERR_SYSTEM, "%s: no answer of the kernel", what);
	result = NLMSG_DATA(&answer.header);
	return result->error ? err_sys(err, -result->error, "%s", what) : 0;
}

static void take_address(const struct nlmsghdr *header, unsigned index, struct addresses *out)
{
	const struct ifaddrmsg *head = NLMSG_DATA(header);
	unsigned left = header->nlmsg_len - (unsigned)NLMSG_LENGTH(sizeof(*head));
	struct address *address;

	if (head->ifa_index != index || head->ifa_scope != RT_SCOPE_UNIVERSE)
		return;
	address = xgrow(&out->at, &out->count, sizeof(*address));
	address->head = *head;
	for (const struct rtattr *attr = IFA_RTA(head); RTA_OK(attr, left);
	     attr = RTA_NEXT(attr, left)) {
		size_t len = RTA_PAYLOAD(attr);

		if (len > 16 || (attr->rta_type != IFA_LOCAL && attr->rta_type != IFA_ADDRESS))
			continue;
		memcpy(attr->rta_type == IFA_LOCAL ? address->local : address->peer, RTA_DATA(attr),
		       len);
		*(attr->rta_type == IFA_LOCAL ? &address->local_len : &address->peer_len) = len;
	}
}

static int read_addresses(int fd, unsigned index, struct addresses *out, struct err *err)
{
	union {
		struct nlmsghdr header;
		char bytes[32768];
	} answer;
	struct request request;
	ssize_t n;

	begin(&request, RTM_GETADDR, NLM_F_DUMP, sizeof(struct ifaddrmsg));
	if (send(fd, &request, request.header.nlmsg_len, 0) < 0)
		return err_sys(err, errno, "ask for addresses");
	while ((n = recv(fd, &answer, sizeof(answer), 0)) > 0) {
		unsigned left = (unsigned)n;

		for (const struct nlmsghdr *header = &answer.header; NLMSG_OK(header, left);
		     header = NLMSG_NEXT(header, left)) {
			if (header->nlmsg_type == NLMSG_DONE)
				return 0;
			if (header->nlmsg_type == RTM_NEWADDR)
				take_address(header, index, out);
		}
	}
	return err_sys(err, errno, "read addresses");
}

static int open_route(struct err *err)
{
	int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE);

	return fd < 0 ? err_sys(err, errno, "open rtnetlink") : fd;
}

/* A netlink socket that lives in the namespace: we are there only while it is made. */
static int open_route_in(int ns_fd, struct err *err)
{
	AUTO(fd) int own_fd = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
	AUTO(fd) int fd = -1;

	if (own_fd < 0 || setns(ns_fd, CLONE_NEWNET) < 0)
		return err_sys(err, errno, "enter the network namespace");
	fd = open_route(err);
	if (setns(own_fd, CLONE_NEWNET) < 0)
		return err_sys(err, errno, "return to our network namespace");
	return TAKE_FD(fd);
}

/* The device's index in the other namespace, where the kernel may have given it another. */
static int find_index(int fd, const char *name, unsigned *out, struct err *err)
{
	union {
		struct nlmsghdr header;
		char bytes[16384];
	} answer;
	struct request request;
	const struct ifinfomsg *info;

	begin(&request, RTM_GETLINK, 0, sizeof(struct ifinfomsg));
	add(&request, IFLA_IFNAME, name, strlen(name) + 1);
	if (send(fd, &request, request.header.nlmsg_len, 0) < 0 ||
	    recv(fd, &answer, sizeof(answer), 0) < (ssize_t)NLMSG_LENGTH(sizeof(*info)) ||
	    answer.header.nlmsg_type != RTM_NEWLINK)
		return err_set(err, ERR_NOT_FOUND, "find %s in the container", name);
	info = NLMSG_DATA(&answer.header);
	*out = (unsigned)info->ifi_index;
	return 0;
}

static int put_addresses(int fd, unsigned index, const struct addresses *addresses, struct err *err)
{
	for (size_t i = 0; i < addresses->count; i++) {
		const struct address *address = &addresses->at[i];
		struct request request;
		struct ifaddrmsg *head =
			begin(&request, RTM_NEWADDR, NLM_F_CREATE | NLM_F_REPLACE, sizeof(*head));

		*head = address->head;
		head->ifa_index = index;
		head->ifa_flags &= (unsigned char)~(IFA_F_TENTATIVE | IFA_F_DADFAILED);
		if (address->local_len)
			add(&request, IFA_LOCAL, address->local, address->local_len);
		if (address->peer_len)
			add(&request, IFA_ADDRESS, address->peer, address->peer_len);
		if (ask(fd, &request, "put an address", err) < 0)
			return -1;
	}
	return 0;
}

static int move_and_rename(int fd, unsigned index, int ns_fd, const char *name, struct err *err)
{
	struct request request;
	struct ifinfomsg *info = begin(&request, RTM_NEWLINK, 0, sizeof(*info));
	unsigned ns = (unsigned)ns_fd;

	info->ifi_index = (int)index;
	add(&request, IFLA_NET_NS_FD, &ns, sizeof(ns));
	add(&request, IFLA_IFNAME, name, strlen(name) + 1);
	return ask(fd, &request, "move the device", err);
}

static int set_up(int fd, unsigned index, struct err *err)
{
	struct request request;
	struct ifinfomsg *info = begin(&request, RTM_NEWLINK, 0, sizeof(*info));

	info->ifi_index = (int)index;
	info->ifi_flags = IFF_UP;
	info->ifi_change = IFF_UP;
	return ask(fd, &request, "set the device up", err);
}

int net_device_move(const char *host_name, const char *name, pid_t pid, struct err *err)
{
	char path[64];
	unsigned index = if_nametoindex(host_name), inside = 0;
	struct addresses addresses = { NULL, 0 };
	AUTO(free) struct address *owner = NULL;
	AUTO(fd) int ns_fd = -1;
	AUTO(fd) int here_fd = -1;
	AUTO(fd) int there_fd = -1;

	if (!index)
		return err_set(err, ERR_NOT_FOUND, "there is no device %s", host_name);
	snprintf(path, sizeof(path), "/proc/%d/ns/net", (int)pid);
	ns_fd = open(path, O_RDONLY | O_CLOEXEC);
	if (ns_fd < 0)
		return err_sys(err, errno, "open the container's network namespace");
	here_fd = open_route(err);
	if (here_fd < 0)
		return -1;
	there_fd = open_route_in(ns_fd, err);
	if (there_fd < 0 || read_addresses(here_fd, index, &addresses, err) < 0)
		return -1;
	owner = addresses.at;
	if (move_and_rename(here_fd, index, ns_fd, name, err) < 0 ||
	    find_index(there_fd, name, &inside, err) < 0 ||
	    put_addresses(there_fd, inside, &addresses, err) < 0)
		return -1;
	return set_up(there_fd, inside, err);
}
