/* specs/export/kube_controller - the controller of a service: replicas, updates, restarts, runs of
 * a job.
 *
 * Owns: specs of Deployment, StatefulSet, DaemonSet, Job and CronJob. May not touch: pods
 * (kube_pod).
 */
#include <string.h>

#include "base/json.h"
#include "base/text.h"
#include "specs/export/kube.h"

#define DEADLINE_S 600 /* a Deployment's default progressDeadlineSeconds */

static struct json_object *begin(struct kube *kube, const struct unit *unit, const char *version,
				 const char *kind)
{
	const struct deploy *deploy = unit->service->deploy;
	struct json_object *object = kube_document(kube, version, kind, unit->name, unit);

	if (deploy)
		kube_add_annotations(kube, unit, "deploy.labels", &deploy->labels,
				     json_object_at(object, "metadata"));
	return json_add_object(object, "spec");
}

static void add_selector(struct kube *kube, const struct unit *unit, struct json_object *spec)
{
	kube_add_selector(kube, unit,
			  json_add_object(json_add_object(spec, "selector"), "matchLabels"));
}

/* ---- updates ---- */

static const struct update_config *update_of(const struct unit *unit)
{
	return unit->service->deploy ? unit->service->deploy->update_config : NULL;
}

static void add_count(struct json_object *object, const char *key, bool is_used, int64_t count)
{
	if (!is_used)
		json_add_int(object, key, 0);
	else if (count == 0) /* all at once */
		json_add_text(object, key, "100%");
	else
		json_add_int(object, key, count);
}

static void add_strategy(const struct unit *unit, struct json_object *spec, const char *key)
{
	const struct update_config *update = update_of(unit);
	bool is_start_first = update && update->order && strcmp(update->order, "start-first") == 0;
	int64_t count = update && update->parallelism.is_set ? update->parallelism.value : 1;
	struct json_object *strategy, *rolling;

	if (!update)
		return;
	strategy = json_add_object(spec, key);
	json_add_text(strategy, "type", "RollingUpdate");
	rolling = json_add_object(strategy, "rollingUpdate");
	add_count(rolling, "maxSurge", is_start_first, count);
	add_count(rolling, "maxUnavailable", !is_start_first, count);
}

static void add_min_ready(struct kube *kube, const struct unit *unit, struct json_object *spec)
{
	const struct update_config *update = update_of(unit);
	int64_t monitor = 0, delay = 0, seconds;

	if (update && update->monitor.is_set)
		monitor = kube_seconds(kube, unit, "deploy.update_config.monitor",
				       update->monitor.us, 0);
	if (update && update->delay.is_set)
		delay = kube_seconds(kube, unit, "deploy.update_config.delay", update->delay.us, 0);
	seconds = monitor > delay ? monitor : delay;
	if (seconds == 0)
		return;
	json_add_int(spec, "minReadySeconds", seconds);
	if (unit->kind == UNIT_DEPLOYMENT && seconds >= DEADLINE_S)
		json_add_int(spec, "progressDeadlineSeconds", seconds + DEADLINE_S);
}

/* A stateful set replaces its pods one after the other. */
static void say_stateful(struct kube *kube, const struct unit *unit)
{
	const struct update_config *update = update_of(unit);

	if (!update)
		return;
	if (update->parallelism.is_set && update->parallelism.value != 1)
		unit_say(kube, unit, EXPORT_DROPPED, "deploy.update_config.parallelism",
			 "a StatefulSet replaces one pod at a time");
	if (update->order && strcmp(update->order, "start-first") == 0)
		unit_say(kube, unit, EXPORT_DROPPED, "deploy.update_config.order",
			 "a StatefulSet stops the old pod first: it has the volume");
}

/* ---- restarts ---- */

static void say_restart(struct kube *kube, const struct unit *unit)
{
	const struct service *service = unit->service;
	struct restart_rule rule = service_restart(service);
	const char *key = service->deploy && service->deploy->restart_policy
				  ? "deploy.restart_policy.condition"
				  : "restart";
	bool is_said = strcmp(key, "restart") != 0 || service->restart;

	if (is_said && (rule.when == RESTART_NO || rule.when == RESTART_ON_FAILURE))
		unit_say(kube, unit, EXPORT_APPROXIMATED, key,
			 "a %s begins its pods anew whatever their exit status",
			 unit->kind == UNIT_DEPLOYMENT   ? "Deployment"
			 : unit->kind == UNIT_DAEMON_SET ? "DaemonSet"
							 : "StatefulSet");
}

/* Restarts of a job's pod, in the pod and in the job. */
static void add_job_restart(struct kube *kube, const struct unit *unit, struct json_object *spec,
			    struct json_object *pod_spec)
{
	const struct service *service = unit->service;
	struct restart_rule rule = service_restart(service);
	bool is_deploy = service->deploy && service->deploy->restart_policy;
	const char *key = is_deploy ? "deploy.restart_policy.condition" : "restart";

	json_add_text(pod_spec, "restartPolicy", rule.when == RESTART_NO ? "Never" : "OnFailure");
	if (rule.when == RESTART_NO) {
		json_add_int(spec, "backoffLimit", 0);
		unit_say(kube, unit, EXPORT_EXACT, key, "restartPolicy Never");
	} else if (rule.when == RESTART_ON_FAILURE) {
		if (rule.max_attempts)
			json_add_int(spec, "backoffLimit", (int64_t)rule.max_attempts);
		unit_say(kube, unit, rule.max_attempts ? EXPORT_EXACT : EXPORT_APPROXIMATED, key,
			 rule.max_attempts ? "restartPolicy OnFailure, backoffLimit"
					   : "restartPolicy OnFailure, six times at most");
	} else {
		unit_say(kube, unit, EXPORT_APPROXIMATED, key,
			 "restartPolicy OnFailure: a Job ends with success");
	}
	if (is_deploy && service->deploy->restart_policy->max_attempts.is_set)
		unit_say(kube, unit, EXPORT_EXACT, "deploy.restart_policy.max_attempts",
			 "backoffLimit");
}

/* ---- jobs ---- */

static void add_job_spec(struct kube *kube, struct unit *unit, struct json_object *spec)
{
	int64_t replicas = (int64_t)service_replicas(unit->service);
	struct json_object *pod_template;

	if (replicas > 1) {
		json_add_int(spec, "completions", replicas);
		json_add_int(spec, "parallelism", replicas);
	}
	pod_template = json_add_object(spec, "template");
	kube_pod(kube, unit, pod_template, NULL);
	add_job_restart(kube, unit, spec, json_object_at(pod_template, "spec"));
	if (update_of(unit))
		unit_say(kube, unit, EXPORT_DROPPED, "deploy.update_config.order",
			 "a Job is not updated, but made anew");
}

static void add_job(struct kube *kube, struct unit *unit, const char *kind)
{
	const char *mode = unit->service->deploy ? unit->service->deploy->mode : NULL;

	add_job_spec(kube, unit, begin(kube, unit, "batch/v1", kind));
	if (mode && strcmp(mode, "global-job") == 0)
		unit_say(kube, unit, EXPORT_APPROXIMATED, "deploy.mode",
			 "a Job, once and not on each node");
	else if (mode && strcmp(mode, "global") == 0)
		unit_say(kube, unit, EXPORT_APPROXIMATED, "deploy.mode",
			 "a Job: others wait for its end");
}

static void add_cron_job(struct kube *kube, struct unit *unit, const char *kind)
{
	static const struct {
		const char *overlap, *policy;
	} policies[] = {
		{"skip",   "Forbid" },
                { "queue", "Forbid" },
                { "kill",  "Replace"}
	};
	const char *overlap = unit->service->stack->overlap;
	struct json_object *spec = begin(kube, unit, "batch/v1", kind), *job;
	size_t i = 0;

	while (overlap && i + 1 < sizeof(policies) / sizeof(*policies) &&
	       strcmp(policies[i].overlap, overlap) != 0)
		i++;
	json_add_text(spec, "schedule", kube_schedule(kube, unit));
	json_add_text(spec, "concurrencyPolicy", policies[i].policy);
	if (overlap && strcmp(overlap, "queue") == 0)
		unit_say(kube, unit, EXPORT_APPROXIMATED, "x-stack.overlap",
			 "concurrencyPolicy Forbid: a run that would overlap is skipped");
	job = json_add_object(json_add_object(spec, "jobTemplate"), "spec");
	add_job_spec(kube, unit, job);
}

/* ---- what goes on ---- */

static void add_set(struct kube *kube, struct unit *unit, const char *kind)
{
	struct json_object *spec = begin(kube, unit, "apps/v1", kind);
	struct json_object *claims =
		unit->kind == UNIT_STATEFUL_SET ? json_object_new_array() : NULL;

	if (unit->kind == UNIT_STATEFUL_SET) {
		json_add_text(spec, "serviceName", unit->name);
		json_add_text(spec, "podManagementPolicy", "Parallel");
		say_stateful(kube, unit);
	} else {
		add_strategy(unit, spec,
			     unit->kind == UNIT_DEPLOYMENT ? "strategy" : "updateStrategy");
	}
	if (unit->kind != UNIT_DAEMON_SET)
		json_object_object_add(
			spec, "replicas",
			json_object_new_int64((int64_t)service_replicas(unit->service)));
	add_min_ready(kube, unit, spec);
	add_selector(kube, unit, spec);
	kube_pod(kube, unit, json_add_object(spec, "template"), claims);
	if (claims && json_array_count(claims) > 0)
		json_object_object_add(spec, "volumeClaimTemplates", claims);
	else
		json_object_put(claims);
	say_restart(kube, unit);
}

void kube_controller(struct kube *kube, struct unit *unit, const char *kind)
{
	static void (*const makers[])(struct kube *, struct unit *, const char *) = {
		[UNIT_DEPLOYMENT] = add_set,    [UNIT_STATEFUL_SET] = add_set,
		[UNIT_DAEMON_SET] = add_set,    [UNIT_JOB] = add_job,
		[UNIT_CRON_JOB] = add_cron_job,
	};

	makers[unit->kind](kube, unit, kind);
}
