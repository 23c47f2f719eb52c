/* orchestrator/build - Dockerfiles to images: the build worker.
 *
 * One call builds any number of images: their stages run as one graph, each stage in a thread of
 * its own that waits for the stages it uses, so many steps at once as `jobs` says. RUN goes through
 * stack-runtime with the rights of normal containers, on an overlay over the store's layers.
 * Everything that is under way stands in one folder with a lock (build_work): what a killed builder
 * leaves is cleared by the next one.
 *
 * For a process of its own, made for it, with one thread: it leaves the mount namespace, pulls
 * (orchestrator/transfer), takes the signals. What happens is told as events (build_event).
 */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "images/dockerfile/scope.h"
#include "orchestrator/roots.h"
#include "specs/model.h"

struct build_secret {
	const char *id;
	const char *file;  /* absolute; NULL: value counts */
	const char *value; /* len bytes */
	size_t len;
};

struct build_ssh {
	const char *id;     /* "default" */
	const char *socket; /* of the agent */
};

/* --build-context NAME=VALUE, additional_contexts */
struct build_context {
	const char *name;
	const char
		*value; /* folder (absolute), docker-image://REF, service:NAME, git or http URL */
};

struct build_output {
	const char *type; /* "image", "local", "tar", "oci", "docker" */
	const char *dest; /* absolute; "-": out_fd of the environment */
};

#define BUILD_NO_CACHE          1u
#define BUILD_PULL              2u  /* ask registries for newer base images */
#define BUILD_CHECK             4u  /* read, resolve names, tell warnings, build nothing */
#define BUILD_ALLOW_HOST_NET    8u  /* --allow network.host */
#define BUILD_ALLOW_INSECURE    16u /* --allow security.insecure */
#define BUILD_PRIVILEGED        32u /* every RUN has all rights */
#define BUILD_REWRITE_TIMESTAMP 64u

/* One image that is wanted. All borrowed for the call. */
struct build_spec {
	const char *name;    /* of the service; "" or NULL: none. For messages, and service:NAME */
	const char *context; /* absolute folder, "-", git or http URL */
	const char *dockerfile; /* NULL: the default names; else below the context, or absolute */
	const char *inline_text;
	const char *target;
	const char *platform; /* NULL: the host's */
	const struct df_build_arg *args;
	size_t arg_count;
	struct pairs labels;
	struct texts tags; /* references; none: an image without a name */
	struct texts cache_from, cache_to;
	struct texts no_cache_filter; /* stages */
	const struct build_context *contexts;
	size_t context_count;
	const struct build_secret *secrets;
	size_t secret_count;
	const struct build_ssh *ssh;
	size_t ssh_count;
	const struct build_output *outputs; /* beside the image in the store */
	size_t output_count;
	const char *network;          /* NULL: "default" */
	const struct service *limits; /* shm_size, ulimits, mem_limit, extra_hosts; or NULL */
	int64_t epoch_s;              /* SOURCE_DATE_EPOCH; -1: none */
	unsigned flags;               /* BUILD_* */
};

struct build_env {
	const struct roots *roots;
	const char *config_path; /* NULL: the default */
	const char *runtime;     /* path of stack-runtime */
	int event_fd;            /* build_event lines go there */
	int stdin_fd;            /* context "-" */
	int out_fd;              /* outputs with dest "-" */
	size_t jobs;             /* steps at once; 0: as many as CPUs */
};

/* Returns 0 when all were built, else -1 with the first error, which has been told as an event too.
 * ERR_CANCELLED after INT or TERM. */
int build_images(const struct build_env *env, const struct build_spec *specs, size_t count,
		 struct err *err);

/* The cache of builds: step records, their layers, cache mounts. everything: also what is young;
 * until_unix_ns 0: no limit. *out_freed: bytes. Builders that died are cleared as well. */
int build_cache_prune(const struct roots *roots, const char *config_path, const char *runtime,
		      uint64_t until_unix_ns, uint64_t *out_freed, struct err *err);
