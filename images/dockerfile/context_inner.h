/* images/dockerfile/context_inner - the inside of a context. For images/dockerfile only. */
#pragma once
#include <pthread.h>

#include "images/dockerfile/context.h"
#include "images/dockerfile/key.h"

struct df_context {
	char *name;
	int root_fd; /* -1: layers that nobody looked at yet */
	struct arena *arena;
	struct df_ignore *ignore; /* NULL: nothing is excluded */
	const char *ignore_name;
	struct df_hashes *hashes; /* NULL: layers */
	struct lease *lease;      /* layers: whose */
	char **diff_ids;
	size_t layer_count;
	bool drops_owners; /* layers that are a build context: root owns all, devices are refused */
	pthread_mutex_t mutex; /* root_fd of layers */
};

/* A name for these layers, for notes; "" for a folder. */
void df_context_layers_key(const struct df_context *context, char out[DF_KEY_SIZE]);
