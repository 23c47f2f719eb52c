/* runtime/netns - a slot's network namespace.
 *
 * Owns: entering a namespace and coming back, the pin on its file, what is opened inside. May not
 * touch: links, addresses, rules (netplug), which slot has which namespace.
 */
#include "runtime/netns.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <linux/netlink.h>
#include <linux/nsfs.h>
#include <net/if.h>
#include <netinet/in.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/cleanup.h"
#include "base/file.h"

#define DNS_ADDRESS 0x7f00000bu /* 127.0.0.11 */
#define DNS_BACKLOG 64
#define OWN_NETNS   "/proc/thread-self/ns/net"

/* Where we came from, as a descriptor, while inside. Going on in a foreign namespace after a failed
 * way back would send packets from the wrong place: that ends the process. */
static void come_back(const int *home)
{
	if (*home < 0)
		return;
	if (setns(*home, CLONE_NEWNET) < 0)
		abort();
	close(*home);
}

static int open_home(struct err *err)
{
	int home = open(OWN_NETNS, O_RDONLY | O_CLOEXEC);

	return home < 0 ? err_sys(err, errno, "open the own network namespace") : home;
}

int netns_run(int netns_fd, int (*run)(void *ctx, struct err *err), void *ctx, struct err *err)
{
	AUTO(fd) int entry = open_home(err);

	if (entry < 0)
		return -1;
	if (setns(netns_fd, CLONE_NEWNET) < 0)
		return err_sys(err, errno, "enter the network namespace");
	{
		__attribute__((cleanup(come_back))) int home = TAKE_FD(entry);

		(void)home;
		return run(ctx, err);
	}
}

static int lo_up(struct err *err)
{
	AUTO(fd) int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	struct ifreq request = { .ifr_name = "lo" };

	if (fd < 0)
		return err_sys(err, errno, "socket");
	/* Asking takes no lock, setting waits for whoever changes links. */
	if (ioctl(fd, SIOCGIFFLAGS, &request) == 0 && request.ifr_flags & IFF_UP)
		return 0;
	request.ifr_flags = IFF_UP;
	return ioctl(fd, SIOCSIFFLAGS, &request) < 0 ? err_sys(err, errno, "set lo up") : 0;
}

static bool is_nsfs(int fd)
{
	struct statfs fs;

	return fstatfs(fd, &fs) == 0 && fs.f_type == NSFS_MAGIC;
}

bool netns_is_pinned(const char *path)
{
	struct statfs fs;

	return statfs(path, &fs) == 0 && fs.f_type == NSFS_MAGIC;
}

static int make_file(const char *path, struct err *err)
{
	AUTO(free) char *dir = xstrdup(path);
	char *slash = strrchr(dir, '/');
	AUTO(fd) int fd = open(path, O_RDONLY | O_CREAT | O_CLOEXEC, 0600);

	if (fd < 0 && errno == ENOENT && slash && slash != dir) {
		*slash = '\0';
		if (file_make_dirs(AT_FDCWD, dir, 0700, err) < 0)
			return -1;
		fd = open(path, O_RDONLY | O_CREAT | O_CLOEXEC, 0600);
	}
	return fd < 0 ? err_sys(err, errno, "make %s", path) : 0;
}

/* What a namespace does not have from its birth: it is no router (some of this is inherited from
 * the host), and its links, now or later, believe no router's advertisement, else a neighbour that
 * may send raw packets became their way out (as CVE-2020-13401 of the host). */
static const struct {
	const char *path, *value;
} at_birth[] = {
	{"/proc/sys/net/ipv4/ip_forward",                 "0"},
	{ "/proc/sys/net/ipv6/conf/default/accept_ra",    "0"},
	{ "/proc/sys/net/ipv6/conf/default/ndisc_notify", "1"},
};

/* Only what is not so: ip_forward asks for a lock of the whole machine. A file that is not there:
 * no IPv6 in this kernel; a /proc/sys that is read-only is somebody's will. */
static int set_switches(struct err *err)
{
	for (size_t i = 0; i < sizeof(at_birth) / sizeof(*at_birth); i++) {
		AUTO(fd) int fd = open(at_birth[i].path, O_RDWR | O_CLOEXEC);
		char now;

		if (fd < 0 && (errno == ENOENT || errno == EROFS))
			continue;
		if (fd < 0 || (pread(fd, &now, 1, 0) == 1 && now != at_birth[i].value[0] &&
			       pwrite(fd, at_birth[i].value, 1, 0) < 0))
			return err_sys(err, errno, "set %s", at_birth[i].path);
	}
	return 0;
}

/* Inside the new namespace: loopback, then the pin. Returns its descriptor. */
static int pin_here(const char *path, struct err *err)
{
	AUTO(fd) int netns = -1;

	if (lo_up(err) < 0 || set_switches(err) < 0)
		return -1;
	netns = open(OWN_NETNS, O_RDONLY | O_CLOEXEC);
	if (netns < 0)
		return err_sys(err, errno, "open the new network namespace");
	if (mount(OWN_NETNS, path, NULL, MS_BIND, NULL) < 0)
		return err_sys(err, errno, "pin the network namespace on %s", path);
	return TAKE_FD(netns);
}

static int make_pinned(const char *path, struct err *err)
{
	AUTO(fd) int entry = -1;
	int netns;

	if (make_file(path, err) < 0)
		return -1;
	entry = open_home(err);
	if (entry < 0)
		return -1;
	if (unshare(CLONE_NEWNET) < 0) {
		err_sys(err, errno, "make a network namespace");
		unlink(path);
		return -1;
	}
	{
		__attribute__((cleanup(come_back))) int home = TAKE_FD(entry);

		(void)home;
		netns = pin_here(path, err);
	}
	if (netns < 0)
		unlink(path);
	return netns;
}

int netns_open(const char *path, bool make, bool *out_made, struct err *err)
{
	AUTO(fd) int fd = open(path, O_RDONLY | O_CLOEXEC);

	*out_made = false;
	if (fd < 0 && errno != ENOENT)
		return err_sys(err, errno, "open %s", path);
	if (fd >= 0 && is_nsfs(fd)) {
		if (ioctl(fd, NS_GET_NSTYPE) != CLONE_NEWNET)
			return err_set(err, ERR_INVALID, "%s is no network namespace", path);
		return TAKE_FD(fd);
	}
	if (!make)
		return err_set(err, ERR_NOT_FOUND, "no network namespace at %s", path);
	*out_made = true;
	return make_pinned(path, err);
}

int netns_drop(const char *path, struct err *err)
{
	/* More than one mount may lie on the file after a crash between two makers. */
	while (netns_is_pinned(path))
		if (umount2(path, MNT_DETACH | UMOUNT_NOFOLLOW) < 0)
			return err_sys(err, errno, "unpin %s", path);
	if (unlink(path) < 0 && errno != ENOENT)
		return err_sys(err, errno, "remove %s", path);
	return 0;
}

int netns_drop_main(int argc, char **argv)
{
	int failed = 0;

	for (int i = 1; i < argc; i++) {
		struct err err = ERR_NONE;

		if (netns_drop(argv[i], &err) < 0) {
			fprintf(stderr, "netns-drop: %s\n", err.msg);
			failed = 1;
		}
	}
	return failed;
}

struct socket_job {
	const enum netns_socket *kinds;
	size_t kind_count;
	int *fds;
	size_t count;
};

static int add_socket(struct socket_job *job, int domain, int type, int protocol, struct err *err)
{
	int fd = socket(domain, type | SOCK_CLOEXEC, protocol);

	if (fd < 0)
		return err_sys(err, errno, "open a socket in the network namespace");
	job->fds[job->count++] = fd;
	return fd;
}

/* For servers of either family. */
static int add_upstream(struct socket_job *job, struct err *err)
{
	int both = 0, fd = socket(AF_INET6, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	if (fd < 0)
		return add_socket(job, AF_INET, SOCK_DGRAM | SOCK_NONBLOCK, 0, err);
	setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &both, sizeof(both));
	job->fds[job->count++] = fd;
	return fd;
}

static int add_dns(struct socket_job *job, struct err *err)
{
	struct sockaddr_in address = { .sin_family = AF_INET,
				       .sin_addr.s_addr = htonl(DNS_ADDRESS) };
	int udp, tcp;

	if (lo_up(err) < 0)
		return -1;
	udp = add_socket(job, AF_INET, SOCK_DGRAM | SOCK_NONBLOCK, 0, err);
	tcp = udp < 0 ? -1 : add_socket(job, AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0, err);
	if (tcp < 0 || add_upstream(job, err) < 0)
		return -1;
	if (bind(udp, (struct sockaddr *)&address, sizeof(address)) < 0 ||
	    bind(tcp, (struct sockaddr *)&address, sizeof(address)) < 0)
		return err_sys(err, errno, "bind to 127.0.0.11");
	return listen(tcp, DNS_BACKLOG) < 0 ? err_sys(err, errno, "listen on 127.0.0.11") : 0;
}

static int open_sockets(void *ctx, struct err *err)
{
	struct socket_job *job = ctx;

	for (size_t i = 0; i < job->kind_count; i++) {
		int result = 0;

		switch (job->kinds[i]) {
		case NETNS_ROUTE:
			result = add_socket(job, AF_NETLINK, SOCK_RAW, NETLINK_ROUTE, err);
			break;
		case NETNS_NETFILTER:
			result = add_socket(job, AF_NETLINK, SOCK_RAW, NETLINK_NETFILTER, err);
			break;
		case NETNS_DNS:
			result = add_dns(job, err);
			break;
		case NETNS_DNS_TCP:
			result = add_socket(job, AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0, err);
			break;
		}
		if (result < 0)
			return -1;
	}
	return 0;
}

int netns_sockets(int netns_fd, const enum netns_socket *kinds, size_t kind_count, int *out_fds,
		  size_t *out_count, struct err *err)
{
	struct socket_job job = { .kinds = kinds, .kind_count = kind_count, .fds = out_fds };

	*out_count = 0;
	if (netns_run(netns_fd, open_sockets, &job, err) < 0) {
		while (job.count)
			close(out_fds[--job.count]);
		return -1;
	}
	*out_count = job.count;
	return 0;
}

struct sysctl_job {
	const char *path, *value;
};

static int write_sysctl(void *ctx, struct err *err)
{
	const struct sysctl_job *job = ctx;
	AUTO(fd) int fd = open(job->path, O_WRONLY | O_CLOEXEC);

	if (fd < 0 || file_write_all(fd, job->value, strlen(job->value)) < 0)
		return err_sys(err, errno, "write %s", job->path);
	return 0;
}

int netns_sysctl(int netns_fd, const char *key, const char *value, struct err *err)
{
	size_t subject_len = strcspn(key, "./");
	bool dotted = key[subject_len] == '.';
	AUTO(free) char *path = xformat("/proc/sys/%s", key);
	struct sysctl_job job = { path, value };

	if (dotted)
		for (char *at = path; *at; at++)
			*at = (char)(*at == '.' ? '/' : *at);
	if (subject_len != 3 || strncmp(key, "net", 3) != 0 || !key[3] || strstr(path, "/../"))
		return err_set(err, ERR_INVALID, "sysctl %s: is not of a network namespace", key);
	return netns_run(netns_fd, write_sysctl, &job, err);
}
