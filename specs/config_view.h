/* specs/config_view - everything that `stack config` prints, as text.
 *
 *	struct config_options view = { .what = CONFIG_IMAGES };
 *	load.flags |= config_load_flags(&view);
 *	project_load(arena, &load, &result);           errors and warnings: problem_text
 *	config_view(arena, &result, &view, &text, &err); then write text as it is
 *
 * Never blocks, prints nothing; text lives in the arena.
 */
#pragma once
#include "base/err.h"
#include "specs/load.h"

enum config_what {
	CONFIG_MODEL,       /* the resolved model, yaml or json */
	CONFIG_SERVICES,    /* --services: names, one a line */
	CONFIG_VOLUMES,     /* --volumes: keys */
	CONFIG_NETWORKS,    /* --networks: keys */
	CONFIG_MODELS,      /* --models: keys */
	CONFIG_IMAGES,      /* --images */
	CONFIG_PROFILES,    /* --profiles, inactive services included */
	CONFIG_ENVIRONMENT, /* --environment: the project environment, NAME=VALUE */
	CONFIG_VARIABLES,   /* --variables: a table, or a map with format json */
	CONFIG_HASH,        /* --hash: SERVICE HASH */
	CONFIG_EXPLAIN,     /* --explain: every value with the file and line it came from */
	CONFIG_QUIET,       /* -q: nothing */
};

struct config_options {
	enum config_what what;
	const char *format;        /* NULL or "yaml", "json" */
	const char *hash_services; /* CONFIG_HASH: "a,b" or "*" */
	/* --resolve-image-digests, --lock-image-digests: the image as the files say it -> the same
	 * with
	 * @digest, asked of the registry by the caller. An image that is not here stays. */
	struct pairs digests;
	bool lock_only; /* --lock-image-digests: print only services.*.image */
};

/* Flags that the load needs for this view. */
unsigned config_load_flags(const struct config_options *options);
/* Errors: ERR_INVALID for an unknown format, ERR_NOT_FOUND for a service of --hash that is not
 * there. */
int config_view(struct arena *arena, const struct load_result *result,
		const struct config_options *options, const char **out_text, struct err *err);
