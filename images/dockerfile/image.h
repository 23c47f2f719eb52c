/* images/dockerfile/image - the image that a stage is becoming: config, history, layers.
 *
 * Begins as scratch, as the config of a base image, or as a copy of another stage; instructions
 * change it (images/dockerfile/configure), steps add history and layers, the end is an image of the
 * store. Keys of a base config that are not ours stay as they are. Source: OCI image-spec 1.1,
 * "Image Configuration"; docker's Healthcheck, Shell, OnBuild. One thread at a time; only
 * df_image_commit blocks (disk).
 */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/cleanup.h"
#include "base/err.h"
#include "images/platform.h"
#include "images/store.h"

struct df_image;

/* Never NULL. */
struct df_image *df_image_scratch(const struct platform *platform);
/* From a config's JSON (snapshot->config). INVALID when it is none. */
struct df_image *df_image_parse(const char *config, size_t len, struct err *err);
/* For FROM another stage: all but what that stage said of itself (a CMD that was set there counts
 * as inherited). Its ONBUILD triggers are taken out and returned by df_image_take_triggers. */
struct df_image *df_image_copy(const struct df_image *base);
void df_image_free(struct df_image *image);
AUTO_TYPE(df_image, df_image_free);

/* ---- what it says now; texts are the image's until it changes ---- */
const char *df_image_user(const struct df_image *image);        /* "" when unset */
const char *df_image_working_dir(const struct df_image *image); /* "/" when unset */
const struct platform *df_image_platform(const struct df_image *image);
/* Each calls once an item, in order. */
void df_image_each_env(const struct df_image *image,
		       void (*each)(void *ctx, const char *name, const char *value), void *ctx);
/* SHELL, or the default ["/bin/sh","-c"]; *out_count items. */
const char *const *df_image_shell(const struct df_image *image, size_t *out_count);
/* diff-ids, the bottom first. */
const char *const *df_image_layers(const struct df_image *image, size_t *out_count);
/* The ONBUILD texts of the base image, taken out of it; to be freed with df_image_free's image
 * (borrowed). To be lexed and parsed with DF_PARSE_TRIGGERS and run first. */
const char *const *df_image_take_triggers(struct df_image *image, size_t *out_count);
/* The time of the last history entry; 0 when there is none. */
uint64_t df_image_created(const struct df_image *image);

/* ---- changes: called by configure, open to tests and to --label ---- */
void df_image_set_env(struct df_image *image, const char *name, const char *value);
void df_image_set_label(struct df_image *image, const char *name, const char *value);

/* ---- history ---- */
struct df_image_step {
	const char *created_by;   /* "RUN /bin/sh -c make" */
	const char *diff_id;      /* NULL or "": no layer */
	uint64_t created_unix_ns; /* 0: as the entry before (so a cached build gives the same image)
				   */
};
/* ARG and the like with secrets have no business in created_by; configure's and run's texts are
 * right. */
void df_image_add_step(struct df_image *image, const struct df_image_step *step);

/* ---- the end ---- */
struct df_image_commit {
	const char *const *names; /* canonical references; may be none */
	size_t name_count;
	uint64_t created_unix_ns; /* SOURCE_DATE_EPOCH: the image and all its history; 0: the steps'
				   */
	const char *author;       /* NULL: MAINTAINER's, or none */
	const char
		*annotations; /* JSON object for the manifest, or NULL (cache_export makes one) */
};
/* The config's exact JSON, to be freed. */
char *df_image_json(const struct df_image *image, const struct df_image_commit *commit);
/* Config and manifest into the store, then the names. An image that is there already is only
 * named (nothing is written, nothing synced). out_id is the image's id. Crash points of
 * store_commit_image. */
int df_image_commit(struct df_image *image, struct lease *lease,
		    const struct df_image_commit *commit, char out_id[DIGEST_TEXT_MAX],
		    struct err *err);
