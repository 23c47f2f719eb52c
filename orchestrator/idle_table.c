/* orchestrator/idle_table - a container's sockets, from /proc/PID/net.
 *
 * Owns: the form of those tables (Documentation/networking/proc_net_tcp.rst). May not touch: files.
 */
#include "orchestrator/idle_table.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/cleanup.h"

#define ESTABLISHED "01"
#define LISTEN      "0A"
#define UNCONNECTED "07" /* a UDP socket without a peer */
#define WORDS       4    /* number, local, remote, state */

/* Addresses are printed as words of the machine: 127.0.0.1 is 0100007F. */
static bool is_loopback(const char *hex, size_t len)
{
	if (len == 8)
		return strncmp(hex + 6, "7F", 2) == 0;
	return len == 32 && (strncmp(hex, "00000000000000000000000001000000", 32) == 0 ||
			     (strncmp(hex, "0000000000000000FFFF0000", 24) == 0 &&
			      strncmp(hex + 30, "7F", 2) == 0));
}

static void read_line(char *line, bool is_udp, const char *port, struct idle_sockets *out)
{
	char *words[WORDS], *rest = line;
	const char *local, *remote;

	for (size_t i = 0; i < WORDS; i++)
		if (!(words[i] = strtok_r(i ? NULL : line, " ", &rest)))
			return;
	local = strchr(words[1], ':');
	remote = strchr(words[2], ':');
	if (!local || !remote || strcmp(local + 1, port) != 0)
		return;
	out->listening |= strcmp(words[3], is_udp ? UNCONNECTED : LISTEN) == 0;
	out->connected |= strcmp(words[3], ESTABLISHED) == 0 &&
			  !is_loopback(words[2], (size_t)(remote - words[2]));
}

void idle_table_read(const char *text, bool is_udp, uint16_t port, struct idle_sockets *out)
{
	AUTO(free) char *copy = xstrdup(text);
	char *lines = copy, *line, wanted[8];

	snprintf(wanted, sizeof(wanted), "%04X", port);
	while ((line = strsep(&lines, "\n")) != NULL)
		read_line(line, is_udp, wanted, out);
}
