/* specs/export/kube_network - names and ports of a service inside and outside the cluster; who may
 * talk to whom.
 *
 * Owns: Services and NetworkPolicies. A service whose ports are known gets an address of its own;
 * the name of any other gives the addresses of its pods, so that every port is reachable, as on a
 * network here. May not touch: pods.
 */
#include <string.h>
#include <strings.h>

#include "base/json.h"
#include "base/num.h"
#include "base/text.h"
#include "specs/export/kube.h"

#define EXPOSED_MAX    100 /* ports of one range of expose */
#define NODE_PORT_LOW  30000
#define NODE_PORT_HIGH 32767

const char *kube_protocol(const char *protocol)
{
	if (protocol && strcasecmp(protocol, "udp") == 0)
		return "UDP";
	return protocol && strcasecmp(protocol, "sctp") == 0 ? "SCTP" : "TCP";
}

const char *kube_port_name(struct arena *arena, const char *protocol, unsigned port)
{
	const char *lower = strcmp(protocol, "UDP") == 0    ? "udp"
			    : strcmp(protocol, "SCTP") == 0 ? "sctp"
							    : "tcp";

	return arena_format(arena, "%s-%u", lower, port);
}

/* ---- known ports ---- */

static struct json_object *add_port(struct kube *kube, struct json_object *list, unsigned port,
				    unsigned target, const char *protocol)
{
	struct json_object *item;

	for (size_t i = 0; i < json_array_count(list); i++) {
		item = json_object_array_get_idx(list, i);
		if (json_int_or(item, "port", 0) == port &&
		    strcmp(json_text_or(item, "protocol", ""), protocol) == 0)
			return NULL;
	}
	item = json_object_new_object();
	json_add_text(item, "name", kube_port_name(kube->arena, protocol, port));
	json_add_int(item, "port", port);
	json_add_int(item, "targetPort", target);
	json_add_text(item, "protocol", protocol);
	json_object_array_add(list, item);
	return item;
}

static void add_exposed(struct kube *kube, const struct unit *unit, struct json_object *list,
			const char *text)
{
	struct slice range, protocol, first, last;
	struct err err = ERR_NONE;
	uint64_t low, high;

	slice_split(SLICE(text), '/', &range, &protocol);
	if (!slice_split(range, '-', &first, &last))
		last = first;
	if (num_parse_u64("port", first.at, first.len, 1, 65535, &low, &err) < 0 ||
	    num_parse_u64("port", last.at, last.len, low, 65535, &high, &err) < 0)
		return;
	if (high - low >= EXPOSED_MAX) {
		unit_say_part(kube, unit, EXPORT_DROPPED, "expose", "%s: more than %d ports", text,
			      EXPOSED_MAX);
		return;
	}
	for (; low <= high; low++)
		add_port(kube, list, (unsigned)low, (unsigned)low,
			 kube_protocol(arena_strndup(kube->arena, protocol.at, protocol.len)));
}

static unsigned probe_port(const struct probe *probe)
{
	if (!probe || probe->log)
		return 0;
	return probe->tcp_port      ? probe->tcp_port
	       : probe->listen_port ? probe->listen_port
				    : probe->http_port;
}

static void add_app_protocol(struct kube *kube, const struct unit *unit, const struct port *port,
			     struct json_object *item, const char *key)
{
	if (!item || !port->app_protocol)
		return;
	if (name_is_annotation(port->app_protocol))
		json_add_text(item, "appProtocol", port->app_protocol);
	else
		unit_say_part(kube, unit, EXPORT_DROPPED, key, "app_protocol %s is no name there",
			      port->app_protocol);
}

static struct json_object *known_ports(struct kube *kube, const struct unit *unit)
{
	const struct service *service = unit->service;
	struct json_object *list = json_object_new_array();
	unsigned ready = service->stack ? probe_port(service->stack->ready) : 0;
	unsigned check = service->healthcheck ? probe_port(service->healthcheck->probe) : 0;

	for (size_t i = 0; i < service->port_count; i++) {
		const struct port *port = &service->ports[i];

		add_app_protocol(kube, unit, port,
				 add_port(kube, list, port->target, port->target,
					  kube_protocol(port->protocol)),
				 arena_format(kube->arena, "ports[%zu]", i));
	}
	for (size_t i = 0; i < service->expose.count; i++)
		add_exposed(kube, unit, list, service->expose.items[i]);
	if (ready)
		add_port(kube, list, ready, ready, "TCP");
	if (check)
		add_port(kube, list, check, check, "TCP");
	return list;
}

unsigned kube_known_port(const struct service *service)
{
	unsigned port = service->stack ? probe_port(service->stack->ready) : 0;

	if (!port && service->healthcheck)
		port = probe_port(service->healthcheck->probe);
	for (size_t i = 0; i < service->port_count && !port; i++)
		if (strcmp(kube_protocol(service->ports[i].protocol), "TCP") == 0)
			port = service->ports[i].target;
	for (size_t i = 0; i < service->expose.count && !port; i++) {
		const char *text = service->expose.items[i];
		size_t digits = num_digits(text, strlen(text));
		struct err err = ERR_NONE;
		uint64_t number;

		if ((text[digits] == '\0' || strcmp(text + digits, "/tcp") == 0) &&
		    num_parse_u64("port", text, digits, 1, 65535, &number, &err) == 0)
			port = (unsigned)number;
	}
	return port;
}

/* ---- Services inside ---- */

static struct json_object *add_service(struct kube *kube, const struct unit *unit, const char *name)
{
	struct json_object *service = kube_document(kube, "v1", "Service", name, unit);
	struct json_object *spec = json_add_object(service, "spec");

	kube_add_selector(kube, unit, json_add_object(spec, "selector"));
	return spec;
}

static void add_inner(struct kube *kube, const struct unit *unit, const char *name)
{
	struct json_object *ports = known_ports(kube, unit);
	struct json_object *spec = add_service(kube, unit, name);

	if (json_array_count(ports) == 0) {
		json_add_text(spec, "clusterIP", "None");
		json_object_put(ports);
		return;
	}
	json_object_object_add(spec, "ports", ports);
}

static void add_alias(struct kube *kube, const struct unit *unit, const char *alias,
		      const char *key)
{
	if (strcmp(alias, unit->name) == 0 || name_book_has(kube->names, "alias", alias))
		return;
	if (!name_is_label(alias, NAME_LABEL_MAX)) {
		unit_say_part(kube, unit, EXPORT_DROPPED, key,
			      "%s: lower case letters, digits and - alone", alias);
		return;
	}
	if (!name_book_claim(kube->names, "service", unit->service->name, alias)) {
		unit_say_part(kube, unit, EXPORT_DROPPED, key, "%s is the name of another service",
			      alias);
		return;
	}
	name_book_give(kube->names, "alias", alias, alias, NAME_LABEL_MAX);
	add_inner(kube, unit, alias);
}

/* Names that others give to a service by their links. */
static void add_links(struct kube *kube, const struct service *from)
{
	for (size_t i = 0; i < from->links.count; i++) {
		struct slice name, alias;
		const struct unit *unit, *own = kube_find_unit(kube, from->name);

		if (!slice_split(SLICE(from->links.items[i]), ':', &name, &alias))
			continue;
		unit = kube_find_unit(kube, arena_strndup(kube->arena, name.at, name.len));
		if (!unit || unit->is_refused || !own)
			continue;
		if (name_is_label(arena_strndup(kube->arena, alias.at, alias.len), NAME_LABEL_MAX))
			add_alias(kube, unit, arena_strndup(kube->arena, alias.at, alias.len),
				  "links");
		else
			unit_say_part(kube, own, EXPORT_DROPPED, "links",
				      "%.*s: lower case letters, digits and - alone",
				      SLICE_ARG(alias));
	}
}

static void add_names(struct kube *kube, const struct unit *unit)
{
	const struct service *service = unit->service;

	add_inner(kube, unit, unit->name);
	for (size_t i = 0; i < service->network_count; i++)
		for (size_t k = 0; k < service->networks[i].aliases.count; k++)
			add_alias(kube, unit, service->networks[i].aliases.items[k],
				  arena_format(kube->arena, "networks.%s.aliases",
					       service->networks[i].network));
	if (service->container_name && name_is_label(service->container_name, NAME_LABEL_MAX)) {
		add_alias(kube, unit, service->container_name, "container_name");
		unit_say(kube, unit, EXPORT_APPROXIMATED, "container_name",
			 "a Service of that name; pods are named by their controller");
	}
}

/* ---- Services outside ---- */

static bool is_loopback(const char *ip)
{
	return ip && (text_starts(ip, "127.") || strcmp(ip, "::1") == 0);
}

static bool is_any(const char *ip)
{
	return !ip || !*ip || strcmp(ip, "0.0.0.0") == 0 || strcmp(ip, "::") == 0;
}

/* Whether a load balancer (or the nodes) offer the port. */
static bool is_public(const struct kube *kube, const struct port *port)
{
	return kube->options->publish != EXPORT_NO_PUBLISH && !is_loopback(port->host_ip) &&
	       !(port->mode && strcmp(port->mode, "host") == 0);
}

bool kube_port_is_open(const struct kube *kube, const struct port *port)
{
	return is_public(kube, port) || (port->mode && strcmp(port->mode, "host") == 0);
}

static unsigned published_of(const struct port *port)
{
	struct err err = ERR_NONE;
	uint64_t number = port->target;

	if (port->published)
		num_parse_u64("port", port->published,
			      num_digits(port->published, strlen(port->published)), 1, 65535,
			      &number, &err);
	return (unsigned)number;
}

static void say_published(struct kube *kube, const struct unit *unit, const struct port *port,
			  const char *key, const char *name)
{
	const char *type = kube->options->publish == EXPORT_NODE_PORT ? "NodePort" : "LoadBalancer";
	unsigned published = published_of(port);

	if (!port->published)
		unit_say(kube, unit, EXPORT_APPROXIMATED, key,
			 "%s %s, port %u: a free one cannot be chosen", type, name, published);
	else if (strchr(port->published, '-'))
		unit_say(kube, unit, EXPORT_APPROXIMATED, key,
			 "%s %s, port %u: the first of the range", type, name, published);
	else if (!is_any(port->host_ip))
		unit_say(kube, unit, EXPORT_APPROXIMATED, key,
			 "%s %s, port %u: on its own address, not on %s", type, name, published,
			 port->host_ip);
	else if (kube->options->publish == EXPORT_NODE_PORT &&
		 (published < NODE_PORT_LOW || published > NODE_PORT_HIGH))
		unit_say(kube, unit, EXPORT_APPROXIMATED, key,
			 "NodePort %s: the cluster chooses the port of the nodes", name);
	else
		unit_say(kube, unit, EXPORT_EXACT, key, "%s %s, port %u", type, name, published);
}

static void add_published(struct kube *kube, const struct unit *unit)
{
	const struct service *service = unit->service;
	const char *name = NULL;
	struct json_object *spec = NULL, *list = NULL, *item;

	for (size_t i = 0; i < service->port_count; i++) {
		const struct port *port = &service->ports[i];
		const char *key = arena_format(kube->arena, "ports[%zu]", i);
		unsigned published = published_of(port);

		if (!is_public(kube, port)) {
			if (!port->mode || strcmp(port->mode, "host") != 0)
				unit_say(kube, unit, EXPORT_APPROXIMATED, key,
					 "inside the cluster alone: kubectl port-forward "
					 "service/%s %u:%u",
					 unit->name, published, port->target);
			continue;
		}
		if (!spec) {
			name = name_book_give(
				kube->names, "service",
				arena_format(kube->arena, "%s published", service->name),
				arena_format(kube->arena, "%s-published", unit->name),
				NAME_LABEL_MAX);
			spec = add_service(kube, unit, name);
			json_add_text(spec, "type",
				      kube->options->publish == EXPORT_NODE_PORT ? "NodePort"
										 : "LoadBalancer");
			list = json_add_array(spec, "ports");
		}
		item = add_port(kube, list, published, port->target, kube_protocol(port->protocol));
		if (!item) {
			unit_say(kube, unit, EXPORT_EXACT, key, "port %u of %s, as above",
				 published, name);
			continue;
		}
		if (kube->options->publish == EXPORT_NODE_PORT && published >= NODE_PORT_LOW &&
		    published <= NODE_PORT_HIGH)
			json_add_int(item, "nodePort", published);
		add_app_protocol(kube, unit, port, item, key);
		say_published(kube, unit, port, key, name);
	}
}

void kube_services(struct kube *kube, struct unit *unit)
{
	const struct service *service = unit->service;
	bool is_job = unit->kind == UNIT_JOB || unit->kind == UNIT_CRON_JOB;

	if (strcmp(unit->name, service->name) != 0)
		report_say(kube->report, EXPORT_APPROXIMATED, unit->path,
			   "its name there is %s: others must call it so", unit->name);
	if (service->network_mode && strcmp(service->network_mode, "none") == 0)
		return;
	if (!is_job || service->port_count || service->expose.count)
		add_names(kube, unit);
	add_published(kube, unit);
	add_links(kube, service);
}
