/* netplug/port_socket - placeholder sockets.
 *
 * Owns: protocols' names, the bind that keeps others out, the words of its failures.
 * May not touch: the book (netplug/ports). Blocks: only to name a holder.
 */
#include "netplug/port_socket.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>

#include "base/cleanup.h"
#include "netplug/port_holder.h"
#include "netplug/ports.h"

static const struct {
	uint8_t number;
	int socket_type;
	const char *name;
} protocols[] = {
	{IPPROTO_TCP,   SOCK_STREAM, "tcp" },
	{ IPPROTO_UDP,  SOCK_DGRAM,  "udp" },
	{ IPPROTO_SCTP, SOCK_STREAM, "sctp"},
};

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

const char *ports_protocol_name(uint8_t protocol)
{
	for (size_t i = 0; i < COUNT(protocols); i++)
		if (protocols[i].number == protocol)
			return protocols[i].name;
	return "ip";
}

uint8_t port_socket_protocol(const char *name)
{
	for (size_t i = 0; i < COUNT(protocols); i++)
		if (strcmp(protocols[i].name, name) == 0)
			return protocols[i].number;
	return 0;
}

static int socket_type(uint8_t protocol)
{
	for (size_t i = 0; i < COUNT(protocols); i++)
		if (protocols[i].number == protocol)
			return protocols[i].socket_type;
	return SOCK_STREAM;
}

static socklen_t to_sockaddr(const struct address *address, uint16_t port,
			     struct sockaddr_storage *out)
{
	struct sockaddr_in *v4 = (struct sockaddr_in *)out;
	struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)out;

	memset(out, 0, sizeof(*out));
	if (address->family == AF_INET) {
		v4->sin_family = AF_INET;
		v4->sin_port = htons(port);
		memcpy(&v4->sin_addr, address->bytes, 4);
		return sizeof(*v4);
	}
	v6->sin6_family = AF_INET6;
	v6->sin6_port = htons(port);
	memcpy(&v6->sin6_addr, address->bytes, 16);
	return sizeof(*v6);
}

uint16_t port_socket_number(int fd)
{
	/* The port has the same place in both families. */
	struct sockaddr_in6 name = { .sin6_port = 0 };
	socklen_t len = sizeof(name);

	if (getsockname(fd, (struct sockaddr *)&name, &len) < 0)
		return 0;
	return ntohs(name.sin6_port);
}

int port_socket_bind(const struct address *address, uint8_t protocol, uint16_t port)
{
	struct sockaddr_storage name;
	socklen_t len = to_sockaddr(address, port, &name);
	int on = 1, off = 0;
	AUTO(fd) int fd = socket(address->family, socket_type(protocol) | SOCK_CLOEXEC, protocol);

	if (fd < 0) {
		errno = errno == EPROTONOSUPPORT ? ESOCKTNOSUPPORT : errno;
		return -1;
	}
	if (address->family == AF_INET6)
		setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof(on));
	if (protocol != IPPROTO_UDP)
		setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	if (bind(fd, (struct sockaddr *)&name, len) < 0)
		return -1;
	if (protocol != IPPROTO_UDP)
		setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &off, sizeof(off));
	return TAKE_FD(fd);
}

static int let_reuse(int fd, int on)
{
	return setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
}

int port_socket_listen(int fd, int backlog)
{
	/* listen looks for others on the port again, and those in TIME_WAIT count without the
	 * option; while it listens nobody else can bind the port in spite of it. */
	return let_reuse(fd, 1) < 0 ? -1 : listen(fd, backlog);
}

void port_socket_deafen(int fd)
{
	if (let_reuse(fd, 0) == 0)
		shutdown(fd, SHUT_RD);
}

int port_socket_error(int error, const struct address *address, uint8_t protocol, uint16_t port,
		      struct err *err)
{
	char text[ADDRESS_TEXT], holder[128];

	address_text(address, text);
	if (error == EADDRNOTAVAIL)
		return err_set(err, ERR_INVALID, "port %u/%s: this host has no address %s", port,
			       ports_protocol_name(protocol), text);
	if (error == EACCES)
		return err_set(
			err, ERR_DENIED,
			"port %u/%s on %s: not permitted (net.ipv4.ip_unprivileged_port_start)",
			port, ports_protocol_name(protocol), text);
	if (error == ESOCKTNOSUPPORT)
		return err_set(
			err, ERR_UNSUPPORTED,
			"port/%s: this kernel cannot choose one (CONFIG_IP_SCTP); give a number",
			ports_protocol_name(protocol));
	if (error != EADDRINUSE)
		return err_sys(err, error, "port %u/%s on %s", port, ports_protocol_name(protocol),
			       text);
	port_holder_find(address, protocol, port, holder, sizeof(holder));
	return err_set(err, ERR_EXISTS, "port %u/%s on %s is taken by %s", port,
		       ports_protocol_name(protocol), text, holder);
}
