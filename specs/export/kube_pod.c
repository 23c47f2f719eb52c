/* specs/export/kube_pod - one pod of a service: program, environment, host, life.
 *
 * Owns: the container's own fields, hooks, waiting for others. May not touch: rights
 * (kube_security), probes (kube_probe), volumes (kube_mount), where it runs and its names
 * (kube_place).
 */
#include <string.h>

#include "base/json.h"
#include "base/text.h"
#include "specs/export/kube.h"

/* $$, $( and $ before a byte of a longer character are read by the kubelet: $ is doubled there. */
const char *kube_escape(struct arena *arena, const char *text)
{
	char *out, *end;

	if (!strchr(text, '$'))
		return text;
	out = end = arena_alloc(arena, 2 * strlen(text) + 1);
	for (; *text; text++) {
		*end++ = *text;
		if (*text == '$' &&
		    (text[1] == '$' || text[1] == '(' || (unsigned char)text[1] >= 0x80))
			*end++ = '$';
	}
	return out;
}

static void add_words(struct pod *pod, const char *key, const struct command_words *words)
{
	struct json_object *list = json_add_array(pod->container, key);

	for (size_t i = 0; i < words->count; i++)
		json_push_text(list, kube_escape(pod->kube->arena, words->items[i]));
}

static void add_command(struct pod *pod)
{
	const struct service *service = pod->unit->service;
	bool has_entry = service->entrypoint.is_set && service->entrypoint.count > 0;
	bool has_command = service->command.is_set && service->command.count > 0;

	if (has_entry)
		add_words(pod, "command", &service->entrypoint);
	if (has_command)
		add_words(pod, service->entrypoint.is_set && !has_entry ? "command" : "args",
			  &service->command);
	else if (service->entrypoint.is_set && !has_entry)
		unit_say(pod->kube, pod->unit, EXPORT_DROPPED, "entrypoint",
			 "empty without a command: the image's own runs");
}

static void add_environment(struct pod *pod)
{
	const struct pairs *environment = &pod->unit->service->environment;
	struct json_object *list = NULL, *item;

	for (size_t i = 0; i < environment->count; i++) {
		const struct pair *pair = &environment->items[i];

		if (!pair->value || !name_is_variable(pair->name)) {
			unit_say_part(pod->kube, pod->unit, EXPORT_DROPPED, "environment", "%s: %s",
				      pair->name,
				      pair->value
					      ? "no name of a variable there"
					      : "a variable of the image cannot be removed there");
			continue;
		}
		if (!list)
			list = json_add_array(pod->container, "env");
		item = json_object_new_object();
		json_add_text(item, "name", pair->name);
		json_add_text(item, "value", kube_escape(pod->kube->arena, pair->value));
		json_object_array_add(list, item);
	}
}

static void add_image(struct pod *pod)
{
	static const struct {
		const char *policy, *theirs;
		enum export_verdict verdict;
	} policies[] = {
		{"always",   "Always",       EXPORT_EXACT       },
		{ "never",   "Never",        EXPORT_EXACT       },
		{ "missing", "IfNotPresent", EXPORT_EXACT       },
		{ "build",   "IfNotPresent", EXPORT_APPROXIMATED},
	};
	const struct service *service = pod->unit->service;
	size_t i = 0;

	json_add_text(pod->container, "image",
		      service_image_name(pod->kube->arena, pod->kube->project, service));
	if (!service->pull_policy)
		return;
	while (i < sizeof(policies) / sizeof(*policies) &&
	       strcmp(policies[i].policy, service->pull_policy) != 0)
		i++;
	if (i == sizeof(policies) / sizeof(*policies))
		i = 0; /* daily and the like */
	json_add_text(pod->container, "imagePullPolicy", policies[i].theirs);
	if (strcmp(policies[i].policy, service->pull_policy) != 0 ||
	    policies[i].verdict != EXPORT_EXACT)
		unit_say(pod->kube, pod->unit, EXPORT_APPROXIMATED, "pull_policy",
			 "imagePullPolicy %s", policies[i].theirs);
}

/* ---- hooks ---- */

static void add_hook(struct pod *pod, const char *key, const char *theirs, const struct hook *hooks,
		     size_t count)
{
	struct json_object *lifecycle, *words;

	if (count == 0)
		return;
	if (count > 1)
		unit_say_part(pod->kube, pod->unit, EXPORT_DROPPED, key,
			      "a container has one such hook: all but the first are left out");
	if (hooks->user || hooks->working_dir || hooks->environment.count || hooks->privileged)
		unit_say(pod->kube, pod->unit, EXPORT_APPROXIMATED, key,
			 "lifecycle.%s as the container's user, folder and environment", theirs);
	lifecycle = json_object_at(pod->container, "lifecycle");
	if (!lifecycle)
		lifecycle = json_add_object(pod->container, "lifecycle");
	words = json_add_array(json_add_object(json_add_object(lifecycle, theirs), "exec"),
			       "command");
	for (size_t i = 0; i < hooks->command.count; i++)
		json_push_text(words, hooks->command.items[i]);
}

/* ---- waiting for others ---- */

/* Names answer when a pod behind them is ready; a port answers then, too. */
static const char *wait_command(struct kube *kube, const struct unit *other)
{
	unsigned port = kube_known_port(other->service);

	if (port)
		return arena_format(kube->arena, "until nc -z -w 2 %s %u; do sleep 1; done",
				    other->name, port);
	return arena_format(kube->arena, "until nslookup %s >/dev/null; do sleep 1; done",
			    other->name);
}

static void add_wait(struct pod *pod, const struct dependency *dependency)
{
	struct kube *kube = pod->kube;
	const struct unit *other = kube_find_unit(kube, dependency->service);
	const char *key = arena_format(kube->arena, "depends_on.%s", dependency->service);
	struct json_object *list, *item, *words;

	if (!kube->options->wait_image || !other || other->is_refused)
		return;
	if (other->kind == UNIT_JOB || other->kind == UNIT_CRON_JOB) {
		unit_say(kube, pod->unit, EXPORT_DROPPED, key,
			 "the end of a Job cannot be waited for without rights on the cluster");
		return;
	}
	list = json_array_at(pod->spec, "initContainers");
	if (!list)
		list = json_add_array(pod->spec, "initContainers");
	item = json_object_new_object();
	json_add_text(item, "name",
		      name_label(kube->arena, arena_format(kube->arena, "wait-%s", other->name),
				 NAME_LABEL_MAX));
	json_add_text(item, "image", kube->options->wait_image);
	words = json_add_array(item, "command");
	json_push_text(words, "sh");
	json_push_text(words, "-c");
	json_push_text(words, wait_command(kube, other));
	json_object_array_add(list, item);
	unit_say(kube, pod->unit, EXPORT_APPROXIMATED, key,
		 "an init container waits until %s is ready, whatever the condition", other->name);
}

/* ---- the pod ---- */

static void add_life(struct pod *pod)
{
	const struct service *service = pod->unit->service;

	if (service->working_dir)
		json_add_text(pod->container, "workingDir", service->working_dir);
	if (service->tty)
		json_add_bool(pod->container, "tty", true);
	if (service->stdin_open)
		json_add_bool(pod->container, "stdin", true);
	if (service->stop_signal &&
	    (strcmp(service->stop_signal, "SIGTERM") == 0 ||
	     strcmp(service->stop_signal, "TERM") == 0 || strcmp(service->stop_signal, "15") == 0))
		unit_say(pod->kube, pod->unit, EXPORT_EXACT, "stop_signal",
			 "as long as the image says no other");
	json_add_int(pod->spec, "terminationGracePeriodSeconds",
		     kube_seconds(pod->kube, pod->unit, "stop_grace_period",
				  service_stop_grace_us(service), 0));
	if (service->init.is_set && service->init.value)
		json_add_bool(pod->spec, "shareProcessNamespace", true);
	if (service->pid && strcmp(service->pid, "host") == 0) {
		json_add_bool(pod->spec, "hostPID", true);
		json_object_object_del(pod->spec, "shareProcessNamespace");
		unit_say(pod->kube, pod->unit, EXPORT_EXACT, "pid", "hostPID");
	}
	if (service->ipc && strcmp(service->ipc, "host") == 0) {
		json_add_bool(pod->spec, "hostIPC", true);
		unit_say(pod->kube, pod->unit, EXPORT_EXACT, "ipc", "hostIPC");
	}
}

static void add_metadata(struct pod *pod, struct json_object *pod_template)
{
	const struct service *service = pod->unit->service;
	struct kube *kube = pod->kube;
	struct json_object *metadata = json_add_object(pod_template, "metadata");
	struct json_object *labels = json_add_object(metadata, "labels");

	kube_add_selector(kube, pod->unit, labels);
	for (size_t i = 0; i < service->network_count; i++)
		json_add_text(labels, kube_network_label(kube, service->networks[i].network),
			      "true");
	kube_add_annotations(kube, pod->unit, "annotations", &service->annotations, metadata);
	kube_add_annotations(kube, pod->unit, "labels", &service->labels, metadata);
}

void kube_pod(struct kube *kube, struct unit *unit, struct json_object *pod_template,
	      struct json_object *claims)
{
	const struct service *service = unit->service;
	struct pod pod = { .kube = kube, .unit = unit, .claims = claims };
	struct json_object *containers;

	add_metadata(&pod, pod_template);
	pod.spec = json_add_object(pod_template, "spec");
	pod.container = json_object_new_object();
	pod.volumes = json_object_new_array();
	pod.mounts = json_object_new_array();
	json_add_text(pod.container, "name", unit->name);
	add_image(&pod);
	add_command(&pod);
	add_environment(&pod);
	kube_place(&pod);
	kube_resources(&pod);
	kube_security(&pod);
	kube_probes(&pod);
	add_hook(&pod, "post_start", "postStart", service->post_start, service->post_start_count);
	add_hook(&pod, "pre_stop", "preStop", service->pre_stop, service->pre_stop_count);
	add_life(&pod);
	for (size_t i = 0; i < service->depends_on_count; i++)
		add_wait(&pod, &service->depends_on[i]);
	kube_mounts(&pod);
	containers = json_add_array(pod.spec, "containers");
	json_object_array_add(containers, pod.container);
	if (json_array_count(pod.mounts) > 0)
		json_object_object_add(pod.container, "volumeMounts", pod.mounts);
	else
		json_object_put(pod.mounts);
	if (json_array_count(pod.volumes) > 0)
		json_object_object_add(pod.spec, "volumes", pod.volumes);
	else
		json_object_put(pod.volumes);
	json_add_bool(pod.spec, "automountServiceAccountToken", false);
	json_add_bool(pod.spec, "enableServiceLinks", false);
}
