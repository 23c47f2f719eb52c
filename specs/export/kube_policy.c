/* specs/export/kube_policy - networks as NetworkPolicies: pods with a network's label may talk to
 * each other.
 *
 * Owns: labels of networks, who is let in, who may go out. Policies add up, as networks do: a pod
 * of two networks is reached from both. May not touch: Services.
 */
#include <string.h>

#include "base/json.h"
#include "base/text.h"
#include "specs/export/kube.h"

#define DNS_PORT 53

const char *kube_network_label(struct kube *kube, const char *key)
{
	const struct network *network = project_find_network(kube->project, key);
	const char *name = network && network->external ? network->name : key;

	return arena_format(kube->arena, KUBE_NETWORK_LABEL "%s",
			    name_book_give(kube->names, "network", key, name, NAME_LABEL_MAX));
}

static void add_label(struct json_object *selector, const char *label)
{
	json_add_text(json_add_object(selector, "matchLabels"), label, "true");
}

static struct json_object *new_policy(struct kube *kube, const char *original, const char *wanted,
				      const char *const *types, const struct unit *unit)
{
	const char *name = name_book_give(kube->names, "policy", original, wanted, NAME_LABEL_MAX);
	struct json_object *spec = json_add_object(
		kube_document(kube, "networking.k8s.io/v1", "NetworkPolicy", name, unit), "spec");
	struct json_object *list;

	json_add_object(spec, "podSelector");
	list = json_add_array(spec, "policyTypes");
	for (; *types; types++)
		json_push_text(list, *types);
	return spec;
}

/* { "podSelector": { the network's label } } in a list that is given to a peer. */
static void add_peer(struct json_object *rule, const char *key, const char *label)
{
	struct json_object *peer = json_object_new_object();

	add_label(json_add_object(peer, "podSelector"), label);
	json_object_array_add(json_add_array(rule, key), peer);
}

static void add_policy_port(struct json_object *list, const char *protocol, unsigned port)
{
	struct json_object *item = json_object_new_object();

	json_add_text(item, "protocol", protocol);
	json_add_int(item, "port", port);
	json_object_array_add(list, item);
}

static void add_network(struct kube *kube, const struct network *network)
{
	static const char *const types[] = { "Ingress", NULL };
	const char *label = kube_network_label(kube, network->key);
	struct json_object *spec =
		new_policy(kube, network->key,
			   arena_format(kube->arena, "network-%s", network->key), types, NULL);
	struct json_object *rule = json_object_new_object();

	add_label(json_object_at(spec, "podSelector"), label);
	json_object_array_add(json_add_array(spec, "ingress"), rule);
	add_peer(rule, "from", label);
}

/* Pods of internal networks alone: to each other and to the cluster's names, nowhere else. */
static void add_internal(struct kube *kube, const struct network *network)
{
	static const char *const types[] = { "Egress", NULL };
	const struct project *project = kube->project;
	const char *label = kube_network_label(kube, network->key);
	struct json_object *spec = new_policy(
		kube, arena_format(kube->arena, "%s internal", network->key),
		arena_format(kube->arena, "network-%s-internal", network->key), types, NULL);
	struct json_object *selector = json_object_at(spec, "podSelector");
	struct json_object *others = json_object_new_array();
	struct json_object *inside = json_object_new_object(), *names = json_object_new_object();
	struct json_object *egress = json_add_array(spec, "egress"), *ports;

	add_label(selector, label);
	for (size_t i = 0; i < project->network_count; i++) {
		struct json_object *absent;

		if (project->networks[i].internal)
			continue;
		absent = json_object_new_object();
		json_add_text(absent, "key", kube_network_label(kube, project->networks[i].key));
		json_add_text(absent, "operator", "DoesNotExist");
		json_object_array_add(others, absent);
	}
	if (json_array_count(others) > 0)
		json_object_object_add(selector, "matchExpressions", others);
	else
		json_object_put(others);
	add_peer(inside, "to", label);
	json_object_array_add(egress, inside);
	ports = json_add_array(names, "ports");
	add_policy_port(ports, "UDP", DNS_PORT);
	add_policy_port(ports, "TCP", DNS_PORT);
	json_object_array_add(egress, names);
}

/* Published ports are open to everybody. */
static void add_open(struct kube *kube, const struct unit *unit)
{
	static const char *const types[] = { "Ingress", NULL };
	struct json_object *ports = json_object_new_array(), *spec, *rule;

	for (size_t i = 0; i < unit->service->port_count; i++) {
		const struct port *port = &unit->service->ports[i];

		if (kube_port_is_open(kube, port))
			add_policy_port(ports, kube_protocol(port->protocol), port->target);
	}
	if (json_array_count(ports) == 0 || unit->service->network_count == 0) {
		json_object_put(ports);
		return;
	}
	spec = new_policy(kube, arena_format(kube->arena, "%s published", unit->service->name),
			  arena_format(kube->arena, "%s-published", unit->name), types, unit);
	kube_add_selector(kube, unit,
			  json_add_object(json_object_at(spec, "podSelector"), "matchLabels"));
	rule = json_object_new_object();
	json_object_object_add(rule, "ports", ports);
	json_object_array_add(json_add_array(spec, "ingress"), rule);
}

static void add_alone(struct kube *kube, const struct unit *unit)
{
	static const char *const types[] = { "Ingress", "Egress", NULL };
	struct json_object *spec =
		new_policy(kube, arena_format(kube->arena, "%s alone", unit->service->name),
			   arena_format(kube->arena, "%s-alone", unit->name), types, unit);

	kube_add_selector(kube, unit,
			  json_add_object(json_object_at(spec, "podSelector"), "matchLabels"));
}

static void add_unit(struct kube *kube, const struct unit *unit)
{
	const char *mode = unit->service->network_mode;

	add_open(kube, unit);
	if (!mode || strcmp(mode, "host") == 0)
		return;
	if (strcmp(mode, "none") == 0) {
		add_alone(kube, unit);
		unit_say(kube, unit, EXPORT_APPROXIMATED, "network_mode",
			 "a NetworkPolicy that lets nothing in or out");
	} else {
		unit_say(kube, unit, EXPORT_APPROXIMATED, "network_mode",
			 "the cluster's network, without a policy");
	}
}

void kube_policies(struct kube *kube)
{
	for (size_t i = 0; i < kube->project->network_count; i++) {
		add_network(kube, &kube->project->networks[i]);
		if (kube->project->networks[i].internal)
			add_internal(kube, &kube->project->networks[i]);
	}
	for (size_t i = 0; i < kube->unit_count; i++)
		if (!kube->units[i].is_refused)
			add_unit(kube, &kube->units[i]);
}
