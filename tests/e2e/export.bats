#!/usr/bin/env bats
# export kubernetes, export swarm: the command around the translation (specs/export), on files and terminals.
# shellcheck disable=SC2154 # output, stderr and status are of bats
load lib

shop() {
	echo hunter2 >password.txt
	echo 'listen 80;' >web.conf
	compose <<-'END'
		name: shop
		services:
		  web:
		    image: nginx
		    ports: ["8080:80"]
		    volumes: ["./web.conf:/etc/nginx/web.conf:ro"]
		    depends_on: [db]
		  db:
		    image: postgres
		    secrets: [password]
		    volumes: ["rows:/var/lib/postgresql"]
		    ulimits: { nofile: 1024 }
		volumes: { rows: }
		secrets: { password: { file: ./password.txt } }
	END
}

@test "export kubernetes: documents on stdout, the report on stderr, and no secret in either" {
	shop
	run --separate-stderr stack export kubernetes
	[ "$status" -eq 0 ]
	has "kind: StatefulSet" "kind: Deployment" "kind: ConfigMap" "kind: NetworkPolicy" "type: LoadBalancer" "listen 80;"
	[[ $output != *hunter2* && $output != *"$(printf 'hunter2\n' | base64)"* && $output != *"kind: Secret"* ]]
	[[ $stderr == *"VERDICT "* && $stderr == *"dropped        services.db.ulimits "* ]]
	[[ $stderr == *"kubectl create secret generic password"* && $stderr == *" keys: "*" exact, "* ]]
	[[ $stderr != *"exact   "* ]]
	run --separate-stderr stack export kubernetes --report all
	[[ $stderr == *"exact          services.web.image "* ]]
	run --separate-stderr stack export kubernetes --report none
	[ -z "$stderr" ]
}

@test "export kubernetes -o: a file for each object, secrets when asked for and for their owner alone" {
	shop
	run stack export kubernetes -o out/k8s --with-secrets
	[ "$status" -eq 0 ]
	[ "$(cd out/k8s && echo *)" = "$(sort -u <<-'END' | xargs
		db-service.yaml db-statefulset.yaml network-default-networkpolicy.yaml password-secret.yaml
		web-deployment.yaml web-published-networkpolicy.yaml web-published-service.yaml web-service.yaml
		web-web-conf-configmap.yaml
	END
	)" ]
	grep -q "$(printf 'hunter2\n' | base64)" out/k8s/password-secret.yaml
	[ "$(stat -c %a out/k8s/password-secret.yaml)" = 600 ]
	ln -sf /etc/passwd out/k8s/db-service.yaml # what lies there is replaced, not followed
	run stack export kubernetes -o out/k8s
	[ ! -L out/k8s/db-service.yaml ]
	[ "$(wc -l </etc/passwd)" -gt 1 ]
}

@test "export --strict writes nothing when a key would be dropped" {
	shop
	run --separate-stderr stack export kubernetes --strict -o out
	[ "$status" -eq 1 ]
	[ ! -e out ]
	[[ $stderr == *"--strict: 2 keys would be dropped"* ]]
	run --separate-stderr stack export kubernetes --strict
	[ -z "$output" ]
	sed -i /ulimits/d app.yml
	run stack export kubernetes --strict --with-secrets -o out
	[ "$status" -eq 0 ]
	[ -e out/web-deployment.yaml ]
}

@test "export --format json: documents and report in one object" {
	shop
	stack export kubernetes --format json >out.json
	[ "$(jq -r '.documents["web-deployment.yaml"].kind' out.json)" = Deployment ]
	[ "$(jq -r '.counts.dropped' out.json)" = "$(jq '[.report[] | select(.verdict == "dropped")] | length' out.json)" ]
	[ "$(jq -r '.report[] | select(.key == "services.db.ulimits") | .verdict' out.json)" = dropped ]
}

@test "export: a refused service fails the command, and the others are written" {
	compose <<-'END'
		services:
		  a: { image: x, network_mode: "service:b" }
		  b: { image: y }
	END
	run --separate-stderr stack export kubernetes -o out
	[ "$status" -eq 1 ]
	[[ $stderr == *"refused        services.a.network_mode "* ]]
	[ -e out/b-deployment.yaml ]
	[ ! -e out/a-deployment.yaml ]
}

@test "export: services can be chosen, options are checked, dry-run writes nothing" {
	shop
	run stack export kubernetes db -o out
	[ "$status" -eq 0 ]
	[ ! -e out/web-deployment.yaml ]
	run stack export kubernetes nothing
	[ "$status" -ne 0 ]
	run stack export kubernetes --volume-size lots
	has '--volume-size: "lots"'
	run stack export kubernetes --namespace 'a b'
	has '--namespace: "a b"'
	run stack --dry-run export kubernetes -o dry
	[ ! -e dry ]
	run stack export --help
	has "kubernetes" "swarm"
	run stack __complete export kubernetes --p
	has "--publish"
}

@test "export swarm: a stack file, with the content of configs beside it" {
	compose <<-'END'
		services:
		  web:
		    image: nginx
		    configs: [{ source: site, target: /etc/site }]
		    cpus: 0.5
		    restart: always
		configs: { site: { content: "hello $$USER" } }
	END
	run stack export swarm -o out
	[ "$status" -eq 0 ]
	[ "$(cat out/configs/site)" = "hello \$USER" ]
	grep -q 'file: ./configs/site' out/stack.yaml
	grep -q 'condition: any' out/stack.yaml
	grep -q 'cpus: "0.5"' out/stack.yaml
	if command -v docker >/dev/null && docker stack config --help >/dev/null 2>&1; then
		(cd out && docker stack config -c stack.yaml >/dev/null)
	fi
}
