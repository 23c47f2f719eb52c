/* images/staged - a file of the store that is whole before it gets its name.
 *
 * It is written below tmp/, so that a process which dies leaves nothing but what the next sweep
 * takes. Several may be written before one sync makes all of them durable. For the rooms of the
 * store; blocks (disk).
 */
#pragma once
#include "base/cleanup.h"
#include "images/store_internal.h"

struct json_object;

struct staged {
	struct store *store;
	int dir_fd; /* borrowed: where it is to be */
	int fd;     /* holds the flock that keeps it from being swept */
	char temp[32], name[STORE_KEY_MAX + 8];
};

/* Writes the bytes, under no name yet. *out is to be placed or dropped. */
int staged_write_json(struct store *store, int dir_fd, const char *name, struct json_object *value,
		      struct staged *out, struct err *err);
/* Gives it its name, at once and for all readers. Not synced by this. */
int staged_place(struct staged *staged, struct err *err);
/* Takes back what was not placed; fine after staged_place and for { 0 }. */
void staged_drop(struct staged *staged);
static inline void auto_staged(struct staged *staged)
{
	staged_drop(staged);
}

#define STAGED_SYNC 1u /* durable on return, unless STORE_NO_SYNC */
/* All of it for one file. */
int staged_put(struct store *store, int dir_fd, const char *name, const void *data, size_t len,
	       unsigned flags, struct err *err);
int staged_put_json(struct store *store, int dir_fd, const char *name, struct json_object *value,
		    unsigned flags, struct err *err);
