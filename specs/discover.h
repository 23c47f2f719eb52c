/* specs/discover - which files make the project, which environment, which name.
 *
 * Blocks (disk). Errors go to the loader's problems.
 */
#pragma once
#include "specs/loader.h"

/* Fills loader->env (first and second round of env files), project_directory and the paths of the
 * files
 * ("-" is standard input). Returns 0 or -1. */
int discover_files(struct loader *loader, struct texts *out_paths);
/* The project's name: flag, environment, the files, the folder; sets it in env. NULL on error. */
const char *discover_name(struct loader *loader, const struct sources *sources);
