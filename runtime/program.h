/* runtime/program - what is executed, with which environment, from which folder. Child side, below
 * the container's root. */
#pragma once
#include "base/err.h"
#include "runtime/config.h"

/* The path of args[0] by PATH of env, as the caller's user: to be freed; NULL with *err and
 * *out_exit_code (127 not found, 126 not executable). The texts are what engines look for. */
char *program_find(const char *name, char *const *env, int *out_exit_code, struct err *err);
/* NULL-terminated: each name once (the last assignment wins), HOME from the container's /etc/passwd
 * when it is absent or empty. listen_pid: LISTEN_PID=1 and LISTEN_FDS=n are added. Lives until
 * exec. */
char **program_environment(const struct config_process *process, unsigned listen_fds);
/* chdir; a missing folder is made when make says so (for a container's own cwd), else NOT_FOUND;
 * refused when the folder lies outside of the root. */
int program_enter(const char *cwd, bool make, struct err *err);
