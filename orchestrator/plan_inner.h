/* orchestrator/plan_inner - what the files of plan share: the planner while it works. For plan*.c
 * alone. Pure.
 */
#pragma once
#include <stdbool.h>
#include <stddef.h>

#include "orchestrator/plan.h"

#define PLAN_REPLICAS_MAX 10000

struct planner {
	struct arena *arena;
	const struct project *project;
	const struct plan_wanted *wanted;
	const struct seen *seen;
	const struct plan_options *options;
	bool *selected; /* by service: in the closure of what was named */
	bool *named;    /* by service: named itself (or nothing was) */
	bool *restarts; /* by service: depends on a recreated one with restart: true */
	struct plan *plan;
};

/* ---- plan_actions: single actions, look-ups ---- */

/* Index in project->services, or NO_ACTION. */
size_t planner_service_at(const struct project *project, const char *name);
/* Named by the options, or nothing was. */
bool planner_is_named(const struct planner *p, const char *service);
/* A service of the file, active or set aside. */
bool planner_is_known(const struct project *project, const char *service);
/* NULL and "" are the same. */
bool planner_same_text(const char *a, const char *b);
/* Only what runs is stopped. */
void planner_add_stop(struct planner *p, const struct seen_container *seen, const char *reason,
		      bool replaces);
void planner_add_remove(struct planner *p, const struct seen_container *seen, const char *reason,
			bool replaces);
/* container NULL: the one that this plan creates. */
void planner_add_start(struct planner *p, const struct service *service, unsigned slot,
		       const char *container, const char *reason);
void planner_note_kept(struct planner *p, const struct seen_container *seen);

/* A volume of that real name is on this machine. */
bool planner_has_volume(const struct planner *p, const char *name);

/* ---- plan_service: the containers of one service ---- */

/* --scale, else the file's. */
unsigned planner_replicas(const struct planner *p, const struct service *service);
/* Fills restarts: who depends on a recreated service in a way that asks for it. */
void planner_mark_restarts(struct planner *p);
/* A new container; from: the slot that it follows start-first, or 0. With `up` it is started, too.
 */
void planner_add_create(struct planner *p, const struct service *service, unsigned slot,
			bool replaces, unsigned from, const char *reason);
/* One container that stays; restart: a service below it is recreated. */
void planner_plan_kept(struct planner *p, const struct service *service,
		       const struct seen_container *seen, bool restart);
/* Keeps, recreates, creates and removes until the service has its replicas. ERR_INVALID for a scale
 * that cannot be. */
int planner_plan_service(struct planner *p, size_t at, struct err *err);

/* ---- plan_ops: operations on what exists ---- */

/* The actions of each operation for the selected services; those of the file or those found. */
int planner_start(struct planner *p, struct err *err);
void planner_restart(struct planner *p);
void planner_stop(struct planner *p);
void planner_remove(struct planner *p);
void planner_down(struct planner *p);
