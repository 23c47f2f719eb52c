/* orchestrator/cli/cmd_watch - files of the project followed into its containers: watch, up
 * --watch.
 *
 * Owns: its flags, the pause in which changes are gathered. May not touch: what is done about them
 * (watch_do).
 */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/json.h"
#include "base/stamp.h"
#include "orchestrator/cli/build_follow.h"
#include "orchestrator/cli/client.h"
#include "orchestrator/cli/cmd_watch.h"
#include "orchestrator/cli/commands.h"
#include "orchestrator/cli/request.h"
#include "orchestrator/cli/tree_watch.h"
#include "orchestrator/cli/watch_do.h"
#include "specs/support.h"

#define QUIET_MS  200  /* without another change that counts, and what was gathered is done */
#define GATHER_MS 2000 /* ... and at the latest then, whatever goes on */

/* clang-format off */
const struct option_row watch_options[] = {
	OPT_FLAG("no-up", 0, "Do not start the services first"),
	OPT_FLAG("prune", 0, "After a rebuild, remove images that lost their name", .fallback = "true"),
	OPT_FLAG("quiet", 0, "No output of builds"),
	OPT_END,
};
/* clang-format on */

struct watcher {
	struct cli *cli;
	const struct project *project;
	struct watch_rules rules;
	struct watch_batch batch;
	uint64_t first_ms, last_ms; /* of the changes in the batch */
	unsigned flags;
};

static bool skips(void *ctx, const char *path)
{
	const struct watcher *watcher = ctx;

	return watch_rules_skip(&watcher->rules, path);
}

static void changed(void *ctx, const char *path, bool gone)
{
	struct watcher *watcher = ctx;

	size_t before = watcher->batch.count;

	watch_batch_add(&watcher->batch, &watcher->rules, path, gone);
	if (watcher->batch.count == before)
		return; /* of no rule, or gathered already */
	watcher->last_ms = stamp_monotonic_us() / 1000;
	if (before == 0)
		watcher->first_ms = watcher->last_ms;
}

/* Milliseconds until the batch is due; -1: it is empty. Others' files in the same folder may change
 * all the time: they do not put it off. */
static int left_ms(const struct watcher *watcher)
{
	uint64_t now = stamp_monotonic_us() / 1000, due = watcher->last_ms + QUIET_MS;

	if (!watcher->batch.count)
		return -1;
	if (due > watcher->first_ms + GATHER_MS)
		due = watcher->first_ms + GATHER_MS;
	return due > now ? (int)(due - now) : 0;
}

static void flush_batch(struct watcher *watcher, unsigned flags)
{
	if (watcher->batch.count)
		watch_do(watcher->cli, watcher->project, &watcher->rules, &watcher->batch,
			 watcher->flags | flags);
	watch_batch_clear(&watcher->batch);
}

/* Everything that the rules take, as if it had changed. only_initial: of those with initial_sync.
 */
static void look_at_all(struct watcher *watcher, bool only_initial)
{
	const struct tree_watch_handler handler = { skips, changed, watcher };

	for (size_t i = 0; i < watcher->rules.count; i++)
		if (watcher->rules.items[i].rule->initial_sync || !only_initial)
			tree_walk(&handler, watcher->rules.items[i].rule->path);
}

static int add_folders(struct watcher *watcher, struct tree_watch *tree, struct err *err)
{
	for (size_t i = 0; i < watcher->rules.count; i++)
		if (tree_watch_add(tree, watcher->rules.items[i].rule->path, err) < 0)
			return err_wrap(err, "service %s", watcher->rules.items[i].service->name);
	return 0;
}

/* Until a signal comes. */
static int follow(struct watcher *watcher, struct tree_watch *tree, int signal_fd, struct err *err)
{
	for (;;) {
		struct pollfd waits[] = {
			{.fd = tree_watch_fd(tree), .events = POLLIN},
			{ .fd = signal_fd,          .events = POLLIN},
		};
		int ready = poll(waits, 2, left_ms(watcher));
		int lost;

		if (ready < 0 && errno != EINTR)
			return err_sys(err, errno, "poll");
		if (ready > 0 && waits[1].revents)
			return 130;
		lost = ready > 0 && waits[0].revents ? tree_watch_read(tree, err) : 0;
		if (lost < 0)
			return -1;
		if (lost > 0)
			look_at_all(watcher, false);
		if (left_ms(watcher) == 0)
			flush_batch(watcher, 0);
	}
}

static int block_signals(void)
{
	sigset_t wanted;

	sigemptyset(&wanted);
	sigaddset(&wanted, SIGINT);
	sigaddset(&wanted, SIGTERM);
	sigaddset(&wanted, SIGHUP);
	sigprocmask(SIG_BLOCK, &wanted, NULL);
	return signalfd(-1, &wanted, SFD_CLOEXEC);
}

static int begin(struct watcher *watcher, const char *const *services, struct err *err)
{
	struct texts notes;

	if (watch_rules_make(watcher->cli->arena, watcher->project, services, &watcher->rules,
			     &notes, err) < 0)
		return -1;
	for (size_t i = 0; i < notes.count; i++)
		cli_warn("%s", notes.items[i]);
	return 0;
}

static int watch(struct watcher *watcher, struct err *err)
{
	const struct tree_watch_handler handler = { skips, changed, watcher };
	AUTO(tree_watch) struct tree_watch *tree = tree_watch_new(&handler, err);
	AUTO(fd) int signal_fd = block_signals();
	int status;

	if (!tree || add_folders(watcher, tree, err) < 0)
		return -1;
	fprintf(stderr, "Watch enabled\n");
	status = follow(watcher, tree, signal_fd, err);
	watch_batch_clear(&watcher->batch);
	return status;
}

static bool has_initial_sync(const struct watch_rules *rules)
{
	for (size_t i = 0; i < rules->count; i++)
		if (rules->items[i].rule->initial_sync)
			return true;
	return false;
}

int watch_prepare(struct cli *cli, const struct project *project, const char *const *services,
		  struct err *err)
{
	struct watcher watcher = { .cli = cli, .project = project };
	AUTO(client) struct client *client = NULL;
	struct json_object *request, *wishes;
	struct err none = ERR_NONE;

	if (begin(&watcher, services, &none) < 0 || !has_initial_sync(&watcher.rules))
		return 0; /* what is wrong is told when the watch begins */
	client = client_open(cli, project->name, true, err);
	if (!client)
		return -1;
	request = request_new(services, &wishes);
	request_add_model(request, project);
	if (client_follow(cli, client, "create", request, "Running", NULL, err) < 0)
		return -1;
	look_at_all(&watcher, true);
	flush_batch(&watcher, WATCH_SYNC);
	return 0;
}

pid_t watch_beside(struct cli *cli, const struct project *project, const char *const *services,
		   struct err *err)
{
	struct watcher watcher = { .cli = cli, .project = project, .flags = WATCH_PRUNE };
	pid_t parent = getpid(), child;

	if (begin(&watcher, services, err) < 0)
		return -1;
	child = fork();
	if (child < 0)
		return err_sys(err, errno, "fork");
	if (child > 0)
		return child;
	prctl(PR_SET_PDEATHSIG, SIGTERM);
	if (getppid() != parent)
		_exit(0);
	setpgid(0, 0); /* Ctrl-C is for the one who shows the logs */
	if (watch(&watcher, err) < 0)
		fprintf(stderr, "watch: %s\n", err->msg);
	_exit(0);
}

static int start(struct cli *cli, const struct options *options, const struct project *project,
		 struct err *err)
{
	AUTO(client) struct client *client = NULL;
	struct json_object *request, *wishes;

	if (build_before(cli, options, project, options_arguments(options), true, err) < 0 ||
	    watch_prepare(cli, project, options_arguments(options), err) < 0)
		return -1;
	client = client_open(cli, project->name, true, err);
	if (!client)
		return -1;
	request = request_new(options_arguments(options), &wishes);
	request_add_model(request, project);
	return client_follow(cli, client, "up", request, "Running", NULL, err);
}

int watch_command(struct cli *cli, const struct options *options, struct err *err)
{
	struct load_result loaded;
	struct watcher watcher = { .cli = cli };

	if (cli_load(cli, 0, options_arguments(options), &loaded, err) < 0 ||
	    project_check_supported(loaded.project, err) < 0 || cli_roots(cli, err) < 0)
		return -1;
	watcher.project = loaded.project;
	watcher.flags = (options_flag(options, "prune") ? WATCH_PRUNE : 0) |
			(options_flag(options, "quiet") ? WATCH_QUIET : 0);
	if (!options_flag(options, "no-up")) {
		if (start(cli, options, loaded.project, err) < 0)
			return -1;
		return begin(&watcher, options_arguments(options), err) < 0 ? -1
									    : watch(&watcher, err);
	}
	if (begin(&watcher, options_arguments(options), err) < 0)
		return -1;
	look_at_all(&watcher, true);
	flush_batch(&watcher, WATCH_SYNC);
	return watch(&watcher, err);
}
