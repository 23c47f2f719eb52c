/* specs/dotenv - env files: .env, --env-file, env_file, label_file.
 *
 * One thread; never blocks. Source: the grammar that docker compose reads.
 */
#pragma once
#include "specs/problem.h"
#include "specs/vars.h"

#define DOTENV_BYTES_MAX (8u << 20)

enum dotenv_flag {
	DOTENV_RAW = 1u, /* format: raw - no quotes, no variables */
};

/* Reads NAME=VALUE statements of a text into a layer, later ones win. `first` is asked for
 * variables in values, then `into`; bare names take their value from `first` or are left out. path
 * is the key path for messages. Returns 0, or -1 with the error (with its line) in problems. */
int dotenv_parse(struct problems *problems, const char *file, const char *path, const char *text,
		 size_t len, unsigned flags, const struct vars *first, struct vars *into);
