/* orchestrator/build_inner - what the rooms of the build worker share; nobody else includes it.
 *
 *	build          the whole: store, threads, signals
 *	build_job      one Dockerfile: read, checked, its stages in order
 *	build_source   where COPY --from leads
 *	build_base     images that stages begin with or copy from
 *	build_stage    the thread of one stage: instruction after instruction
 *	build_step     RUN, COPY, ADD, WORKDIR: cache asked, else done
 *	build_mount    RUN --mount
 *	build_result   the end: image, tags, outputs
 *	build_share    cache_from, cache_to
 */
#pragma once
#include <pthread.h>
#include <stdbool.h>

#include "images/dockerfile/configure.h"
#include "images/dockerfile/context.h"
#include "images/dockerfile/context_fetch.h"
#include "images/dockerfile/graph.h"
#include "images/dockerfile/image.h"
#include "images/dockerfile/run.h"
#include "images/dockerfile/share.h"
#include "images/steps.h"
#include "orchestrator/build.h"
#include "orchestrator/build_control.h"
#include "orchestrator/build_event.h"
#include "orchestrator/build_net.h"
#include "orchestrator/build_run.h"
#include "orchestrator/build_work.h"

struct build_job;

/* An image of the store that something is made from. */
struct build_image {
	char *ref;      /* as written */
	char *platform; /* "linux/amd64" */
	char id[DIGEST_TEXT_MAX];
	char *manifest_digest, *config;
	size_t config_len;
	char **diff_ids; /* bottom first */
	size_t layer_count;
	struct df_context *context; /* of its layers, once asked for; under image_lock */
};

enum build_stage_end { STAGE_OPEN, STAGE_DONE, STAGE_FAILED };

struct build_stage {
	struct build_job *job;
	const struct df_stage *df;
	const char *title;        /* "web build", "build", "" */
	struct platform platform; /* that it runs on */
	struct df_scope *scope;
	struct df_state state;      /* its image, when DONE: not changed any more */
	struct df_context *context; /* of its layers, for those who copy from it; when DONE */
	size_t number, count;       /* of steps that are told */
	struct df_share_step *steps;
	size_t step_count;
	enum build_stage_end end; /* under the control's lock */
	bool has_thread;
	pthread_t thread;
	struct err err;
};

/* One Dockerfile and its options. */
struct build_job {
	struct build_worker *build;
	const struct build_spec *spec;
	struct arena *arena;
	/* The pure rooms of images/dockerfile share the arena: stages take turns in them. */
	pthread_mutex_t pure;
	struct df_report report;
	size_t warnings_told;
	struct df_source source;
	struct df_file file;
	struct df_inputs inputs;
	struct df_graph graph;
	struct df_context *context;
	struct df_fetched *fetched;
	char *text;
	struct platform platform;   /* of the result */
	struct build_stage *stages; /* by index of the graph */
	struct df_context **named;  /* by spec->contexts, opened when needed; under `pure` */
	struct df_fetched **named_fetched;
	char image_id[DIGEST_TEXT_MAX];
};

struct build_worker {
	const struct build_env *env;
	struct store *store;
	struct lease *lease;
	struct build_work *work;
	struct settings *settings;
	struct build_net *net;
	struct build_control *control;
	struct build_events *events;
	int runtime_fd;
	struct build_runner runner;
	struct build_job *jobs;
	size_t job_count;
	struct build_image **images; /* under image_lock */
	size_t image_count;
	pthread_mutex_t image_lock;
	struct build_shared *shared; /* of build_share */
	_Atomic unsigned run_number;
	pthread_mutex_t error_lock;
	struct err first_error;
	int done_fd; /* eventfd: a stage has ended */
};

/* ---- build_job ---- */
int build_job_read(struct build_job *job, struct err *err);
void build_job_close(struct build_job *job);
/* Warnings that the pure rooms have noted since; `pure` is held, or there is one thread. */
void build_job_tell_warnings(struct build_job *job);
/* A context by its text, as on the command line. *out is the fetched thing's own when *out_fetched
 * is set. */
int build_job_open_context(struct build_job *job, const char *text, struct df_fetched **out_fetched,
			   struct df_context **out, struct err *err);

/* ---- build_source ---- */
/* Where COPY --from, or a mount's from=, leads: a context to copy from. name NULL: the context of
 * the build. Waits for a stage. Errors: as of that stage (CANCELLED: it has been told). */
int build_source_open(struct build_stage *stage, const struct df_instr *instr, const char *from,
		      struct df_context **out, struct err *err);
/* The stage has ended well, or never will. */
int build_source_await(struct build_stage *other, struct err *err);

/* ---- build_base ---- */
/* Every image that the jobs need from outside, pulled in one go. */
int build_bases_fetch(struct build_worker *build, struct err *err);
/* One of them, or fetched now. Borrowed. */
int build_base_get(struct build_worker *build, const char *ref, const struct platform *platform,
		   const struct build_image **out, struct err *err);
/* Its files, to copy from. Borrowed. */
int build_base_context(struct build_worker *build, const char *ref, const struct platform *platform,
		       struct df_context **out, struct err *err);
void build_bases_free(struct build_worker *build);
/* "docker-image://REF": the REF, else NULL. */
const char *build_base_of_context(const char *value);

/* ---- build_stage ---- */
void *build_stage_main(void *stage);
/* Tells the failure once, with the lines of the file; tail: last output, may be NULL. */
void build_stage_failed(struct build_stage *stage, const struct df_instr *instr, unsigned step,
			const struct texts *tail, struct err *err);

/* ---- build_step: 0, or -1 with *err told by build_stage_failed ---- */
int build_step_run(struct build_stage *stage, const struct df_instr *instr);
int build_step_copy(struct build_stage *stage, const struct df_instr *instr);
int build_step_config(struct build_stage *stage, const struct df_instr *instr);

/* ---- build_mount ---- */
struct build_mounts {
	struct arena *arena; /* of the step */
	struct bundle_mount *items;
	bool *is_file;
	size_t count;
	const char **env; /* secrets with env=, SSH_AUTH_SOCK: "NAME=VALUE" */
	size_t env_count;
	const char **points; /* targets, for df_capture */
	size_t point_count;
	struct df_copy **copies; /* by run->mounts: sources of binds, else NULL */
	bool *copies_file;       /* it is one file */
	size_t copy_count;
	struct steps_folder *folders;
	size_t folder_count;
	const char **attached; /* mounts that were made for it */
	size_t attached_count;
};
/* Sources of bind mounts are planned, so that run->mounts[].content is set for the key; what was
 * not given and is required is missed here. */
int build_mounts_plan(struct build_stage *stage, const struct df_instr *instr, struct df_run *run,
		      struct build_mounts *out, struct err *err);
/* What the run needs is made: layers of binds, cache folders, secrets. number: of the run. */
int build_mounts_make(struct build_stage *stage, const struct df_run *run, unsigned number,
		      struct build_mounts *mounts, struct err *err);
/* The run is over: mounts and locks go. */
void build_mounts_end(struct build_mounts *mounts);
void build_mounts_free(struct build_mounts *mounts);

/* ---- build_result ---- */
int build_result_make(struct build_job *job, struct err *err);
/* An OCI layout of one image in a folder, which is made. */
int build_result_layout(struct build_worker *build, const char *id, const char *folder,
			struct err *err);

/* ---- build_share: cache_from, cache_to ---- */
/* cache_from of every job; what is not there or not understood is a warning. */
void build_share_open(struct build_worker *build);
void build_share_close(struct build_worker *build);
/* 1: a shared cache had the step, and its layer is here now. */
int build_share_find(struct build_worker *build, const char *key, struct step *out,
		     struct err *err);
/* Of an image with cache_to type=inline: to be freed; else NULL. */
char *build_share_annotations(struct build_job *job);
int build_share_export(struct build_job *job, struct err *err);
