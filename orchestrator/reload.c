/* orchestrator/reload - another binary takes the supervisor's place.
 *
 * Owns: the moment, the command line of the successor. May not touch: what it does then (adopt).
 */
#include "orchestrator/reload.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/json.h"
#include "base/log.h"
#include "orchestrator/notify.h"
#include "orchestrator/slot.h"
#include "orchestrator/spawn.h"

#define TRIAL_MS 10000

/* Does it run at all on this machine? */
static int try_program(const struct supervisor *sv, struct err *err)
{
	static const char *const argv[] = { "stack", "version", "--short", NULL };
	AUTO(fd) int fd = open(sv->program, O_PATH | O_CLOEXEC);
	struct spawn_result result;

	if (fd < 0)
		return err_sys(err, errno, "open %s", sv->program);
	if (spawn_and_wait_for(fd, argv, sv->log_fd, TRIAL_MS, &result, err) < 0)
		return -1;
	if (result.status)
		return err_set(err, ERR_SYSTEM, "%s does not run: %s", sv->program, result.output);
	return 0;
}

static bool is_settled(const struct supervisor *sv)
{
	const struct slot *slot;

	if (!TAILQ_EMPTY(&sv->changes))
		return false;
	LIST_FOREACH(slot, &sv->slots, link)
	if (slot->state == SLOT_STARTING || slot->state == SLOT_STOPPING ||
	    slot->state == SLOT_REMOVING)
		return false;
	return true;
}

static void answer(struct supervisor *sv)
{
	struct json_object *result = json_object_new_object();

	json_add_int(result, "pid", getpid());
	control_ok(sv->reload, result);
	sv->reload = NULL;
}

/* The lock goes over as a descriptor; every other one closes by itself. Returns only when it
 * failed. */
static void execute(struct supervisor *sv)
{
	char lock[24];
	char *const argv[] = { xstrdup("stack"),
			       xstrdup("--root"),
			       xstrdup(sv->roots->state),
			       xstrdup("--runtime-root"),
			       xstrdup(sv->roots->run),
			       xstrdup("-p"),
			       xstrdup(sv->dirs->name),
			       xstrdup("supervisor"),
			       xstrdup("run"),
			       xstrdup("--lock-fd"),
			       lock,
			       NULL };
	int fd = dup(sv->lock_fd); /* without close-on-exec; the lock is the description's */

	snprintf(lock, sizeof(lock), "%d", fd);
	notify_keep(sv->notify);
	execv(sv->program, argv);
	log_error("reload-failed", KV_S("program", sv->program), KV_S("error", strerror(errno)));
	close(fd);
	for (size_t i = 0; argv[i]; i++)
		if (argv[i] != lock)
			free(argv[i]);
}

void reload_look(struct supervisor *sv)
{
	if (!sv->reload || sv->ending || !is_settled(sv))
		return;
	log_info("supervisor-reloads", KV_S("program", sv->program));
	notify_say(sv->notify, "RELOADING=1");
	answer(sv);
	execute(sv);
	notify_ready(sv->notify, sv->loop, sv->dirs->name);
}

void reload_begin(struct supervisor *sv, struct control_request *request)
{
	struct err err = ERR_NONE;

	if (sv->reload)
		err_set(&err, ERR_BUSY, "a reload waits already");
	else
		try_program(sv, &err);
	if (err.code) {
		control_fail(request, &err);
		return;
	}
	sv->reload = request;
	reload_look(sv);
}
