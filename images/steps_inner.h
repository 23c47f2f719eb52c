/* images/steps_inner - the folders of the build cache. For images/steps* and images/gc only. */
#pragma once
#include "images/gc.h"
#include "images/steps.h"
#include "images/store_internal.h"

#define STEPS_FOLDER     "build" /* beside images/ */
#define STEPS_RECORDS    "steps"
#define STEPS_NOTES      "trees"
#define STEPS_LOCKS      "locks"
#define STEPS_CACHES     "cache"
#define STEPS_SUFFIX     ".json"
#define STEPS_VERSION    1
#define STEPS_RECORD_MAX 65536u
#define STEPS_NAME_MAX   (STEPS_KEY_LEN + sizeof(STEPS_SUFFIX))

bool steps_key_is_valid(const char *key);
/* The folder ROOT/build/NAME, made when absent. */
int steps_open(struct store *store, const char *name, struct err *err);
/* One record by its file's name; used_unix_ns is the file's mtime. INVALID for what is none. */
int steps_read(int dir_fd, const char *name, struct step *out, struct err *err);

/* The layers that records keep, for gc. */
int steps_mark(struct store *store, struct digest_set *set, struct err *err);
