/* orchestrator/cli/watch_do - what `watch` does about changes.
 *
 * Owns: the order of what is done, its lines. May not touch: which changes there are (tree_watch,
 * watch_rules).
 */
#include "orchestrator/cli/watch_do.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/alloc.h"
#include "images/maintain.h"
#include "orchestrator/cli/container_root.h"
#include "orchestrator/cli/self_run.h"
#include "orchestrator/cli/sync_in.h"
#include "orchestrator/cli/view.h"
#include "orchestrator/transfer.h"

void watch_batch_add(struct watch_batch *batch, const struct watch_rules *rules, const char *path,
		     bool gone)
{
	for (size_t i = 0; i < rules->count; i++) {
		struct watch_change *change = NULL;

		if (!watch_item_takes(&rules->items[i], path))
			continue;
		for (size_t c = 0; c < batch->count && !change; c++)
			if (batch->changes[c].item == i &&
			    strcmp(batch->changes[c].path, path) == 0)
				change = &batch->changes[c];
		if (!change) {
			change = xgrow(&batch->changes, &batch->count, sizeof(*change));
			*change = (struct watch_change){ .item = i, .path = xstrdup(path) };
		}
		change->gone = gone;
	}
}

void watch_batch_clear(struct watch_batch *batch)
{
	for (size_t i = 0; i < batch->count; i++)
		free(batch->changes[i].path);
	free(batch->changes);
	*batch = (struct watch_batch){ NULL, 0 };
}

/* One round of one service. */
struct round {
	struct cli *cli;
	const struct project *project;
	const struct watch_rules *rules;
	const struct watch_batch *batch;
	const struct service *service;
	unsigned flags;
};

static const struct watch_item *item_of(const struct round *round,
					const struct watch_change *change)
{
	const struct watch_item *item = &round->rules->items[change->item];

	return item->service == round->service ? item : NULL;
}

/* How many changes of the service ask for an action (a part of its name). */
static size_t count_action(const struct round *round, const char *part)
{
	size_t count = 0;

	for (size_t i = 0; i < round->batch->count; i++) {
		const struct watch_item *item = item_of(round, &round->batch->changes[i]);

		count += item && strstr(item->rule->action, part);
	}
	return count;
}

/* ---- sync ---- */

static int sync_into(const struct round *round, const struct project_dirs *dirs,
		     const struct observed_container *container, struct err *err)
{
	AUTO(fd) int root_fd = container_root_open(round->cli, dirs, container, err);
	AUTO(free) char *process = xformat("/proc/%d", (int)container->record->init.pid);
	struct stat owner = { 0 };

	if (root_fd < 0)
		return -1;
	if (container->alive && stat(process, &owner) < 0)
		owner = (struct stat){ 0 };
	for (size_t i = 0; i < round->batch->count; i++) {
		const struct watch_change *change = &round->batch->changes[i];
		const struct watch_item *item = item_of(round, change);
		const char *inside;

		if (!item || !watch_item_syncs(item))
			continue;
		inside = watch_item_target(round->cli->arena, item, change->path);
		if (change->gone && access(change->path, F_OK) != 0
			    ? sync_remove(root_fd, inside, err) < 0
			    : sync_put(root_fd, change->path, inside, owner.st_uid, owner.st_gid,
				       err) < 0)
			return -1;
	}
	return 0;
}

static bool sync_service(const struct round *round, struct err *err)
{
	AUTO(view) struct view *view = view_open_project(round->cli, round->project->name, err);
	size_t count = count_action(round, "sync");

	if (!view)
		return false;
	fprintf(stderr, "Syncing service \"%s\" after %zu change%s\n", round->service->name, count,
		count == 1 ? "" : "s");
	for (size_t i = 0; i < view->observed->count; i++) {
		const struct observed_container *container = &view->observed->containers[i];

		if (strcmp(container->record->service, round->service->name) != 0 ||
		    container->record->oneoff ||
		    (!container->alive && !(round->flags & WATCH_SYNC)))
			continue;
		if (sync_into(round, view->dirs, container, err) < 0)
			return false;
	}
	return true;
}

/* ---- restart, exec, rebuild ---- */

static bool run(const struct round *round, const char *const *words, const char *what,
		struct err *err)
{
	int status = self_run(round->cli, words, err);

	if (status > 0)
		err_set(err, ERR_SYSTEM, "%s ended with %d", what, status);
	return status == 0;
}

static bool restart(const struct round *round, struct err *err)
{
	const char *const words[] = { "restart", "--no-deps", round->service->name, NULL };

	fprintf(stderr, "Restarting service \"%s\"\n", round->service->name);
	return run(round, words, "restart", err);
}

/* The command of one rule, in every replica. */
static bool exec_hook(const struct round *round, const struct hook *hook, unsigned index,
		      struct err *err)
{
	struct arena *arena = round->cli->arena;
	const char **words = NULL;
	size_t count = 0;
#define ADD(text) *(const char **)arena_grow(arena, &words, &count, sizeof(char *)) = (text)

	ADD("exec");
	ADD("-T");
	ADD(arena_format(arena, "--index=%u", index));
	if (hook->user)
		ADD(arena_format(arena, "--user=%s", hook->user));
	if (hook->working_dir)
		ADD(arena_format(arena, "--workdir=%s", hook->working_dir));
	if (hook->privileged)
		ADD("--privileged");
	for (size_t i = 0; i < hook->environment.count; i++)
		if (hook->environment.items[i].value)
			ADD(arena_format(arena, "--env=%s=%s", hook->environment.items[i].name,
					 hook->environment.items[i].value));
	ADD(round->service->name);
	for (size_t i = 0; i < hook->command.count; i++)
		ADD(hook->command.items[i]);
	ADD(NULL);
#undef ADD
	return run(round, words, "the command of sync+exec", err);
}

static bool exec_service(const struct round *round, struct err *err)
{
	AUTO(view) struct view *view = view_open_project(round->cli, round->project->name, err);
	const struct hook *last = NULL;

	for (size_t c = 0; view && c < round->batch->count; c++) {
		const struct watch_item *item = item_of(round, &round->batch->changes[c]);
		const struct hook *hook = item ? item->rule->exec : NULL;

		if (!hook || hook == last || strcmp(item->rule->action, "sync+exec") != 0)
			continue;
		last = hook;
		for (size_t i = 0; i < view->observed->count; i++) {
			const struct observed_container *container = &view->observed->containers[i];

			if (container->alive && !container->record->oneoff &&
			    strcmp(container->record->service, round->service->name) == 0 &&
			    !exec_hook(round, hook, container->record->slot, err))
				return false;
		}
	}
	return view != NULL;
}

static bool prune(const struct round *round, struct err *err)
{
	const struct prune_options wanted = { .label = "com.docker.compose.project",
					      .value = round->project->name };
	AUTO(store)
	struct store *store = transfer_store_open(
		round->cli->roots->state, round->cli->roots->run,
		options_text(options_globals(round->cli->options), "config"), err);
	struct removal removal = { 0 };
	int status = store ? maintain_prune(store, &wanted, &removal, err) : -1;

	removal_free(&removal);
	return status == 0;
}

static bool rebuild(const struct round *round, struct err *err)
{
	const char *name = round->service->name;
	const char *const loud[] = { "build", name, NULL };
	const char *const quiet[] = { "build", "--quiet", name, NULL };
	const char *const up[] = { "up", "-d", "--no-deps", "--no-build", name, NULL };

	fprintf(stderr, "Rebuilding service \"%s\"\n", name);
	return run(round, round->flags & WATCH_QUIET ? quiet : loud, "build", err) &&
	       run(round, up, "up", err) && (!(round->flags & WATCH_PRUNE) || prune(round, err));
}

static bool do_service(const struct round *round, struct err *err)
{
	if (round->flags & WATCH_SYNC)
		return !count_action(round, "sync") || sync_service(round, err);
	if (count_action(round, "rebuild"))
		return rebuild(round, err);
	if (count_action(round, "sync") && !sync_service(round, err))
		return false;
	if (count_action(round, "restart") && !restart(round, err))
		return false;
	return !count_action(round, "exec") || exec_service(round, err);
}

void watch_do(struct cli *cli, const struct project *project, const struct watch_rules *rules,
	      const struct watch_batch *batch, unsigned flags)
{
	for (size_t i = 0; i < project->service_count; i++) {
		const struct round round = { cli,  project, rules, batch, &project->services[i],
					     flags };
		struct err err = ERR_NONE;

		if (!do_service(&round, &err))
			fprintf(stderr, "watch: service %s: %s\n", round.service->name, err.msg);
	}
}
