/* specs/export/kubernetes - a project as Kubernetes documents: which service becomes which
 * controller.
 *
 * Owns: the walk, the documents' heads and their order, controllers. May not touch: what is in a
 * pod (kube_pod). Rules: a schedule makes a CronJob; whom others wait for until it ends, a Job;
 * deploy.mode global, a DaemonSet; a volume that no other service uses, a StatefulSet; all else is
 * a Deployment.
 */
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "base/text.h"
#include "specs/export/kube.h"
#include "specs/model_json.h"

#define SECOND_US 1000000

/* clang-format off */
static const struct {
	const char *kind;
	unsigned rank; /* what others need comes first */
} kinds[] = {
	{ "ConfigMap", 0 },
	{ "Secret", 1 },
	{ "PersistentVolumeClaim", 2 },
	{ "NetworkPolicy", 3 },
	{ "Service", 4 },
	{ "Job", 5 },
	{ "StatefulSet", 6 },
	{ "DaemonSet", 7 },
	{ "Deployment", 8 },
	{ "CronJob", 9 },
};
static const char *const controllers[] = {
	[UNIT_DEPLOYMENT] = "Deployment", [UNIT_STATEFUL_SET] = "StatefulSet",
	[UNIT_DAEMON_SET] = "DaemonSet", [UNIT_JOB] = "Job", [UNIT_CRON_JOB] = "CronJob",
};
_Static_assert(sizeof(controllers) / sizeof(*controllers) == UNIT_KIND_COUNT,
	       "a kind of unit has no name");
/* clang-format on */

/* ---- heads ---- */

static const char *lower(struct arena *arena, const char *text)
{
	char *copy = arena_strdup(arena, text);

	for (char *c = copy; *c; c++)
		*c = *c >= 'A' && *c <= 'Z' ? (char)(*c - 'A' + 'a') : *c;
	return copy;
}

void kube_add_selector(struct kube *kube, const struct unit *unit, struct json_object *labels)
{
	json_add_text(labels, KUBE_NAME_LABEL, unit->name);
	json_add_text(labels, KUBE_PROJECT_LABEL, name_qualified(kube->arena, kube->project->name));
}

struct json_object *kube_document(struct kube *kube, const char *version, const char *kind,
				  const char *name, const struct unit *unit)
{
	struct export_result *result = kube->result;
	struct json_object *object = json_object_new_object(), *metadata, *labels;
	struct export_document *document = arena_grow(kube->arena, &result->documents,
						      &result->document_count, sizeof(*document));

	json_add_text(object, "apiVersion", version);
	json_add_text(object, "kind", kind);
	metadata = json_add_object(object, "metadata");
	json_add_text(metadata, "name", name);
	json_add_text(metadata, "namespace", kube->options->namespace_name);
	labels = json_add_object(metadata, "labels");
	if (unit)
		json_add_text(labels, KUBE_NAME_LABEL, unit->name);
	json_add_text(labels, KUBE_PROJECT_LABEL, name_qualified(kube->arena, kube->project->name));
	json_add_text(labels, "app.kubernetes.io/managed-by", "stack");
	document->object = object;
	document->file = arena_format(kube->arena, "%s-%s.yaml", name, lower(kube->arena, kind));
	return object;
}

struct unit *kube_find_unit(const struct kube *kube, const char *service)
{
	for (size_t i = 0; i < kube->unit_count; i++)
		if (strcmp(kube->units[i].service->name, service) == 0)
			return &kube->units[i];
	return NULL;
}

int64_t kube_seconds(struct kube *kube, const struct unit *unit, const char *key, int64_t us,
		     int64_t least)
{
	int64_t seconds = (us + SECOND_US - 1) / SECOND_US;

	if (seconds < least)
		seconds = least;
	if (seconds * SECOND_US != us)
		unit_say(kube, unit, EXPORT_APPROXIMATED, key, "%jd s: whole seconds",
			 (intmax_t)seconds);
	return seconds;
}

void kube_add_annotations(struct kube *kube, const struct unit *unit, const char *key,
			  const struct pairs *pairs, struct json_object *metadata)
{
	struct json_object *annotations = json_object_at(metadata, "annotations");

	for (size_t i = 0; i < pairs->count; i++) {
		const struct pair *pair = &pairs->items[i];

		if (!name_is_annotation(pair->name)) {
			unit_say_part(kube, unit, EXPORT_DROPPED, key,
				      "%s: no name of an annotation", pair->name);
			continue;
		}
		if (!annotations)
			annotations = json_add_object(metadata, "annotations");
		json_add_text(annotations, pair->name, pair->value ? pair->value : "");
	}
}

/* ---- which controller ---- */

static bool is_awaited(const struct project *project, const char *name)
{
	for (size_t i = 0; i < project->service_count; i++)
		for (size_t k = 0; k < project->services[i].depends_on_count; k++) {
			const struct dependency *dependency = &project->services[i].depends_on[k];

			if (strcmp(dependency->service, name) == 0 && dependency->condition &&
			    strcmp(dependency->condition, "service_completed_successfully") == 0)
				return true;
		}
	return false;
}

static enum unit_kind kind_of(const struct kube *kube, const struct service *service)
{
	const char *mode = service->deploy && service->deploy->mode ? service->deploy->mode : "";

	if (service->stack && service->stack->schedule)
		return UNIT_CRON_JOB;
	if (text_ends(mode, "-job") || is_awaited(kube->project, service->name))
		return UNIT_JOB;
	if (strcmp(mode, "global") == 0)
		return UNIT_DAEMON_SET;
	return kube_has_own_volume(kube, service) ? UNIT_STATEFUL_SET : UNIT_DEPLOYMENT;
}

/* What would make another service of it when left out. */
static void refuse(struct kube *kube, struct unit *unit)
{
	const struct service *service = unit->service;
	const struct {
		const char *key, *value;
	} shared[] = {
		{"network_mode", service->network_mode},
		{ "pid",         service->pid         },
		{ "ipc",         service->ipc         },
	};

	for (size_t i = 0; i < sizeof(shared) / sizeof(*shared); i++) {
		if (!shared[i].value || (!text_starts(shared[i].value, "service:") &&
					 !text_starts(shared[i].value, "container:")))
			continue;
		unit->is_refused = true;
		unit_say(kube, unit, EXPORT_REFUSED, shared[i].key,
			 "%s: containers of two services are two pods there", shared[i].value);
	}
	if (service->provider) {
		unit->is_refused = true;
		unit_say(kube, unit, EXPORT_REFUSED, "provider",
			 "made by a program of this machine");
	}
	if (service->credential_spec) {
		unit->is_refused = true;
		unit_say(kube, unit, EXPORT_REFUSED, "credential_spec", "Windows only");
	}
}

static void make_units(struct kube *kube)
{
	const struct project *project = kube->project;

	kube->unit_count = project->service_count;
	kube->units = arena_alloc(kube->arena, (kube->unit_count + 1) * sizeof(*kube->units));
	for (size_t i = 0; i < kube->unit_count; i++) { /* who has a good name keeps it */
		const char *name = project->services[i].name;

		if (name_is_label(name, NAME_UNIT_MAX))
			name_book_give(kube->names, "service", name, name, NAME_UNIT_MAX);
	}
	for (size_t i = 0; i < kube->unit_count; i++) {
		struct unit *unit = &kube->units[i];

		unit->service = &project->services[i];
		unit->path = arena_format(kube->arena, "services.%s", unit->service->name);
		unit->name = name_book_give(kube->names, "service", unit->service->name,
					    unit->service->name, NAME_UNIT_MAX);
		unit->kind = kind_of(kube, unit->service);
		refuse(kube, unit);
	}
}

static int by_rank(const void *left, const void *right)
{
	const struct export_document *a = left, *b = right;
	const char *kind_a = json_text_or(a->object, "kind", "");
	const char *kind_b = json_text_or(b->object, "kind", "");
	unsigned rank_a = 0, rank_b = 0;

	for (size_t i = 0; i < sizeof(kinds) / sizeof(*kinds); i++) {
		if (strcmp(kinds[i].kind, kind_a) == 0)
			rank_a = kinds[i].rank;
		if (strcmp(kinds[i].kind, kind_b) == 0)
			rank_b = kinds[i].rank;
	}
	return rank_a != rank_b ? (rank_a < rank_b ? -1 : 1) : strcmp(a->file, b->file);
}

void export_kubernetes(struct arena *arena, const struct project *project,
		       const struct export_options *options, struct export_result *out)
{
	AUTO(report) struct report *report = report_new(arena, &kube_keys);
	AUTO(name_book) struct name_book *names = name_book_new(arena);
	AUTO(json) struct json_object *document = NULL;
	struct kube kube = { .arena = arena,
			     .project = project,
			     .options = options,
			     .report = report,
			     .names = names,
			     .result = out };

	*out = (struct export_result){ 0 };
	make_units(&kube);
	for (size_t i = 0; i < kube.unit_count; i++)
		if (!kube.units[i].is_refused)
			kube_services(&kube, &kube.units[i]);
	for (size_t i = 0; i < kube.unit_count; i++)
		if (!kube.units[i].is_refused)
			kube_controller(&kube, &kube.units[i], controllers[kube.units[i].kind]);
	kube_files(&kube);
	kube_policies(&kube);
	if (out->document_count)
		qsort(out->documents, out->document_count, sizeof(*out->documents), by_rank);
	document = model_json_write(project, MODEL_JSON_NESTED_X);
	report_finish(report, document, out);
}
