/* orchestrator/plan - what must be done so that the machine is as the file says: a pure function.
 *
 * project (wanted) + seen (records and kernel) + options -> actions with reasons and edges. Reads
 * no clock, no disk, no environment; everything that it returns lives in the arena. Source: DESIGN
 * §4; docker compose's rules for recreate, orphans, scale, depends_on.
 */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/err.h"
#include "specs/model.h"

enum plan_op {
	PLAN_UP,     /* create, recreate, start */
	PLAN_CREATE, /* create and recreate; what must be recreated ends as created */
	PLAN_START,  /* existing containers, dependencies first */
	PLAN_STOP,
	PLAN_RESTART,
	PLAN_REMOVE,  /* rm: stopped ones; with PLAN_STOP_FIRST running ones, too */
	PLAN_NOTHING, /* `run` of a service without dependencies */
	PLAN_DOWN,    /* stop and remove containers, networks; volumes with PLAN_VOLUMES */
	PLAN_OP_COUNT
};

#define PLAN_FORCE_RECREATE  1u
#define PLAN_NO_RECREATE     2u
#define PLAN_NO_DEPS         4u
#define PLAN_RECREATE_DEPS   8u
#define PLAN_RENEW_ANONYMOUS 16u
#define PLAN_REMOVE_ORPHANS  32u
#define PLAN_VOLUMES         64u
#define PLAN_STOP_FIRST      128u
#define PLAN_ROLLBACK        512u /* deploy.rollback_config instead of update_config */
#define PLAN_ONLY_NAMED      256u /* the named services alone, their conditions still hold */

struct plan_scale {
	const char *service;
	unsigned count;
};

struct plan_options {
	enum plan_op op;
	unsigned flags;
	const char *const *services; /* named ones; none: all */
	size_t service_count;
	const struct plan_scale *scale;
	size_t scale_count;
	/* IDs: of the services' containers only these, one-offs too; none: all. For start, restart,
	 * stop and rm. */
	const char *const *containers;
	size_t container_count;
};

/* What a service would be made of now; one for each project->services[i], same order. */
struct plan_wanted {
	const char *config_hash;
	const char *fixed_hash; /* of the keys that cannot be changed in place */
	const char *image_id;   /* NULL: not on this machine (pulled or built first) */
	const char *contents;   /* digest of its configs' and secrets' contents; NULL: none */
};

enum seen_state { SEEN_BROKEN, SEEN_CREATED, SEEN_RUNNING, SEEN_RESTARTING, SEEN_EXITED };

struct seen_container {
	const char *id, *name, *service;
	unsigned slot;
	bool oneoff;
	const char *config_hash, *fixed_hash, *image_id, *contents;
	bool unsettled; /* a start-first newcomer that has not taken over */
	enum seen_state state;
};

struct seen_network {
	const char *name; /* the real one */
	bool changed;     /* the file describes it otherwise now */
};

struct seen {
	const struct seen_container *containers; /* by service and slot */
	size_t container_count;
	const struct seen_network *networks; /* the project's own */
	size_t network_count;
	const char *const *volumes; /* names of all volumes of this machine */
	size_t volume_count;
	const struct project *before; /* the model as last applied, for reasons; NULL: none */
};

enum action_kind {
	ACTION_CREATE_NETWORK,
	ACTION_CREATE_VOLUME,
	ACTION_CREATE,
	ACTION_START,
	ACTION_UPDATE, /* policy and limits of a container that stays */
	ACTION_SETTLE, /* an updated replica proves itself; start-first: takes over the ports */
	ACTION_STOP,
	ACTION_REMOVE,
	ACTION_REMOVE_NETWORK,
	ACTION_REMOVE_VOLUME,
	ACTION_KIND_COUNT
};

/* A condition of depends_on that must hold before a START goes. */
struct plan_wait {
	const char *service;
	const char *condition; /* service_started service_healthy service_completed_successfully */
	bool required;
};

#define NO_ACTION SIZE_MAX

struct action {
	enum action_kind kind;
	const char *service; /* of a container's action */
	unsigned slot;
	const char *name;      /* container, network (key), volume (key) */
	const char *container; /* ID of the existing container; NULL: a new one */
	bool replaces;         /* this is half of a recreate */
	bool late;             /* a stop of a rolling update: holds no other stop back */
	unsigned from; /* CREATE, SETTLE: slot of the one that it follows start-first; 0: none */
	const struct update_config *gate; /* SETTLE: what proving itself means */
	const char *reason;               /* in words: "environment: +DEBUG" */
	size_t *after;                    /* actions that must be over */
	size_t after_count;
	const struct plan_wait *waits;
	size_t wait_count;
};

struct plan {
	struct action *actions;
	size_t count;
	const char **orphans; /* names of containers whose service the file does not know */
	size_t orphan_count;
	const char **kept; /* names of containers that stay as they are, and run */
	size_t kept_count;
};

/* 0, or -1: ERR_NOT_FOUND "no such service: X", ERR_INVALID for a scale that cannot be. */
int plan_make(struct arena *arena, const struct project *project, const struct plan_wanted *wanted,
	      const struct seen *seen, const struct plan_options *options, struct plan *out,
	      struct err *err);

/* The services that the options name, with what they depend on unless PLAN_NO_DEPS, as flags by
 * index of project->services (arena). Same errors as plan_make. */
int plan_select(struct arena *arena, const struct project *project,
		const struct plan_options *options, bool **out_selected, struct err *err);

/* PROJECT-SERVICE-N, or container_name. */
const char *plan_container_name(struct arena *arena, const struct project *project,
				const struct service *service, unsigned slot);
const char *action_kind_name(enum action_kind kind); /* "create-network", "start" ... */
