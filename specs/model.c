/* specs/model - a project as the files describe it: look-ups and what several keys say together.
 *
 * Owns: the twins of limits, replicas and restart. May not touch: files, the tree.
 */
#include "specs/model.h"

#include <string.h>

#include "specs/short_forms.h"

#define STOP_GRACE_US 10000000

/* An item of a sorted array whose first field is its name. */
static void *find(const void *items, size_t count, size_t size, const char *name)
{
	size_t low = 0, high = count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;
		const char *item = (const char *)items + middle * size;
		const char *other;
		int order;

		memcpy(&other, item, sizeof(other));
		order = strcmp(other, name);
		if (order == 0) {
			void *found;

			memcpy(&found, &item, sizeof(found));
			return found;
		}
		if (order < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return NULL;
}

struct service *project_find_service(const struct project *project, const char *name)
{
	return find(project->services, project->service_count, sizeof(struct service), name);
}

struct service *project_find_disabled(const struct project *project, const char *name)
{
	return find(project->disabled_services, project->disabled_service_count,
		    sizeof(struct service), name);
}

struct network *project_find_network(const struct project *project, const char *key)
{
	return find(project->networks, project->network_count, sizeof(struct network), key);
}

struct volume *project_find_volume(const struct project *project, const char *key)
{
	return find(project->volumes, project->volume_count, sizeof(struct volume), key);
}

struct file_source *project_find_secret(const struct project *project, const char *key)
{
	return find(project->secrets, project->secret_count, sizeof(struct file_source), key);
}

struct file_source *project_find_config(const struct project *project, const char *key)
{
	return find(project->configs, project->config_count, sizeof(struct file_source), key);
}

const char *pairs_get(const struct pairs *pairs, const char *name)
{
	const struct pair *pair = find(pairs->items, pairs->count, sizeof(*pair), name);

	return pair ? pair->value : NULL;
}

bool texts_has(const struct texts *texts, const char *text)
{
	for (size_t i = 0; i < texts->count; i++)
		if (strcmp(texts->items[i], text) == 0)
			return true;
	return false;
}

static struct restart_rule restart_of_deploy(const struct deploy_restart *policy)
{
	struct restart_rule rule = { RESTART_ALWAYS, 0, policy->delay, policy->window };
	const char *condition = policy->condition ? policy->condition : "any";

	if (policy->max_attempts.is_set)
		rule.max_attempts = (uint64_t)policy->max_attempts.value;
	if (strcmp(condition, "none") == 0)
		rule.when = RESTART_NO;
	else if (strcmp(condition, "on-failure") == 0)
		rule.when = RESTART_ON_FAILURE;
	return rule;
}

struct restart_rule service_restart(const struct service *service)
{
	struct restart_rule rule = { .when = RESTART_NO };
	struct err err = ERR_NONE;
	const char *word;

	if (service->deploy && service->deploy->restart_policy)
		return restart_of_deploy(service->deploy->restart_policy);
	if (!service->restart || !*service->restart ||
	    short_restart(service->restart, &word, &rule.max_attempts, &err) < 0)
		return rule;
	if (strcmp(word, "always") == 0)
		rule.when = RESTART_ALWAYS;
	else if (strcmp(word, "on-failure") == 0)
		rule.when = RESTART_ON_FAILURE;
	else if (strcmp(word, "unless-stopped") == 0)
		rule.when = RESTART_UNLESS_STOPPED;
	return rule;
}

uint64_t service_replicas(const struct service *service)
{
	const struct deploy *deploy = service->deploy;

	if (service->scale.is_set)
		return (uint64_t)service->scale.value;
	if (deploy && deploy->mode && strncmp(deploy->mode, "global", 6) == 0)
		return 1;
	if (deploy && deploy->replicas.is_set)
		return (uint64_t)deploy->replicas.value;
	return 1;
}

const char *service_image_name(struct arena *arena, const struct project *project,
			       const struct service *service)
{
	if (service->image)
		return service->image;
	return arena_format(arena, "%s-%s", project->name, service->name);
}

static const struct resource_limits *limits_of(const struct service *service)
{
	static const struct resource_limits none = { 0 };
	const struct resources *resources = service->deploy ? service->deploy->resources : NULL;

	return resources && resources->limits ? resources->limits : &none;
}

static const struct resource_limits *reservations_of(const struct service *service)
{
	static const struct resource_limits none = { 0 };
	const struct resources *resources = service->deploy ? service->deploy->resources : NULL;

	return resources && resources->reservations ? resources->reservations : &none;
}

struct opt_bytes service_memory_limit(const struct service *service)
{
	return service->mem_limit.is_set ? service->mem_limit : limits_of(service)->memory;
}

struct opt_bytes service_memory_reservation(const struct service *service)
{
	return service->mem_reservation.is_set ? service->mem_reservation
					       : reservations_of(service)->memory;
}

struct opt_number service_cpus(const struct service *service)
{
	return service->cpus.is_set ? service->cpus : limits_of(service)->cpus;
}

struct opt_int service_pids_limit(const struct service *service)
{
	return service->pids_limit.is_set ? service->pids_limit : limits_of(service)->pids;
}

int64_t service_stop_grace_us(const struct service *service)
{
	return service->stop_grace_period.is_set ? service->stop_grace_period.us : STOP_GRACE_US;
}
