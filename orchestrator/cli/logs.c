/* orchestrator/cli/logs - the logs of a project's containers, merged, prefixed, coloured.
 *
 * Owns: which slots are shown, the order of lines, the form of a line. May not touch: log files'
 * form (log_reader).
 */
#include "orchestrator/cli/logs.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <regex.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/file.h"
#include "base/json.h"
#include "base/stamp.h"
#include "orchestrator/cli/output.h"
#include "orchestrator/cli/view.h"
#include "orchestrator/observe.h"

#define SETTLE_LOOKS 10
#define EXITED_LOOKS 4   /* the record says so for a moment before a back-off, too */
#define LOOK_MS      200 /* how soon new containers and ends are seen */

/* One slot whose log is shown. */
struct source {
	char *slot; /* folder name "web.1" */
	char *service;
	char *name; /* of its container; container_name without the project in front where it is
		       ours */
	char id[STAMP_ID_LEN + 1];
	uint64_t life;
	int dir_fd;
	struct log_reader *reader;
	struct log_record next;
	bool has_next;
	bool runs, told_end;
	unsigned unsettled; /* looks since it ended without a word of the supervisor */
	size_t colour;
};

struct viewer {
	struct cli *cli;
	const struct project_dirs *dirs;
	const struct logs_view *view;
	struct source *sources;
	size_t count;
	size_t width; /* of the longest name */
	regex_t grep;
	bool has_grep, over;
};

static bool is_wanted(const struct viewer *v, const struct record *record)
{
	if (v->view->container)
		return strcmp(record->id, v->view->container) == 0;
	if (v->view->services && v->view->services[0] &&
	    !view_is_listed(v->view->services, record->service))
		return false;
	if (v->view->index && record->slot != v->view->index)
		return false;
	if (v->view->attaches && !(v->view->services && v->view->services[0])) {
		const struct service *service =
			project_find_service(v->view->attaches, record->service);

		if (service && service->attach.is_set && !service->attach.value)
			return false;
	}
	return !record->oneoff && !view_is_listed(v->view->excluded, record->service);
}

/* "web-1" of "shop-web-1", else the whole name. */
static const char *shown_name(const struct viewer *v, const struct record *record)
{
	size_t len = strlen(v->dirs->name);

	if (strncmp(record->name, v->dirs->name, len) == 0 && record->name[len] == '-')
		return record->name + len + 1;
	return record->name;
}

static struct source *find_source(struct viewer *v, const char *slot)
{
	for (size_t i = 0; i < v->count; i++)
		if (strcmp(v->sources[i].slot, slot) == 0)
			return &v->sources[i];
	return NULL;
}

static struct source *add_source(struct viewer *v, const struct record *record, const char *slot,
				 struct err *err)
{
	struct source *source = xgrow(&v->sources, &v->count, sizeof(*source));

	source->slot = xstrdup(slot);
	source->service = xstrdup(record->service);
	source->name = xstrdup(shown_name(v, record));
	source->colour = v->count - 1;
	source->dir_fd = file_open_dir(v->dirs->slots_fd, slot, false, err);
	if (source->dir_fd >= 0)
		source->reader = log_reader_open(source->dir_fd, &v->view->log, err);
	if (strlen(source->name) > v->width)
		v->width = strlen(source->name);
	return source->reader || err->code == ERR_NOT_FOUND ? source : NULL;
}

/* returns: policy starts it again, so that nothing has come to its end. */
static void print_end(struct viewer *v, struct source *source, const struct record_exit *last,
		      bool returns)
{
	if (v->view->announce && v->view->log.follow)
		fprintf(v->view->split_streams ? stderr : stdout, "%s exited with code %d%s\n",
			source->name, last->code, returns ? " (restarting)" : "");
	if (!returns && v->view->ended &&
	    v->view->ended(v->view->ctx, source->service, source->name, last->code))
		v->over = true;
}

/* It has ended, and the supervisor has not said yet what follows: a few looks' time for that. */
static bool is_unsettled(struct source *source, const struct observed_container *container)
{
	const char *policy = json_text_or(container->info, "restart", "no");
	unsigned looks = container->record->state == RECORD_RUNNING ? SETTLE_LOOKS
			 : container->record->state == RECORD_EXITED && strcmp(policy, "no") != 0
				 ? EXITED_LOOKS
				 : 0;

	if (container->alive || !looks) {
		source->unsettled = 0;
		return false;
	}
	return source->unsettled++ < looks;
}

/* New containers join, ends are noticed. *out_running counts what may still say something. */
static int look(struct viewer *v, size_t *out_running, struct err *err)
{
	AUTO(observed) struct observed *observed = observe_project(v->dirs, err);

	*out_running = 0;
	if (!observed)
		return -1;
	for (size_t i = 0; i < observed->count; i++) {
		const struct observed_container *container = &observed->containers[i];
		const struct record *record = container->record;
		struct source *source;
		char slot[300];
		bool lives;

		if (!is_wanted(v, record))
			continue;
		source = find_source(v, record_slot_name(record, slot, sizeof(slot)));
		if (!source) {
			struct err absent = ERR_NONE;

			source = add_source(v, record, slot, &absent);
			if (!source) {
				*err = absent;
				return -1;
			}
		}
		if (source->life != record->life || strcmp(source->id, record->id) != 0) {
			/* It was away and back between two looks. */
			if (source->life && !source->told_end &&
			    strcmp(source->id, record->id) == 0 &&
			    record->last_exit.life + 1 == record->life)
				print_end(v, source, &record->last_exit, true);
			source->told_end = false;
		}
		source->life = record->life;
		memcpy(source->id, record->id, sizeof(source->id));
		lives = container->alive || is_unsettled(source, container) ||
			record->state == RECORD_STARTING || record->state == RECORD_CREATED ||
			record->state == RECORD_CREATING;
		source->runs = lives || record->state == RECORD_BACKOFF; /* it comes back */
		if (!lives && !source->told_end && record->life) {
			source->told_end = true;
			print_end(v, source, &record->last_exit, record->state == RECORD_BACKOFF);
		}
		*out_running += source->runs;
	}
	return 0;
}

static void print_record(struct viewer *v, const struct source *source,
			 const struct log_record *record)
{
	FILE *out = v->view->split_streams && record->is_stderr ? stderr : stdout;
	char time[STAMP_TEXT_LEN];

	if (v->has_grep) {
		AUTO(free) char *text = xstrndup(record->text, record->text_len);

		text[strcspn(text, "\n")] = '\0';
		if (regexec(&v->grep, text, 0, NULL, 0) != 0)
			return;
	}
	if (!v->view->no_prefix) {
		if (v->view->colours)
			fputs(output_colour(source->colour), out);
		fprintf(out, "%-*s  | ", (int)v->width, source->name);
		if (v->view->colours)
			fputs(OUTPUT_RESET, out);
	}
	if (v->view->timestamps)
		fprintf(out, "%s ", stamp_rfc3339(record->time_ns, time));
	fwrite(record->text, 1, record->text_len, out);
	if (!record->text_len || record->text[record->text_len - 1] != '\n')
		fputc('\n', out);
}

/* Everything that can be read now, oldest first over all sources. */
static int drain(struct viewer *v, struct err *err)
{
	for (;;) {
		struct source *oldest = NULL;

		for (size_t i = 0; i < v->count; i++) {
			struct source *source = &v->sources[i];

			if (!source->has_next && source->reader) {
				int status = log_reader_next(source->reader, &source->next, err);

				if (status < 0)
					return -1;
				source->has_next = status > 0;
			}
			if (source->has_next &&
			    (!oldest || source->next.time_ns < oldest->next.time_ns))
				oldest = source;
		}
		if (!oldest)
			break;
		print_record(v, oldest, &oldest->next);
		oldest->has_next = false;
	}
	fflush(stdout);
	fflush(stderr);
	return 0;
}

/* Waits for more, or for a signal (true). */
static bool wait_for_more(struct viewer *v, int signal_fd)
{
	AUTO(free) struct pollfd *waits = xcalloc(v->count + 1, sizeof(*waits));
	struct signalfd_siginfo info;
	nfds_t count = 0;

	waits[count++] = (struct pollfd){ .fd = signal_fd, .events = POLLIN };
	for (size_t i = 0; i < v->count; i++)
		if (v->sources[i].reader)
			waits[count++] = (struct pollfd){ .fd = log_reader_fd(v->sources[i].reader),
							  .events = POLLIN };
	poll(waits, count, LOOK_MS);
	return waits[0].revents && read(signal_fd, &info, sizeof(info)) > 0;
}

static void announce(const struct viewer *v)
{
	fputs("Attaching to ", stdout);
	for (size_t i = 0; i < v->count; i++)
		printf("%s%s", i ? ", " : "", v->sources[i].name);
	puts("");
}

static int show(struct viewer *v, int signal_fd, bool *out_interrupted, struct err *err)
{
	size_t running;

	if (look(v, &running, err) < 0)
		return -1;
	if (v->view->index && !v->count)
		return err_set(err, ERR_NOT_FOUND, "service \"%s\" has no container number %u",
			       v->view->services && v->view->services[0] ? v->view->services[0]
									 : "",
			       v->view->index);
	if (v->view->announce && v->view->split_streams)
		announce(v);
	for (;;) {
		if (drain(v, err) < 0)
			return -1;
		if (!v->view->log.follow || v->over)
			return 0;
		if (wait_for_more(v, signal_fd)) {
			*out_interrupted = true;
			return 0;
		}
		if (drain(v, err) < 0 || look(v, &running, err) < 0)
			return -1;
		if ((running == 0 && !v->view->stays) || v->over)
			return drain(v, err);
	}
}

static void free_sources(struct viewer *v)
{
	for (size_t i = 0; i < v->count; i++) {
		free(v->sources[i].slot);
		free(v->sources[i].service);
		free(v->sources[i].name);
		if (v->sources[i].reader)
			log_reader_close(v->sources[i].reader);
		if (v->sources[i].dir_fd >= 0)
			close(v->sources[i].dir_fd);
	}
	free(v->sources);
	if (v->has_grep)
		regfree(&v->grep);
}

int logs_show(struct cli *cli, const struct project_dirs *dirs, const struct logs_view *view,
	      bool *out_interrupted, struct err *err)
{
	struct viewer v = { .cli = cli, .dirs = dirs, .view = view };
	sigset_t wanted, before;
	int signal_fd, status;

	*out_interrupted = false;
	if (view->grep) {
		if (regcomp(&v.grep, view->grep, REG_EXTENDED | REG_NOSUB) != 0)
			return err_set(err, ERR_INVALID, "--grep: \"%s\" is no regular expression",
				       view->grep);
		v.has_grep = true;
	}
	sigemptyset(&wanted);
	sigaddset(&wanted, SIGINT);
	sigaddset(&wanted, SIGTERM);
	sigaddset(&wanted, SIGHUP);
	sigprocmask(SIG_BLOCK, &wanted, &before);
	signal_fd = signalfd(-1, &wanted, SFD_CLOEXEC | SFD_NONBLOCK);
	status = show(&v, signal_fd, out_interrupted, err);
	close(signal_fd);
	sigprocmask(SIG_SETMASK, &before, NULL);
	free_sources(&v);
	return status;
}

/* ---- up in the foreground ---- */

struct foreground {
	const char *exit_code_from;
	bool any_exit, any_failure;
	bool ended, has_status;
	int status;
};

static bool container_ended(void *ctx, const char *service, const char *name, int code)
{
	struct foreground *f = ctx;

	(void)name;
	if (f->exit_code_from && strcmp(service, f->exit_code_from) == 0) {
		f->status = code;
		f->has_status = true;
	}
	if (f->ended || !(f->any_exit || (f->any_failure && code != 0)))
		return false;
	f->ended = true;
	if (!f->exit_code_from)
		f->status = code;
	return true;
}

/* How the service ended when we stopped it. */
static int code_of(const struct project_dirs *dirs, const char *service)
{
	struct err ignored = ERR_NONE;
	AUTO(observed) struct observed *observed = observe_project(dirs, &ignored);
	const struct observed_container *container =
		observed ? observed_find(observed, service, 0) : NULL;

	return container ? container->record->last_exit.code : 0;
}

static int stop_all(struct cli *cli, const struct options *options, struct client *client,
		    struct err *err)
{
	struct json_object *request = json_object_new_object();
	struct json_object *wishes = json_object_new_object();

	json_object_object_add(request, "options", wishes);
	if (options_is_set(options, "timeout"))
		json_object_object_add(
			wishes, "timeout_us",
			json_object_new_int64(options_number(options, "timeout") * 1000000));
	return client_follow(cli, client, "stop", request, "Stopping", NULL, err);
}

int logs_foreground(struct cli *cli, const struct options *options, const struct project *project,
		    struct client *client, uint64_t since_ns, struct err *err)
{
	struct foreground f = { .exit_code_from = options_text(options, "exit-code-from"),
				.any_failure =
					options_flag(options, "abort-on-container-failure") };
	const char *const *named = options_arguments(options);
	size_t attach_count;
	const char *const *attach = options_list(options, "attach", &attach_count);
	struct logs_view view = {
		.services = attach_count                                   ? attach
			    : options_flag(options, "attach-dependencies") ? NULL
									   : named,
		.excluded = options_list(options, "no-attach", NULL),
		.log = {.tail = LOG_TAIL_ALL, .follow = true, .since_ns = since_ns},
		.timestamps = options_flag(options, "timestamps"),
		.no_prefix = options_flag(options, "no-log-prefix"),
		.colours = !options_flag(options, "no-color") &&
			   output_may_use_ansi(stdout, cli->ansi),
		.split_streams = true,
		.attaches = project,
		.stays = options_flag(options, "watch"),
		.announce = true,
		.ended = container_ended,
		.ctx = &f
	};
	AUTO(project_dirs)
	struct project_dirs *dirs = project_dirs_open(cli->roots, project->name, false, err);
	bool interrupted;

	f.any_exit = f.exit_code_from || options_flag(options, "abort-on-container-exit");
	if (!dirs || logs_show(cli, dirs, &view, &interrupted, err) < 0)
		return -1;
	if (!interrupted && !f.ended)
		return f.status;
	if (interrupted)
		fputs("Gracefully Stopping... press Ctrl+C again to force\n", stderr);
	else
		fputs("Aborting on container exit...\n", stderr);
	if (stop_all(cli, options, client, err) < 0 && !interrupted)
		return -1;
	if (interrupted && err->code == ERR_CANCELLED) {
		AUTO(client) struct client *again = client_open(cli, project->name, true, err);

		if (again)
			client_request(again, "kill", NULL, NULL, NULL, NULL, err);
	}
	if (f.exit_code_from && !f.has_status)
		f.status = code_of(dirs, f.exit_code_from);
	return interrupted ? 130 : f.status;
}
