/* images/config - the image config: parsed, and merged with a service's wishes.
 *
 * Pure: bytes in, values out, all in the caller's arena. Thread-safe. Source: OCI image-spec 1.1
 * "Image Configuration"; docker's Healthcheck, Shell and OnBuild beside it. Errors: INVALID naming
 * the field; UNSUPPORTED for another operating system.
 */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/err.h"
#include "images/platform.h"

struct config_list {
	const char **items; /* never NULL when count > 0; every item is NUL-terminated */
	size_t count;
	bool is_set; /* false: absent or null */
};

struct config_history {
	const char *created, *created_by, *author, *comment; /* or NULL */
	bool empty_layer;
};

struct config_healthcheck {
	bool is_set;
	struct config_list test; /* ["NONE"], ["CMD", …] or ["CMD-SHELL", "…"]; empty: inherit */
	uint64_t interval_ns, timeout_ns, start_period_ns, start_interval_ns; /* 0: default */
	unsigned retries;                                                     /* 0: default */
};

struct image_config {
	struct platform platform;
	const char *created, *author; /* or NULL */
	const char **diff_ids;        /* "sha256:…", the bottom first */
	size_t diff_id_count;
	struct config_history *history;
	size_t history_count;

	struct config_list entrypoint, cmd, env, shell, on_build;
	struct config_list volumes;       /* paths */
	struct config_list exposed_ports; /* "80/tcp", "8000-8010/udp"; always with the protocol */
	struct config_list labels;        /* "KEY=VALUE", sorted by key */
	const char *user, *working_dir, *stop_signal; /* "" when absent */
	struct config_healthcheck healthcheck;
	struct config_list warnings; /* what was dropped and why: for one warning each */
};

/* layer_count: what the manifest has; diff_ids of another number are INVALID. SIZE_MAX: do not
 * check. */
int config_parse(struct arena *arena, const char *text, size_t len, size_t layer_count,
		 struct image_config **out, struct err *err);

/* What runs: entrypoint + command. A NULL list means "not set by the service": a set entrypoint
 * drops the image's cmd, too; an empty one keeps it. Nothing left: INVALID "no command given and
 * the image has none". items[count] of *out is NULL, ready for execve. */
int config_argv(struct arena *arena, const struct image_config *config,
		const struct config_list *entrypoint, const struct config_list *command,
		struct config_list *out, struct err *err);

struct config_env_spec {
	const char *const *service; /* "NAME=VALUE" overrides; "NAME" alone removes */
	size_t service_count;
	const char *home, *hostname; /* defaults, NULL: none */
	bool has_tty;                /* TERM=xterm when nobody says otherwise */
};

/* The image's variables (the last of a name wins), PATH, HOSTNAME, HOME and TERM where absent, then
 * the service's. Order: the image's, defaults, the service's new ones. */
void config_environment(struct arena *arena, const struct image_config *config,
			const struct config_env_spec *spec, struct config_list *out);

/* The value of a label, or NULL. */
const char *config_label(const struct image_config *config, const char *key);
/* "/" + working_dir where it is relative, "/" for "". In the arena. */
const char *config_working_dir(struct arena *arena, const struct image_config *config);
