/* tests/specs/export/test_kube_places - volumes, files, networks and names in the documents of a
 * cluster, and what the report says. */
#include "tests/specs/export/export_case.h"

#define A(keys)    "name: shop\nservices:\n  a:\n    image: x\n" keys
#define POD        "spec/template/spec/"
#define CONTAINER  POD "containers/0/"
#define DEPLOYMENT "a-deployment.yaml"
#define SERVICE    "a-service.yaml"

/* clang-format off */
static const struct value_row volume_rows[] = {
	{ A("    volumes: ['./web.conf:/etc/web.conf']\n"), "a-web-conf-configmap.yaml", "data", "{\"web.conf\":\"listen 80;\\n\"}" },
	{ A("    volumes: ['./web.conf:/etc/web.conf']\n"), DEPLOYMENT, CONTAINER "volumeMounts/0",
	  "{\"name\":\"web-conf\",\"mountPath\":\"/etc/web.conf\",\"subPath\":\"web.conf\",\"readOnly\":true}" },
	{ A("    volumes: ['./logo.png:/l']\n"), "a-logo-png-configmap.yaml", "binaryData", "{\"logo.png\":\"iVBORwD/\"}" },
	{ A("    volumes: ['./bom.conf:/l']\n"), "a-bom-conf-configmap.yaml", "binaryData", "{\"bom.conf\":\"77u/YQ==\"}" },
	{ A("    volumes: ['./site:/s:ro']\n"), DEPLOYMENT, POD "volumes/0/hostPath",
	  "{\"path\":\"/project/site\",\"type\":\"DirectoryOrCreate\"}" },
	{ A("    volumes: ['./site:/s:ro']\n"), DEPLOYMENT, CONTAINER "volumeMounts/0/readOnly", "true" },
	{ A("    volumes: ['/var/run/docker.sock:/s']\n"), DEPLOYMENT, POD "volumes/0/hostPath", "{\"path\":\"/var/run/docker.sock\"}" },
	{ A("    volumes: ['./huge:/h']\n"), DEPLOYMENT, POD "volumes/0/hostPath/path", "\"/project/huge\"" },
	{ A("    volumes: ['/anon']\n"), DEPLOYMENT, POD "volumes/0/emptyDir", "{}" },
	{ A("    tmpfs: ['/t:size=1m,mode=700']\n"), DEPLOYMENT, POD "volumes/0/emptyDir", "{\"medium\":\"Memory\",\"sizeLimit\":\"1Mi\"}" },
	{ A("    volumes: [{ type: tmpfs, target: /t, tmpfs: { size: 2m } }]\n"), DEPLOYMENT, POD "volumes/0/emptyDir/sizeLimit", "\"2Mi\"" },
	{ A("    volumes: [{ type: image, source: img, target: /i }]\n"), DEPLOYMENT, POD "volumes/0/image", "{\"reference\":\"img\"}" },
	{ A("    volumes: ['v:/v', 'v:/w']\nvolumes: { v: { external: true, name: Real_Name } }\n"), DEPLOYMENT,
	  POD "volumes/0/persistentVolumeClaim/claimName", "\"real-name\"" },
	{ A("    volumes: ['v:/v', 'v:/w']\nvolumes: { v: { external: true } }\n"), DEPLOYMENT, POD "volumes/1", "absent" },
	{ A("    volumes: ['v:/v']\nvolumes: { v: { driver_opts: { type: nfs, o: 'addr=10.0.0.9,rw', device: ':/x' } } }\n"), DEPLOYMENT,
	  POD "volumes/0/nfs", "{\"server\":\"10.0.0.9\",\"path\":\"/x\"}" },
	{ A("    volumes: [{ type: volume, source: v, target: /v, volume: { subpath: s } }]\nvolumes: { v: { external: true } }\n"),
	  DEPLOYMENT, CONTAINER "volumeMounts/0/subPath", "\"s\"" },
	{ A("    volumes_from: [b]\n  b: { image: x, volumes: ['v:/v'] }\nvolumes: { v: }\n"), DEPLOYMENT,
	  CONTAINER "volumeMounts/0", "{\"name\":\"v\",\"mountPath\":\"/v\"}" },
	{ A("    volumes_from: [b]\n  b: { image: x, volumes: ['v:/v'] }\nvolumes: { v: }\n"), "v-persistentvolumeclaim.yaml",
	  "spec/resources/requests/storage", "\"1Gi\"" },
	{ A("    configs: [{ source: c, target: /etc/c, mode: 0440 }]\nconfigs: { c: { content: text } }\n"), "c-configmap.yaml", "data",
	  "{\"c\":\"text\"}" },
	{ A("    configs: [{ source: c, target: /etc/c, mode: 0440 }]\nconfigs: { c: { content: text } }\n"), DEPLOYMENT,
	  POD "volumes/0/configMap", "{\"name\":\"c\",\"defaultMode\":288}" },
	{ A("    configs: [c]\nconfigs: { c: { content: text } }\n"), DEPLOYMENT, CONTAINER "volumeMounts/0",
	  "{\"name\":\"c\",\"mountPath\":\"/c\",\"subPath\":\"c\",\"readOnly\":true}" },
	{ A("    secrets: [s]\nsecrets: { s: { file: ./password } }\n"), DEPLOYMENT, CONTAINER "volumeMounts/0/mountPath",
	  "\"/run/secrets/s\"" },
	{ A("    secrets: [s]\nsecrets: { s: { file: ./password } }\n"), "s-secret.yaml", "kind", "no document" },
};

static const struct value_row network_rows[] = {
	{ A("    ports: ['8080:80']\n"), SERVICE, "spec/ports", "[{\"name\":\"tcp-80\",\"port\":80,\"targetPort\":80,\"protocol\":\"TCP\"}]" },
	{ A("    ports: ['8080:80']\n"), "a-published-service.yaml", "spec/type", "\"LoadBalancer\"" },
	{ A("    ports: ['8080:80', '8080:80/udp']\n"), "a-published-service.yaml", "spec/ports/1/protocol", "\"UDP\"" },
	{ A("    ports: ['127.0.0.1:8080:80']\n"), "a-published-service.yaml", "kind", "no document" },
	{ A("    ports: [{ target: 80, published: '81', mode: host }]\n"), DEPLOYMENT, CONTAINER "ports/0/hostPort", "81" },
	{ A("    ports: ['80']\n"), "a-published-service.yaml", "spec/ports/0/port", "80" },
	{ A(""), SERVICE, "spec/clusterIP", "\"None\"" },
	{ A("    expose: ['70-72/tcp']\n"), SERVICE, "spec/ports/2/port", "72" },
	{ A("    x-stack: { ready: { http: 'http://:99/' } }\n"), SERVICE, "spec/ports/0/port", "99" },
	{ A("    networks: { n: { aliases: [other, Bad_Name] } }\nnetworks: { n: }\n"), "other-service.yaml", "spec/selector/app.kubernetes.io|name",
	  "\"a\"" },
	{ A("    links: ['b:database']\n  b: { image: x }\n"), "database-service.yaml", "spec/selector/app.kubernetes.io|name", "\"b\"" },
	{ A("    networks: [n]\nnetworks: { n: }\n"), DEPLOYMENT, "spec/template/metadata/labels/stack.network|n", "\"true\"" },
	{ A("    networks: [n]\nnetworks: { n: }\n"), "network-n-networkpolicy.yaml", "spec/ingress/0/from/0/podSelector/matchLabels",
	  "{\"stack.network/n\":\"true\"}" },
	{ A("    networks: [n]\nnetworks: { n: { internal: true }, m: }\n  "), "network-n-internal-networkpolicy.yaml", "spec/policyTypes",
	  "[\"Egress\"]" },
	{ A("    ports: ['8080:80']\n"), "a-published-networkpolicy.yaml", "spec/ingress", "[{\"ports\":[{\"protocol\":\"TCP\",\"port\":80}]}]" },
	{ A("    network_mode: host\n    ports: ['80:80']\n"), DEPLOYMENT, POD "hostNetwork", "true" },
	{ A("    network_mode: host\n    ports: ['80:80']\n"), DEPLOYMENT, CONTAINER "ports", "absent" },
	{ A("    network_mode: none\n"), "a-alone-networkpolicy.yaml", "spec/policyTypes", "[\"Ingress\",\"Egress\"]" },
	{ A("    network_mode: none\n"), SERVICE, "kind", "no document" },
	{ A("    extra_hosts: ['b:10.0.0.1', 'c:10.0.0.1', 'd:host-gateway']\n"), DEPLOYMENT, POD "hostAliases",
	  "[{\"ip\":\"10.0.0.1\",\"hostnames\":[\"b\",\"c\"]}]" },
	{ A("    dns: [1.1.1.1]\n    dns_opt: ['ndots:2', debug]\n"), DEPLOYMENT, POD "dnsConfig",
	  "{\"nameservers\":[\"1.1.1.1\"],\"options\":[{\"name\":\"ndots\",\"value\":\"2\"},{\"name\":\"debug\"}]}" },
	{ A("    platform: linux/arm64/v8\n"), DEPLOYMENT, POD "nodeSelector",
	  "{\"kubernetes.io/os\":\"linux\",\"kubernetes.io/arch\":\"arm64\"}" },
	{ A("    deploy: { placement: { constraints: ['node.labels.disk==ssd', 'node.role==manager'] } }\n"), DEPLOYMENT,
	  POD "nodeSelector", "{\"disk\":\"ssd\"}" },
	{ A("    deploy: { placement: { preferences: [{ spread: node.labels.zone }] } }\n"), DEPLOYMENT,
	  POD "topologySpreadConstraints/0/topologyKey", "\"zone\"" },
	{ "name: shop\nservices: { a_b: { image: x }, a-b: { image: y } }\n", "a-b-deployment.yaml", CONTAINER "image", "\"y\"" },
};

static const struct saying_row saying_rows[] = {
	{ A(""), "services.a.image", "exact: image" },
	{ A("    user: nginx\n"), "services.a.user", "dropped: names are not" },
	{ A("    ulimits: { nofile: 5 }\n"), "services.a.ulimits", "dropped: " },
	{ A("    ports: ['127.0.0.1:8080:80']\n"), "services.a.ports[0]", "approximated: inside the cluster alone" },
	{ A("    ports: ['7000-7001:80']\n"), "services.a.ports[0]", "approximated: LoadBalancer a-published, port 7000: the first" },
	{ A("    ports: ['80:80']\n"), "services.a.ports[0]", "exact: LoadBalancer a-published, port 80" },
	{ A("    volumes: ['v:/v']\n    scale: 2\nvolumes: { v: }\n"), "services.a.volumes[0]", "approximated: a claim for each replica" },
	{ A("    tmpfs: [/dev/shm]\n    shm_size: 1m\n"), "services.a.shm_size", "exact: a volume in memory at /dev/shm; dropped: /dev/shm is" },
	{ A("    network_mode: service:b\n  b: { image: x }\n"), "services.a.network_mode", "refused: service:b" },
	{ A("    environment: { '1A': x, B: y }\n"), "services.a.environment", "exact: env; dropped: 1A: no name" },
	{ A("    healthcheck: { interval: 1s }\n"), "services.a.healthcheck", "dropped: the image's own test" },
	{ A("    restart: 'no'\n"), "services.a.restart", "approximated: a Deployment begins" },
	{ A("    restart: always\n"), "services.a.restart", "exact: " },
	{ A("    depends_on: [b]\n  b: { image: x }\n"), "services.a.depends_on.b", "approximated: no order" },
	{ A("    secrets: [s]\nsecrets: { s: { file: ./password } }\n"), "secrets.s", "dropped: not written without --with-secrets" },
	{ A("    configs: [c]\nconfigs: { c: { file: ./nothing } }\n"), "configs.c", "dropped: /project/nothing is not there" },
	{ A("    configs: [c]\nconfigs: { c: { file: ./site } }\n"), "configs.c", "dropped: /project/site is no plain file" },
	{ A("    volumes: ['v:/v']\n  b: { image: x, volumes: ['v:/v'] }\nvolumes: { v: }\n"), "volumes.v", "approximated: claim v, ReadWriteMany" },
	{ A("    networks: { n: { ipv4_address: 10.1.1.9 } }\nnetworks: { n: { ipam: { config: [{ subnet: 10.1.1.0/24 }] } } }\n"),
	  "services.a.networks.n.ipv4_address", "dropped: the cluster gives addresses" },
	{ "name: shop\nservices: { a_b: { image: x } }\n", "services.a_b", "approximated: its name there is a-b" },
	{ A("    x-stack: { schedule: '@daily', overlap: queue }\n"), "services.a.x-stack.overlap", "approximated: concurrencyPolicy Forbid" },
};
/* clang-format on */

static void mounts_are_volumes_of_the_pod(void **state)
{
	(void)state;
	check_values(export_kubernetes, ROWS(volume_rows), NULL);
}

static void ports_and_networks_are_services_and_policies(void **state)
{
	(void)state;
	check_values(export_kubernetes, ROWS(network_rows), NULL);
}

static void the_report_says_what_differs(void **state)
{
	(void)state;
	check_sayings(export_kubernetes, ROWS(saying_rows), NULL);
}

static void options_choose_size_class_namespace_and_ports(void **state)
{
	static const struct export_options options = { .volume_size = "5Gi",
						       .storage_class = "fast",
						       .namespace_name = "prod",
						       .publish = EXPORT_NODE_PORT };
	static const struct value_row rows[] = {
		{A("    volumes: ['v:/v']\nvolumes: { v: }\n"), "a-statefulset.yaml",
                 "spec/volumeClaimTemplates/0/spec",								 "{\"accessModes\":[\"ReadWriteOnce\"],\"storageClassName\":\"fast\","
		  "\"resources\":{\"requests\":{\"storage\":\"5Gi\"}}}"    },
		{ A(""),					DEPLOYMENT,                 "metadata/namespace",    "\"prod\""},
		{ A("    ports: ['30080:80']\n"),               "a-published-service.yaml",
                 "spec/ports/0/nodePort",									    "30080"   },
		{ A("    ports: ['80:80']\n"),                  "a-published-service.yaml", "spec/ports/0/nodePort",
                 "absent"												      },
	};

	(void)state;
	check_values(export_kubernetes, ROWS(rows), &options);
}

static void values_of_secrets_leave_only_when_asked_for(void **state)
{
	static const char text[] = A("    secrets: [s]\nsecrets: { s: { file: ./password } }\n");
	static const struct export_options options = { .with_secrets = true };
	struct export_case c = case_of(export_kubernetes, text, NULL);

	(void)state;
	for (size_t i = 0; i < c.result.document_count; i++) {
		const char *yaml = export_yaml(c.arena, c.result.documents[i].object);

		assert_null(strstr(yaml, "hunter2"));
		assert_null(strstr(yaml, "aHVudGVyMg"));
		assert_false(c.result.documents[i].is_secret);
	}
	case_end(&c);
	c = case_of(export_kubernetes, text, &options);
	assert_string_equal(case_value(&c, "s-secret.yaml", "data/s"), "\"aHVudGVyMg==\"");
	for (size_t i = 0; i < c.result.document_count; i++)
		assert_int_equal(c.result.documents[i].is_secret,
				 strcmp(c.result.documents[i].file, "s-secret.yaml") == 0);
	case_end(&c);
}

static void a_refused_service_has_no_documents(void **state)
{
	struct export_case c = case_of(export_kubernetes,
				       A("    network_mode: service:b\n  b: { image: x }\n"), NULL);

	(void)state;
	assert_int_equal(c.result.counts[EXPORT_REFUSED], 1);
	assert_null(case_document(&c, DEPLOYMENT));
	assert_null(case_document(&c, SERVICE));
	assert_non_null(case_document(&c, "b-deployment.yaml"));
	case_end(&c);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(mounts_are_volumes_of_the_pod),
		cmocka_unit_test(ports_and_networks_are_services_and_policies),
		cmocka_unit_test(the_report_says_what_differs),
		cmocka_unit_test(options_choose_size_class_namespace_and_ports),
		cmocka_unit_test(values_of_secrets_leave_only_when_asked_for),
		cmocka_unit_test(a_refused_service_has_no_documents),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
