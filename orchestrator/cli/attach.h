/* orchestrator/cli/attach - the terminal of the user joined to a container's streams, through its
 * monitor. Blocks. */
#pragma once
#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"
#include "base/process.h"
#include "orchestrator/roots.h"

struct attach_view {
	const char *container_id;
	struct process_id init;  /* for signals; pid 0: not known yet */
	bool stdin_open, tty;    /* tty: our terminal is set raw */
	bool proxy_signals;      /* INT, TERM, HUP ... go to the container */
	const char *detach_keys; /* NULL: ctrl-p,ctrl-q */
	int replay;              /* lines of the past that come first */
};

/* "ctrl-p,ctrl-q" or "a,b" to bytes. ERR_INVALID. */
#define ATTACH_KEYS_MAX 16
int attach_keys(const char *text, char keys[ATTACH_KEYS_MAX], size_t *out_count, struct err *err);

struct attach;

/* Connects; nothing is lost from here on. */
struct attach *attach_open(const struct roots *roots, const struct attach_view *view,
			   struct err *err);
/* Follows to the end: the container's exit status, or -1 with *err (ERR_CANCELLED: detached by
 * keys). */
int attach_follow(struct attach *attach, struct err *err);
void attach_close(struct attach *attach);
