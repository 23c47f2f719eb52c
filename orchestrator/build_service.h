/* orchestrator/build_service - the `build` of a service in the builder's words. Pure but for
 * secrets of files that are not looked at yet; all in the arena. */
#pragma once
#include "base/arena.h"
#include "base/err.h"
#include "orchestrator/build.h"
#include "specs/model.h"

/* What the command line puts over the file. */
struct build_service_options {
	const char *const *args; /* "NAME=VALUE", or "NAME": from lookup */
	size_t arg_count;
	const char *const *ssh; /* "ID[=SOCKET]" */
	size_t ssh_count;
	const char *ssh_auth_sock; /* of the caller; NULL: none */
	/* A variable of the caller; may be NULL. */
	const char *(*lookup)(const char *name);
	int64_t memory_bytes; /* 0: none */
	unsigned flags;       /* BUILD_NO_CACHE, BUILD_PULL, BUILD_CHECK */
};

/* Errors: INVALID naming service and key; UNSUPPORTED for what the builder cannot do. *out_notice
 * (or NULL) is a sentence for the user. */
int build_service_spec(struct arena *arena, const struct project *project,
		       const struct service *service, const struct build_service_options *options,
		       struct build_spec *out, const char **out_notice, struct err *err);

/* The word of --allow and entitlements as a flag of BUILD_; INVALID for another. */
int build_entitlement(const char *word, unsigned *flags, struct err *err);
/* "NAME=VALUE" or "NAME" as an argument; false when a bare NAME has no value in the environment. */
bool build_arg_read(struct arena *arena, const char *text, const char *(*lookup)(const char *name),
		    struct df_build_arg *out);
/* "ID[=SOCKET]"; INVALID without any socket. */
int build_ssh_read(struct arena *arena, const char *text, const char *ssh_auth_sock,
		   struct build_ssh *out, struct err *err);
