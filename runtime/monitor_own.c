/* runtime/monitor_own - the monitor's container made in this process (runtime/create).
 *
 * Owns: the config's place in memory: it is large, so between start and end only an empty one is
 * kept, and the copy in the state folder is read again when there are hooks to run. May not touch:
 * streams, sockets.
 */
#include <fcntl.h>
#include <malloc.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/cleanup.h"
#include "base/file.h"
#include "base/log.h"
#include "runtime/create.h"
#include "runtime/monitor.h"
#include "runtime/monitor_life.h"

struct own {
	struct config config; /* what create was given: a copy of the parsed one, or empty */
	struct config *again; /* parsed at the end */
	struct create_spec spec;
	struct container *container;
	bool has_poststop;
};

static void warn(void *context, const char *text)
{
	const struct life *life = context;

	log_warn("container-warning", KV_S("container", life->spec->id), KV_S("text", text));
}

static void free_own(struct life *life, struct own *own)
{
	container_free(own->container);
	if (own->again)
		config_free(own->again);
	free(own);
	life->engine_state = NULL;
}

static int own_create(struct life *life, struct err *err)
{
	struct own *own = xcalloc(1, sizeof(*own));

	life->engine_state = own;
	own->config = *life->config;
	own->has_poststop = own->config.hooks[HOOK_POSTSTOP].count > 0;
	own->spec = (struct create_spec){
		.config = &own->config,
		.config_text = life->config_text,
		.config_len = life->config_len,
		.id = life->spec->id,
		.state_root = life->root,
		.bundle = life->spec->bundle,
		.root_mount_fd = TAKE_FD(life->root_mount_fd),
		.stdio_fds = {life->stdio_fds[0], life->stdio_fds[1], life->stdio_fds[2]},
		.netns_fd = life->netns_fd,
		.warn = warn,
		.warn_context = life,
	};
	life->exit_code = MONITOR_CODE_FAILED;
	if (create_container(&own->spec, &own->container, &life->exit_code, err) < 0) {
		free_own(life, own);
		return -1;
	}
	life->init = own->container->init;
	life->console_fd = TAKE_FD(own->container->console_fd);
	return 0;
}

static int own_start(struct life *life, struct err *err)
{
	struct own *own = life->engine_state;

	if (create_start(own->container, err) == 0)
		return 0;
	life->exit_code = own->container->exit_code;
	return -1;
}

static uint64_t own_oom_kills(struct life *life)
{
	struct own *own = life->engine_state;

	return own->container->cgroup ? cgroup_oom_kills(own->container->cgroup) : 0;
}

static void own_kill_rest(struct life *life)
{
	struct own *own = life->engine_state;
	struct err err = ERR_NONE;

	if (own->container->cgroup)
		cgroup_kill(own->container->cgroup, SIGKILL, &err);
}

static void own_relax(struct life *life)
{
	struct own *own = life->engine_state;

	config_free(life->config);
	life->config = NULL;
	free(life->config_text);
	life->config_text = NULL;
	own->spec.config_text = NULL;
	memset(&own->config, 0, sizeof(own->config));
	malloc_trim(0);
}

static void read_hooks_again(struct life *life, struct own *own)
{
	struct err err = ERR_NONE;
	AUTO(free) char *text = NULL;
	size_t len;

	if (!own->has_poststop || life->run_dir_fd < 0 || life->config)
		return;
	if (file_read(life->run_dir_fd, "config.json", CONFIG_MAX_BYTES, &text, &len, &err) < 0)
		return;
	own->again = config_parse(text, len, &err);
	if (own->again)
		own->config = *own->again;
}

static int own_finish(struct life *life, struct err *err)
{
	struct own *own = life->engine_state;
	int result;

	read_hooks_again(life, own);
	result = create_delete(own->container, err);
	free_own(life, own);
	return result;
}

static void own_undo(struct life *life)
{
	struct own *own = life->engine_state;

	if (!own)
		return;
	create_undo(own->container);
	free_own(life, own);
}

const struct engine engine_own = {
	.create = own_create,
	.start = own_start,
	.oom_kills = own_oom_kills,
	.kill_rest = own_kill_rest,
	.finish = own_finish,
	.undo = own_undo,
	.relax = own_relax,
};
