/* orchestrator/cli/progress - what happens to which resource, while it happens.
 *
 * tty: a live table, one line a resource, redrawn in place; plain: ` Container NAME  Verb` a line;
 * json: one object a line, {"id":"Container NAME","status":"Verb"}; quiet: nothing. Goes to stderr,
 * never to stdout (the caller hands the stream). One thread; the caller's timer calls progress_tick
 * some ten times a second in PROGRESS_TTY, nothing is started here.
 */
#pragma once
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "base/cleanup.h"
#include "base/err.h"

enum progress_form {
	PROGRESS_AUTO,
	PROGRESS_TTY,
	PROGRESS_PLAIN,
	PROGRESS_JSON,
	PROGRESS_QUIET,
	PROGRESS_FORM_COUNT
};

enum progress_state {
	PROGRESS_WAITING, /* nothing done yet */
	PROGRESS_WORKING,
	PROGRESS_DONE,
	PROGRESS_WARNING, /* ended, not as asked */
	PROGRESS_FAILED,
	PROGRESS_STATE_COUNT
};

struct progress;

struct progress_event {
	const char *kind;   /* "Container", "Network", "Volume", "Image"; "" for none */
	const char *name;   /* "shop-web-1" */
	const char *parent; /* name of the resource below which it is shown (a layer of an image);
			       NULL: none */
	const char *verb;   /* "Starting", "Started", "Pulling" */
	const char *detail; /* more text behind, an error, or NULL */
	enum progress_state state;
	uint64_t current, total; /* bytes of a transfer; 0: no bar */
};

/* "auto tty plain json quiet" to the form; auto: tty when ansi allows and the stream is a terminal,
 * else plain. ERR_INVALID: another word, tty with --ansi never, plain with --ansi always. ansi
 * NULL: auto. */
int progress_form_choose(const char *word, const char *ansi, FILE *stream,
			 enum progress_form *out_form, struct err *err);

#define PROGRESS_DRY_RUN 1u /* " DRY-RUN MODE - " in front of each line */

/* title: what the table's first line counts ("Running", "Pulling"); copied. stream: borrowed. Never
 * NULL. */
struct progress *progress_new(FILE *stream, enum progress_form form, const char *title,
			      unsigned flags);
/* Ends the table (as progress_end) and frees. */
void progress_free(struct progress *progress);
AUTO_TYPE(progress, progress_free);

/* Something happened; texts are copied. Plain prints a line only when the verb of a resource
 * changed. */
void progress_event(struct progress *progress, const struct progress_event *event);
/* Redraws (tty) when something changed or a clock must move. */
void progress_tick(struct progress *progress);
/* A line (without its newline) for people that must not tear the table: printed above it, in json
 * form as
 * {"message": ...}, with quiet too. */
void progress_note(struct progress *progress, const char *text);
/* An error in the same way; json: {"error":true,"message":...}. */
void progress_error(struct progress *progress, const char *text);
/* Last drawing; the table stays as it is, later prints go below. May be followed by further events:
 * a new table. */
void progress_end(struct progress *progress);
