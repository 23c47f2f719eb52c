/* specs/loader - what the steps of one load share. Internal to the loading rooms. */
#pragma once
#include "specs/interpolate.h"
#include "specs/keys.h"
#include "specs/load.h"
#include "specs/merge.h"
#include "specs/vars.h"
#include "specs/yaml.h"

#define LOADER_FILES_MAX    200u /* includes, bases and all */
#define LOADER_INCLUDE_MAX  20u  /* includes inside includes */
#define LOADER_EXTENDS_MAX  100u /* bases of bases */
#define LOADER_SERVICES_MAX 10000u
#define LOADER_BYTES_MAX    (256u << 20) /* memory of one load */

/* A file that was read. */
struct source {
	const char *shown; /* as messages name it */
	const char *path;  /* absolute; "-" for standard input */
	struct documents documents;
};
struct sources {
	struct source *items;
	size_t count;
};

/* Files that are being included, from the outermost on. */
struct file_chain {
	const struct file_chain *up;
	const char *path;
};

struct loader {
	struct arena *arena;
	const struct load_options *options;
	struct load_result *result;
	struct problems *problems;
	struct vars env;      /* the project environment */
	struct vars built_in; /* UID, GID: below everything */
	const char *home;     /* NULL: unknown */
	const char *project_directory;
	struct texts env_files;          /* that were read */
	size_t files_read, bytes_before; /* of the arena, when the load began */
	struct variable_list variables;
};

/* One model in the making: the project, or an include. */
struct model_load {
	struct loader *loader;
	const struct vars *vars;
	const char *directory; /* base of relative paths */
	const struct file_chain *chain;
	unsigned depth;
};

/* Reads and parses one file. path "-" is standard input. where and key_path are for a missing file.
 * Returns 0 or -1 with the error in problems. */
int loader_read(struct loader *loader, const char *path, struct place where, const char *key_path,
		struct source *out_source);
/* Reads an env file into a layer (specs/dotenv). missing_ok: absent is fine (returns 1). */
int loader_read_env(struct loader *loader, const char *path, struct place where,
		    const char *key_path, unsigned flags, bool missing_ok, const struct vars *first,
		    struct vars *into);
/* An error when the load has taken more memory than it may. 0 or -1. */
int loader_check_size(struct loader *loader, struct place where, const char *key_path);
/* A path as messages show it: relative to the working directory when it lies below. */
const char *loader_shown(const struct loader *loader, const char *path);

/* Runs the documents of the sources through the pipeline and merges them. NULL with errors in
 * problems. */
struct node *loader_build(const struct model_load *load, const struct sources *sources);

/* Interpolates one document, takes its tags off and shapes it. Returns 0 or -1. */
int loader_prepare(const struct model_load *load, struct node *document,
		   struct tagged_paths *out_tags);

/* specs/extends: puts the bases of a document's services below them. */
int extends_resolve(const struct model_load *load, struct node *document,
		    const struct tagged_paths *tags);
/* specs/include: puts the models that a document includes into it. */
int include_resolve(const struct model_load *load, struct node *document);
