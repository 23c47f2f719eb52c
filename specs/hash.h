/* specs/hash - the configuration hash of a service: same text on every machine for the same
 * configuration.
 *
 * SHA-256 over the service's canonical JSON (keys sorted) without build, pull_policy, scale,
 * deploy.replicas, depends_on, profiles, develop, attach. Key order and file layout do not matter;
 * absolute paths of binds do. Thread-safe; never blocks.
 */
#pragma once
#include "specs/model.h"

#define SERVICE_HASH_LEN 64
/* Lower-case hex and a NUL in out. */
void service_hash(const struct service *service, char out[SERVICE_HASH_LEN + 1]);
/* As above, without what can be changed while a container runs: restart, stop_signal,
 * stop_grace_period, pre_stop, mem_limit, cpus, cpu_quota, cpu_period, cpu_shares, pids_limit,
 * deploy's policies and limits, x-stack.on_unhealthy, x-stack.idle. */
void service_fixed_hash(const struct service *service, char out[SERVICE_HASH_LEN + 1]);
