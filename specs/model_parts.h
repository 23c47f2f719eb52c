/* specs/model_parts - what a service is made of, one struct for each object of the specification.
 *
 * Field names are the keys of the specification. Texts that name a choice stay texts, checked while
 * loading: the values are listed beside the field. Source: Compose Specification, services.
 */
#pragma once
#include "specs/model_values.h"

/* env_file and label_file entries. Loaded services carry their effect in environment and labels;
 * the entries stay only with LOAD_NO_ENV_FILES. */
struct env_file {
	const char *path;
	struct opt_bool required; /* default true */
	const char *format;       /* NULL or "raw" */
};

struct dependency {
	const char *service;
	const char *condition; /* service_started service_healthy service_completed_successfully */
	bool restart;
	bool required;
	struct pairs_json extensions;
};

/* A probe from outside the container (x-stack); exactly one of the kinds is set, others are 0/NULL.
 */
struct probe {
	unsigned tcp_port;
	unsigned listen_port;
	unsigned http_port;
	const char *http_path;                     /* "/..." with http_port */
	unsigned http_status_min, http_status_max; /* 200 and 399 by default */
	const char *log;                           /* extended regular expression; ready only */
	struct opt_time timeout; /* ready only: then the start has failed; default 60 s */
};

struct healthcheck {
	struct command_words test; /* first word NONE, CMD or CMD-SHELL */
	struct opt_time timeout;
	struct opt_time interval;
	struct opt_int retries;
	struct opt_time start_period;
	struct opt_time start_interval;
	bool disable;
	struct probe *probe; /* x-stack */
	struct pairs_json extensions;
};

/* service.x-stack */
struct service_stack {
	struct probe *ready;
	const char *on_unhealthy; /* restart stop ignore; NULL: ignore */
	const char *schedule;     /* five fields, or @every D, @daily ... */
	const char *overlap;      /* skip queue kill; NULL: skip */
	const char *expose;       /* host-firewall public; NULL: public */
	struct opt_time idle_after;
};

struct port {
	const char *name;
	const char *mode; /* ingress host */
	const char *host_ip;
	unsigned target;
	const char *published; /* "8080", a range "7000-7005" to choose from, or NULL: engine's
				  choice */
	const char *protocol;  /* tcp udp sctp */
	const char *app_protocol;
	struct pairs_json extensions;
};

struct mount_bind {
	const char *selinux;     /* z Z */
	const char *propagation; /* rprivate private rshared shared rslave slave */
	bool create_host_path;
	const char *recursive; /* enabled disabled writable readonly */
	struct pairs_json extensions;
};
struct mount_volume {
	struct pairs labels;
	bool nocopy;
	const char *subpath;
	struct pairs_json extensions;
};
struct mount_tmpfs {
	struct opt_bytes size;
	struct opt_int mode; /* by value: 01777 */
	struct pairs_json extensions;
};
struct mount_image {
	const char *subpath;
	struct pairs_json extensions;
};
struct mount {
	const char *type; /* bind volume tmpfs image npipe cluster */
	const char
		*source; /* bind: absolute path; volume: key in project.volumes, NULL: anonymous */
	const char *target; /* absolute, clean */
	bool read_only;
	const char *consistency;
	struct mount_bind *bind;
	struct mount_volume *volume;
	struct mount_tmpfs *tmpfs;
	struct mount_image *image;
	const char *idmap; /* x-stack: "caller" or "UID:GID" */
	struct pairs_json extensions;
};

/* An entry of service.secrets and .configs. */
struct file_use {
	const char *source; /* key in project.secrets or .configs */
	const char *target; /* secrets: NULL or relative = below /run/secrets; configs: NULL =
			       /SOURCE */
	const char *uid, *gid;
	struct opt_int mode; /* default 0444 */
	struct pairs_json extensions;
};

/* An entry of service.networks. */
struct attachment {
	const char *network; /* key in project.networks */
	bool is_null;        /* `NETWORK:` without a value */
	struct texts aliases;
	struct opt_number priority;
	struct opt_number gw_priority;
	const char *ipv4_address, *ipv6_address, *mac_address, *interface_name;
	struct texts link_local_ips;
	struct pairs driver_opts;
	struct pairs_json extensions;
};

struct ulimit {
	const char *name;          /* "nofile" */
	struct opt_int both;       /* the short form; then soft and hard hold the same */
	struct opt_int soft, hard; /* -1 unlimited */
	struct pairs_json extensions;
};

struct device {
	const char *source;
	const char *target;      /* NULL for a CDI name */
	const char *permissions; /* "rwm" */
	struct pairs_json extensions;
};

/* gpus and deploy.resources.reservations.devices. */
struct device_request {
	struct texts capabilities;
	struct opt_int count; /* -1 all */
	struct texts device_ids;
	const char *driver;
	struct pairs options;
	struct pairs_json extensions;
};

struct blkio_weight {
	const char *path;
	struct opt_int weight;
	struct pairs_json extensions;
};
struct blkio_rate {
	const char *path;
	struct opt_bytes rate; /* bytes or operations a second */
	struct pairs_json extensions;
};
struct blkio {
	struct opt_int weight;
	struct blkio_weight *weight_device;
	size_t weight_device_count;
	struct blkio_rate *device_read_bps;
	size_t device_read_bps_count;
	struct blkio_rate *device_read_iops;
	size_t device_read_iops_count;
	struct blkio_rate *device_write_bps;
	size_t device_write_bps_count;
	struct blkio_rate *device_write_iops;
	size_t device_write_iops_count;
	struct pairs_json extensions;
};

struct logging {
	const char *driver;
	struct pairs options;
	struct pairs_json extensions;
};

struct credential_spec {
	const char *config, *file, *registry;
	struct pairs_json extensions;
};

/* post_start, pre_stop, pre_start, develop.watch[].exec */
struct hook {
	struct command_words command;
	const char *user;
	bool privileged;
	const char *working_dir;
	struct pairs environment;
	const char *image; /* pre_start only */
	bool per_replica;  /* pre_start only */
	struct pairs_json extensions;
};

struct provider_option {
	const char *name;
	struct texts values;
};
struct provider {
	const char *type;
	struct provider_option *options;
	size_t option_count;
	struct pairs_json extensions;
};

struct model_use {
	const char *model;
	bool is_null;
	const char *endpoint_var, *model_var;
	struct pairs_json extensions;
};

struct generic_resource_spec {
	const char *kind;
	struct opt_number value;
	struct pairs_json extensions;
};
struct generic_resource {
	struct generic_resource_spec *discrete_resource_spec;
	struct pairs_json extensions;
};
struct resource_limits {
	struct opt_number cpus;
	struct opt_bytes memory;
	struct opt_int pids;
	struct device_request *devices; /* reservations only, as generic_resources */
	size_t device_count;
	struct generic_resource *generic_resources;
	size_t generic_resource_count;
	struct pairs_json extensions;
};
struct resources {
	struct resource_limits *limits;
	struct resource_limits *reservations;
	struct pairs_json extensions;
};
struct deploy_restart {
	const char *condition; /* none on-failure any; NULL: any */
	struct opt_time delay;
	struct opt_int max_attempts;
	struct opt_time window;
	struct pairs_json extensions;
};
struct update_config {
	struct opt_int parallelism;
	struct opt_time delay;
	const char *failure_action; /* continue pause rollback */
	struct opt_time monitor;
	struct opt_number max_failure_ratio;
	const char *order; /* start-first stop-first */
	struct pairs_json extensions;
};
struct preference {
	const char *spread;
	struct pairs_json extensions;
};
struct placement {
	struct texts constraints;
	struct preference *preferences;
	size_t preference_count;
	struct opt_int max_replicas_per_node;
	struct pairs_json extensions;
};
struct deploy {
	const char *mode; /* replicated global replicated-job global-job */
	struct opt_int replicas;
	struct pairs labels;
	struct update_config *update_config;
	struct update_config *rollback_config;
	struct resources *resources;
	struct deploy_restart *restart_policy;
	struct placement *placement;
	const char *endpoint_mode; /* vip dnsrr */
	struct pairs_json extensions;
};

struct build {
	const char *context; /* absolute folder, or a URL */
	const char *dockerfile;
	const char *dockerfile_inline;
	struct texts entitlements;
	struct pairs args; /* resolved; value NULL only with LOAD_NO_NORMALIZE */
	const char *provenance, *sbom;
	struct pairs ssh; /* "default" NULL, or id -> path */
	struct pairs labels;
	struct texts cache_from, cache_to;
	bool no_cache;
	struct texts no_cache_filter;
	struct pairs additional_contexts;
	bool pull;
	struct texts extra_hosts; /* "HOST=IP" */
	const char *isolation, *network, *target;
	struct file_use *secrets;
	size_t secret_count;
	struct opt_bytes shm_size;
	struct texts tags;
	struct ulimit *ulimits;
	size_t ulimit_count;
	struct texts platforms;
	bool privileged;
	struct pairs_json extensions;
};

struct watch_rule {
	const char *path;   /* absolute */
	const char *action; /* rebuild sync restart sync+restart sync+exec */
	const char *target;
	struct hook *exec;
	struct texts include, ignore;
	bool initial_sync;
	struct pairs_json extensions;
};
struct develop {
	struct watch_rule *watch;
	size_t watch_count;
	struct pairs_json extensions;
};
