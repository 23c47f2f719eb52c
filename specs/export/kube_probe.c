/* specs/export/kube_probe - healthcheck and x-stack.ready as probes of the kubelet.
 *
 * Owns: which probe becomes which. A healthcheck makes a pod ready; it ends one only with
 * on_unhealthy: restart, as here. May not touch: containers. Source: Kubernetes, "Configure
 * Liveness, Readiness and Startup Probes".
 */
#include <string.h>

#include "base/json.h"
#include "specs/export/kube.h"

#define DEFAULT_US      30000000 /* interval and timeout of a healthcheck */
#define DEFAULT_RETRIES 3
#define READY_US        60000000 /* time-out of ready */

static void add_port(struct json_object *probe, const char *kind, unsigned port)
{
	json_add_int(json_add_object(probe, kind), "port", port);
}

/* key: where the probe stands, for the report. */
static void add_probe_handler(struct pod *pod, struct json_object *out, const struct probe *probe,
			      const char *key)
{
	struct json_object *http;

	if (probe->tcp_port || probe->listen_port) {
		add_port(out, "tcpSocket", probe->tcp_port ? probe->tcp_port : probe->listen_port);
		return;
	}
	http = json_add_object(out, "httpGet");
	json_add_text(http, "path", probe->http_path ? probe->http_path : "/");
	json_add_int(http, "port", probe->http_port);
	if (probe->http_status_min != 200 || probe->http_status_max != 399)
		unit_say(pod->kube, pod->unit, EXPORT_APPROXIMATED,
			 arena_format(pod->kube->arena, "%s.http", key),
			 "httpGet: any status from 200 to 399 is well");
}

static bool has_test(const struct healthcheck *check)
{
	if (!check || check->disable)
		return false;
	if (check->probe)
		return true;
	return check->test.is_set && check->test.count > 1 &&
	       strcmp(check->test.items[0], "NONE") != 0;
}

static void add_check_handler(struct pod *pod, struct json_object *out,
			      const struct healthcheck *check)
{
	struct json_object *words;

	if (check->probe) {
		add_probe_handler(pod, out, check->probe, "healthcheck.x-stack");
		return;
	}
	words = json_add_array(json_add_object(out, "exec"), "command");
	if (strcmp(check->test.items[0], "CMD-SHELL") == 0) {
		json_push_text(words, "/bin/sh");
		json_push_text(words, "-c");
	}
	for (size_t i = 1; i < check->test.count; i++)
		json_push_text(words, kube_escape(pod->kube->arena, check->test.items[i]));
}

static int64_t seconds(struct pod *pod, const char *key, struct opt_time time, int64_t fallback_us)
{
	return kube_seconds(pod->kube, pod->unit, key, time.is_set ? time.us : fallback_us, 1);
}

static struct json_object *check_probe(struct pod *pod, const char *kind)
{
	const struct healthcheck *check = pod->unit->service->healthcheck;
	struct json_object *out = json_add_object(pod->container, kind);

	add_check_handler(pod, out, check);
	json_add_int(out, "periodSeconds",
		     seconds(pod, "healthcheck.interval", check->interval, DEFAULT_US));
	json_add_int(out, "timeoutSeconds",
		     seconds(pod, "healthcheck.timeout", check->timeout, DEFAULT_US));
	json_add_int(out, "failureThreshold",
		     check->retries.is_set && check->retries.value > 0 ? check->retries.value
								       : DEFAULT_RETRIES);
	return out;
}

/* The time in which a failure does not count: only what would end the pod needs it. */
static void add_startup(struct pod *pod)
{
	const struct healthcheck *check = pod->unit->service->healthcheck;
	struct json_object *out = json_add_object(pod->container, "startupProbe");
	int64_t period =
		check->start_interval.is_set
			? seconds(pod, "healthcheck.start_interval", check->start_interval, 0)
			: seconds(pod, "healthcheck.interval", check->interval, DEFAULT_US);
	int64_t grace = seconds(pod, "healthcheck.start_period", check->start_period, 0);
	int64_t retries = check->retries.is_set && check->retries.value > 0 ? check->retries.value
									    : DEFAULT_RETRIES;

	add_check_handler(pod, out, check);
	json_add_int(out, "periodSeconds", period);
	json_add_int(out, "timeoutSeconds",
		     seconds(pod, "healthcheck.timeout", check->timeout, DEFAULT_US));
	json_add_int(out, "failureThreshold", (grace + period - 1) / period + retries);
	unit_say(pod->kube, pod->unit, EXPORT_EXACT, "healthcheck.start_period", "startupProbe");
	if (check->start_interval.is_set)
		unit_say(pod->kube, pod->unit, EXPORT_EXACT, "healthcheck.start_interval",
			 "startupProbe.periodSeconds");
}

static void add_ready(struct pod *pod, const struct probe *ready, bool is_startup)
{
	struct json_object *out =
		json_add_object(pod->container, is_startup ? "startupProbe" : "readinessProbe");

	add_probe_handler(pod, out, ready, "x-stack.ready");
	json_add_int(out, "periodSeconds", 1);
	json_add_int(out, "timeoutSeconds", 5);
	if (!is_startup)
		return;
	json_add_int(out, "failureThreshold",
		     seconds(pod, "x-stack.ready.timeout", ready->timeout, READY_US));
	unit_say(pod->kube, pod->unit, EXPORT_APPROXIMATED, "x-stack.ready.timeout",
		 "startupProbe: a container that is not ready in time is begun anew");
}

void kube_probes(struct pod *pod)
{
	const struct service *service = pod->unit->service;
	const struct healthcheck *check = service->healthcheck;
	const struct service_stack *stack = service->stack;
	const struct probe *ready =
		stack && stack->ready && !stack->ready->log ? stack->ready : NULL;
	const char *on_unhealthy = stack && stack->on_unhealthy ? stack->on_unhealthy : "ignore";

	if (ready)
		add_ready(pod, ready, has_test(check));
	if (has_test(check)) {
		check_probe(pod, "readinessProbe");
		if (strcmp(on_unhealthy, "restart") == 0) {
			check_probe(pod, "livenessProbe");
			if (check->start_period.is_set && !ready)
				add_startup(pod);
		}
	} else if (check && !check->disable && !check->test.is_set) {
		unit_say(pod->kube, pod->unit, EXPORT_DROPPED, "healthcheck",
			 "the image's own test is not known here: write healthcheck.test");
	}
	if (strcmp(on_unhealthy, "stop") == 0)
		unit_say(pod->kube, pod->unit, EXPORT_DROPPED, "x-stack.on_unhealthy",
			 "a probe can restart a container, not stop it");
	else if (stack && stack->on_unhealthy && strcmp(on_unhealthy, "ignore") == 0)
		unit_say(pod->kube, pod->unit, EXPORT_EXACT, "x-stack.on_unhealthy",
			 "no livenessProbe");
}
