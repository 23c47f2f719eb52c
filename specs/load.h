/* specs/load - stack files in, a project out.
 *
 * Finds the files, reads them with their .env, includes and bases, merges, checks and decodes.
 * Nothing is read but those files and standard input when asked; the environment is what the caller
 * hands in. No global state, no printing, no exit; two loads in two threads are independent. Blocks
 * (disk). Source: Compose Specification; where it is silent, the behaviour of docker compose 2.40.
 */
#pragma once
#include "base/arena.h"
#include "base/err.h"
#include "specs/model.h"
#include "specs/problem.h"

struct node;

enum load_flag {
	LOAD_NO_INTERPOLATE = 1u << 0, /* variables stay text; result has a tree and no project */
	LOAD_NO_NORMALIZE = 1u << 1,   /* no default network, implied names or dependencies */
	LOAD_NO_PATHS = 1u << 2,       /* relative paths stay */
	LOAD_NO_CONSISTENCY = 1u << 3, /* references are not checked */
	LOAD_NO_ENV_FILES = 1u << 4,   /* env_file and label_file are not read but kept */
	LOAD_ALL_RESOURCES = 1u << 5,  /* unused networks, volumes ... stay */
	LOAD_ALL_SERVICES = 1u << 6,   /* as if every profile were active (down, ps) */
	LOAD_NAME_ONLY = 1u << 7,      /* stop after the project's name: result.name */
};

/* Everything is borrowed for the call; the result copies what it keeps. Zero is a fine default for
 * all but working_dir. */
struct load_options {
	const char *working_dir;  /* absolute: where relative -f, -env-file and the search start */
	const char *const *files; /* -f, in order; "-" is stdin_fd */
	size_t file_count;        /* 0: COMPOSE_FILE, else the search upwards */
	const char *project_directory; /* --project-directory */
	const char *project_name;      /* -p */
	const char *const *env;        /* "NAME=VALUE", NULL at the end; NULL: none */
	const char *const *env_files;  /* --env-file */
	size_t env_file_count;
	const char *const *profiles; /* --profile; none: COMPOSE_PROFILES; "*": all */
	size_t profile_count;
	const char *const *services; /* selection: those and what they depend on; none: all */
	size_t service_count;
	int stdin_fd;      /* borrowed; used when a file is "-" (0 is what it says) */
	uint32_t uid, gid; /* of the caller: variables UID and GID for interpolation */
	unsigned flags;    /* enum load_flag */
};

/* A variable that the files name (config --variables). */
struct variable {
	const char *name;
	const char *default_value;  /* "" when none */
	const char *presence_value; /* "" when none */
	bool required;
};

struct load_result {
	struct project *project;    /* NULL on error and with LOAD_NO_INTERPOLATE */
	const char *name;           /* of the project, as soon as it is known */
	const struct node *tree;    /* the resolved document with positions (specs/node.h) */
	struct pairs environment;   /* the project environment: caller's, .env below it */
	struct variable *variables; /* sorted by name */
	size_t variable_count;
	struct texts all_profiles; /* of all services, sorted */
	struct problems problems;  /* errors and warnings; texts by problem_text */
};

/* 0, or -1 with result->problems.error_count > 0. Everything lives in the arena; the result itself
 * is the caller's and is overwritten. */
int project_load(struct arena *arena, const struct load_options *options,
		 struct load_result *out_result);

/* The first error as one struct err ("app.yml:3:5: services.web.image: ..."), for callers that show
 * one line. Returns -1; 0 and nothing set when there is none. */
int load_result_error(const struct load_result *result, struct err *err);
