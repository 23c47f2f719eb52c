/* orchestrator/cli/cmd_container_ops - what changes single containers: start, stop, restart, kill,
 * pause, unpause, rm, rename, update.
 *
 * Owns: their flags, the request about one container. May not touch: containers: the project's
 * supervisor does it, and stack-runtime sets limits.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/json.h"
#include "base/num.h"
#include "orchestrator/cli/client.h"
#include "orchestrator/cli/cmd_containers.h"
#include "orchestrator/cli/commands.h"
#include "orchestrator/cli/operate.h"
#include "orchestrator/cli/request.h"
#include "orchestrator/cli/view.h"
#include "specs/units.h"

/* clang-format off */
const struct option_row container_stop_options[] = { OPT_STOP_TIMEOUT, OPT_END };
const struct option_row container_kill_options[] = {
	OPT_TEXT("signal", 's', "SIGNAL", "Signal to send, name or number", .fallback = "SIGKILL"),
	OPT_END,
};
const struct option_row container_rm_options[] = {
	OPT_FLAG("force", 'f', "Stop it first"),
	OPT_FLAG("volumes", 'v', "Remove its anonymous volumes, too"),
	OPT_END,
};
const struct option_row container_update_options[] = {
	OPT_TEXT("cpus", 0, "N", "Processors, with a fraction"),
	OPT_TEXT("cpu-shares", 'c', "N", "Weight against others"),
	OPT_TEXT("cpu-period", 0, "US", "Period of the CPU quota"),
	OPT_TEXT("cpu-quota", 0, "US", "Quota of CPU time in a period"),
	OPT_TEXT("cpuset-cpus", 0, "LIST", "Processors: 0-2,4"),
	OPT_TEXT("cpuset-mems", 0, "LIST", "Memory nodes, until its next start"),
	OPT_TEXT("memory", 'm', "BYTES", "Limit of memory"),
	OPT_TEXT("memory-reservation", 0, "BYTES", "Memory below which it is left alone"),
	OPT_TEXT("memory-swap", 0, "BYTES", "Limit of memory and swap together, -1: no limit"),
	OPT_TEXT("pids-limit", 0, "N", "Limit of processes, -1: no limit"),
	OPT_TEXT("blkio-weight", 0, "N", "Weight of its input and output"),
	OPT_TEXT("restart", 0, "POLICY", "Restart policy: no, always, on-failure[:N], unless-stopped"),
	OPT_END,
};
/* clang-format on */

/* ---- requests ---- */

struct asked {
	const char *op, *title;
	struct json_object *wishes; /* more options, taken over; may be NULL */
};

/* One operation on one container, with progress on stderr. */
static int ask(struct cli *cli, const struct view *view, const struct record *record,
	       const struct asked *asked, struct err *err)
{
	const char *services[] = { record->service, NULL };
	AUTO(client) struct client *client = client_open(cli, view->dirs->name, true, err);
	AUTO(json) struct json_object *more = asked->wishes;
	struct json_object *request, *wishes;

	if (!client)
		return -1;
	request = request_new(services, &wishes);
	json_push_text(json_add_array(wishes, "containers"), record->id);
	json_add_bool(wishes, "no_deps", true);
	if (more) {
		json_each(more, key, value)
			json_object_object_add(wishes, key, json_object_get(value));
	}
	return client_follow(cli, client, asked->op, request, asked->title, NULL, err);
}

typedef int container_act(struct cli *cli, const struct options *options, const struct view *view,
			  const struct observed_container *container, struct err *err);

/* Every container of the arguments in turn; names on stdout. One failure does not keep the others
 * back. */
static int each_container(struct cli *cli, const struct options *options, container_act *act,
			  struct err *err)
{
	int status = 0;

	for (const char *const *name = options_arguments(options); *name; name++) {
		AUTO(view) struct view *view = NULL;
		struct err one = ERR_NONE;
		const struct observed_container *container =
			view_find_container(cli, *name, &view, &one);

		if (container && act(cli, options, view, container, &one) == 0) {
			puts(*name);
			fflush(stdout);
			continue;
		}
		if (status < 0)
			cli_warn("%s", err->msg);
		*err = one;
		status = -1;
	}
	return status;
}

/* ---- start, stop, restart, kill, pause ---- */

static struct json_object *timeout_of(const struct options *options)
{
	struct json_object *wishes = json_object_new_object();

	request_add_timeout(wishes, options, "timeout", "timeout_us");
	return wishes;
}

static int start_one(struct cli *cli, const struct options *options, const struct view *view,
		     const struct observed_container *container, struct err *err)
{
	(void)options;
	return ask(cli, view, container->record, &(struct asked){ "start", "Starting", NULL }, err);
}

static int stop_one(struct cli *cli, const struct options *options, const struct view *view,
		    const struct observed_container *container, struct err *err)
{
	return ask(cli, view, container->record,
		   &(struct asked){ "stop", "Stopping", timeout_of(options) }, err);
}

static int restart_one(struct cli *cli, const struct options *options, const struct view *view,
		       const struct observed_container *container, struct err *err)
{
	return ask(cli, view, container->record,
		   &(struct asked){ "restart", "Restarting", timeout_of(options) }, err);
}

static int kill_one(struct cli *cli, const struct options *options, const struct view *view,
		    const struct observed_container *container, struct err *err)
{
	struct json_object *wishes;

	if (!container->alive)
		return err_set(err, ERR_INVALID, "container %s does not run",
			       container->record->name);
	wishes = json_object_new_object();
	json_add_text(wishes, "signal", options_text(options, "signal"));
	return ask(cli, view, container->record, &(struct asked){ "kill", "Killing", wishes }, err);
}

static int pause_one(struct cli *cli, const struct options *options, const struct view *view,
		     const struct observed_container *container, struct err *err)
{
	(void)options;
	if (!container->alive || container->record->paused)
		return err_set(err, ERR_INVALID, "container %s %s", container->record->name,
			       container->alive ? "is paused already" : "does not run");
	return ask(cli, view, container->record, &(struct asked){ "pause", "Pausing", NULL }, err);
}

static int unpause_one(struct cli *cli, const struct options *options, const struct view *view,
		       const struct observed_container *container, struct err *err)
{
	(void)options;
	if (!container->record->paused)
		return err_set(err, ERR_INVALID, "container %s is not paused",
			       container->record->name);
	return ask(cli, view, container->record, &(struct asked){ "unpause", "Going on", NULL },
		   err);
}

static int remove_one(struct cli *cli, const struct options *options, const struct view *view,
		      const struct observed_container *container, struct err *err)
{
	bool force = options_flag(options, "force");
	struct json_object *wishes;

	if (container->alive && !force)
		return err_set(err, ERR_BUSY, "container %s runs; stop it first, or --force",
			       container->record->name);
	wishes = json_object_new_object();
	json_add_bool(wishes, "stop_first", force);
	json_add_int(wishes, "timeout_us", 0);
	json_add_bool(wishes, "volumes", options_flag(options, "volumes"));
	return ask(cli, view, container->record, &(struct asked){ "rm", "Removing", wishes }, err);
}

#define EACH(verb, act)                                                                            \
	int container_##verb##_command(struct cli *cli, const struct options *options,             \
				       struct err *err)                                            \
	{                                                                                          \
		return each_container(cli, options, act, err);                                     \
	}
EACH(start, start_one)
EACH(stop, stop_one)
EACH(restart, restart_one)
EACH(kill, kill_one)
EACH(pause, pause_one)
EACH(unpause, unpause_one)
EACH(rm, remove_one)

/* ---- rename ---- */

int container_rename_command(struct cli *cli, const struct options *options, struct err *err)
{
	AUTO(view) struct view *view = NULL;
	AUTO(client) struct client *client = NULL;
	const struct observed_container *container =
		view_find_container(cli, options_argument(options, 0), &view, err);
	struct json_object *request;

	client = container ? client_open(cli, view->dirs->name, true, err) : NULL;
	if (!client)
		return -1;
	request = json_object_new_object();
	json_add_text(request, "container", container->record->id);
	json_add_text(request, "name", options_argument(options, 1));
	return client_request(client, "rename", request, NULL, NULL, NULL, err);
}

/* ---- update ---- */

#define CPU_PERIOD_US 100000

struct words {
	const char **items;
	size_t count;
};

static void add(struct arena *arena, struct words *words, const char *text)
{
	*(const char **)arena_grow(arena, &words->items, &words->count, sizeof(char *)) = text;
}

/* Options of ours, the key of the file that each sets, and the flag of stack-runtime. */
static const struct {
	const char *ours, *key, *theirs;
	bool is_size;
} update_flags[] = {
	{"cpu-shares",          "cpu_shares",      "--cpu-share",          false},
	{ "cpu-period",         "cpu_period",      "--cpu-period",         false},
	{ "cpu-quota",          "cpu_quota",       "--cpu-quota",          false},
	{ "cpuset-cpus",        "cpuset",          "--cpuset-cpus",        false},
	{ "cpuset-mems",        NULL,              "--cpuset-mems",        false},
	{ "memory",             "mem_limit",       "--memory",             true },
	{ "memory-reservation", "mem_reservation", "--memory-reservation", true },
	{ "memory-swap",        "memswap_limit",   "--memory-swap",        true },
	{ "pids-limit",         "pids_limit",      "--pids-limit",         false},
	{ "blkio-weight",       "blkio_config",    "--blkio-weight",       false},
};

/* What is told the supervisor: null is no limit. */
static struct json_object *value_of(const char *key, const char *text)
{
	struct json_object *weight;

	if (strcmp(text, "-1") == 0 && strcmp(key, "memswap_limit") != 0)
		return NULL;
	if (strcmp(key, "blkio_config") == 0) {
		weight = json_object_new_object();
		json_add_text(weight, "weight", text);
		return weight;
	}
	return json_object_new_string(text);
}

static int update_words(struct cli *cli, const struct options *options, struct words *words,
			struct json_object *set, struct err *err)
{
	const char *cpus = options_text(options, "cpus");
	const char *restart = options_text(options, "restart");
	size_t before = words->count;

	for (size_t i = 0; i < sizeof(update_flags) / sizeof(*update_flags); i++) {
		const char *text = options_text(options, update_flags[i].ours);
		uint64_t bytes;

		if (!text)
			continue;
		if (update_flags[i].is_size && strcmp(text, "-1") != 0) {
			if (units_parse_bytes(text, &bytes, err) < 0)
				return err_wrap(err, "--%s", update_flags[i].ours);
			text = arena_format(cli->arena, "%llu", (unsigned long long)bytes);
		}
		add(cli->arena, words, update_flags[i].theirs);
		add(cli->arena, words, text);
		if (update_flags[i].key)
			json_object_object_add(set, update_flags[i].key,
					       value_of(update_flags[i].key, text));
	}
	if (cpus) {
		char *end;
		double count = strtod(cpus, &end);

		if (*end || end == cpus || count <= 0 || count > 100000)
			return err_set(err, ERR_INVALID,
				       "--cpus: \"%s\" is no number of processors", cpus);
		add(cli->arena, words, "--cpu-period");
		add(cli->arena, words, arena_format(cli->arena, "%d", CPU_PERIOD_US));
		add(cli->arena, words, "--cpu-quota");
		add(cli->arena, words,
		    arena_format(cli->arena, "%lld", (long long)(count * CPU_PERIOD_US + 0.5)));
		json_add_text(set, "cpus", cpus);
	}
	if (restart)
		json_add_text(set, "restart", restart);
	return json_object_object_length(set) > 0 || words->count > before
		       ? 0
		       : err_set(err, ERR_INVALID,
				 "which limit? See 'stack container update --help'");
}

static int update_running(struct cli *cli, const struct words *words, const char *name,
			  struct err *err)
{
	int status;
	pid_t pid = fork();

	if (pid == 0) {
		execv(cli->runtime, (char *const *)(uintptr_t)words->items);
		_exit(127);
	}
	if (pid < 0)
		return err_sys(err, errno, "fork");
	while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	return status == 0
		       ? 0
		       : err_set(err, ERR_SYSTEM, "the limits of %s could not be changed", name);
}

/* dry: only looked at. */
static int remember(struct client *client, const struct record *record, struct json_object *set,
		    bool dry, struct err *err)
{
	struct json_object *request = json_object_new_object();

	json_add_text(request, "container", record->id);
	json_object_object_add(request, "set", json_object_get(set));
	json_add_bool(json_add_object(request, "options"), "dry_run", dry);
	return client_request(client, "update", request, NULL, NULL, NULL, err);
}

/* The supervisor may refuse it; then the processes that run; then it remembers. */
static int update_one(struct cli *cli, const struct options *options, const struct view *view,
		      const struct observed_container *container, struct err *err)
{
	AUTO(json) struct json_object *set = json_object_new_object();
	AUTO(client) struct client *client = NULL;
	struct words words = { NULL, 0 };
	size_t before;

	add(cli->arena, &words, "stack-runtime");
	add(cli->arena, &words, "--root");
	add(cli->arena, &words, arena_format(cli->arena, "%s/containers", cli->roots->run));
	add(cli->arena, &words, "update");
	before = words.count;
	if (update_words(cli, options, &words, set, err) < 0)
		return -1;
	client = client_open(cli, view->dirs->name, true, err);
	if (!client || remember(client, container->record, set, true, err) < 0)
		return -1;
	if (container->alive && words.count > before) {
		add(cli->arena, &words, container->record->id);
		add(cli->arena, &words, NULL);
		if (update_running(cli, &words, container->record->name, err) < 0)
			return -1;
	}
	return remember(client, container->record, set, false, err);
}

EACH(update, update_one)
