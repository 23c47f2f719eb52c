/* specs/model - a project as the files describe it: the resolved, wanted state.
 *
 * Plain data, every node and text in the caller's arena (of project_load or model_json_read): freed
 * with it, shared with nobody. Lists of named things are sorted by name. Thread-safe as plain data
 * is; the look-ups allocate nothing and never block. Source: Compose Specification.
 */
#pragma once
#include "base/arena.h"
#include "specs/model_parts.h"

struct service {
	const char *name;
	struct place place; /* of its key in the last file that says it */

	/* what runs */
	const char *image; /* NULL: built, see service_image_name */
	struct build *build;
	const char *platform;
	const char
		*pull_policy; /* always never missing build daily weekly refresh every_DURATION */
	struct opt_time pull_refresh_after;
	struct command_words command;
	struct command_words entrypoint;
	const char *working_dir;
	const char *user; /* "uid|name[:gid|group]" */
	struct texts group_add;
	struct pairs environment; /* env_file is in it */
	struct env_file *env_files;
	size_t env_file_count;
	struct texts label_file;
	struct pairs labels;
	struct pairs annotations;
	const char *container_name, *hostname, *domainname;
	struct opt_bool init;
	bool tty, stdin_open;
	struct opt_bool attach; /* default true */
	const char *stop_signal;
	struct opt_time stop_grace_period; /* default 10 s */
	const char *restart; /* no always unless-stopped on-failure[:N]; see service_restart */
	bool read_only, privileged;
	const char *runtime, *isolation;
	struct credential_spec *credential_spec;
	struct provider *provider;
	struct model_use *models;
	size_t model_count;
	bool use_api_socket;
	struct hook *pre_start;
	size_t pre_start_count;
	struct hook *post_start;
	size_t post_start_count;
	struct hook *pre_stop;
	size_t pre_stop_count;

	/* order and scale */
	struct dependency *depends_on; /* implied ones included */
	size_t depends_on_count;
	struct healthcheck *healthcheck;
	struct texts profiles;
	struct opt_int scale; /* see service_replicas */
	struct texts links, external_links;
	struct deploy *deploy;
	struct develop *develop;
	struct service_stack *stack; /* x-stack */

	/* network */
	struct attachment *networks;
	size_t network_count;
	const char
		*network_mode; /* none host bridge service:X container:X NAME; then no networks */
	struct port *ports;
	size_t port_count;
	struct texts expose;
	struct texts dns, dns_search, dns_opt;
	struct texts extra_hosts; /* "HOST=IP", sorted; IP may be host-gateway */
	const char *mac_address;

	/* storage */
	struct mount *volumes;
	size_t volume_count;
	struct texts volumes_from;
	struct texts tmpfs; /* "PATH[:OPTIONS]" */
	struct pairs storage_opt;
	struct file_use *secrets;
	size_t secret_count;
	struct file_use *configs;
	size_t config_count;

	/* limits and rights */
	struct opt_bytes mem_limit, mem_reservation, memswap_limit;
	struct opt_int mem_swappiness;
	struct opt_number cpus, cpu_shares, cpu_percent;
	struct opt_int cpu_count;
	struct opt_int cpu_quota, cpu_period;         /* us */
	struct opt_int cpu_rt_runtime, cpu_rt_period; /* us */
	const char *cpuset;
	struct opt_int pids_limit;
	struct opt_bytes shm_size;
	struct ulimit *ulimits;
	size_t ulimit_count;
	struct pairs sysctls;
	struct opt_int oom_score_adj;
	bool oom_kill_disable;
	struct blkio *blkio_config;
	struct texts cap_add, cap_drop, security_opt;
	struct device *devices;
	size_t device_count;
	struct texts device_cgroup_rules;
	struct device_request *gpus;
	size_t gpu_count;
	const char *ipc, *pid, *uts, *userns_mode, *cgroup, *cgroup_parent;
	struct logging *logging;

	struct pairs_json extensions;
};

struct ipam_pool {
	const char *subnet, *ip_range, *gateway;
	struct pairs aux_addresses;
	struct pairs_json extensions;
};
struct ipam {
	const char *driver;
	struct ipam_pool *config;
	size_t config_count;
	struct pairs options;
	struct pairs_json extensions;
};
struct network {
	const char *key;
	const char *name; /* the real one: PROJECT_KEY, or what the file says */
	struct place place;
	const char *driver;
	struct pairs driver_opts;
	struct ipam *ipam;
	bool external; /* must exist; never made or removed */
	bool internal, attachable;
	struct pairs labels;
	struct opt_bool enable_ipv4, enable_ipv6;
	struct pairs_json extensions;
};

struct volume {
	const char *key;
	const char *name;
	struct place place;
	const char *driver;
	struct pairs driver_opts;
	bool external;
	struct pairs labels;
	struct pairs_json extensions;
};

/* An entry of project.secrets or .configs. */
struct file_source {
	const char *key;
	const char *name;
	struct place place;
	const char *file; /* absolute */
	const char *environment;
	const char *content; /* configs; those from `environment` have it filled */
	/* Secrets from `environment`: the value in the caller's environment, NULL when unset. Never
	 * printed, never in JSON; travels by model_json_values. */
	const char *value;
	bool external;
	struct pairs labels;
	const char *driver;
	struct pairs driver_opts;
	const char *template_driver;
	struct pairs_json extensions;
};

struct ai_model {
	const char *key;
	const char *name, *model;
	struct opt_int context_size;
	struct texts runtime_flags;
	struct pairs_json extensions;
};

struct project {
	const char *name;
	const char *working_dir; /* the project directory, absolute */
	struct texts files;      /* absolute paths; "-" for standard input */
	struct texts env_files;  /* absolute paths of those that were read */
	struct texts profiles;   /* active ones */

	struct service *services; /* active ones */
	size_t service_count;
	/* Set aside by profiles or selection: known, so that a service can be told from an orphan.
	 */
	struct service *disabled_services;
	size_t disabled_service_count;
	struct network *networks;
	size_t network_count;
	struct volume *volumes;
	size_t volume_count;
	struct file_source *secrets;
	size_t secret_count;
	struct file_source *configs;
	size_t config_count;
	struct ai_model *models;
	size_t model_count;

	struct opt_int history;    /* x-stack */
	struct opt_bool autostart; /* x-stack */
	struct pairs_json extensions;
};

/* NULL when absent. Active services only; project_find_disabled for the others. */
struct service *project_find_service(const struct project *project, const char *name);
struct service *project_find_disabled(const struct project *project, const char *name);
struct network *project_find_network(const struct project *project, const char *key);
struct volume *project_find_volume(const struct project *project, const char *key);
struct file_source *project_find_secret(const struct project *project, const char *key);
struct file_source *project_find_config(const struct project *project, const char *key);

/* Value of a name; NULL when absent or null. */
const char *pairs_get(const struct pairs *pairs, const char *name);
bool texts_has(const struct texts *texts, const char *text);

enum restart_when { RESTART_NO, RESTART_ALWAYS, RESTART_ON_FAILURE, RESTART_UNLESS_STOPPED };
struct restart_rule {
	enum restart_when when;
	uint64_t max_attempts; /* 0: no limit */
	struct opt_time delay; /* deploy.restart_policy */
	struct opt_time window;
};
/* deploy.restart_policy when there is one, else restart; default no. */
struct restart_rule service_restart(const struct service *service);
/* scale, else deploy.replicas, else 1; deploy.mode global: 1. */
uint64_t service_replicas(const struct service *service);
/* image, else PROJECT-SERVICE, in the arena. */
const char *service_image_name(struct arena *arena, const struct project *project,
			       const struct service *service);
/* Limits with their twins below deploy.resources.limits / reservations; not set: 0 with is_set
 * false. */
struct opt_bytes service_memory_limit(const struct service *service);
struct opt_bytes service_memory_reservation(const struct service *service);
struct opt_number service_cpus(const struct service *service);
struct opt_int service_pids_limit(const struct service *service);
int64_t service_stop_grace_us(const struct service *service); /* default 10 s */
