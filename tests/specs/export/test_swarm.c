/* tests/specs/export/test_swarm - what stands in a stack file, key by key. */
#include "tests/specs/export/export_case.h"

#define A(keys) "name: shop\nservices:\n  a:\n    image: x\n" keys

#define STACK_FILE "stack.yaml"
#define OWN        "services/a/"

/* clang-format off */
static const struct value_row rows[] = {
	{ A(""), STACK_FILE, "version", "\"3.13\"" },
	{ A(""), STACK_FILE, "services", "{\"a\":{\"image\":\"x\",\"networks\":{\"default\":null}}}" },
	{ A(""), STACK_FILE, "networks/default", "{\"driver\":\"overlay\"}" },
	{ "name: shop\nservices: { a: { build: . } }", STACK_FILE, OWN "image", "\"shop-a\"" },
	{ "name: shop\nservices: { a: { build: . } }", STACK_FILE, OWN "build", "absent" },
	{ A("    command: [echo, '$$HOME']\n"), STACK_FILE, OWN "command/1", "\"$$HOME\"" },
	{ A("    cpus: 0.5\n    mem_limit: 1g\n    pids_limit: 9\n    mem_reservation: 5m\n"), STACK_FILE, OWN "deploy/resources",
	  "{\"limits\":{\"cpus\":\"0.5\",\"memory\":\"1073741824\",\"pids\":9},\"reservations\":{\"memory\":\"5242880\"}}" },
	{ A("    cpus: 0.5\n"), STACK_FILE, OWN "cpus", "absent" },
	{ A("    scale: 3\n"), STACK_FILE, OWN "deploy/replicas", "3" },
	{ A("    restart: 'no'\n"), STACK_FILE, OWN "deploy/restart_policy", "{\"condition\":\"none\"}" },
	{ A("    restart: on-failure:3\n"), STACK_FILE, OWN "deploy/restart_policy", "{\"condition\":\"on-failure\",\"max_attempts\":3}" },
	{ A("    restart: always\n"), STACK_FILE, OWN "deploy/restart_policy", "{\"condition\":\"any\"}" },
	{ A("    restart: always\n"), STACK_FILE, OWN "restart", "absent" },
	{ A("  b: { image: x, depends_on: { a: { condition: service_completed_successfully } } }\n"), STACK_FILE, OWN "deploy",
	  "{\"mode\":\"replicated-job\",\"restart_policy\":{\"condition\":\"none\"}}" },
	{ A("    depends_on: [b]\n  b: { image: x }\n"), STACK_FILE, OWN "depends_on", "[\"b\"]" },
	{ A("    ports: ['8080:80', '127.0.0.1:9:9']\n"), STACK_FILE, OWN "ports",
	  "[{\"target\":80,\"published\":8080,\"protocol\":\"tcp\",\"mode\":\"ingress\"}]" },
	{ A("    volumes: ['/x:/y']\n"), STACK_FILE, OWN "volumes/0", "{\"type\":\"bind\",\"source\":\"/x\",\"target\":\"/y\"}" },
	{ A("    shm_size: 1m\n"), STACK_FILE, OWN "volumes/0", "{\"type\":\"tmpfs\",\"target\":\"/dev/shm\",\"tmpfs\":{\"size\":1048576}}" },
	{ A("    network_mode: host\n"), STACK_FILE, OWN "networks", "{\"host\":null}" },
	{ A("    network_mode: host\n"), STACK_FILE, "networks/host", "{\"external\":true,\"name\":\"host\"}" },
	{ A("    gpus: all\n    privileged: true\n    pid: host\n"), STACK_FILE, OWN "gpus", "absent" },
	{ A("    privileged: true\n"), STACK_FILE, OWN "privileged", "absent" },
	{ A("    platform: linux/arm64\n"), STACK_FILE, OWN "deploy/placement/constraints",
	  "[\"node.platform.os == linux\",\"node.platform.arch == arm64\"]" },
	{ A("    healthcheck: { x-stack: { tcp: 5 } }\n"), STACK_FILE, OWN "healthcheck", "absent" },
	{ A("    healthcheck: { test: a, interval: 5s }\n"), STACK_FILE, OWN "healthcheck", "{\"test\":[\"CMD-SHELL\",\"a\"],\"interval\":\"5s\"}" },
	{ A("    secrets: [{ source: s, mode: 0400 }]\nsecrets: { s: { file: ./password } }\n"), STACK_FILE, OWN "secrets/0/mode", "256" },
	{ A("    secrets: [s]\nsecrets: { s: { file: ./password } }\n"), STACK_FILE, "secrets/s", "{\"file\":\"/project/password\"}" },
	{ A("    configs: [c]\nconfigs: { c: { content: text } }\n"), STACK_FILE, "configs/c", "{\"external\":true,\"name\":\"shop_c\"}" },
	{ A("    volumes: ['v:/v']\nvolumes: { v: }\n"), STACK_FILE, "volumes", "{\"v\":{}}" },
	{ A("    networks: [n]\nnetworks: { n: { ipam: { config: [{ subnet: 10.1.0.0/16, gateway: 10.1.0.1 }] } } }\n"), STACK_FILE,
	  "networks/n/ipam", "{\"config\":[{\"subnet\":\"10.1.0.0/16\"}]}" },
	{ A("    ulimits: { core: 0, nofile: { soft: 0, hard: 9 } }\n"), STACK_FILE, OWN "ulimits", "{\"core\":0,\"nofile\":{\"soft\":0,\"hard\":9}}" },
	{ A("    deploy: { endpoint_mode: dnsrr }\n    ports: ['80:80']\n"), STACK_FILE, OWN "deploy", "absent" },
};

static const struct saying_row sayings[] = {
	{ A("    privileged: true\n"), "services.a.privileged", "dropped: ignored there" },
	{ A("    ports: ['127.0.0.1:9:9']\n"), "services.a.ports[0]", "dropped: 127.0.0.1 alone" },
	{ A("    network_mode: container:x\n"), "services.a.network_mode", "refused: " },
	{ A("    volumes: ['/x:/y']\n"), "services.a.volumes[0]", "approximated: /x must be there on every node" },
	{ A("    x-stack: { schedule: '@daily' }\n"), "services.a.x-stack.schedule", "dropped: a swarm has no clock" },
	{ A("    restart: unless-stopped\n"), "services.a.restart", "approximated: condition any" },
	{ A("    cap_add: [NET_ADMIN]\n"), "services.a.cap_add", "exact: as it is" },
	{ A("    configs: [c]\nconfigs: { c: { content: text } }\n"), "configs.c.content", "dropped: must be there: docker config create shop_c" },
};
/* clang-format on */

static void keys_stay_move_or_leave(void **state)
{
	(void)state;
	check_values(export_swarm, ROWS(rows), NULL);
}

static void the_report_says_so(void **state)
{
	(void)state;
	check_sayings(export_swarm, ROWS(sayings), NULL);
}

static void content_is_a_file_beside_it_in_a_folder(void **state)
{
	static const struct export_options options = { .has_folder = true };
	struct export_case c =
		case_of(export_swarm, A("    configs: [c]\nconfigs: { c: { content: 'text' } }\n"),
			&options);

	(void)state;
	assert_int_equal(c.result.document_count, 2);
	assert_string_equal(c.result.documents[1].file, "configs/c");
	assert_string_equal(c.result.documents[1].text, "text");
	assert_string_equal(case_value(&c, STACK_FILE, "configs/c"), "{\"file\":\"./configs/c\"}");
	case_end(&c);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(keys_stay_move_or_leave),
		cmocka_unit_test(the_report_says_so),
		cmocka_unit_test(content_is_a_file_beside_it_in_a_folder),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
