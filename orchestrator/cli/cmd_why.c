/* orchestrator/cli/cmd_why - what explains: why, status.
 *
 * Owns: which lines they print. May not touch: anything: they only read; the words are in reasons.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/json.h"
#include "orchestrator/cli/commands.h"
#include "orchestrator/cli/container_root.h"
#include "orchestrator/cli/event_list.h"
#include "orchestrator/cli/human.h"
#include "orchestrator/cli/output.h"
#include "orchestrator/cli/reasons.h"
#include "orchestrator/cli/rows.h"
#include "orchestrator/cli/view.h"
#include "orchestrator/desired.h"

#define CHAIN_LINES 12 /* events of one container that are shown without --all */

/* clang-format off */
const struct option_row why_options[] = {
	OPT_FLAG("all", 'a', "Every event of the present container, not the last twelve only"),
	OPT_CHOICE("format", 0, "text|json", "Form of the output", .fallback = "text"),
	OPT_END,
};
const struct option_row status_options[] = {
	OPT_TEXT("format", 0, "table|json|TEMPLATE", "Form of the output"),
	OPT_END,
};
/* clang-format on */

struct wish {
	const char *state;
	struct texts stopped;
};

static int read_wish(struct cli *cli, const struct view *view, struct wish *out, struct err *err)
{
	*out = (struct wish){ .state = "down" };
	return view->dirs ? desired_read(view->dirs, cli->arena, &out->state, &out->stopped, err)
			  : 0;
}

static const struct service *service_of(const struct view *view, const char *name)
{
	return view->observed->model ? project_find_service(view->observed->model->project, name)
				     : NULL;
}

/* ---- why ---- */

/* "waits": the conditions of the file that do not hold now. */
static void add_waits(struct json_object *row, const struct view *view,
		      const struct service *service)
{
	struct json_object *waits = json_add_array(row, "Waits");

	for (size_t i = 0; service && i < service->depends_on_count; i++) {
		AUTO(free) char *text = reason_wait(view->observed, &service->depends_on[i]);

		if (text)
			json_push_text(waits, text);
	}
}

static void add_chain(struct json_object *row, const struct json_object *events, const char *slot,
		      size_t limit)
{
	struct json_object *chain = json_add_array(row, "Chain");
	AUTO(free) size_t *at = xcalloc(json_array_count(events) + 1, sizeof(*at));
	size_t count = reason_chain(events, slot, at);

	for (size_t i = 0; i < count && i < limit; i++) {
		const struct json_object *event = json_object_array_get_idx(events, at[i]);
		struct json_object *link = json_object_new_object();
		AUTO(free) char *text = reason_event(event);

		json_add_text(link, "Time", json_text_or(event, "time", ""));
		json_add_text(link, "Event", json_text_or(event, "event", ""));
		json_add_text(link, "Text", text);
		json_object_array_add(chain, link);
	}
	json_add_int(row, "Earlier", count > limit ? (int64_t)(count - limit) : 0);
}

/* "notes": files bound into it that were replaced on the host since: it has the old ones. */
static void add_notes(struct json_object *row, struct cli *cli, const struct view *view,
		      const struct observed_container *container)
{
	struct json_object *notes = json_add_array(row, "Notes");
	struct json_object *mounts = json_array_at(container->info, "mounts");
	struct err ignored = ERR_NONE;
	AUTO(fd)
	int root = container->alive && json_array_count(mounts)
			   ? container_root_open(cli, view->dirs, container, &ignored)
			   : -1;

	for (size_t i = 0; root >= 0 && i < json_array_count(mounts); i++) {
		const struct json_object *mount = json_object_array_get_idx(mounts, i);
		const char *source = json_text_or(mount, "source", "");
		const char *target = json_text_or(mount, "target", "");
		AUTO(free) char *text = NULL;

		if (strcmp(json_text_or(mount, "type", ""), "bind") != 0 ||
		    !container_root_lost(root, target, source))
			continue;
		text = xformat("%s was replaced on the host; it still has the old file as %s: "
			       "`stack restart %s` binds the new one",
			       source, target, container->record->service);
		json_push_text(notes, text);
	}
}

static struct json_object *why_row(struct cli *cli, const struct view *view,
				   const struct wish *wish,
				   const struct observed_container *container)
{
	const struct service *service = service_of(view, container->record->service);
	struct json_object *row = json_object_new_object();
	bool by_hand = strcmp(wish->state, "up") != 0 ||
		       texts_has(&wish->stopped, container->record->service);
	AUTO(free) char *state = reason_state(container, stamp_now_us());
	AUTO(free) char *outlook = reason_outlook(container, service, by_hand);

	json_add_text(row, "Name", container->record->name);
	json_add_text(row, "State", container->status);
	json_add_text(row, "Text", state);
	json_add_text(row, "Outlook", outlook);
	add_notes(row, cli, view, container);
	if (container->alive)
		json_add_array(row, "Waits");
	else
		add_waits(row, view, service);
	return row;
}

/* A service that has no container at all. */
static struct json_object *absent_row(const struct view *view, const struct wish *wish,
				      const char *name)
{
	const struct service *service = service_of(view, name);
	struct json_object *row = json_object_new_object();
	AUTO(free) char *text = NULL;

	if (!service)
		text = xstrdup(
			"has no container: the last up set it aside (by profiles or by names)");
	else if (service_replicas(service) == 0)
		text = xstrdup("has no container: the file asks for none");
	else
		text = xformat("has no container: the project is wanted %s", wish->state);
	json_add_text(row, "Name", name);
	json_add_text(row, "State", "absent");
	json_add_text(row, "Text", text);
	add_waits(row, view, service);
	return row;
}

static void print_why(const struct json_object *row)
{
	struct json_object *waits = json_array_at(row, "Waits"),
			   *notes = json_array_at(row, "Notes"),
			   *chain = json_array_at(row, "Chain");
	int64_t earlier = json_int_or(row, "Earlier", 0);

	printf("%s %s\n", json_text_or(row, "Name", ""), json_text_or(row, "Text", ""));
	if (json_text_or(row, "Outlook", NULL))
		printf("  %s\n", json_text_or(row, "Outlook", ""));
	for (size_t i = 0; i < json_array_count(waits); i++)
		printf("  it needs %s\n",
		       json_object_get_string(json_object_array_get_idx(waits, i)));
	for (size_t i = 0; i < json_array_count(notes); i++)
		printf("  %s\n", json_object_get_string(json_object_array_get_idx(notes, i)));
	for (size_t i = 0; i < json_array_count(chain); i++) {
		const struct json_object *link = json_object_array_get_idx(chain, i);
		const char *time = json_text_or(link, "Time", "");

		printf("  %.23s  it %s\n", time, json_text_or(link, "Text", ""));
	}
	if (earlier)
		printf("  and %lld earlier (--all)\n", (long long)earlier);
}

int why_command(struct cli *cli, const struct options *options, struct err *err)
{
	const char *name = options_argument(options, 0);
	size_t limit = options_flag(options, "all") ? SIZE_MAX : CHAIN_LINES;
	AUTO(view) struct view *view = view_open(cli, false, err);
	AUTO(json) struct json_object *rows = json_object_new_array();
	AUTO(json) struct json_object *events = NULL;
	struct wish wish;

	if (!view || view_check_services(view, options_arguments(options), err) < 0 ||
	    read_wish(cli, view, &wish, err) < 0)
		return -1;
	events = event_list_read(view->dirs, name, err);
	if (!events)
		return -1;
	for (size_t i = 0; i < view->observed->count; i++) {
		const struct observed_container *container = &view->observed->containers[i];
		char slot[300];
		struct json_object *row;

		if (strcmp(container->record->service, name) != 0)
			continue;
		row = why_row(cli, view, &wish, container);
		add_chain(row, events, record_slot_name(container->record, slot, sizeof(slot)),
			  limit);
		json_object_array_add(rows, row);
	}
	if (json_array_count(rows) == 0) {
		json_object_array_add(rows, absent_row(view, &wish, name));
		add_chain(json_object_array_get_idx(rows, 0), events, NULL, limit);
	}
	for (size_t i = 0; i < json_array_count(rows); i++)
		if (strcmp(options_text(options, "format"), "json") == 0)
			output_json_line(stdout, json_object_array_get_idx(rows, i));
		else
			print_why(json_object_array_get_idx(rows, i));
	return 0;
}

/* ---- status ---- */

static const struct output_column status_columns[] = {
	{"Service",  "SERVICE",   0},
        { "Running", "RUNNING",   0},
        { "State",   "STATE",     0},
	{ "Health",  "HEALTH",    0},
        { "Ports",   "PORTS",     0},
        { "Waits",   "WAITS FOR", 0},
	{ NULL,      NULL,        0},
};

/* What a service's containers have in common, the worst of them first. */
struct tally {
	const char *state, *health, *ports, *not_back;
	size_t running, all;
};

static int rank(const char *state)
{
	static const char *const order[] = { "running",  "asleep", "created",   "paused",
					     "removing", "exited", "restarting" };

	for (int i = 0; i < (int)(sizeof(order) / sizeof(*order)); i++)
		if (strcmp(order[i], state) == 0)
			return i;
	return -1;
}

static void tally_container(struct cli *cli, const struct view *view, struct tally *tally,
			    const struct observed_container *container)
{
	AUTO(json) struct json_object *row = row_container(view->dirs->name, container, true);
	const char *health = json_text_or(row, "Health", ""),
		   *ports = json_text_or(row, "Ports", ""), *state;

	tally->all++;
	if (!container->alive && container->record->not_back[0])
		tally->not_back = container->record->not_back;
	tally->running += container->alive;
	state = observed_is_asleep(container) ? "asleep" : container->status;
	if (rank(state) > rank(tally->state))
		tally->state = state;
	if (!*tally->health || strcmp(health, "unhealthy") == 0 ||
	    (strcmp(health, "starting") == 0 && strcmp(tally->health, "healthy") == 0))
		tally->health = arena_strdup(cli->arena, health);
	if (*ports)
		tally->ports = arena_format(cli->arena, "%s%s%s", tally->ports,
					    *tally->ports ? ", " : "", ports);
}

static struct json_object *status_row(struct cli *cli, const struct view *view,
				      const struct wish *wish, const char *name)
{
	const struct service *service = service_of(view, name);
	struct tally tally = { .state = "", .health = "", .ports = "" };
	struct json_object *row = json_object_new_object();
	char count[48];
	AUTO(free) char *waits = NULL;
	size_t size;
	FILE *out = open_memstream(&waits, &size);

	for (size_t i = 0; i < view->observed->count; i++)
		if (!view->observed->containers[i].record->oneoff &&
		    strcmp(view->observed->containers[i].record->service, name) == 0)
			tally_container(cli, view, &tally, &view->observed->containers[i]);
	for (size_t i = 0; service && tally.running < tally.all && i < service->depends_on_count;
	     i++) {
		AUTO(free) char *text = reason_wait(view->observed, &service->depends_on[i]);

		if (text)
			fprintf(out, "%s%s", ftell(out) ? "; " : "", text);
	}
	if (tally.not_back && !texts_has(&wish->stopped, name))
		fprintf(out, "%snot back yet: %s", ftell(out) ? "; " : "", tally.not_back);
	fclose(out);
	snprintf(count, sizeof(count), "%zu/%llu", tally.running,
		 service ? (unsigned long long)service_replicas(service) : 0ull);
	json_add_text(row, "Service", name);
	json_add_text(row, "Running", count);
	json_add_text(row, "State", tally.all ? tally.state : "absent");
	json_add_text(row, "Health", tally.health);
	json_add_text(row, "Ports", tally.ports);
	json_add_text(row, "Waits", waits);
	return row;
}

/* Names of the model's services, then of containers that the model does not know. */
static const char **service_names(struct cli *cli, const struct view *view)
{
	const struct project *project =
		view->observed->model ? view->observed->model->project : NULL;
	size_t known = project ? project->service_count : 0, count = 0;
	const char **names =
		arena_alloc(cli->arena, (known + view->observed->count + 1) * sizeof(*names));

	for (size_t i = 0; i < known; i++)
		names[count++] = project->services[i].name;
	for (size_t i = 0; i < view->observed->count; i++) {
		const struct record *record = view->observed->containers[i].record;

		if (!record->oneoff && !view_is_listed(names, record->service))
			names[count++] = record->service;
	}
	return names;
}

static void print_heading(const struct view *view, const struct wish *wish)
{
	pid_t pid = observe_supervisor(view->dirs);

	printf("project %s: wanted %s, ", view->dirs->name, wish->state);
	if (pid)
		printf("supervisor %d\n", (int)pid);
	else
		puts("no supervisor runs");
}

int status_command(struct cli *cli, const struct options *options, struct err *err)
{
	struct output_view form = { .columns = status_columns };
	const char *format = options_text(options, "format");
	AUTO(view) struct view *view = view_open(cli, true, err);
	AUTO(json) struct json_object *rows = json_object_new_array();
	struct wish wish;

	if (!view || view_check_services(view, options_arguments(options), err) < 0 ||
	    read_wish(cli, view, &wish, err) < 0)
		return -1;
	for (const char **name = service_names(cli, view); *name; name++)
		if (view_is_meant(options_arguments(options), *name))
			json_object_array_add(rows, status_row(cli, view, &wish, *name));
	if (!format || strcmp(format, "table") == 0)
		print_heading(view, &wish);
	return output_rows(stdout, &form, format, rows, err);
}
