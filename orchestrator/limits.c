/* orchestrator/limits - limits of a running container, changed in place.
 *
 * Owns: how a service's limits become flags. May not touch: cgroups (the runtime).
 */
#include "orchestrator/limits.h"

#include <string.h>

#include "base/alloc.h"
#include "base/cleanup.h"
#include "orchestrator/spawn.h"

#define CPU_PERIOD_US  100000
#define SHARES_DEFAULT 1024
#define WORDS_MAX      16

const char *const *limits_flags(struct arena *arena, const struct service *service)
{
	const char **words = arena_alloc(arena, WORDS_MAX * sizeof(*words));
	struct opt_bytes memory = service_memory_limit(service);
	struct opt_number cpus = service_cpus(service);
	struct opt_int pids = service_pids_limit(service);
	int64_t quota = cpus.is_set && cpus.value > 0 ? (int64_t)(cpus.value * CPU_PERIOD_US) : -1;
	int64_t period = service->cpu_period.is_set ? service->cpu_period.value : CPU_PERIOD_US;
	size_t n = 0;

	if (service->cpu_quota.is_set)
		quota = service->cpu_quota.value;
	words[n++] = arena_format(arena, "--memory=%lld",
				  memory.is_set && memory.bytes > 0 ? (long long)memory.bytes : -1);
	if (service->memswap_limit.is_set && service->memswap_limit.bytes)
		words[n++] = arena_format(arena, "--memory-swap=%lld",
					  (long long)service->memswap_limit.bytes);
	words[n++] = arena_format(arena, "--cpu-period=%lld", (long long)period);
	words[n++] = arena_format(arena, "--cpu-quota=%lld", (long long)quota);
	words[n++] = arena_format(arena, "--cpu-share=%lld",
				  service->cpu_shares.is_set ? (long long)service->cpu_shares.value
							     : SHARES_DEFAULT);
	words[n++] =
		arena_format(arena, "--pids-limit=%lld",
			     pids.is_set && pids.value ? (long long)pids.value : (long long)-1);
	words[n] = NULL;
	return words;
}

int limits_apply(const struct supervisor *sv, const char *container_id,
		 const struct service *service, struct err *err)
{
	struct arena *arena = arena_new();
	AUTO(free) char *root = xformat("%s/containers", sv->roots->run);
	const char *const *flags = limits_flags(arena, service);
	const char *argv[WORDS_MAX + 6] = { "stack-runtime", "--root", root, "update" };
	struct spawn_result result;
	size_t n = 4;
	int status;

	while (*flags)
		argv[n++] = *flags++;
	argv[n++] = container_id;
	argv[n] = NULL;
	status = spawn_and_wait(sv->runtime_fd, argv, sv->log_fd, &result, err);
	arena_free(arena);
	if (status < 0)
		return -1;
	result.output[strcspn(result.output, "\n")] = '\0';
	return result.status ? err_set(err, ERR_SYSTEM, "change limits: %s", result.output) : 0;
}
