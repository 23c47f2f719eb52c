/* orchestrator/network_foreign - who else is on our networks: names of other projects' containers.
 *
 * Owns: the names that follow from a lease. May not touch: other projects' records.
 */
#include <string.h>

#include "base/text.h"
#include "orchestrator/network_inner.h"

/* "shop/web/1": shop-web-1, and web as its alias. One-off containers have no names. */
static bool fill_endpoint(struct arena *arena, const struct network_record *network,
			  const struct network_lease *lease, struct zone_endpoint *out)
{
	struct slice project, rest, service, number;
	struct zone_attachment *attachment = arena_alloc(arena, sizeof(*attachment));
	const char **addresses = arena_alloc(arena, 2 * sizeof(char *));
	const char **aliases = arena_alloc(arena, sizeof(char *));

	if (!slice_split(SLICE(lease->slot), '/', &project, &rest) ||
	    !slice_split(rest, '/', &service, &number) ||
	    (number.len > 4 && strncmp(number.at, "run-", 4) == 0))
		return false;
	aliases[0] = arena_strndup(arena, service.at, service.len);
	attachment->network = network->name;
	attachment->addresses = addresses;
	attachment->aliases = aliases;
	attachment->alias_count = 1;
	if (address_is_set(&lease->v4))
		addresses[attachment->address_count++] =
			address_text(&lease->v4, arena_alloc(arena, ADDRESS_TEXT));
	if (address_is_set(&lease->v6))
		addresses[attachment->address_count++] =
			address_text(&lease->v6, arena_alloc(arena, ADDRESS_TEXT));
	*out = (struct zone_endpoint){ .container = arena_format(
					       arena, "%.*s-%.*s-%.*s", SLICE_ARG(project),
					       SLICE_ARG(service), SLICE_ARG(number)),
				       .live = true,
				       .attachments = attachment,
				       .attachment_count = 1 };
	return true;
}

static void collect(struct project_net *net, struct arena *arena,
		    const struct network_record *network, struct zone_endpoint **out,
		    size_t *out_count)
{
	size_t len = strlen(net->project);

	for (size_t i = 0; i < network->lease_count; i++) {
		const char *slot = network->leases[i].slot;
		struct zone_endpoint endpoint;

		if ((strncmp(slot, net->project, len) == 0 && slot[len] == '/') ||
		    !fill_endpoint(arena, network, &network->leases[i], &endpoint))
			continue;
		*(struct zone_endpoint *)arena_grow(arena, out, out_count, sizeof(endpoint)) =
			endpoint;
	}
}

int net_zone_foreign(struct project_net *net, struct arena *arena, struct zone_endpoint **out,
		     size_t *out_count, struct err *err)
{
	struct network_record **networks = NULL;
	size_t count = 0;
	int status;

	*out = NULL;
	*out_count = 0;
	pthread_mutex_lock(&net->lock);
	status = net_zone_records(net, arena, &networks, &count, err);
	for (size_t i = 0; status == 0 && i < count; i++)
		collect(net, arena, networks[i], out, out_count);
	pthread_mutex_unlock(&net->lock);
	return status;
}
