/* runtime/create_internal - the job of create's stages, shared by create and create_attend. */
#pragma once
#include <stdbool.h>
#include <sys/types.h>

#include "runtime/create.h"
#include "runtime/init.h"
#include "runtime/state.h"

struct create_job {
	struct create_spec spec;
	struct init_job init; /* the child's; its copy after the clone */
	struct state state;   /* fields owned one by one; cgroup borrowed from the job */
	struct cgroup *cgroup;
	struct debug_log log; /* the parent's */
	int lock_fd, socket_fd, pidfd, console_fd;
	bool made_folder, made_cgroup, by_helper, late_join;
	int exit_code;
};

/* root.path made absolute by the bundle and by the file system's links. To be freed. */
char *create_root_path(const struct config *config, const char *bundle);
/* The pid of a pidfd in our namespace; -1 when it has gone. */
pid_t create_pid_of(int pidfd);
/* Serves init until it says READY; in fifo mode it is then let go to wait there. */
int create_attend(struct create_job *job, struct err *err);
/* Stages of their own files; context is the struct create_job. */
int create_open_sources(void *context, struct err *err);
int create_clone(void *context, struct err *err);
void create_unclone(void *context); /* kills and reaps init */
/* Maps the ids of config's mount `index`, whose tree is given. */
int create_idmap(struct create_job *job, size_t index, int tree_fd, struct err *err);
/* After GO: 0 when the program runs. */
int create_hear_exec(struct create_job *job, struct err *err);
