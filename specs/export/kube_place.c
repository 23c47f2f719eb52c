/* specs/export/kube_place - where a pod runs and what names it knows: nodes, host name, hosts, DNS,
 * network.
 *
 * Owns: node selectors, spreading, hostAliases, dnsConfig, container ports, whose network it is.
 * May not touch: Services and policies (kube_network).
 */
#include <string.h>

#include "base/json.h"
#include "base/num.h"
#include "base/text.h"
#include "specs/export/kube.h"

#define SERVERS_MAX  3 /* of dnsConfig */
#define SEARCHES_MAX 32

/* ---- nodes ---- */

static struct json_object *selector_of(struct pod *pod)
{
	struct json_object *selector = json_object_at(pod->spec, "nodeSelector");

	return selector ? selector : json_add_object(pod->spec, "nodeSelector");
}

static void add_platform(struct pod *pod)
{
	const char *platform = pod->unit->service->platform;
	struct slice os, rest, arch, variant;
	struct arena *arena = pod->kube->arena;

	if (!platform)
		return;
	slice_split(SLICE(platform), '/', &os, &rest);
	slice_split(rest, '/', &arch, &variant);
	json_add_text(selector_of(pod), "kubernetes.io/os", arena_strndup(arena, os.at, os.len));
	if (arch.len)
		json_add_text(selector_of(pod), "kubernetes.io/arch",
			      arena_strndup(arena, arch.at, arch.len));
	if (variant.len)
		unit_say(pod->kube, pod->unit, EXPORT_APPROXIMATED, "platform",
			 "nodeSelector without the variant");
}

/* "node.labels.zone == a" -> label and value; NULL: another form. */
static const char *constraint_label(struct arena *arena, const char *text, const char **out_value)
{
	static const struct {
		const char *theirs, *label;
	} known[] = {
		{"node.hostname",       "kubernetes.io/hostname"},
		{ "node.platform.os",   "kubernetes.io/os"      },
		{ "node.platform.arch", "kubernetes.io/arch"    },
	};
	const char *sign = strstr(text, "==");
	struct slice left, right;
	const char *name;

	if (!sign)
		return NULL;
	left = slice_trim((struct slice){ text, (size_t)(sign - text) });
	right = slice_trim(SLICE(sign + 2));
	name = arena_strndup(arena, left.at, left.len);
	*out_value = arena_strndup(arena, right.at, right.len);
	if (!name_is_qualified(*out_value))
		return NULL;
	if (text_starts(name, "node.labels."))
		return name_is_annotation(name + 12) ? name + 12 : NULL;
	for (size_t i = 0; i < sizeof(known) / sizeof(*known); i++)
		if (strcmp(name, known[i].theirs) == 0)
			return known[i].label;
	return NULL;
}

static void add_constraints(struct pod *pod, const struct placement *placement)
{
	for (size_t i = 0; i < placement->constraints.count; i++) {
		const char *value;
		const char *label =
			constraint_label(pod->kube->arena, placement->constraints.items[i], &value);

		if (label)
			json_add_text(selector_of(pod), label, value);
		else
			unit_say(pod->kube, pod->unit, EXPORT_DROPPED,
				 arena_format(pod->kube->arena, "deploy.placement.constraints[%zu]",
					      i),
				 "%s: equality of a node's label, name or platform is translated",
				 placement->constraints.items[i]);
	}
}

static void add_spread(struct pod *pod, const struct placement *placement)
{
	for (size_t i = 0; i < placement->preference_count; i++) {
		const char *spread = placement->preferences[i].spread;
		struct json_object *list, *item;

		if (!spread || !text_starts(spread, "node.labels.") ||
		    !name_is_annotation(spread + 12)) {
			unit_say(pod->kube, pod->unit, EXPORT_DROPPED,
				 arena_format(pod->kube->arena, "deploy.placement.preferences[%zu]",
					      i),
				 "spreading over a node's label is translated");
			continue;
		}
		list = json_array_at(pod->spec, "topologySpreadConstraints");
		if (!list)
			list = json_add_array(pod->spec, "topologySpreadConstraints");
		item = json_object_new_object();
		json_add_int(item, "maxSkew", 1);
		json_add_text(item, "topologyKey", spread + 12);
		json_add_text(item, "whenUnsatisfiable", "ScheduleAnyway");
		kube_add_selector(
			pod->kube, pod->unit,
			json_add_object(json_add_object(item, "labelSelector"), "matchLabels"));
		json_object_array_add(list, item);
	}
}

/* ---- names ---- */

static struct json_object *alias_of(struct pod *pod, const char *ip, size_t len)
{
	struct json_object *list = json_array_at(pod->spec, "hostAliases"), *item;

	for (size_t i = 0; i < json_array_count(list); i++) {
		item = json_object_array_get_idx(list, i);
		if (slice_is((struct slice){ ip, len }, json_text_or(item, "ip", "")))
			return json_array_at(item, "hostnames");
	}
	if (!list)
		list = json_add_array(pod->spec, "hostAliases");
	item = json_object_new_object();
	json_add_text(item, "ip", arena_strndup(pod->kube->arena, ip, len));
	json_object_array_add(list, item);
	return json_add_array(item, "hostnames");
}

static void add_hosts(struct pod *pod)
{
	const struct texts *hosts = &pod->unit->service->extra_hosts;

	for (size_t i = 0; i < hosts->count; i++) {
		struct slice name, ip;

		slice_split(SLICE(hosts->items[i]), '=', &name, &ip);
		if (ip.len > 2 && ip.at[0] == '[')
			ip = (struct slice){ ip.at + 1, ip.len - 2 };
		if (slice_is(ip, "host-gateway"))
			unit_say_part(pod->kube, pod->unit, EXPORT_DROPPED, "extra_hosts",
				      "%s: a pod has no host-gateway", hosts->items[i]);
		else
			json_push_text(alias_of(pod, ip.at, ip.len),
				       arena_strndup(pod->kube->arena, name.at, name.len));
	}
}

static void add_list(struct pod *pod, struct json_object *config, const char *key,
		     const struct texts *texts, const char *ours, size_t max)
{
	struct json_object *list = texts->count ? json_add_array(config, key) : NULL;

	for (size_t i = 0; i < texts->count && i < max; i++)
		json_push_text(list, texts->items[i]);
	if (texts->count > max)
		unit_say_part(pod->kube, pod->unit, EXPORT_DROPPED, ours, "all but the first %zu",
			      max);
}

static void add_dns(struct pod *pod)
{
	const struct service *service = pod->unit->service;
	struct json_object *config = json_object_new_object(), *list;
	struct arena *arena = pod->kube->arena;

	add_list(pod, config, "nameservers", &service->dns, "dns", SERVERS_MAX);
	add_list(pod, config, "searches", &service->dns_search, "dns_search", SEARCHES_MAX);
	list = service->dns_opt.count ? json_add_array(config, "options") : NULL;
	for (size_t i = 0; i < service->dns_opt.count; i++) {
		struct json_object *option = json_object_new_object();
		struct slice name, value;

		slice_split(SLICE(service->dns_opt.items[i]), ':', &name, &value);
		json_add_text(option, "name", arena_strndup(arena, name.at, name.len));
		if (value.len)
			json_add_text(option, "value", arena_strndup(arena, value.at, value.len));
		json_object_array_add(list, option);
	}
	if (json_object_object_length(config) > 0)
		json_object_object_add(pod->spec, "dnsConfig", config);
	else
		json_object_put(config);
}

static void add_hostname(struct pod *pod)
{
	const char *hostname = pod->unit->service->hostname;

	if (!hostname)
		return;
	if (name_is_label(hostname, NAME_LABEL_MAX))
		json_add_text(pod->spec, "hostname", hostname);
	else
		unit_say(pod->kube, pod->unit, EXPORT_DROPPED, "hostname",
			 "%s: lower case letters, digits and - alone", hostname);
}

/* ---- network ---- */

static bool is_host(const struct service *service)
{
	return service->network_mode && strcmp(service->network_mode, "host") == 0;
}

static void add_port(struct pod *pod, struct json_object *list, const struct port *port,
		     const char *key)
{
	const char *protocol = kube_protocol(port->protocol);
	struct json_object *item;
	struct err err = ERR_NONE;
	uint64_t number;

	for (size_t i = 0; i < json_array_count(list); i++) {
		item = json_object_array_get_idx(list, i);
		if (json_int_or(item, "containerPort", 0) == port->target &&
		    strcmp(json_text_or(item, "protocol", ""), protocol) == 0)
			return;
	}
	item = json_object_new_object();
	json_add_text(item, "name", kube_port_name(pod->kube->arena, protocol, port->target));
	json_add_int(item, "containerPort", port->target);
	json_add_text(item, "protocol", protocol);
	json_object_array_add(list, item);
	if (!port->mode || strcmp(port->mode, "host") != 0 || !port->published)
		return;
	if (num_parse_u64("port", port->published, strlen(port->published), 1, 65535, &number,
			  &err) < 0)
		return;
	json_add_int(item, "hostPort", (int64_t)number);
	unit_say(pod->kube, pod->unit, EXPORT_EXACT, key,
		 "hostPort of the node that the pod runs on");
}

static void add_ports(struct pod *pod)
{
	const struct service *service = pod->unit->service;
	struct json_object *list = json_object_new_array();

	for (size_t i = 0; i < service->port_count && !is_host(service); i++)
		add_port(pod, list, &service->ports[i],
			 arena_format(pod->kube->arena, "ports[%zu]", i));
	if (json_array_count(list) > 0)
		json_object_object_add(pod->container, "ports", list);
	else
		json_object_put(list);
}

void kube_place(struct pod *pod)
{
	const struct service *service = pod->unit->service;
	const struct placement *placement = service->deploy ? service->deploy->placement : NULL;

	add_ports(pod);
	add_platform(pod);
	if (placement) {
		add_constraints(pod, placement);
		add_spread(pod, placement);
	}
	add_hostname(pod);
	add_hosts(pod);
	add_dns(pod);
	if (!is_host(service))
		return;
	json_add_bool(pod->spec, "hostNetwork", true);
	json_add_text(pod->spec, "dnsPolicy", "ClusterFirstWithHostNet");
	unit_say(pod->kube, pod->unit, EXPORT_EXACT, "network_mode", "hostNetwork");
}
