/* bench/floor - what the kernel alone asks for starting and removing N containers.
 *
 * Two threads do, per container and with raw system calls only: folders, cgroups, one clone3 into
 * new namespaces, overlay, /proc /sys /dev, pivot_root, a veth pair whose peer is born in the
 * container, address, default route, exec of a static sleeper. Nothing is read, stored, logged,
 * filtered or supervised, so a program's time divided by this one's says what its own work weighs.
 *
 * Owns: the order of the run, cgroups, folders, the figures on stdout (a line of JSON each).
 * May not touch: the initial network namespace (refused).
 */
#include "bench/floor.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <linux/sched.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { COUNT_MAX = 2000, WORKERS_MAX = 16 };
#define SLEEPER "/bin/floor-sleeper"

void floor_fail(const struct floor *floor, const char *what, const char *name)
{
	int saved = errno;

	for (int i = 0; floor->boxes && i < floor->count; i++)
		if (floor->boxes[i].pid > 0)
			kill(floor->boxes[i].pid, SIGKILL);
	fprintf(stderr, "floor: %s %s: %s\n", what, name, strerror(saved));
	exit(2);
}

static double now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (double)now.tv_sec * 1e3 + (double)now.tv_nsec / 1e6;
}

static void make_dir(const struct floor *floor, const char *dir, const char *name)
{
	char path[320];

	snprintf(path, sizeof path, "%s%s%s", dir, *name ? "/" : "", name);
	if (mkdir(path, 0755) < 0)
		floor_fail(floor, "mkdir", path);
}

static void write_file(const struct floor *floor, const char *dir, const char *name,
		       const char *text)
{
	char path[320];
	int fd;

	snprintf(path, sizeof path, "%s/%s", dir, name);
	fd = open(path, O_WRONLY | O_CLOEXEC);
	if (fd < 0 || write(fd, text, strlen(text)) != (ssize_t)strlen(text))
		floor_fail(floor, "write", path);
	close(fd);
}

static void attach(const struct floor *floor, const struct box *box)
{
	char text[16];

	snprintf(text, sizeof text, "%d", (int)box->pid);
	for (int i = 0; i < floor->cgroups; i++)
		write_file(floor, box->cgroups[i], "cgroup.procs", text);
}

static void make_dirs(const struct floor *floor, const struct box *box)
{
	static const char *const dirs[] = { "", "upper", "work", "merged" };

	for (size_t i = 0; i < sizeof dirs / sizeof dirs[0]; i++)
		make_dir(floor, box->dir, dirs[i]);
	for (int i = 0; i < floor->cgroups; i++)
		make_dir(floor, box->cgroups[i], "");
}

static void start_box(const struct floor *floor, struct box *box, int rtnl_fd)
{
	struct clone_args args = {
		.flags = CLONE_NEWNS | CLONE_NEWUTS | CLONE_NEWIPC | CLONE_NEWPID | CLONE_NEWNET,
		.exit_signal = SIGCHLD,
	};
	int cgroup_fd = -1;
	long pid;

	make_dirs(floor, box);
	if (floor->cgroup_v2) {
		cgroup_fd = open(box->cgroups[0], O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		args.flags |= CLONE_INTO_CGROUP;
		args.cgroup = (uint64_t)cgroup_fd;
	}
	if (pipe2(box->go_fds, O_CLOEXEC) < 0)
		floor_fail(floor, "pipe for", box->link);
	pid = syscall(SYS_clone3, &args, sizeof args);
	if (pid < 0)
		floor_fail(floor, "clone of", box->link);
	if (pid == 0)
		root_enter(floor, box);
	box->pid = (pid_t)pid;
	if (floor->cgroup_v2)
		close(cgroup_fd);
	else
		attach(floor, box);
	if (net_make_pair(rtnl_fd, floor, box->link, box->pid) < 0)
		floor_fail(floor, "veth", box->link);
	if (write(box->go_fds[1], "g", 1) != 1)
		floor_fail(floor, "go for", box->link);
	close(box->go_fds[0]);
	close(box->go_fds[1]);
}

static struct box *take_box(struct floor *floor)
{
	struct box *box = NULL;

	pthread_mutex_lock(&floor->next_lock);
	if (floor->next < floor->count)
		box = &floor->boxes[floor->next++];
	pthread_mutex_unlock(&floor->next_lock);
	return box;
}

static void *start_worker(void *opaque)
{
	struct floor *floor = opaque;
	int rtnl_fd = net_open();
	struct box *box;

	if (rtnl_fd < 0)
		floor_fail(floor, "socket", "rtnetlink");
	while ((box = take_box(floor)))
		start_box(floor, box, rtnl_fd);
	close(rtnl_fd);
	return NULL;
}

static void remove_tree(const char *path)
{
	DIR *dir = opendir(path);
	const struct dirent *entry;
	char sub[512];

	if (!dir)
		return;
	while ((entry = readdir(dir))) {
		if (!strcmp(entry->d_name, ".") || !strcmp(entry->d_name, ".."))
			continue;
		snprintf(sub, sizeof sub, "%s/%s", path, entry->d_name);
		if (entry->d_type == DT_DIR)
			remove_tree(sub);
		else
			unlink(sub);
	}
	closedir(dir);
	rmdir(path);
}

static void *stop_worker(void *opaque)
{
	struct floor *floor = opaque;
	struct box *box;

	while ((box = take_box(floor))) {
		for (int i = 0; i < floor->cgroups; i++)
			if (rmdir(box->cgroups[i]) < 0)
				floor_fail(floor, "rmdir", box->cgroups[i]);
		remove_tree(box->dir);
	}
	return NULL;
}

static void run_workers(struct floor *floor, void *(*work)(void *))
{
	pthread_t threads[WORKERS_MAX];

	floor->next = 0;
	for (int i = 0; i < floor->workers; i++)
		if (pthread_create(&threads[i], NULL, work, floor))
			floor_fail(floor, "start", "thread");
	for (int i = 0; i < floor->workers; i++)
		pthread_join(threads[i], NULL);
}

static void prepare_boxes(struct floor *floor)
{
	for (int i = 0; i < floor->count; i++) {
		struct box *box = &floor->boxes[i];

		memset(box, 0, sizeof *box);
		box->number = i;
		snprintf(box->link, sizeof box->link, "fl%d", i);
		snprintf(box->dir, sizeof box->dir, "%s/c%d", floor->scratch, i);
		snprintf(box->overlay, sizeof box->overlay,
			 "lowerdir=%s,upperdir=%s/upper,workdir=%s/work", floor->lower, box->dir,
			 box->dir);
		for (int c = 0; c < floor->cgroups; c++)
			snprintf(box->cgroups[c], sizeof box->cgroups[c], "%.127s/c%d",
				 floor->cgroup_parents[c], i);
	}
}

/* From the first mkdir to the last exec. */
static double up_ms(struct floor *floor)
{
	char report[2], step[2] = "";
	double start, took;

	prepare_boxes(floor);
	if (pipe2(floor->exec_fds, O_CLOEXEC) < 0)
		floor_fail(floor, "pipe", "");
	start = now_ms();
	run_workers(floor, start_worker);
	close(floor->exec_fds[1]);
	if (read(floor->exec_fds[0], report, sizeof report) != 0) {
		errno = report[1];
		step[0] = report[0];
		floor_fail(floor, "a container failed at step", step);
	}
	took = now_ms() - start;
	close(floor->exec_fds[0]);
	if (waitpid(-1, NULL, WNOHANG) != 0) {
		errno = ECHILD;
		floor_fail(floor, "a container", "is not running");
	}
	return took;
}

static double down_ms(struct floor *floor, int rtnl_fd)
{
	double start = now_ms();

	for (int i = 0; i < floor->count; i++)
		kill(floor->boxes[i].pid, SIGKILL);
	if (net_delete_group(rtnl_fd) < 0 && errno != ENODEV)
		floor_fail(floor, "delete", "links");
	for (int i = 0; i < floor->count; i++) {
		if (waitpid(floor->boxes[i].pid, NULL, 0) < 0)
			floor_fail(floor, "wait for", floor->boxes[i].link);
		floor->boxes[i].pid = 0;
	}
	run_workers(floor, stop_worker);
	return now_ms() - start;
}

static void refuse_initial_namespace(void)
{
	/* Only the initial network namespace shows this setting; pid 1 may be unreadable. */
	if (access("/proc/sys/net/core/netdev_max_backlog", F_OK) == 0) {
		fprintf(stderr, "floor: not in the initial network namespace\n");
		exit(2);
	}
}

static void find_cgroups(struct floor *floor)
{
	static const char *const v1[] = { "memory/", "pids/", "cpu/" };
	struct statfs fs;

	if (statfs("/sys/fs/cgroup", &fs) < 0)
		floor_fail(floor, "look at", "/sys/fs/cgroup");
	floor->cgroup_v2 = fs.f_type == CGROUP2_SUPER_MAGIC;
	floor->cgroups = floor->cgroup_v2 ? 1 : FLOOR_CONTROLLERS;
	for (int i = 0; i < floor->cgroups; i++) {
		snprintf(floor->cgroup_parents[i], sizeof floor->cgroup_parents[i],
			 "/sys/fs/cgroup/%sfloor.%d", floor->cgroup_v2 ? "" : v1[i], (int)getpid());
		make_dir(floor, floor->cgroup_parents[i], "");
	}
	if (floor->cgroup_v2)
		write_file(floor, floor->cgroup_parents[0], "cgroup.subtree_control",
			   "+memory +pids +cpu");
}

static void copy_program(const struct floor *floor, const char *path)
{
	char bytes[65536];
	int in = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
	int out = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0755);
	ssize_t len;

	if (in < 0 || out < 0)
		floor_fail(floor, "open", path);
	while ((len = read(in, bytes, sizeof bytes)) > 0)
		if (write(out, bytes, (size_t)len) != len)
			floor_fail(floor, "write", path);
	close(in);
	close(out);
}

/* The default root: this program, which sleeps when called by the other name. */
static void make_rootfs(struct floor *floor)
{
	static const char *const dirs[] = { "", "bin", "proc", "sys", "dev" };
	char path[320];

	snprintf(floor->lower, sizeof floor->lower, "%s/lower", floor->scratch);
	for (size_t i = 0; i < sizeof dirs / sizeof dirs[0]; i++)
		make_dir(floor, floor->lower, dirs[i]);
	snprintf(path, sizeof path, "%s%s", floor->lower, SLEEPER);
	copy_program(floor, path);
}

static void usage(void)
{
	fprintf(stderr, "usage: floor [-n containers] [-w workers] [-k rounds] [-d folder] [-q]\n"
			"             [-r rootfs -- /command argument...]\n");
	exit(2);
}

static const char *parse(struct floor *floor, int argc, char **argv)
{
	const char *folder = "/var/tmp";
	int letter;

	while ((letter = getopt(argc, argv, "n:w:k:d:r:q")) != -1) {
		switch (letter) {
		case 'n':
			floor->count = atoi(optarg);
			break;
		case 'w':
			floor->workers = atoi(optarg);
			break;
		case 'k':
			floor->rounds = atoi(optarg);
			break;
		case 'd':
			folder = optarg;
			break;
		case 'q':
			floor->one_queue = true;
			break;
		case 'r':
			floor->rootfs = optarg;
			break;
		default:
			usage();
		}
	}
	if (floor->count < 1 || floor->count > COUNT_MAX || floor->workers < 1 ||
	    floor->workers > WORKERS_MAX || floor->rounds < 1 || !floor->rootfs != (optind == argc))
		usage();
	if (floor->rootfs)
		floor->argv = argv + optind;
	return folder;
}

static void set_up(struct floor *floor, const char *folder, int rtnl_fd)
{
	if (snprintf(floor->scratch, sizeof floor->scratch, "%s/floor.%d", folder, (int)getpid()) >=
	    (int)sizeof floor->scratch)
		usage();
	make_dir(floor, floor->scratch, "");
	find_cgroups(floor);
	if (floor->rootfs)
		snprintf(floor->lower, sizeof floor->lower, "%s", floor->rootfs);
	else
		make_rootfs(floor);
	if (net_make_bridge(rtnl_fd, floor) < 0)
		floor_fail(floor, "make", "bridge");
}

static void clean_up(const struct floor *floor, int rtnl_fd)
{
	net_delete_link(rtnl_fd, floor->bridge_index);
	for (int i = 0; i < floor->cgroups; i++)
		rmdir(floor->cgroup_parents[i]);
	remove_tree(floor->scratch);
}

int main(int argc, char **argv)
{
	static char sleeper[] = SLEEPER, *sleeper_argv[] = { sleeper, NULL };
	struct floor floor = {
		.count = 50,
		.workers = 2,
		.rounds = 1,
		.argv = sleeper_argv,
		.next_lock = PTHREAD_MUTEX_INITIALIZER,
	};
	const char *folder;
	int rtnl_fd;

	if (!strcmp(argv[0], SLEEPER))
		for (;;)
			pause();
	folder = parse(&floor, argc, argv);
	refuse_initial_namespace();
	floor.boxes = calloc((size_t)floor.count, sizeof *floor.boxes);
	rtnl_fd = net_open();
	if (!floor.boxes || rtnl_fd < 0)
		floor_fail(&floor, "set", "up");
	set_up(&floor, folder, rtnl_fd);
	for (int i = 0; i < floor.rounds; i++) {
		double up = up_ms(&floor);

		printf("{\"up_ms\": %.2f, \"down_ms\": %.2f, \"n\": %d, \"workers\": %d, "
		       "\"cgroup\": \"%s\"}\n",
		       up, down_ms(&floor, rtnl_fd), floor.count, floor.workers,
		       floor.cgroup_v2 ? "v2" : "v1");
		fflush(stdout);
	}
	clean_up(&floor, rtnl_fd);
	free(floor.boxes);
	return 0;
}
