/* tests/specs/test_model - mirrors specs/model, specs/model_json and specs/hash. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/json.h"
#include "specs/hash.h"
#include "specs/model_json.h"
#include "tests/specs/load_text.h"

#define HASH_OF_NGINX "81bf48a80c10e66bd7fa52b717391e994a5939f40e273f5a1f13cdcaff85613c"

static const struct service *service_of(struct arena *arena, const char *keys)
{
	return &load_good(arena, arena_format(arena, "services: {a: {image: x%s%s}}\n",
					      *keys ? ", " : "", keys))
			->services[0];
}

static void restart_and_its_twin_give_one_rule(void **state)
{
	static const struct {
		const char *keys;
		enum restart_when when;
		uint64_t attempts;
		/* clang-format off */
	} rows[] = {
		{"", RESTART_NO, 0},
		{ "restart: no", RESTART_NO, 0},
		{ "restart: always", RESTART_ALWAYS, 0},
		{ "restart: unless-stopped", RESTART_UNLESS_STOPPED, 0},
		{ "restart: 'on-failure:3'", RESTART_ON_FAILURE, 3},
		{ "restart: always, deploy: {restart_policy: {condition: none}}", RESTART_NO, 0},
		{ "deploy: {restart_policy: {condition: on-failure, max_attempts: 2}}",
		  RESTART_ON_FAILURE, 2},
		{ "deploy: {restart_policy: {delay: 5s}}", RESTART_ALWAYS, 0},
	};
	/* clang-format on */

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		struct arena *arena = arena_new();
		struct restart_rule rule = service_restart(service_of(arena, rows[i].keys));

		if (rule.when != rows[i].when || rule.max_attempts != rows[i].attempts)
			fail_msg("%s", rows[i].keys);
		arena_free(arena);
	}
}

static void replicas_and_limits_come_from_either_twin(void **state)
{
	struct arena *arena = arena_new();

	(void)state;
	assert_int_equal(service_replicas(service_of(arena, "")), 1);
	assert_int_equal(service_replicas(service_of(arena, "scale: 3")), 3);
	assert_int_equal(service_replicas(service_of(arena, "scale: 0")), 0);
	assert_int_equal(service_replicas(service_of(arena, "deploy: {replicas: 4}")), 4);
	assert_int_equal(service_replicas(service_of(arena, "deploy: {mode: global, replicas: 4}")),
			 1);
	assert_true(service_memory_limit(service_of(arena, "mem_limit: 1k")).bytes == 1024);
	assert_true(service_memory_limit(
			    service_of(arena, "deploy: {resources: {limits: {memory: 2k}}}"))
			    .bytes == 2048);
	assert_false(service_memory_limit(service_of(arena, "")).is_set);
	assert_true(service_pids_limit(service_of(arena, "pids_limit: 7")).value == 7);
	assert_true(service_cpus(service_of(arena, "cpus: 1.5")).value > 1.4);
	assert_true(service_stop_grace_us(service_of(arena, "")) == 10000000);
	assert_true(service_stop_grace_us(service_of(arena, "stop_grace_period: 0s")) == 0);
	arena_free(arena);
}

static void x_stack_is_read_into_its_fields(void **state)
{
	struct arena *arena = arena_new();
	const struct project *project = load_good(
		arena,
		"services:\n"
		"  a:\n"
		"    image: x\n"
		"    x-stack:\n"
		"      ready: {http: 'http://:8080/h', timeout: 30s}\n"
		"      on_unhealthy: restart\n"
		"      schedule: '*/15 8-18 * * 1-5'\n"
		"      overlap: kill\n"
		"      expose: host-firewall\n"
		"      idle: {after: 10m}\n"
		"    healthcheck: {x-stack: {tcp: 5432}, interval: 5s}\n"
		"    volumes: [{type: bind, source: ., target: /s, x-stack: {idmap: caller}}]\n"
		"x-stack: {history: 20, autostart: false}\n");
	const struct service *service = &project->services[0];
	const struct service_stack *stack = service->stack;

	(void)state;
	assert_int_equal(stack->ready->http_port, 8080);
	assert_string_equal(stack->ready->http_path, "/h");
	assert_int_equal(stack->ready->http_status_min, 200);
	assert_int_equal(stack->ready->http_status_max, 399);
	assert_true(stack->ready->timeout.us == 30000000);
	assert_string_equal(stack->on_unhealthy, "restart");
	assert_string_equal(stack->schedule, "*/15 8-18 * * 1-5");
	assert_string_equal(stack->overlap, "kill");
	assert_string_equal(stack->expose, "host-firewall");
	assert_true(stack->idle_after.us == 600000000);
	assert_int_equal(service->healthcheck->probe->tcp_port, 5432);
	assert_string_equal(service->volumes[0].idmap, "caller");
	assert_true(project->history.value == 20);
	assert_true(project->autostart.is_set && !project->autostart.value);
	arena_free(arena);
}

static void wrong_x_stack_is_refused_with_a_near_miss(void **state)
{
	static const struct {
		const char *keys, *path, *part;
		/* clang-format off */
	} rows[] = {
		{ "x-stack: {readyy: 1}",
		  "services.a.x-stack", "did you mean \"ready\"?" },
		{ "x-stack: {on_unhealthy: explode}",
		  "services.a.x-stack.on_unhealthy", "restart" },
		{ "x-stack: {ready: {tcp: 1, listen: 2}}",
		  "services.a.x-stack.ready", "exactly one" },
		{ "x-stack: {ready: {}}",
		  "services.a.x-stack.ready", "exactly one" },
		{ "x-stack: {ready: {log: '('}}",
		  "services.a.x-stack.ready.log", "(" },
		{ "x-stack: {ready: {tcp: 0}}",
		  "services.a.x-stack.ready.tcp", "port" },
		{ "x-stack: {schedule: '60 * * * *'}",
		  "services.a.x-stack.schedule", "60" },
		{ "x-stack: {schedule: 'often'}",
		  "services.a.x-stack.schedule", "five fields" },
		{ "x-stack: {idle: {}}",
		  "services.a.x-stack.idle", "after" },
		{ "healthcheck: {test: x, x-stack: {tcp: 1}}",
		  "services.a.healthcheck", "exclude" },
		{ "healthcheck: {x-stack: {log: x}}",
		  "services.a.healthcheck.x-stack", "log" },
	};
	/* clang-format on */

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		struct arena *arena = arena_new();
		struct load_result result;
		const struct problem *first = &result.problems.errors[0];

		assert_int_equal(load_text(arena,
					   arena_format(arena, "services: {a: {image: x, %s}}\n",
							rows[i].keys),
					   NULL, &result),
				 -1);
		if (strcmp(first->path, rows[i].path) != 0 || !strstr(first->message, rows[i].part))
			fail_msg("%s: %s", rows[i].keys, problem_text(arena, first));
		arena_free(arena);
	}
}

static void hash_of(const char *text, char out[SERVICE_HASH_LEN + 1])
{
	struct arena *arena = arena_new();

	service_hash(&load_good(arena, text)->services[0], out);
	arena_free(arena);
}

static void hash_changes_with_what_runs_and_with_nothing_else(void **state)
{
	static const char base[] = "services: {a: {image: x, environment: {A: '1', B: '2'}}}\n";
	static const char *const same[] = {
		"services: {a: {environment: [B=2, A=1], image: x}}\n",
		"services:\n  a:\n    environment:\n      B: 2\n      A: 1\n    image: x\n",
		"services: {a: {image: x, environment: {A: '1', B: '2'}, scale: 3}}\n",
		"services: {a: {image: x, environment: {A: '1', B: '2'}, pull_policy: always}}\n",
		"services: {a: {image: x, environment: {A: '1', B: '2'}, build: .}}\n",
		"services: {a: {image: x, environment: {A: '1', B: '2'}, deploy: {replicas: 2}}}\n",
		"services: {a: {image: x, environment: {A: '1', B: '2'}, depends_on: [b]}, b: "
		"{image: y}}\n",
	};
	static const char *const other[] = {
		"services: {a: {image: y, environment: {A: '1', B: '2'}}}\n",
		"services: {a: {image: x, environment: {A: '12', B: ''}}}\n",
		"services: {a: {image: x, environment: {A: '1', B: }}}\n",
		"services: {a: {image: x, environment: {A: '1', B: '2'}, command: []}}\n",
		"services: {a: {image: x, environment: {A: '1', B: '2'}, x-stack: {expose: "
		"public}}}\n",
	};
	char want[SERVICE_HASH_LEN + 1], got[SERVICE_HASH_LEN + 1];

	(void)state;
	hash_of(base, want);
	assert_int_equal(strlen(want), SERVICE_HASH_LEN);
	for (size_t i = 0; i < sizeof(same) / sizeof(*same); i++) {
		hash_of(same[i], got);
		if (strcmp(want, got) != 0)
			fail_msg("another hash: %s", same[i]);
	}
	for (size_t i = 0; i < sizeof(other) / sizeof(*other); i++) {
		hash_of(other[i], got);
		if (strcmp(want, got) == 0)
			fail_msg("the same hash: %s", other[i]);
	}
}

static void hash_is_the_same_on_every_machine(void **state)
{
	char got[SERVICE_HASH_LEN + 1];

	(void)state;
	hash_of("services: {a: {image: nginx}}\n", got);
	assert_string_equal(got, HASH_OF_NGINX);
}

static void stored_model_keeps_everything_but_secret_values(void **state)
{
	static const char *const env[] = { "TOKEN=t0p", NULL };
	const struct load_options options = { .env = env };
	struct arena *arena = arena_new(), *copy = arena_new();
	struct load_result result;
	struct project *project;
	struct json_object *json, *values;
	struct err err = ERR_NONE;

	(void)state;
	assert_int_equal(load_text(arena,
				   "name: shop\n"
				   "services:\n"
				   "  a: {image: x, secrets: [s], x-note: {k: [1, two]}}\n"
				   "  off: {image: y, profiles: [p]}\n"
				   "secrets: {s: {environment: TOKEN}}\n",
				   &options, &result),
			 0);
	json = model_json_write(result.project, MODEL_JSON_STATE);
	values = model_json_values(result.project);
	assert_null(strstr(json_object_to_json_string(json), "t0p"));
	assert_int_equal(model_json_read(copy, json, &project, &err), 0);
	arena_free(arena);
	assert_string_equal(project->name, "shop");
	assert_string_equal(project->working_dir, "/project");
	assert_string_equal(project->files.items[0], "-");
	assert_non_null(project_find_disabled(project, "off"));
	assert_string_equal(project->services[0].extensions.items[0].name, "x-note");
	assert_null(project_find_secret(project, "s")->value);
	model_json_take_values(copy, project, values);
	assert_string_equal(project_find_secret(project, "s")->value, "t0p");
	json_object_put(json);
	json_object_put(values);
	arena_free(copy);
}

static void foreign_models_are_refused(void **state)
{
	static const struct {
		const char *text;
		enum err_code code;
		const char *part;
		/* clang-format off */
	} rows[] = {
		{"[]", ERR_INVALID, "object" },
		{ "{\"services\":{}}", ERR_INVALID, "name" },
		{ "{\"name\":\"a\",\"services\":{\"a\":{\"image\":1}}}", ERR_INVALID,
		  "services.a.image" },
		{ "{\"name\":\"a\",\"services\":{\"a\":{\"odd\":1}}}", ERR_INVALID, "odd" },
		{ "{\"name\":\"a\",\"services\":[]}", ERR_INVALID, "services"},
		{ "{\"name\":\"a\",\"stack\":{\"version\":99}}", ERR_UNSUPPORTED, "99" },
	};
	/* clang-format on */

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		struct arena *arena = arena_new();
		struct json_object *json = json_tokener_parse(rows[i].text);
		struct project *project = NULL;
		struct err err = ERR_NONE;

		assert_int_equal(model_json_read(arena, json, &project, &err), -1);
		if (err.code != rows[i].code || !strstr(err.msg, rows[i].part))
			fail_msg("%s: %s", rows[i].text, err.msg);
		json_object_put(json);
		arena_free(arena);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(restart_and_its_twin_give_one_rule),
		cmocka_unit_test(replicas_and_limits_come_from_either_twin),
		cmocka_unit_test(x_stack_is_read_into_its_fields),
		cmocka_unit_test(wrong_x_stack_is_refused_with_a_near_miss),
		cmocka_unit_test(hash_changes_with_what_runs_and_with_nothing_else),
		cmocka_unit_test(hash_is_the_same_on_every_machine),
		cmocka_unit_test(stored_model_keeps_everything_but_secret_values),
		cmocka_unit_test(foreign_models_are_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
