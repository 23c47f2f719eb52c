/* orchestrator/cli/reasons - why a container is as it is, in sentences.
 *
 * Owns: the words. May not touch: files: events and records are handed in.
 */
#include "orchestrator/cli/reasons.h"

#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "base/json.h"
#include "base/process.h"
#include "base/text.h"
#include "orchestrator/cli/human.h"
#include "orchestrator/cron.h"

#define SIGNAL_BASE   128
#define HEALTH_PREFIX "health_status: "

/* clang-format off */
/* Docker's word and ours for it, in a sentence whose subject is the container. */
static const struct {
	const char *event, *phrase;
} phrases[] = {
	{ "create", "was created" },
	{ "start", "was started" },
	{ "start-failed", "could not be started" },
	{ "not-back", "could not be brought back yet" },
	{ "die", "ended" },
	{ "oom", "ran out of memory" },
	{ "kill", "got a signal" },
	{ "sleep", "was put to sleep" },
	{ "wake", "woke up" },
	{ "stop", "was told to stop" },
	{ "restart", "is started again" },
	{ "pause", "was frozen" },
	{ "unpause", "goes on" },
	{ "destroy", "was removed" },
	{ "ready", "is ready" },
	{ "not-ready", "did not become ready" },
	{ "update", "was changed in place" },
	{ "update-failed", "failed its update" },
	{ "settled", "counts as updated" },
	{ "take-over", "took over the published ports" },
	{ "waits", "waits" },
	{ "rename", "was renamed" },
	{ "connect", "was connected to a network" },
	{ "disconnect", "was disconnected from a network" },
	{ "hook-failed", "had a hook that failed" },
	{ "schedule-skipped", "was not started by its schedule" },
	{ "schedule-queued", "is to be started when it has ended" },
	{ HEALTH_PREFIX "healthy", "became healthy" },
	{ HEALTH_PREFIX "unhealthy", "became unhealthy" },
	{ HEALTH_PREFIX "starting", "is being tested for the first time" },
};
/* clang-format on */

static const char *phrase_of(const char *event)
{
	for (size_t i = 0; i < sizeof(phrases) / sizeof(*phrases); i++)
		if (strcmp(phrases[i].event, event) == 0)
			return phrases[i].phrase;
	return event;
}

/* " with status 137 (SIGKILL)" */
static void status_text(int code, char *out, size_t size)
{
	char buffer[16];
	const char *signal =
		code > SIGNAL_BASE ? process_signal_name(code - SIGNAL_BASE, buffer) : NULL;

	snprintf(out, size, " with status %d%s%s%s", code, signal ? " (" : "", signal ? signal : "",
		 signal ? ")" : "");
}

/* A program's output on one line; to be freed. */
static char *one_line(const char *text)
{
	char *line = xstrdup(text);
	size_t len = strlen(line);

	while (len > 0 && strchr(" \t\r\n", line[len - 1]))
		line[--len] = '\0';
	for (char *c = line; *c; c++)
		if (*c == '\n' || *c == '\r' || *c == '\t')
			*c = ' ';
	return text_plain(line);
}

char *reason_event(const struct json_object *event)
{
	const char *word = json_text_or(event, "event", "?");
	AUTO(free) char *reason = one_line(json_text_or(event, "reason", ""));
	char status[64] = "";

	if (json_object_object_get_ex(event, "code", NULL))
		status_text((int)json_int_or(event, "code", 0), status, sizeof(status));
	return xformat("%s%s%s%s", phrase_of(word), status, *reason ? ": " : "", reason);
}

static char *ended_text(const struct record_exit *last, const char *then, uint64_t now_us)
{
	char age[HUMAN_LEN], status[64];
	const char *why = last->oom ? "out of memory" : last->error;

	status_text(last->code, status, sizeof(status));
	return xformat("%s%s %s%s%s", then, status, human_age(last->finished_at_us, now_us, age),
		       *why ? ": " : "", why);
}

static char *keys_of(struct json_object *object)
{
	char *text = NULL;
	size_t size;
	FILE *out = open_memstream(&text, &size);

	if (object) {
		json_each(object, name, value) {
			(void)value;
			fprintf(out, "%s%s", ftell(out) ? " " : "", name);
		}
	}
	fclose(out);
	return text;
}

char *reason_state(const struct observed_container *container, uint64_t now_us)
{
	const struct record *record = container->record;
	AUTO(free) char *by_hand = NULL;
	char age[HUMAN_LEN];

	if (observed_is_asleep(container))
		return xformat("sleeps since %s",
			       human_age(record->last_exit.finished_at_us, now_us, age));
	if (strcmp(container->status, "exited") == 0)
		return ended_text(&record->last_exit, "exited", now_us);
	if (strcmp(container->status, "restarting") == 0)
		return ended_text(&record->last_exit, "waits for its next start; it ended", now_us);
	if (!container->alive)
		return xformat("is %s", container->status);
	human_duration((now_us - record->started_at_us) / 1000000, age);
	by_hand = keys_of(json_object_at(container->info, "updated"));
	return xformat("runs since %s%s%s%s%s%s", age, record->health != HEALTH_NONE ? ", " : "",
		       health_name(record->health), record->paused ? ", frozen" : "",
		       *by_hand ? ", changed by hand: " : "", by_hand);
}

static char *next_run(const struct record *record, const char *schedule)
{
	char text[HUMAN_LEN];
	int64_t next = cron_next(schedule, (int64_t)(stamp_now_us() / 1000000),
				 (int64_t)(record->created_at_us / 1000000));

	if (next < 0)
		return xformat("its schedule \"%s\" never comes", schedule);
	return xformat("its schedule \"%s\" starts it next at %s", schedule,
		       human_time((uint64_t)next * 1000000, text));
}

char *reason_outlook(const struct observed_container *container, const struct service *service,
		     bool stopped_by_hand)
{
	const struct record *record = container->record;
	struct restart_rule rule;

	if (container->alive)
		return NULL;
	if (record->oneoff)
		return xstrdup("it is a one-off container, which is not started again");
	if (!service)
		return xstrdup("the file no longer has this service, so nothing starts it");
	if (observed_is_asleep(container))
		return xstrdup(
			"nobody was connected for x-stack.idle.after: the next connection to a "
			"published port starts it");
	rule = service_restart(service);
	if (strcmp(container->status, "restarting") == 0)
		return xformat("its restart policy starts it again (%u so far)", record->restarts);
	if (stopped_by_hand || record->stopped_by_hand)
		return xstrdup("it was stopped by hand and stays down until it is started");
	if (record->not_back[0])
		return xformat("it is brought back as soon as this works: %s", record->not_back);
	if (service->stack && service->stack->schedule)
		return next_run(record, service->stack->schedule);
	if (strcmp(container->status, "created") == 0)
		return NULL;
	if (rule.when == RESTART_NO)
		return xstrdup("its restart policy is \"no\", so it stays down");
	if (rule.when == RESTART_ON_FAILURE && record->last_exit.code == 0)
		return xstrdup("its restart policy is \"on-failure\", and it ended well");
	if (rule.max_attempts && record->restarts >= rule.max_attempts)
		return xformat("its restart policy allows %llu attempts, and they are used up",
			       (unsigned long long)rule.max_attempts);
	return xstrdup("its restart policy would start it again; it was ended by hand, or no "
		       "supervisor runs");
}

/* What one container lacks for a condition, as a predicate ("is starting"); NULL: nothing. */
static char *lacking(const struct observed_container *container, const char *condition)
{
	const struct record *record = container->record;
	bool is_end = strcmp(condition, "service_completed_successfully") == 0;

	if (is_end && container->alive)
		return xstrdup("still runs");
	if (is_end && strcmp(container->status, "exited") == 0)
		return record->last_exit.code
			       ? xformat("ended with status %d", record->last_exit.code)
			       : NULL;
	if (!container->alive)
		return strcmp(container->status, "exited") == 0
			       ? xstrdup("has exited")
			       : xformat("is %s", container->status);
	if (strcmp(condition, "service_healthy") != 0 || record->health == HEALTH_GOOD)
		return NULL;
	return record->health == HEALTH_NONE ? xstrdup("has no healthcheck")
					     : xformat("is %s", health_name(record->health));
}

static const struct {
	const char *condition, *wish;
} wishes[] = {
	{"service_started",                 "to run"       },
	{ "service_healthy",                "to be healthy"},
	{ "service_completed_successfully", "to end well"  },
};

char *reason_wait(const struct observed *observed, const struct dependency *dependency)
{
	const char *wish = dependency->condition;
	bool is_there = false;

	for (size_t i = 0; i < sizeof(wishes) / sizeof(*wishes); i++)
		if (strcmp(wishes[i].condition, dependency->condition) == 0)
			wish = wishes[i].wish;
	for (size_t i = 0; i < observed->count; i++) {
		const struct observed_container *container = &observed->containers[i];
		AUTO(free) char *what = NULL;

		if (container->record->oneoff ||
		    strcmp(container->record->service, dependency->service) != 0)
			continue;
		is_there = true;
		what = lacking(container, dependency->condition);
		if (what)
			return xformat("%s %s, but %s %s", dependency->service, wish,
				       container->record->name, what);
	}
	return is_there ? NULL
			: xformat("%s %s, but it has no container", dependency->service, wish);
}

size_t reason_chain(const struct json_object *events, const char *slot, size_t *out)
{
	size_t count = 0;

	for (size_t i = json_array_count(events); i > 0; i--) {
		const struct json_object *event = json_object_array_get_idx(events, i - 1);

		if (slot && strcmp(json_text_or(event, "slot", ""), slot) != 0)
			continue;
		out[count++] = i - 1;
		if (strcmp(json_text_or(event, "event", ""), "create") == 0)
			break;
	}
	return count;
}
