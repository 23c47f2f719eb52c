/* images/dockerfile/copy_inner - the inside of a planned COPY. For images/dockerfile only. */
#pragma once
#include "images/dockerfile/context_fetch.h"
#include "images/dockerfile/copy.h"
#include "images/dockerfile/placing.h"
#include "images/dockerfile/sources.h"

/* One source, or all of a COPY, in the order of the instruction. */
struct copy_part {
	struct df_sources sources;
	bool may_unpack;            /* ADD of a file: if it is an archive */
	struct df_fetched *fetched; /* a repository: the context of these sources */
	/* A URL: */
	const char *url;
	char digest[DF_KEY_SIZE]; /* of its content; "" not known yet */
	int fd;                   /* the content; -1: not fetched */
	int64_t mtime_s;
};

struct df_copy {
	struct df_copy_spec spec; /* texts are the caller's */
	struct arena *arena;
	struct copy_part *parts;
	size_t part_count;
	bool is_deferred; /* layers that an earlier build has looked at: the tree is not read yet */
	char tree_key[DF_KEY_SIZE]; /* of layers; else "" */
	const char *destination;    /* absolute, clean but for its last '/' */
	bool wants_folder;          /* the destination is a folder by its text */
	const char *commits;        /* of repositories, joined; or NULL */
	char temp_name[32];         /* temporary folder; "" none */
	int temp_fd;
	int *spools; /* what archives were unpacked to: open until the layer is written */
	size_t spool_count;
};

struct copy_part *df_copy_new_part(struct df_copy *copy);
/* A file in the temporary folder of this plan, without a name. -1 with err. */
int df_copy_temp_file(struct df_copy *copy, struct err *err);

/* copy_url: finds out the digest, with as few bytes as possible. */
int df_copy_plan_url(struct df_copy *copy, const char *url, struct err *err);
/* Content and its name in part->sources. */
int df_copy_fetch_url(struct df_copy *copy, struct copy_part *part, struct err *err);

/* copy_archive: whether the file is a tar in a known form (0, 1, -1 for one that cannot be read).
 */
int df_copy_is_archive(int fd, struct err *err);
/* Unpacks it into the folder `to`; contents stay in a temporary file of the plan. */
int df_copy_unpack(struct df_copy *copy, struct df_placing *placing, uint32_t to, int fd,
		   const struct df_placing_change *change, struct err *err);
/* copy_plan: reads the tree of a deferred plan. */
int df_copy_read_sources(struct df_copy *copy, struct err *err);
