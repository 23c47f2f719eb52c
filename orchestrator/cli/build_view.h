/* orchestrator/cli/build_view - a build as people see it: the worker's events as lines, or as a
 * block that is redrawn.
 *
 * plain: `#3 [web build 2/7] RUN make`, `#3 0.412 output`, `#3 DONE 1.2s` | `#3 CACHED` |
 * `#3 ERROR …`. tty: one line a finished step above, below it the running steps with their times
 * and the last lines of output. json: the events as they came. quiet: errors alone. Everything to
 * the stream that the caller gives (stderr). One thread.
 */
#pragma once
#include <json-c/json.h>
#include <stdio.h>

#include "base/cleanup.h"
#include "orchestrator/cli/progress.h"

struct build_view;

/* form: not AUTO. Never NULL. */
struct build_view *build_view_new(FILE *stream, enum progress_form form);
void build_view_free(struct build_view *view);
AUTO_TYPE(build_view, build_view_free);

/* One event (orchestrator/build_event); line: its text. */
void build_view_event(struct build_view *view, const struct json_object *event, const char *line);
/* About ten times a second: clocks of a terminal. */
void build_view_tick(struct build_view *view);
/* The block goes; what comes later stands below. */
void build_view_end(struct build_view *view);
/* An error was told. */
bool build_view_has_error(const struct build_view *view);
