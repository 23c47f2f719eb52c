/* orchestrator/records - what the supervisor remembers of containers and slots, on disk.
 *
 * containers/ID/record.json: one container (DESIGN: intent, fact, restarts, health).
 * slots/SERVICE.N/slot.json: what outlives containers. containers/ID/exit.json is the monitor's,
 * read here. The supervisor is the only writer (under its flock); anyone may read. Not synced:
 * after a power cut no container lives. Blocks (disk); pool threads or short-lived processes.
 */
#pragma once
#include <json-c/json.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/cleanup.h"
#include "base/err.h"
#include "base/process.h"
#include "base/stamp.h"

enum record_state {
	RECORD_CREATING, /* intent: folders, bundle may be half there */
	RECORD_CREATED,
	RECORD_STARTING, /* intent: monitor, namespace, links may be there */
	RECORD_RUNNING,
	RECORD_EXITED,
	RECORD_BACKOFF, /* exited; its policy starts it again soon */
	RECORD_REMOVING,
	RECORD_STATE_COUNT
};

enum health_state { HEALTH_NONE, HEALTH_STARTING, HEALTH_GOOD, HEALTH_BAD };

/* How one life ended; zero finished_at_us: it has not. */
struct record_exit {
	uint64_t life;
	int code, signal;
	bool oom;
	uint64_t started_at_us, finished_at_us;
	char error[200];
};

/* A container in a slot. All texts are the record's own. */
struct record {
	char id[STAMP_ID_LEN + 1];
	char *name, *service;
	unsigned slot; /* 1..; 0: one-off */
	char *oneoff;  /* 12 hex of a one-off container, else NULL */
	uint64_t created_at_us;
	char boot_id[40]; /* of the machine's present boot */
	char *image_ref, *image_id;
	char *config_hash, *contents; /* contents: digest of configs and secrets */
	/* What does not change:
	 * {"labels":{},"ports":[],"networks":[],"mounts":[],"command":"","restart":{}, "stop":{},
	 * ...} as JSON text, written into the record as it is (ps, inspect, adopt read it). */
	char *info;

	enum record_state state;
	bool paused, stopped_by_hand;
	bool asleep;  /* x-stack.idle: stopped, a connection starts it; also while it starts for one
		       */
	bool cut_off; /* the machine's end ended it, not its own: `restore` brings it back */
	char not_back[200]; /* why it could not be brought back so far; "": nothing was tried, or it
			       is back */
	uint64_t life;      /* number of the present or last life */
	uint64_t started_at_us;
	struct process_id monitor, init;
	struct record_exit last_exit;
	unsigned restarts;
	enum health_state health;
};

struct record *record_new(const char *service, unsigned slot); /* with a fresh id and time */
void record_free(struct record *record);
AUTO_TYPE(record, record_free);

/* Writes containers/ID/record.json (the folder must be there). */
int record_save(int containers_fd, const struct record *record, struct err *err);
/* The same in two steps, for another thread: the text (to be freed), and its writing. */
char *record_text(const struct record *record);
int record_write(int containers_fd, const char *id, const char *text, struct err *err);
/* Reads one; ERR_NOT_FOUND when there is none, ERR_INVALID when torn or newer than we understand. A
 * life of another boot reads as ended (RECORD_EXITED, code 255 unless exit.json tells). */
struct record *record_read(int containers_fd, const char *id, struct err *err);
/* All containers of a project, by name; torn ones are left out (their folder is rubbish for adopt).
 * *out_count entries, free each and the array. */
struct record **records_read(int containers_fd, size_t *out_count, struct err *err);
void records_free(struct record **records, size_t count);

/* exit.json of that life: 1 read, 0 not there (or of another life). */
int record_read_exit(int containers_fd, const char *id, uint64_t life, struct record_exit *out,
		     struct err *err);

/* "web.3", "web.run-0123456789ab": the slot's folder and namespace part. Returns out. */
char *record_slot_name(const struct record *record, char *out, size_t size);
/* Takes the object over as the new info. */
void record_put_info(struct record *record, struct json_object *info);
/* The info member as an object, to be put. Never NULL. */
struct json_object *record_info(const struct record *record);
const char *record_state_name(enum record_state state);
const char *health_name(enum health_state health); /* "", starting, healthy, unhealthy */

/* As docker says it: created running paused restarting exited. alive: the monitor's process is
 * there. */
const char *record_status(const struct record *record, bool alive);
