/* bench/floor_net - the yardstick's links: just enough rtnetlink for one bridge and its veth pairs.
 *
 * Owns: messages and their acknowledgements. Everything is in the caller's network namespace.
 * May not touch: containers, files.
 */
#include "bench/floor.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/if_link.h>
#include <linux/rtnetlink.h>
#include <linux/veth.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define BRIDGE "floor0"

/* 10.213.0.0/16 is only ever inside the private namespace. */
enum { LINK_GROUP = 4711, PREFIX_LEN = 16, NET_BASE = 0x0ad50000 };

/* Several messages, sent together; head is where the one under work starts. */
struct batch {
	_Alignas(struct nlmsghdr) char bytes[1024];
	size_t used;
	size_t head;
	uint32_t count;
};

static size_t append(struct batch *batch, const void *data, size_t len)
{
	size_t at = batch->used;

	if (at + NLMSG_ALIGN(len) > sizeof batch->bytes)
		abort();
	if (len)
		memcpy(batch->bytes + at, data, len);
	memset(batch->bytes + at + len, 0, NLMSG_ALIGN(len) - len);
	batch->used += NLMSG_ALIGN(len);
	return at;
}

static void message_begin(struct batch *batch, uint16_t type, uint16_t flags, const void *body,
			  size_t len)
{
	struct nlmsghdr header = {
		.nlmsg_type = type,
		.nlmsg_seq = ++batch->count,
		.nlmsg_flags = (uint16_t)(NLM_F_REQUEST | NLM_F_ACK | flags),
	};

	batch->head = append(batch, &header, sizeof header);
	append(batch, body, len);
}

static void message_end(struct batch *batch)
{
	uint32_t len = (uint32_t)(batch->used - batch->head);

	memcpy(batch->bytes + batch->head, &len, sizeof len);
}

/* The place of the attribute, for nest_end when others follow inside it. */
static size_t attribute(struct batch *batch, uint16_t type, const void *data, size_t len)
{
	struct rtattr header = { .rta_type = type, .rta_len = (uint16_t)RTA_LENGTH(len) };
	size_t at = append(batch, &header, sizeof header);

	append(batch, data, len);
	return at;
}

static void nest_end(struct batch *batch, size_t at)
{
	uint16_t len = (uint16_t)(batch->used - at);

	memcpy(batch->bytes + at, &len, sizeof len);
}

/* Acknowledgements in one datagram, -1 when one of them is an error. */
static int count_acks(const char *reply, ssize_t len)
{
	const struct nlmsghdr *header = (const void *)reply;
	int left = (int)len;
	int acks = 0;

	for (; NLMSG_OK(header, left); header = NLMSG_NEXT(header, left)) {
		const struct nlmsgerr *answer = NLMSG_DATA(header);

		if (header->nlmsg_type != NLMSG_ERROR)
			continue;
		if (answer->error) {
			errno = -answer->error;
			return -1;
		}
		acks++;
	}
	return acks;
}

static int batch_send(int fd, const struct batch *batch)
{
	_Alignas(struct nlmsghdr) char reply[8192];

	if (send(fd, batch->bytes, batch->used, 0) < 0)
		return -1;
	for (uint32_t acks = 0; acks < batch->count;) {
		ssize_t len = recv(fd, reply, sizeof reply, 0);
		int more = len < 0 ? -1 : count_acks(reply, len);

		if (more < 0)
			return -1;
		acks += (uint32_t)more;
	}
	return 0;
}

int net_open(void)
{
	return socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE);
}

int net_delete_link(int fd, int index)
{
	struct ifinfomsg link = { .ifi_index = index };
	struct batch batch = { .used = 0 };

	message_begin(&batch, RTM_DELLINK, 0, &link, sizeof link);
	message_end(&batch);
	return batch_send(fd, &batch);
}

int net_delete_group(int fd)
{
	struct ifinfomsg link = { .ifi_index = 0 };
	struct batch batch = { .used = 0 };
	uint32_t group = LINK_GROUP;

	message_begin(&batch, RTM_DELLINK, 0, &link, sizeof link);
	attribute(&batch, IFLA_GROUP, &group, sizeof group);
	message_end(&batch);
	return batch_send(fd, &batch);
}

static int add_address(int fd, int index, uint32_t ip)
{
	struct ifaddrmsg address = { .ifa_family = AF_INET, .ifa_prefixlen = PREFIX_LEN };
	struct batch batch = { .used = 0 };

	address.ifa_index = (unsigned)index;
	message_begin(&batch, RTM_NEWADDR, NLM_F_CREATE, &address, sizeof address);
	attribute(&batch, IFA_LOCAL, &ip, sizeof ip);
	message_end(&batch);
	return batch_send(fd, &batch);
}

int net_make_bridge_of(int fd, const char *name, uint32_t ip)
{
	struct ifinfomsg link = { .ifi_flags = IFF_UP, .ifi_change = IFF_UP };
	struct batch batch = { .used = 0 };
	size_t info;
	int index;

	message_begin(&batch, RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL, &link, sizeof link);
	attribute(&batch, IFLA_IFNAME, name, strlen(name) + 1);
	info = attribute(&batch, IFLA_LINKINFO, NULL, 0);
	attribute(&batch, IFLA_INFO_KIND, "bridge", 7);
	nest_end(&batch, info);
	message_end(&batch);
	if (batch_send(fd, &batch) < 0)
		return -1;
	index = (int)if_nametoindex(name);
	return add_address(fd, index, htonl(ip)) < 0 ? -1 : index;
}

int net_make_bridge(int fd, struct floor *floor)
{
	int left = (int)if_nametoindex(BRIDGE);

	if (left) { /* of a run that failed */
		net_delete_group(fd);
		net_delete_link(fd, left);
	}
	floor->bridge_index = net_make_bridge_of(fd, BRIDGE, NET_BASE + 1);
	return floor->bridge_index < 0 ? -1 : 0;
}

/* Unasked the kernel makes one for each processor and takes the others out of use again. */
static void put_queues(struct batch *batch, const struct floor *floor)
{
	const uint32_t one = 1;

	if (!floor->one_queue)
		return;
	attribute(batch, IFLA_NUM_TX_QUEUES, &one, sizeof one);
	attribute(batch, IFLA_NUM_RX_QUEUES, &one, sizeof one);
}

int net_make_pair(int fd, const struct floor *floor, const char *name, pid_t pid)
{
	struct ifinfomsg link = { .ifi_flags = IFF_UP, .ifi_change = IFF_UP };
	struct ifinfomsg peer = { .ifi_index = 0 };
	struct batch batch = { .used = 0 };
	uint32_t master = (uint32_t)floor->bridge_index, group = LINK_GROUP, target = (uint32_t)pid;
	size_t info, data, other;

	message_begin(&batch, RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL, &link, sizeof link);
	attribute(&batch, IFLA_IFNAME, name, strlen(name) + 1);
	attribute(&batch, IFLA_MASTER, &master, sizeof master);
	attribute(&batch, IFLA_GROUP, &group, sizeof group);
	put_queues(&batch, floor);
	info = attribute(&batch, IFLA_LINKINFO, NULL, 0);
	attribute(&batch, IFLA_INFO_KIND, "veth", 5);
	data = attribute(&batch, IFLA_INFO_DATA, NULL, 0);
	other = attribute(&batch, VETH_INFO_PEER, &peer, sizeof peer);
	attribute(&batch, IFLA_IFNAME, "eth0", 5);
	attribute(&batch, IFLA_NET_NS_PID, &target, sizeof target);
	put_queues(&batch, floor);
	nest_end(&batch, other);
	nest_end(&batch, data);
	nest_end(&batch, info);
	message_end(&batch);
	return batch_send(fd, &batch);
}

static void put_up(struct batch *batch, int index)
{
	struct ifinfomsg link = { .ifi_index = index, .ifi_flags = IFF_UP, .ifi_change = IFF_UP };

	message_begin(batch, RTM_NEWLINK, 0, &link, sizeof link);
	message_end(batch);
}

static void put_address(struct batch *batch, uint32_t index, uint32_t ip)
{
	struct ifaddrmsg address = { .ifa_family = AF_INET, .ifa_prefixlen = PREFIX_LEN };

	address.ifa_index = index;
	message_begin(batch, RTM_NEWADDR, NLM_F_CREATE, &address, sizeof address);
	attribute(batch, IFA_LOCAL, &ip, sizeof ip);
	attribute(batch, IFA_ADDRESS, &ip, sizeof ip);
	message_end(batch);
}

static void put_default_route(struct batch *batch, uint32_t index, uint32_t gateway)
{
	struct rtmsg route = {
		.rtm_family = AF_INET,
		.rtm_table = RT_TABLE_MAIN,
		.rtm_protocol = RTPROT_BOOT,
		.rtm_type = RTN_UNICAST,
	};

	message_begin(batch, RTM_NEWROUTE, NLM_F_CREATE, &route, sizeof route);
	attribute(batch, RTA_GATEWAY, &gateway, sizeof gateway);
	attribute(batch, RTA_OIF, &index, sizeof index);
	message_end(batch);
}

int net_configure(int number)
{
	struct batch batch = { .used = 0 };
	uint32_t index = if_nametoindex("eth0");
	int fd = net_open();
	int status;

	if (fd < 0)
		return -1;
	put_up(&batch, 1);
	put_address(&batch, index, htonl(NET_BASE + 2 + (uint32_t)number));
	put_up(&batch, (int)index);
	put_default_route(&batch, index, htonl(NET_BASE + 1));
	status = batch_send(fd, &batch);
	close(fd);
	return status;
}
