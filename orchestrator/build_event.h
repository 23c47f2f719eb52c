/* orchestrator/build_event - what a build tells while it runs: one JSON object a line.
 *
 *	{"event":"step","step":3,"stage":"web build","number":2,"count":7,"text":"RUN make"}
 *	{"event":"log","step":3,"stream":"stdout","at_ms":412,"text":"cc -c a.c"}
 *	{"event":"done","step":3,"ms":1200}  {"event":"cached","step":3}
 *	{"event":"failed","step":3,"ms":1200,"code":"system","error":"exit status 2"}
 *	{"event":"note","step":3,"text":"…"}           step 0: of the whole build
 *	{"event":"warning","text":"Dockerfile:3: JSONArgsRecommended: …"}
 *	{"event":"pull","line":{…}}                     a line of orchestrator/transfer
 *	{"event":"image","name":"shop-web","id":"sha256:…","digest":"sha256:…","tags":["…"]}
 *	{"event":"error","code":"system","error":"Dockerfile:12: RUN: exit status 2",
 *	 "snippet":"…","output":["last lines"]}
 *
 * Any thread; one line is one write. Bytes of programs that are no UTF-8 become U+FFFD.
 */
#pragma once
#include <json-c/json.h>
#include <stdbool.h>
#include <stddef.h>

#include "base/cleanup.h"
#include "base/err.h"

struct build_events;

/* fd: borrowed. Never NULL. */
struct build_events *build_events_new(int fd);
void build_events_free(struct build_events *events);
AUTO_TYPE(build_events, build_events_free);

/* A step begins to be looked at; its number, from 1. stage: "web build", or "" for one stage alone.
 */
unsigned build_event_step(struct build_events *events, const char *stage, size_t number,
			  size_t count, const char *text);
/* Output of a program, whole lines or the rest at its end; \n is not part of text. */
void build_event_log(struct build_events *events, unsigned step, const char *stream,
		     const char *text, size_t len);
void build_event_done(struct build_events *events, unsigned step);
void build_event_cached(struct build_events *events, unsigned step);
void build_event_failed(struct build_events *events, unsigned step, const struct err *err);
void build_event_note(struct build_events *events, unsigned step, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));
void build_event_warning(struct build_events *events, const char *text);
/* Any other object; taken over. */
void build_event_send(struct build_events *events, struct json_object *object);
