/* tests/specs/export/test_kubernetes - what stands in the documents of a cluster, key by key. */
#include "tests/specs/export/export_case.h"

#define A(keys)      "name: shop\nservices:\n  a:\n    image: x\n" keys
#define POD          "spec/template/spec/"
#define CONTAINER    POD "containers/0/"
#define DEPLOYMENT   "a-deployment.yaml"
#define JOB          "a-job.yaml"
#define CRON_JOB     "a-cronjob.yaml"
#define STATEFUL_SET "a-statefulset.yaml"

/* clang-format off */
static const struct value_row container_rows[] = {
	{ A(""), DEPLOYMENT, CONTAINER "image", "\"x\"" },
	{ A(""), DEPLOYMENT, CONTAINER "name", "\"a\"" },
	{ A(""), DEPLOYMENT, CONTAINER "command", "absent" },
	{ A(""), DEPLOYMENT, "metadata/labels/app.kubernetes.io|part-of", "\"shop\"" },
	{ A(""), DEPLOYMENT, "spec/selector/matchLabels/app.kubernetes.io|name", "\"a\"" },
	{ A(""), DEPLOYMENT, POD "enableServiceLinks", "false" },
	{ A(""), DEPLOYMENT, POD "automountServiceAccountToken", "false" },
	{ "name: shop\nservices: { a: { build: . } }", DEPLOYMENT, CONTAINER "image", "\"shop-a\"" },
	{ A("    command: [run, now]\n"), DEPLOYMENT, CONTAINER "args", "[\"run\",\"now\"]" },
	{ A("    command: [run, now]\n"), DEPLOYMENT, CONTAINER "command", "absent" },
	{ A("    entrypoint: [e]\n"), DEPLOYMENT, CONTAINER "command", "[\"e\"]" },
	{ A("    entrypoint: []\n    command: [c]\n"), DEPLOYMENT, CONTAINER "command", "[\"c\"]" },
	{ A("    command: ['echo', '$$(PATH) $$HOME $$$$']\n"), DEPLOYMENT, CONTAINER "args/1", "\"$$(PATH) $HOME $$$\"" },
	{ A("    environment: { B: '2', A: 'x y', C: '' }\n"), DEPLOYMENT, CONTAINER "env",
	  "[{\"name\":\"A\",\"value\":\"x y\"},{\"name\":\"B\",\"value\":\"2\"},{\"name\":\"C\",\"value\":\"\"}]" },
	{ A("    environment: { '1A': x }\n"), DEPLOYMENT, CONTAINER "env", "absent" },
	{ A("    working_dir: /w\n    tty: true\n    stdin_open: true\n"), DEPLOYMENT, CONTAINER "workingDir", "\"/w\"" },
	{ A("    tty: true\n    stdin_open: true\n"), DEPLOYMENT, CONTAINER "stdin", "true" },
	{ A("    pull_policy: always\n"), DEPLOYMENT, CONTAINER "imagePullPolicy", "\"Always\"" },
	{ A("    pull_policy: daily\n"), DEPLOYMENT, CONTAINER "imagePullPolicy", "\"Always\"" },
	{ A("    pull_policy: missing\n"), DEPLOYMENT, CONTAINER "imagePullPolicy", "\"IfNotPresent\"" },
	{ A("    stop_grace_period: 1500ms\n"), DEPLOYMENT, POD "terminationGracePeriodSeconds", "2" },
	{ A("    init: true\n"), DEPLOYMENT, POD "shareProcessNamespace", "true" },
	{ A("    pid: host\n    init: true\n"), DEPLOYMENT, POD "shareProcessNamespace", "absent" },
	{ A("    pid: host\n"), DEPLOYMENT, POD "hostPID", "true" },
	{ A("    post_start: [{ command: [a, b] }]\n"), DEPLOYMENT, CONTAINER "lifecycle/postStart/exec/command", "[\"a\",\"b\"]" },
	{ A("    labels: { owner: me, 'b ad': x }\n"), DEPLOYMENT, "spec/template/metadata/annotations", "{\"owner\":\"me\"}" },
	{ A("    deploy: { labels: { tier: one } }\n"), DEPLOYMENT, "metadata/annotations", "{\"tier\":\"one\"}" },
};

static const struct value_row rights_rows[] = {
	{ A(""), DEPLOYMENT, CONTAINER "securityContext", "{\"seccompProfile\":{\"type\":\"RuntimeDefault\"}}" },
	{ A("    user: '1000:100'\n"), DEPLOYMENT, CONTAINER "securityContext/runAsUser", "1000" },
	{ A("    user: '1000:100'\n"), DEPLOYMENT, CONTAINER "securityContext/runAsGroup", "100" },
	{ A("    user: nginx\n"), DEPLOYMENT, CONTAINER "securityContext/runAsUser", "absent" },
	{ A("    cap_add: [CAP_NET_ADMIN]\n    cap_drop: [ALL]\n"), DEPLOYMENT, CONTAINER "securityContext/capabilities",
	  "{\"add\":[\"NET_ADMIN\"],\"drop\":[\"ALL\"]}" },
	{ A("    privileged: true\n"), DEPLOYMENT, CONTAINER "securityContext", "{\"privileged\":true}" },
	{ A("    read_only: true\n"), DEPLOYMENT, CONTAINER "securityContext/readOnlyRootFilesystem", "true" },
	{ A("    security_opt: ['no-new-privileges:true']\n"), DEPLOYMENT, CONTAINER "securityContext/allowPrivilegeEscalation", "false" },
	{ A("    security_opt: ['no-new-privileges:true']\n    privileged: true\n"), DEPLOYMENT,
	  CONTAINER "securityContext/allowPrivilegeEscalation", "absent" },
	{ A("    security_opt: ['seccomp=unconfined']\n"), DEPLOYMENT, CONTAINER "securityContext/seccompProfile/type", "\"Unconfined\"" },
	{ A("    security_opt: ['label=type:t', 'label=level:s0']\n"), DEPLOYMENT, CONTAINER "securityContext/seLinuxOptions",
	  "{\"type\":\"t\",\"level\":\"s0\"}" },
	{ A("    group_add: ['10', staff]\n"), DEPLOYMENT, POD "securityContext/supplementalGroups", "[10]" },
	{ A("    sysctls: { net.core.somaxconn: '5' }\n"), DEPLOYMENT, POD "securityContext/sysctls",
	  "[{\"name\":\"net.core.somaxconn\",\"value\":\"5\"}]" },
};

static const struct value_row limit_rows[] = {
	{ A("    cpus: 0.5\n    mem_limit: 512m\n"), DEPLOYMENT, CONTAINER "resources/limits", "{\"cpu\":\"500m\",\"memory\":\"512Mi\"}" },
	{ A("    cpus: 2\n"), DEPLOYMENT, CONTAINER "resources/limits/cpu", "\"2\"" },
	{ A("    mem_limit: 1000\n"), DEPLOYMENT, CONTAINER "resources/limits/memory", "\"1000\"" },
	{ A("    cpu_quota: 50000\n    cpu_period: 100000\n"), DEPLOYMENT, CONTAINER "resources/limits/cpu", "\"500m\"" },
	{ A("    cpu_shares: 512\n"), DEPLOYMENT, CONTAINER "resources/requests/cpu", "\"500m\"" },
	{ A("    deploy: { resources: { limits: { cpus: '1', memory: 1g }, reservations: { cpus: '0.25', memory: 256m } } }\n"),
	  DEPLOYMENT, CONTAINER "resources", "{\"limits\":{\"cpu\":\"1\",\"memory\":\"1Gi\"},\"requests\":{\"cpu\":\"250m\",\"memory\":\"256Mi\"}}" },
	{ A("    gpus: [{ count: 2 }]\n"), DEPLOYMENT, CONTAINER "resources/limits/nvidia.com|gpu", "2" },
	{ A("    shm_size: 64m\n"), DEPLOYMENT, POD "volumes/0/emptyDir", "{\"medium\":\"Memory\",\"sizeLimit\":\"64Mi\"}" },
};

static const struct value_row probe_rows[] = {
	{ A("    healthcheck: { test: 'curl -f localhost' }\n"), DEPLOYMENT, CONTAINER "readinessProbe",
	  "{\"exec\":{\"command\":[\"/bin/sh\",\"-c\",\"curl -f localhost\"]},\"periodSeconds\":30,\"timeoutSeconds\":30,\"failureThreshold\":3}" },
	{ A("    healthcheck: { test: [CMD, a, b], interval: 1500ms, timeout: 2s, retries: 5 }\n"), DEPLOYMENT, CONTAINER "readinessProbe",
	  "{\"exec\":{\"command\":[\"a\",\"b\"]},\"periodSeconds\":2,\"timeoutSeconds\":2,\"failureThreshold\":5}" },
	{ A("    healthcheck: { test: a, start_period: 1m }\n"), DEPLOYMENT, CONTAINER "startupProbe", "absent" },
	{ A("    healthcheck: { test: a }\n"), DEPLOYMENT, CONTAINER "livenessProbe", "absent" },
	{ A("    healthcheck: { test: a, interval: 10s, start_period: 1m }\n    x-stack: { on_unhealthy: restart }\n"), DEPLOYMENT,
	  CONTAINER "startupProbe/failureThreshold", "9" },
	{ A("    healthcheck: { test: a, interval: 10s }\n    x-stack: { on_unhealthy: restart }\n"), DEPLOYMENT,
	  CONTAINER "livenessProbe/periodSeconds", "10" },
	{ A("    healthcheck: { disable: true }\n"), DEPLOYMENT, CONTAINER "readinessProbe", "absent" },
	{ A("    healthcheck: { test: [NONE] }\n"), DEPLOYMENT, CONTAINER "readinessProbe", "absent" },
	{ A("    healthcheck: { x-stack: { http: 'http://:8080/health' } }\n"), DEPLOYMENT, CONTAINER "readinessProbe/httpGet",
	  "{\"path\":\"/health\",\"port\":8080}" },
	{ A("    healthcheck: { x-stack: { tcp: 5432 } }\n"), DEPLOYMENT, CONTAINER "readinessProbe/tcpSocket", "{\"port\":5432}" },
	{ A("    x-stack: { ready: { listen: 80 } }\n"), DEPLOYMENT, CONTAINER "readinessProbe/tcpSocket", "{\"port\":80}" },
	{ A("    x-stack: { ready: { log: ready } }\n"), DEPLOYMENT, CONTAINER "readinessProbe", "absent" },
	{ A("    healthcheck: { test: a }\n    x-stack: { ready: { tcp: 80, timeout: 20s } }\n"), DEPLOYMENT,
	  CONTAINER "startupProbe/failureThreshold", "20" },
};

static const struct value_row controller_rows[] = {
	{ A("    scale: 3\n"), DEPLOYMENT, "spec/replicas", "3" },
	{ A("    deploy: { mode: global }\n"), "a-daemonset.yaml", "spec/replicas", "absent" },
	{ A("    deploy: { mode: global }\n"), "a-daemonset.yaml", "kind", "\"DaemonSet\"" },
	{ A("    deploy: { mode: replicated-job, replicas: 2 }\n"), JOB, "spec/completions", "2" },
	{ A("  b: { image: x, depends_on: { a: { condition: service_completed_successfully } } }\n"), JOB, POD "restartPolicy", "\"Never\"" },
	{ A("    restart: on-failure:4\n  b: { image: x, depends_on: { a: { condition: service_completed_successfully } } }\n"), JOB,
	  "spec/backoffLimit", "4" },
	{ A("    restart: on-failure:4\n  b: { image: x, depends_on: { a: { condition: service_completed_successfully } } }\n"), JOB,
	  POD "restartPolicy", "\"OnFailure\"" },
	{ A("    volumes: ['v:/d']\nvolumes: { v: }\n"), STATEFUL_SET, "spec/volumeClaimTemplates/0/metadata/name", "\"v\"" },
	{ A("    volumes: ['v:/d']\nvolumes: { v: }\n"), STATEFUL_SET, CONTAINER "volumeMounts/0", "{\"name\":\"v\",\"mountPath\":\"/d\"}" },
	{ A("    volumes: ['v:/d']\nvolumes: { v: }\n"), STATEFUL_SET, "spec/serviceName", "\"a\"" },
	{ A("    volumes: ['v:/d:ro']\nvolumes: { v: }\n"), DEPLOYMENT, POD "volumes/0/persistentVolumeClaim/claimName", "\"v\"" },
	{ A("    volumes: ['v:/d']\n  b: { image: x, volumes: ['v:/e'] }\nvolumes: { v: }\n"), "v-persistentvolumeclaim.yaml",
	  "spec/accessModes", "[\"ReadWriteMany\"]" },
	{ A("    volumes: ['v:/d']\n    deploy: { mode: replicated-job }\nvolumes: { v: }\n"), "v-persistentvolumeclaim.yaml",
	  "spec/accessModes", "[\"ReadWriteOnce\"]" },
	{ A("    deploy: { update_config: { order: start-first, parallelism: 2, monitor: 5s, delay: 2s } }\n"), DEPLOYMENT,
	  "spec/strategy/rollingUpdate", "{\"maxSurge\":2,\"maxUnavailable\":0}" },
	{ A("    deploy: { update_config: { monitor: 5s, delay: 2s } }\n"), DEPLOYMENT, "spec/minReadySeconds", "5" },
	{ A("    deploy: { update_config: { monitor: 20m } }\n"), DEPLOYMENT, "spec/progressDeadlineSeconds", "1800" },
	{ A("    deploy: { update_config: { parallelism: 0 } }\n"), DEPLOYMENT, "spec/strategy/rollingUpdate",
	  "{\"maxSurge\":0,\"maxUnavailable\":\"100%\"}" },
	{ A("    x-stack: { schedule: '*/5 1 * * 1-7' }\n"), CRON_JOB, "spec/schedule", "\"*/5 1 * * 1,2,3,4,5,6,0\"" },
	{ A("    x-stack: { schedule: '0 0 * * 7,2' }\n"), CRON_JOB, "spec/schedule", "\"0 0 * * 0,2\"" },
	{ A("    x-stack: { schedule: '@every 1d' }\n"), CRON_JOB, "spec/schedule", "\"@every 24h0m0s\"" },
	{ A("    x-stack: { schedule: '@daily', overlap: kill }\n"), CRON_JOB, "spec/concurrencyPolicy", "\"Replace\"" },
	{ A("    x-stack: { schedule: '@daily' }\n"), CRON_JOB, "spec/jobTemplate/spec/template/spec/restartPolicy", "\"Never\"" },
};
/* clang-format on */

static void the_container_is_the_service(void **state)
{
	(void)state;
	check_values(export_kubernetes, ROWS(container_rows), NULL);
}

static void rights_are_the_security_context(void **state)
{
	(void)state;
	check_values(export_kubernetes, ROWS(rights_rows), NULL);
}

static void limits_are_quantities(void **state)
{
	(void)state;
	check_values(export_kubernetes, ROWS(limit_rows), NULL);
}

static void health_and_readiness_are_probes(void **state)
{
	(void)state;
	check_values(export_kubernetes, ROWS(probe_rows), NULL);
}

static void the_kind_of_service_chooses_the_controller(void **state)
{
	(void)state;
	check_values(export_kubernetes, ROWS(controller_rows), NULL);
}

static void waiting_is_an_init_container_when_asked_for(void **state)
{
	static const struct export_options options = { .wait_image = "busybox" };
	static const struct value_row rows[] = {
		{A("    depends_on: [b, c]\n  b: { image: x, ports: ['5:5'] }\n  c: { image: x "
		    "}\n"),
                 DEPLOYMENT, POD "initContainers/0/command/2",
                 "\"until nc -z -w 2 b 5; do sleep 1; done\""          },
		{ A("    depends_on: [b, c]\n  b: { image: x, ports: ['5:5'] }\n  c: { image: x "
		    "}\n"),
                 DEPLOYMENT, POD "initContainers/1/command/2",
                 "\"until nslookup c >/dev/null; do sleep 1; done\""   },
		{ A("    depends_on: { b: { condition: service_completed_successfully } }\n"
		    "  b: { image: x }\n"),
                 DEPLOYMENT, POD "initContainers",             "absent"},
	};

	(void)state;
	check_values(export_kubernetes, ROWS(rows), &options);
}

static void the_same_model_gives_the_same_bytes(void **state)
{
	static const char text[] = A(
		"    ports: ['80:80']\n    volumes: ['v:/d', './web.conf:/c']\nvolumes: { v: }\n");
	struct export_case one = case_of(export_kubernetes, text, NULL);
	struct export_case two = case_of(export_kubernetes, text, NULL);

	(void)state;
	assert_int_equal(one.result.document_count, two.result.document_count);
	assert_true(one.result.document_count > 4);
	for (size_t i = 0; i < one.result.document_count; i++)
		assert_string_equal(export_yaml(one.arena, one.result.documents[i].object),
				    export_yaml(two.arena, two.result.documents[i].object));
	case_end(&one);
	case_end(&two);
}

static void what_others_need_comes_first(void **state)
{
	struct export_case c =
		case_of(export_kubernetes,
			A("    ports: ['80:80']\n    volumes: ['./web.conf:/c']\n"), NULL);

	(void)state;
	assert_string_equal(c.result.documents[0].file, "a-web-conf-configmap.yaml");
	assert_string_equal(c.result.documents[c.result.document_count - 1].file, DEPLOYMENT);
	case_end(&c);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_container_is_the_service),
		cmocka_unit_test(rights_are_the_security_context),
		cmocka_unit_test(limits_are_quantities),
		cmocka_unit_test(health_and_readiness_are_probes),
		cmocka_unit_test(the_kind_of_service_chooses_the_controller),
		cmocka_unit_test(waiting_is_an_init_container_when_asked_for),
		cmocka_unit_test(the_same_model_gives_the_same_bytes),
		cmocka_unit_test(what_others_need_comes_first),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
