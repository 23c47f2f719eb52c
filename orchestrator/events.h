/* orchestrator/events - events.jsonl: one line per change, with its reason; `stack events`, `stack
 * why`.
 *
 * Written by the supervisor alone, on the loop (one small write, no sync); readers open the file
 * themselves. Rotated at 10 MB to events.jsonl.1.
 */
#pragma once
#include <json-c/json.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"

struct events;

/* Opens or makes the file and goes on with the last seq. project_fd stays the caller's and open. */
struct events *events_open(int project_fd, struct err *err);
void events_close(struct events *events);

/* One change. NULL fields are left out. event: docker's word where there is one (create start die
 * oom kill stop destroy health_status restart pause unpause), else ours. */
struct event {
	const char *event, *service, *slot, *container, *name, *image, *reason;
	int code; /* of die */
	bool has_code;
};
void events_write(struct events *events, const struct event *event);
/* Hears of each line after it was written (one listener: the supervisor's clients); NULL: nobody.
 */
void events_listen(struct events *events,
		   void (*hear)(void *ctx, const struct event *event, uint64_t time_ns), void *ctx);
