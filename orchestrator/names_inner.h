/* orchestrator/names_inner - what the rooms of names share; for names.c, names_start.c and
 * names_renew.c alone. */
#pragma once
#include <pthread.h>

#include "orchestrator/names.h"

#define NAMES_NEW_SOCKET "netd.sock.new" /* of a netd that takes the place of another one */

struct names {
	const struct project_dirs *dirs;
	char *netd_path;
	int log_fd; /* borrowed */
	int conversation_fd, pidfd;
	unsigned generation; /* counts the netds that we spoke to */
	uint64_t serial;
	char **slots; /* names that netd holds */
	size_t slot_count;
	pthread_mutex_t book; /* of slots alone, innermost: the loop looks at them while others wait
				 for netd */
	pthread_mutex_t lock;
	pthread_mutex_t ports; /* sockets of ports are on their way from a book to netd */
};

/* A new process of stack-netd that listens at this name of the run folder and knows the host's name
 * servers; it holds nothing. Both descriptors are the caller's. */
int names_start_process(const struct names *names, const char *socket_name,
			int *out_conversation_fd, int *out_pidfd, struct err *err);
/* One whose renewal a crash cut off ends; not there: fine. */
void names_end_half_renewed(const struct names *names);
