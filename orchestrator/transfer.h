/* orchestrator/transfer - images to and from registries: pull, push, login, logout.
 *
 * Each function is a whole command: it runs a loop of its own, with the blocking parts in the pool,
 *and returns when all is over. For processes of their own (the pull worker, a CLI command), never
 *for the supervisor: the pool's size, random numbers and SIGPIPE are set for the process.
 *
 * A worker is `stack image pull --progress json REF...`: transfer_pull with transfer_progress_json.
 *Its lines on stdout, one JSON object each:
 *	{"image":REF,"layer":"sha256:…","status":"waiting|downloading|extracting|done|exists",
 *	 "current":N,"total":N}               bytes as they travel
 *	{"image":REF,"status":"waiting for another pull"}      and other words, without a layer
 *	{"image":REF,"id":"sha256:…","digest":"sha256:…","name":CANONICAL,"status":"pulled|exists"}
 *	{"image":REF,"error":TEXT,"code":"not-found"}
 * "image" is the text that was asked for. The last two end an image; the exit status is 0 when
 *every image came to its end well.
 */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "base/err.h"
#include "images/store.h"

/* Opens the image store of a state root with what config.json's object "images" says: snapshotter
 * (auto, erofs, dir), keep_blobs, durability (full, none), min_free, max_layer. For every command
 * and the supervisor. NULL texts: the environment's roots and settings. Blocks. */
struct store *transfer_store_open(const char *root, const char *runtime_root,
				  const char *config_path, struct err *err);

enum transfer_status {
	TRANSFER_RESOLVING,   /* the manifest is being asked for */
	TRANSFER_WAITING,     /* the layer waits for its turn */
	TRANSFER_LOCKED,      /* another process loads this layer: we wait for it */
	TRANSFER_DOWNLOADING, /* current of total bytes as they travel */
	TRANSFER_EXTRACTING,  /* all bytes are here, the tail is being written */
	TRANSFER_DONE,        /* the layer is in the store, or at the registry */
	TRANSFER_EXISTS,      /* it was there before */
	TRANSFER_UPLOADING,
	TRANSFER_RETRYING,     /* text says why */
	TRANSFER_WARNING,      /* text */
	TRANSFER_RATE,         /* text: how many pulls the registry still allows */
	TRANSFER_IMAGE_DONE,   /* id, digest, name are set; text "pulled", "exists" or "pushed" */
	TRANSFER_IMAGE_FAILED, /* text is the error, code its name */
};

/* One thing that happened. Texts live during the call only; NULL where they do not apply. */
struct transfer_progress {
	enum transfer_status status;
	const char *image;            /* as it was asked for */
	const char *layer;            /* compressed digest */
	unsigned number, layer_count; /* layer 3 of 7; 0 for what is no layer */
	uint64_t current_bytes, total_bytes;
	const char *id, *digest, *name;
	const char *text, *code;
};
typedef void (*transfer_progress_fn)(void *ctx, const struct transfer_progress *progress);

/* Ready-made: a JSON line (above) on the FILE that ctx is; flushed. */
void transfer_progress_json(void *ctx, const struct transfer_progress *progress);
/* Back from such a line: texts are borrowed from it, absent ones NULL. An unknown status counts as
 * RESOLVING. */
struct json_object;
void transfer_progress_read(struct json_object *line, struct transfer_progress *out);
/* The word of a status ("downloading"). Never NULL. */
const char *transfer_status_name(enum transfer_status status);

enum transfer_policy {
	TRANSFER_ALWAYS,  /* ask the registry; an unchanged digest costs one request */
	TRANSFER_MISSING, /* only what the store does not have */
	TRANSFER_AGED,    /* what is absent, or was asked for longer ago than max_age_s */
};

#define TRANSFER_CONFINED                                                                          \
	1u /* the process does nothing after this pull: it gives up its rights                     \
	    */

struct transfer_options {
	const char *root, *runtime_root, *config_path; /* NULL: environment, then defaults */
	const char *platform; /* NULL: STACK_DEFAULT_PLATFORM or the host */
	enum transfer_policy policy;
	uint64_t max_age_s;
	size_t images_max; /* pulled at once; 0: no limit */
	unsigned flags;
	transfer_progress_fn progress; /* may be NULL */
	void *progress_ctx;
};

/* A word of pull_policy or --pull that means a pull: "always", "missing", "if_not_present",
 * "daily", "weekly", "every_12h". ERR_INVALID for others ("never" and "build" are the caller's). */
int transfer_policy_parse(const char *word, enum transfer_policy *out_policy,
			  uint64_t *out_max_age_s, struct err *err);

/* What a service of a stack file says: its pull_policy, where "refresh", and none at all beside
 * pull_refresh_after, become "every_TIME" (refresh without a time: "always"). NULL: nothing. */
struct arena;
struct service;
const char *transfer_policy_of(struct arena *arena, const struct service *service);

/* Whether an image that is here must be asked for again: always, or, for TRANSFER_AGED, when it was
 * last asked for too long ago. ref: as in a stack file. */
bool transfer_policy_is_due(struct store *store, const char *ref, enum transfer_policy policy,
			    uint64_t max_age_s);

/* Whether an image of the store is for that platform ("linux/arm64"); NULL, and an image that says
 * nothing of itself: yes. */
bool transfer_platform_fits(struct store *store, const char *id, const char *platform);

/* What transfer_pull does with TRANSFER_CONFINED, once the store is open and while the process has
 * one thread: no new privileges, of root's capabilities only those that unpacking needs, and (where
 * the kernel has landlock) nothing written outside the folders and no program run. count 0: files
 * stay as they are. There is no way back. */
int transfer_drop_rights(const char *const *folders, size_t count, struct err *err);

/* Pulls all of them at once; equal references and equal layers once. Returns 0, or -1 with *err the
 * first failure ("image nginx:1.99: not found in …"), the others having been told through progress.
 * What could be pulled is there even then. */
int transfer_pull(const char *const *refs, size_t ref_count, const struct transfer_options *options,
		  struct err *err);

struct transfer_push_options {
	const char *compression; /* for layers that the store keeps as tar alone: "gzip" (NULL),
				    "zstd" */
	const char *target;      /* push under this name instead of the image's own; NULL: ref */
};
/* Pushes the image that ref names locally to the registry that its name names. Blobs that are there
 * are skipped or mounted from other repositories of that host. Errors: as for pull; NOT_FOUND when
 * no such image is here. */
int transfer_push(const char *ref, const struct transfer_push_options *push,
		  const struct transfer_options *options, struct err *err);

/* Proves the pair at the registry ("docker.io" for NULL), then keeps it (helper or file).
 * *out_where says where, to be freed. ERR_DENIED "registry …: wrong user name or password"; nothing
 * is kept then. */
int transfer_login(const char *registry, const char *user, const char *secret,
		   const struct transfer_options *options, char **out_where, struct err *err);
/* *out_had: there was something to forget. */
int transfer_logout(const char *registry, bool *out_had, struct err *err);
