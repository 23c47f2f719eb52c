/* orchestrator/cli/rows - containers as rows.
 *
 * Owns: docker's field names and status texts. May not touch: how rows are printed (output).
 */
#include "orchestrator/cli/rows.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/json.h"
#include "orchestrator/cli/human.h"

#define COMMAND_COLUMNS 20

static char *row_status(const struct observed_container *container)
{
	const struct record *record = container->record;
	const struct record_exit *last = &record->last_exit;
	const char *health = health_name(record->health);
	char age[HUMAN_LEN];
	uint64_t now = stamp_now_us();

	if (strcmp(container->status, "running") == 0 || strcmp(container->status, "paused") == 0) {
		human_duration((now - record->started_at_us) / 1000000, age);
		return xformat("Up %s%s%s%s%s", age, *health ? " (" : "",
			       record->health == HEALTH_STARTING ? "health: starting" : health,
			       *health ? ")" : "", record->paused ? " (Paused)" : "");
	}
	if (observed_is_asleep(container))
		return xformat("Asleep %s (starts at a connection)",
			       human_age(last->finished_at_us, now, age));
	if (strcmp(container->status, "exited") == 0)
		return xformat("Exited (%d) %s%s", last->code,
			       human_age(last->finished_at_us, now, age),
			       last->oom ? " (out of memory)" : "");
	if (strcmp(container->status, "restarting") == 0)
		return xformat("Restarting (%d) %s", last->code,
			       human_age(last->finished_at_us, now, age));
	return xformat("%s",
		       strcmp(container->status, "created") == 0 ? "Created" : container->status);
}

static char *join(const struct json_object *object, char separator, const char *assign)
{
	char *text = NULL;
	size_t size;
	FILE *out = open_memstream(&text, &size);
	bool first = true;

	if (object) {
		json_each(object, key, value) {
			fprintf(out, "%s%s%s%s", first ? "" : (char[]){ separator, 0 }, key, assign,
				value ? json_object_get_string(value) : "none");
			first = false;
		}
	}
	fclose(out);
	return text;
}

static char *join_field(struct json_object *array, const char *field)
{
	char *text = NULL;
	size_t size;
	FILE *out = open_memstream(&text, &size);

	for (size_t i = 0; i < json_array_count(array); i++)
		fprintf(out, "%s%s", i ? "," : "",
			json_text_or(json_object_array_get_idx(array, i), field, ""));
	fclose(out);
	return text;
}

static bool is_v6(const char *address)
{
	return strchr(address, ':') != NULL;
}

/* "0.0.0.0:8080->80/tcp, [::]:8080->80/tcp" */
static char *ports_text(struct json_object *ports)
{
	char *text = NULL;
	size_t size;
	FILE *out = open_memstream(&text, &size);

	for (size_t i = 0; i < json_array_count(ports); i++) {
		struct json_object *port = json_object_array_get_idx(ports, i);
		const char *ip = json_text_or(port, "host_ip", "");

		fprintf(out, "%s%s%s%s:%d->%d/%s", i ? ", " : "", is_v6(ip) ? "[" : "", ip,
			is_v6(ip) ? "]" : "", (int)json_int_or(port, "host_port", 0),
			(int)json_int_or(port, "target", 0), json_text_or(port, "protocol", "tcp"));
	}
	fclose(out);
	return text;
}

static struct json_object *publishers(struct json_object *ports)
{
	struct json_object *out = json_object_new_array();

	for (size_t i = 0; i < json_array_count(ports); i++) {
		struct json_object *port = json_object_array_get_idx(ports, i);
		struct json_object *one = json_object_new_object();

		json_add_text(one, "URL", json_text_or(port, "host_ip", ""));
		json_add_int(one, "TargetPort", json_int_or(port, "target", 0));
		json_add_int(one, "PublishedPort", json_int_or(port, "host_port", 0));
		json_add_text(one, "Protocol", json_text_or(port, "protocol", "tcp"));
		json_object_array_add(out, one);
	}
	return out;
}

static void add_owned(struct json_object *row, const char *key, char *text)
{
	json_add_text(row, key, text ? text : "");
	free(text);
}

/* Of one that has never run; what the image says is known with the first start. */
static char *words_of(const struct json_object *info)
{
	static const char *const keys[] = { "entrypoint", "command" };
	char *text = NULL;
	size_t size;
	FILE *out = open_memstream(&text, &size);

	for (size_t k = 0; k < 2; k++) {
		struct json_object *array = json_array_at(info, keys[k]);

		for (size_t i = 0; i < json_array_count(array); i++)
			fprintf(out, "%s%s", ftell(out) ? " " : "",
				json_object_get_string(json_object_array_get_idx(array, i)));
	}
	fclose(out);
	return text;
}

static char *command_text(const struct observed_container *container, bool no_trunc)
{
	const char *command = json_text_or(container->info, "command_text", "");
	AUTO(free) char *words = *command ? NULL : words_of(container->info);
	AUTO(free) char *cut = NULL;

	if (words)
		command = words;
	cut = no_trunc ? xstrdup(command) : human_cut(command, COMMAND_COLUMNS);

	return xformat("\"%s\"", cut);
}

static size_t count_volumes(struct json_object *mounts)
{
	size_t count = 0;

	for (size_t i = 0; i < json_array_count(mounts); i++)
		count += strcmp(json_text_or(json_object_array_get_idx(mounts, i), "type", ""),
				"volume") == 0;
	return count;
}

struct json_object *row_container(const char *project, const struct observed_container *container,
				  bool no_trunc)
{
	const struct record *record = container->record;
	struct json_object *row = json_object_new_object();
	struct json_object *ports = json_array_at(container->info, "ports");
	struct json_object *mounts = json_array_at(container->info, "mounts");
	bool shows_ports = container->alive || observed_is_asleep(container);
	char text[HUMAN_LEN];

	add_owned(row, "Command", command_text(container, no_trunc));
	json_add_text(row, "CreatedAt", human_time(record->created_at_us, text));
	json_add_int(row, "ExitCode", container->alive ? 0 : record->last_exit.code);
	json_add_text(row, "Health", container->alive ? health_name(record->health) : "");
	json_add_text(row, "ID", no_trunc ? record->id : human_short_id(record->id, text));
	json_add_text(row, "Image", record->image_ref);
	add_owned(row, "Labels", join(json_object_at(container->info, "labels"), ',', "="));
	snprintf(text, sizeof(text), "%zu", count_volumes(mounts));
	json_add_text(row, "LocalVolumes", text);
	add_owned(row, "Mounts", join_field(mounts, "source"));
	json_add_text(row, "Name", record->name);
	json_add_text(row, "Names", record->name);
	add_owned(row, "Networks", join_field(json_array_at(container->info, "networks"), "name"));
	add_owned(row, "Ports", shows_ports ? ports_text(ports) : NULL);
	json_add_text(row, "Project", project);
	json_object_object_add(row, "Publishers",
			       shows_ports ? publishers(ports) : json_object_new_array());
	json_add_text(row, "RunningFor", human_age(record->created_at_us, stamp_now_us(), text));
	json_add_text(row, "Service", record->service);
	json_add_text(row, "Size", "0B");
	json_add_text(row, "State", container->status);
	add_owned(row, "Status", row_status(container));
	add_owned(row, "Updated", join(json_object_at(container->info, "updated"), ',', "="));
	return row;
}
