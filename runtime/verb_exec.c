/* runtime/verb_exec - exec.
 *
 * Owns: what its flags mean. May not touch: namespaces.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/file.h"
#include "base/num.h"
#include "base/text.h"
#include "runtime/capability.h"
#include "runtime/exec.h"
#include "runtime/relay.h"
#include "runtime/verbs.h"

static int parse_id(const char *what, struct slice text, uint32_t *out, struct err *err)
{
	uint64_t number;

	if (num_parse_u64(what, text.at, text.len, 0, UINT32_MAX, &number, err) < 0)
		return -1;
	*out = (uint32_t)number;
	return 0;
}

static int set_user(struct arena *arena, struct config_process *process, const struct flags *flags,
		    struct err *err)
{
	struct slice uid, gid;

	if (flags->user) {
		slice_split(SLICE(flags->user), ':', &uid, &gid);
		if (parse_id("--user", uid, &process->uid, err) < 0)
			return -1;
		process->gid = 0;
		if (gid.len && parse_id("--user", gid, &process->gid, err) < 0)
			return -1;
	}
	if (flags->gids.count) {
		process->additional_gids = arena_alloc(arena, flags->gids.count * sizeof(uint32_t));
		process->additional_gid_count = flags->gids.count;
	}
	for (size_t i = 0; i < flags->gids.count; i++)
		if (parse_id("--additional-gids", SLICE(flags->gids.at[i]),
			     &process->additional_gids[i], err) < 0)
			return -1;
	return 0;
}

static int add_caps(struct config_process *process, const struct flags *flags, struct err *err)
{
	for (size_t i = 0; i < flags->caps.count; i++) {
		int number = capability_number(flags->caps.at[i]);
		uint64_t bit;

		if (number < 0)
			return err_set(err, ERR_INVALID, "--cap: unknown capability %.60s",
				       flags->caps.at[i]);
		bit = 1ull << number;
		process->caps.bounding |= bit;
		process->caps.effective |= bit;
		process->caps.permitted |= bit;
		if (process->caps.inheritable & bit)
			process->caps.ambient |= bit;
		process->has_caps = true;
	}
	return 0;
}

static void add_env(struct arena *arena, struct config_process *process, const struct flags *flags)
{
	struct config_texts env = {
		arena_alloc(arena, (process->env.count + flags->env.count + 1) * sizeof(char *)), 0
	};

	for (size_t i = 0; i < process->env.count; i++)
		env.at[env.count++] = process->env.at[i];
	for (size_t i = 0; i < flags->env.count; i++)
		env.at[env.count++] = flags->env.at[i];
	process->env = env;
}

/* --process: the file's members; else the container's process with the flags put over it. */
static struct config_process *make_process(struct config *config, struct config **out_given,
					   const struct flags *flags, const char **args,
					   size_t count, struct err *err)
{
	struct config_process *process;
	AUTO(free) char *text = NULL;
	size_t len;

	if (flags->process) {
		if (file_read(AT_FDCWD, flags->process, CONFIG_MAX_BYTES, &text, &len, err) < 0)
			return NULL;
		*out_given = config_parse_process(text, len, err);
		if (!*out_given)
			return NULL;
		process = exec_process_merge(config->arena, config->process, (*out_given)->process);
	} else {
		process = arena_alloc(config->arena, sizeof(*process));
		*process = *config->process;
		process->terminal = flags->tty;
		process->console_height = process->console_width = 0;
		process->args = (struct config_texts){ args, count };
	}
	if (flags->tty)
		process->terminal = true;
	if (flags->cwd)
		process->cwd = flags->cwd;
	if (flags->process_label)
		process->selinux_label = flags->process_label;
	if (flags->apparmor)
		process->apparmor_profile = flags->apparmor;
	process->no_new_privileges |= flags->no_new_privs;
	add_env(config->arena, process, flags);
	if (set_user(config->arena, process, flags, err) < 0 || add_caps(process, flags, err) < 0)
		return NULL;
	if (!process->args.count) {
		err_set(err, ERR_INVALID, "process args cannot be empty");
		return NULL;
	}
	return process;
}

static int check_console(const struct flags *flags, const struct config_process *process,
			 struct err *err)
{
	if (process->terminal && flags->detach && !flags->console_socket)
		return err_set(err, ERR_INVALID,
			       "cannot allocate tty if runtime will detach without setting console "
			       "socket (--console-socket)");
	if (flags->console_socket && (!process->terminal || !flags->detach))
		return err_set(
			err, ERR_INVALID,
			"cannot use console socket if runtime will not detach or allocate tty");
	return 0;
}

static int hand_over(const struct flags *flags, const struct exec_session *session, struct err *err)
{
	if (flags->console_socket &&
	    relay_send_fd(flags->console_socket, "/dev/pts/ptmx", session->console_fd, err) < 0)
		return -1;
	if (flags->pidfd_socket &&
	    relay_send_fd(flags->pidfd_socket, "pidfd", session->pidfd, err) < 0)
		return -1;
	return runtime_write_pid(flags->pid_file, session->pid, err);
}

static int execute(const struct exec_spec *spec, const struct flags *flags, struct err *err)
{
	struct exec_session session;
	AUTO(fd) int signal_fd = -1;
	AUTO(fd) int pidfd = -1;
	AUTO(fd) int console_fd = -1;
	sigset_t old;

	if (!flags->detach) {
		signal_fd = relay_signals(&old, err);
		if (signal_fd < 0)
			return -1;
	}
	if (exec_start(spec, &session, NULL, err) < 0)
		return -1;
	pidfd = session.pidfd;
	console_fd = session.console_fd;
	if (hand_over(flags, &session, err) < 0) {
		process_signal(pidfd, SIGKILL);
		return -1;
	}
	return flags->detach ? 0 : relay_wait(session.pid, pidfd, console_fd, signal_fd, err);
}

int verb_exec(struct runtime *runtime, struct flags *flags, const char **args, size_t count,
	      struct err *err)
{
	AUTO(state) struct state *state = runtime_state(runtime, args[0], err);
	AUTO(config) struct config *config = NULL;
	AUTO(config) struct config *given = NULL;
	struct exec_spec spec = {
		.state = state,
		.stdio_fds = {0, 1, 2},
		.preserve_fds = flags->preserve_fds,
		.cgroups = flags->cgroups.at,
		.flags = (flags->ignore_paused ? EXEC_IGNORE_PAUSED : 0) |
			 (flags->detach ? 0 : EXEC_PLAIN_LINES),
		.warn = runtime_warn,
		.warn_context = runtime,
		.debug = runtime->debug ? runtime_debug : NULL,
	};
	int status;

	if (!state)
		return err_wrap(err, "exec in %.64s", args[0]);
	if (flags->preserve_fds > runtime->given_fds)
		return err_set(err, ERR_INVALID, "--preserve-fds: descriptor %u is not open",
			       3 + runtime->given_fds);
	if (count < 2 && !flags->process)
		return err_set(err, ERR_INVALID, "exec: neither a command nor --process is given");
	config = state_config(state, err);
	if (!config || !config->process)
		return err_wrap(err, "exec in %.64s", args[0]);
	spec.config = config;
	spec.process = make_process(config, &given, flags, args + 1, count - 1, err);
	if (!spec.process || check_console(flags, spec.process, err) < 0)
		return -1;
	if (spec.process->terminal && !spec.process->console_height)
		relay_terminal_size(
			&((struct config_process *)(uintptr_t)spec.process)->console_height,
			&((struct config_process *)(uintptr_t)spec.process)->console_width);
	status = execute(&spec, flags, err);
	return status < 0 ? err_wrap(err, "exec failed") : status;
}
