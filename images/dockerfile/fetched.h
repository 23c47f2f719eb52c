/* images/dockerfile/fetched - what context_fetch and context_git share. */
#pragma once
#include "images/dockerfile/context_fetch.h"

/* With its temporary folder. NULL on error. */
struct df_fetched *df_fetched_new(struct store *store, struct err *err);
