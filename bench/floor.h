/* bench/floor - what the parts of the yardstick share: the containers of one run and their links.
 *
 * A run is one struct floor on main's stack; workers and children get a pointer to it.
 */
#pragma once
#include <net/if.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

enum { FLOOR_CONTROLLERS = 3 };

/* One container. pid is 0 before the start and after the wait. */
struct box {
	pid_t pid;
	int number;
	int go_fds[2]; /* the child waits for one byte here before it touches its link */
	char dir[96];
	char overlay[512]; /* mount data */
	char link[IFNAMSIZ];
	char cgroups[FLOOR_CONTROLLERS][160];
};

struct floor {
	int count;
	int workers;
	int rounds;
	bool one_queue;     /* veths with one queue */
	const char *rootfs; /* NULL: a root of the program itself, which then sleeps */
	char **argv;        /* what every container runs */
	char scratch[64];
	char lower[256];
	struct box *boxes; /* count of them */
	int cgroups;       /* hierarchies: 1 on v2, 3 on v1 */
	bool cgroup_v2;
	char cgroup_parents[FLOOR_CONTROLLERS][128];
	int bridge_index;
	int exec_fds[2]; /* close-on-exec: end-of-file says that all have exec'd */
	int next;        /* the next box to be taken; under next_lock */
	pthread_mutex_t next_lock;
};

/* Ends the program with the text and errno's; kills what runs before. */
void floor_fail(const struct floor *floor, const char *what, const char *name)
	__attribute__((noreturn));

/* floor_net: all block for one round trip; 0 or -1 with errno. Sockets are the caller's. */
int net_open(void);
/* A bridge that is up, with an address of the host's byte order: its index. */
int net_make_bridge_of(int fd, const char *name, uint32_t ip);
/* A bridge with the run's first address, group and index noted in *floor. */
int net_make_bridge(int fd, struct floor *floor);
/* A veth pair: one end a port of the bridge, the other "eth0" of pid's network namespace. */
int net_make_pair(int fd, const struct floor *floor, const char *name, pid_t pid);
/* In the container: lo and eth0 up, address, default route; all in one send. */
int net_configure(int number);
/* Removes the link with this index. */
int net_delete_link(int fd, int index);
/* Removes the links of all containers with one message; ENODEV: there were none. */
int net_delete_group(int fd);

/* floor_root: the child's side, from the clone to exec; does not return. */
void root_enter(const struct floor *floor, const struct box *box) __attribute__((noreturn));
