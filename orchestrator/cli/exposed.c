/* orchestrator/cli/exposed - what a plan opens.
 *
 * Owns: what is worth a line. May not touch: networks, mounts.
 */
#include "orchestrator/cli/exposed.h"

#include <string.h>

#include "base/json.h"

static bool is_created(struct json_object *actions, const char *service)
{
	for (size_t i = 0; i < json_array_count(actions); i++) {
		struct json_object *action = json_object_array_get_idx(actions, i);

		if (strcmp(json_text_or(action, "action", ""), "create") == 0 &&
		    strcmp(json_text_or(action, "service", ""), service) == 0)
			return true;
	}
	return false;
}

/* The row: what is opened in three parts. */
static void line(FILE *out, const struct service *service, const char *first, const char *what,
		 const char *last)
{
	fprintf(out, "%-14s  %-24s  %s%s%s\n", "exposes", service->name, first, what, last);
}

static bool is_local(const char *address)
{
	return strncmp(address, "127.", 4) == 0 || strcmp(address, "::1") == 0;
}

static void print_ports(FILE *out, const struct service *service, const struct settings *settings)
{
	bool has_network = !service->network_mode || strcmp(service->network_mode, "bridge") == 0;

	for (size_t i = 0; has_network && i < service->port_count; i++) {
		const struct port *port = &service->ports[i];
		const char *address = port->host_ip && *port->host_ip ? port->host_ip
				      : settings->ip                  ? settings->ip
								      : "";

		if (!is_local(address))
			fprintf(out, "%-14s  %-24s  port %s/%s to other machines\n", "exposes",
				service->name,
				port->published ? port->published : "of the system's choice",
				port->protocol);
	}
}

static void print_machine(FILE *out, const struct service *service)
{
	if (service->privileged)
		line(out, service, "the machine: ", "it is privileged, and can do what root can",
		     "");
	if (service->network_mode && strcmp(service->network_mode, "host") == 0)
		line(out, service, "the machine's network: ", "network_mode host", "");
	if (service->pid && strcmp(service->pid, "host") == 0)
		line(out, service, "the machine's processes: ", "pid host", "");
	for (size_t i = 0; i < service->volume_count; i++) {
		const struct mount *mount = &service->volumes[i];

		if (mount->source && strcmp(mount->type, "bind") == 0)
			line(out, service, "", mount->source,
			     mount->read_only ? " of the machine, read-only" : " of the machine");
	}
}

void exposed_print(FILE *out, const struct project *project, const struct settings *settings,
		   struct json_object *actions)
{
	for (size_t i = 0; i < project->service_count; i++) {
		const struct service *service = &project->services[i];

		if (!is_created(actions, service->name))
			continue;
		print_ports(out, service, settings);
		print_machine(out, service);
	}
}
