/* runtime/verb_create - create, run, start.
 *
 * Owns: what their flags mean, the foreground of run. May not touch: stages.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/num.h"
#include "runtime/create.h"
#include "runtime/lifecycle.h"
#include "runtime/relay.h"
#include "runtime/verbs.h"

static unsigned listen_fds(void)
{
	const char *text = getenv("LISTEN_FDS");
	struct err ignored = ERR_NONE;
	uint64_t count = 0;

	if (text)
		num_parse_u64("LISTEN_FDS", text, strlen(text), 0, 1024, &count, &ignored);
	return (unsigned)count;
}

static int check_terminal(const struct config *config, const struct flags *flags, bool foreground,
			  struct err *err)
{
	bool terminal = config->process && config->process->terminal;

	if (terminal && !foreground && !flags->console_socket)
		return err_set(err, ERR_INVALID,
			       "cannot allocate tty if runtime will detach without setting console "
			       "socket (--console-socket)");
	if (flags->console_socket && (!terminal || foreground))
		return err_set(
			err, ERR_INVALID,
			"cannot use console socket if runtime will not detach or allocate tty");
	return 0;
}

struct prepared {
	struct config *config;
	char *text, *bundle;
	size_t len;
	struct create_spec spec;
};

static void prepared_free(struct prepared *prepared)
{
	config_free(prepared->config);
	free(prepared->text);
	free(prepared->bundle);
}
AUTO_TYPE(prepared, prepared_free);

static int prepare(struct runtime *runtime, const struct flags *flags, const char *id,
		   bool foreground, unsigned create_flags, struct prepared *out, struct err *err)
{
	unsigned listen = listen_fds();

	out->bundle = realpath(flags->bundle ? flags->bundle : ".", NULL);
	if (!out->bundle)
		return err_sys(err, errno, "bundle %s", flags->bundle);
	out->config = config_read(out->bundle, &out->text, &out->len, err);
	if (!out->config || check_terminal(out->config, flags, foreground, err) < 0)
		return -1;
	if (!out->config->process && !(create_flags & CREATE_BY_FIFO))
		return err_set(err, ERR_INVALID, "config.json: process: is missing");
	if (foreground && out->config->process && out->config->process->terminal &&
	    !out->config->process->console_height)
		relay_terminal_size(&out->config->process->console_height,
				    &out->config->process->console_width);
	if (flags->preserve_fds > runtime->given_fds || listen > runtime->given_fds)
		return err_set(err, ERR_INVALID, "--preserve-fds: descriptor %u is not open",
			       3 + runtime->given_fds);
	if (foreground)
		create_flags |= CREATE_PLAIN_LINES;
	if (runtime->rootless)
		create_flags |= CREATE_ROOTLESS;
	if (runtime->systemd_cgroup)
		create_flags |= CREATE_SYSTEMD_CGROUP;
	if (strcmp(runtime->cgroup_manager, "disabled") == 0)
		create_flags |= CREATE_NO_CGROUP;
	out->spec = (struct create_spec){
		.config = out->config,
		.config_text = out->text,
		.config_len = out->len,
		.id = id,
		.state_root = runtime->root,
		.bundle = out->bundle,
		.root_mount_fd = -1,
		.stdio_fds = {0, 1, 2},
		.netns_fd = -1,
		.preserve_fds = flags->preserve_fds > listen ? flags->preserve_fds : listen,
		.listen_fds = listen,
		.flags = create_flags | (flags->no_pivot ? CREATE_NO_PIVOT : 0) |
			 (flags->no_new_keyring ? CREATE_NO_NEW_KEYRING : 0),
		.warn = runtime_warn,
		.warn_context = runtime,
		.debug = runtime->debug ? runtime_debug : NULL,
	};
	return 0;
}

/* What the caller asked to be told: terminal, pidfd, pid. */
static int hand_over(const struct flags *flags, struct container *container, struct err *err)
{
	if (flags->console_socket &&
	    relay_send_fd(flags->console_socket, "/dev/pts/ptmx", container->console_fd, err) < 0)
		return -1;
	if (flags->pidfd_socket &&
	    relay_send_fd(flags->pidfd_socket, "pidfd", container->pidfd, err) < 0)
		return -1;
	return runtime_write_pid(flags->pid_file, container->init.pid, err);
}

int verb_create(struct runtime *runtime, struct flags *flags, const char **args, size_t count,
		struct err *err)
{
	struct prepared prepared = { 0 };
	AUTO(prepared) struct prepared *owner = &prepared;
	AUTO(container) struct container *container = NULL;

	(void)count;
	(void)owner;
	if (prepare(runtime, flags, args[0], false, CREATE_BY_FIFO, &prepared, err) < 0 ||
	    create_container(&prepared.spec, &container, NULL, err) < 0)
		return err_wrap(err, "create %.64s", args[0]);
	if (hand_over(flags, container, err) < 0) {
		create_undo(container);
		return err_wrap(err, "create %.64s", args[0]);
	}
	return 0;
}

static int run_foreground(const struct flags *flags, struct container *container, int signal_fd,
			  struct err *err)
{
	struct err delete_err = ERR_NONE;
	int status = relay_wait(container->init.pid, container->pidfd, container->console_fd,
				signal_fd, err);

	if (!flags->keep && create_delete(container, &delete_err) < 0 && status >= 0) {
		*err = delete_err;
		return -1;
	}
	return status;
}

int verb_run(struct runtime *runtime, struct flags *flags, const char **args, size_t count,
	     struct err *err)
{
	struct prepared prepared = { 0 };
	AUTO(prepared) struct prepared *owner = &prepared;
	AUTO(container) struct container *container = NULL;
	AUTO(fd) int signal_fd = -1;
	sigset_t old;

	(void)count;
	(void)owner;
	if (prepare(runtime, flags, args[0], !flags->detach, 0, &prepared, err) < 0)
		return err_wrap(err, "run %.64s", args[0]);
	if (!flags->detach) {
		if (!flags->no_subreaper)
			prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0);
		signal_fd = relay_signals(&old, err);
		if (signal_fd < 0)
			return -1;
	}
	if (create_container(&prepared.spec, &container, NULL, err) < 0)
		return err_wrap(err, "run %.64s", args[0]);
	if (hand_over(flags, container, err) < 0 || create_start(container, err) < 0) {
		bool said = !flags->detach && container->exit_code >= 126;

		if (!flags->detach && container->console_fd >= 0)
			relay_drain(container->console_fd);
		create_undo(container);
		if (said) /* by init, on the container's own stderr: the exec itself failed */
			return container->exit_code;
		return err_wrap(err, "run %.64s", args[0]);
	}
	return flags->detach ? 0 : run_foreground(flags, container, signal_fd, err);
}

int verb_start(struct runtime *runtime, struct flags *flags, const char **args, size_t count,
	       struct err *err)
{
	AUTO(state) struct state *state = runtime_state(runtime, args[0], err);
	AUTO(config) struct config *config = NULL;
	struct err ignored = ERR_NONE;

	(void)flags;
	(void)count;
	if (!state)
		return err_wrap(err, "start %.64s", args[0]);
	config = state_config(state, err);
	if (!config)
		return err_wrap(err, "start %.64s", args[0]);
	if (lifecycle_start(state, config, err) == 0)
		return 0;
	/* poststart failed after the program ran: what it left goes too. */
	if (err->code != ERR_INVALID && config->hooks[HOOK_POSTSTART].count &&
	    strstr(err->msg, "poststart"))
		lifecycle_remove(state, config, LIFECYCLE_FORCE, runtime_warn, runtime, &ignored);
	return err_wrap(err, "start %.64s", args[0]);
}
