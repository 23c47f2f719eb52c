/* orchestrator/record_make - the record of a container that is about to be made.
 *
 * Owns: the labels that other tools read, the form of info. May not touch: the disk.
 */
#include "orchestrator/record_make.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/json.h"
#include "orchestrator/bundle.h"
#include "orchestrator/slot.h"
#include "orchestrator/update.h"
#include "specs/model_json.h"

static void add_joined(struct json_object *labels, const char *key, const struct texts *texts)
{
	char *text = NULL;
	size_t size;
	FILE *out = open_memstream(&text, &size);

	for (size_t i = 0; i < texts->count; i++)
		fprintf(out, "%s%s", i ? "," : "", texts->items[i]);
	fclose(out);
	json_add_text(labels, key, text);
	free(text);
}

static void add_dependencies(struct json_object *labels, const struct service *service)
{
	char *text = NULL;
	size_t size;
	FILE *out = open_memstream(&text, &size);

	for (size_t i = 0; i < service->depends_on_count; i++)
		fprintf(out, "%s%s:%s:%s", i ? "," : "", service->depends_on[i].service,
			service->depends_on[i].condition,
			service->depends_on[i].restart ? "true" : "false");
	fclose(out);
	json_add_text(labels, "com.docker.compose.depends_on", text);
	free(text);
}

static void add_labels(struct json_object *info, const struct change *change,
		       const struct service *service, const struct plan_wanted *wanted,
		       const struct slot *slot)
{
	struct json_object *labels = json_add_object(info, "labels");
	const struct project *project = change->model->project;
	char number[16];

	snprintf(number, sizeof(number), "%u", slot->number);
	for (size_t i = 0; i < service->labels.count; i++)
		json_add_text(labels, service->labels.items[i].name,
			      service->labels.items[i].value ? service->labels.items[i].value : "");
	json_add_text(labels, "com.docker.compose.project", project->name);
	json_add_text(labels, "com.docker.compose.service", service->name);
	if (!slot->oneoff)
		json_add_text(labels, "com.docker.compose.container-number", number);
	json_add_text(labels, "com.docker.compose.oneoff", slot->oneoff ? "True" : "False");
	json_add_text(labels, "com.docker.compose.config-hash", wanted->config_hash);
	json_add_text(labels, "com.docker.compose.image", wanted->image_id);
	add_dependencies(labels, service);
	json_add_text(labels, "com.docker.compose.project.working_dir", project->working_dir);
	add_joined(labels, "com.docker.compose.project.config_files", &project->files);
	json_add_text(labels, "com.docker.compose.version", STACK_VERSION);
}

void record_add_networks(struct json_object *info, const struct slot_net *net)
{
	struct json_object *networks = json_add_array(info, "networks");

	for (size_t i = 0; net && i < net->link_count; i++) {
		struct json_object *one = json_object_new_object();

		json_add_text(one, "name", net->links[i].network);
		json_add_text(one, "interface", net->links[i].interface);
		json_add_text(one, "ip4", net->links[i].ip4);
		json_add_text(one, "ip6", net->links[i].ip6);
		json_add_text(one, "mac", net->links[i].mac);
		json_add_text(one, "gateway4", net->links[i].gateway4);
		json_object_array_add(networks, one);
	}
	record_note_ports(info, net);
}

void record_note_ports(struct json_object *info, const struct slot_net *net)
{
	struct json_object *ports;

	json_object_object_del(info, "ports");
	ports = json_add_array(info, "ports");
	for (size_t i = 0; net && i < net->port_count; i++) {
		struct json_object *one = json_object_new_object();

		json_add_text(one, "host_ip", net->ports[i].host_ip);
		json_add_int(one, "host_port", net->ports[i].host_port);
		json_add_int(one, "target", net->ports[i].target);
		json_add_text(one, "protocol", net->ports[i].protocol);
		json_object_array_add(ports, one);
	}
}

static void add_mounts(struct json_object *info, const struct project *project,
		       const struct service *service)
{
	struct json_object *mounts = json_add_array(info, "mounts");

	for (size_t i = 0; i < service->volume_count; i++) {
		const struct mount *mount = &service->volumes[i];
		struct json_object *one = json_object_new_object();
		const struct volume *volume = strcmp(mount->type, "volume") == 0 && mount->source
						      ? project_find_volume(project, mount->source)
						      : NULL;

		json_add_text(one, "type", mount->type);
		json_add_text(one, "source", volume ? volume->name : mount->source);
		json_add_text(one, "target", mount->target);
		json_add_bool(one, "read_only", mount->read_only);
		json_object_array_add(mounts, one);
	}
}

static void add_words(struct json_object *info, const char *key, const struct command_words *words)
{
	struct json_object *array;

	if (!words->is_set)
		return;
	array = json_add_array(info, key);
	for (size_t i = 0; i < words->count; i++)
		json_push_text(array, words->items[i]);
}

/* What run_model makes the service of again. */
static void add_run(struct json_object *info, const struct run_request *wanted)
{
	struct json_object *run = json_add_object(info, "run");

	json_object_object_add(run, "definition",
			       model_json_service(wanted->service, MODEL_JSON_STATE));
	json_add_bool(run, "ports", wanted->with_ports);
	json_add_bool(run, "use_aliases", wanted->use_aliases);
	json_add_bool(run, "remove", wanted->remove);
}

struct record *record_make(const struct change *change, const struct service *service,
			   const struct plan_wanted *wanted, const struct slot *slot,
			   const char *name)
{
	struct record *record = record_new(service->name, slot->number);
	AUTO(json) struct json_object *info = json_object_new_object();
	struct arena *arena = arena_new();

	record->oneoff = xstrdup(slot->oneoff);
	record->name = xstrdup(name);
	record->image_ref = xstrdup(service_image_name(arena, change->model->project, service));
	record->image_id = xstrdup(wanted->image_id);
	record->config_hash = xstrdup(wanted->config_hash);
	record->contents = xstrdup(wanted->contents);
	json_add_int(info, "model", (int64_t)change->model->seq);
	json_add_text(info, "fixed_hash", wanted->fixed_hash);
	add_labels(info, change, service, wanted, slot);
	record_add_networks(info, slot->net);
	add_mounts(info, change->model->project, service);
	add_words(info, "entrypoint", &service->entrypoint);
	add_words(info, "command", &service->command);
	json_add_text(info, "stop_signal", service->stop_signal);
	json_add_text(info, "network_mode", service->network_mode);
	update_note(info, service, NULL);
	json_add_bool(info, "tty", service->tty);
	json_add_bool(info, "stdin_open", service->stdin_open);
	if (slot->oneoff && change->run)
		add_run(info, change->run);
	record->info = xstrdup(json_object_to_json_string_ext(
		info, JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE));
	arena_free(arena);
	return record;
}
