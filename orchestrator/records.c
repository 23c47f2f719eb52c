/* orchestrator/records - containers and slots on disk.
 *
 * Owns: the form of record.json, the reading of exit.json. May not touch: the kernel's objects.
 */
#include "orchestrator/records.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/file.h"
#include "base/json.h"

#define RECORD_VERSION   1
#define RECORD_MAX_BYTES (4u << 20)

static const char *const state_names[] = {
	[RECORD_CREATING] = "creating", [RECORD_CREATED] = "created",
	[RECORD_STARTING] = "starting", [RECORD_RUNNING] = "running",
	[RECORD_EXITED] = "exited",     [RECORD_BACKOFF] = "backoff",
	[RECORD_REMOVING] = "removing",
};
_Static_assert(sizeof(state_names) / sizeof(*state_names) == RECORD_STATE_COUNT,
	       "a state has no name");

static const char *const health_names[] = {
	[HEALTH_NONE] = "",
	[HEALTH_STARTING] = "starting",
	[HEALTH_GOOD] = "healthy",
	[HEALTH_BAD] = "unhealthy",
};

const char *record_state_name(enum record_state state)
{
	return state_names[state];
}

const char *health_name(enum health_state health)
{
	return health_names[health];
}

struct record *record_new(const char *service, unsigned slot)
{
	struct record *record = xcalloc(1, sizeof(*record));

	stamp_id(record->id, STAMP_ID_LEN);
	record->service = xstrdup(service);
	record->slot = slot;
	record->created_at_us = stamp_now_us();
	stamp_boot_id(record->boot_id);
	return record;
}

void record_free(struct record *record)
{
	free(record->name);
	free(record->service);
	free(record->oneoff);
	free(record->image_ref);
	free(record->image_id);
	free(record->config_hash);
	free(record->contents);
	free(record->info);
	free(record);
}

char *record_slot_name(const struct record *record, char *out, size_t size)
{
	if (record->oneoff)
		snprintf(out, size, "%s.run-%s", record->service, record->oneoff);
	else
		snprintf(out, size, "%s.%u", record->service, record->slot);
	return out;
}

static void add_process(struct json_object *object, const char *key, struct process_id id)
{
	struct json_object *process = json_add_object(object, key);

	json_add_int(process, "pid", id.pid);
	json_add_int(process, "start", (int64_t)id.start_ticks);
}

static struct process_id read_process(const struct json_object *object, const char *key)
{
	struct json_object *process = json_object_at(object, key);

	return (struct process_id){ (pid_t)json_int_or(process, "pid", 0),
				    (uint64_t)json_int_or(process, "start", 0) };
}

static void add_exit(struct json_object *object, const struct record_exit *last)
{
	struct json_object *exit;

	if (!last->finished_at_us)
		return;
	exit = json_add_object(object, "last_exit");
	json_add_int(exit, "life", (int64_t)last->life);
	json_add_int(exit, "code", last->code);
	json_add_int(exit, "signal", last->signal);
	json_add_bool(exit, "oom", last->oom);
	json_add_int(exit, "started_at_us", (int64_t)last->started_at_us);
	json_add_int(exit, "finished_at_us", (int64_t)last->finished_at_us);
	if (last->error[0])
		json_add_text(exit, "error", last->error);
}

static struct json_object *compose(const struct record *record)
{
	struct json_object *object = json_object_new_object(), *image, *life;

	json_add_int(object, "version", RECORD_VERSION);
	json_add_text(object, "id", record->id);
	json_add_text(object, "name", record->name);
	json_add_text(object, "service", record->service);
	json_add_int(object, "slot", record->slot);
	json_add_text(object, "oneoff", record->oneoff);
	json_add_int(object, "created_at_us", (int64_t)record->created_at_us);
	image = json_add_object(object, "image");
	json_add_text(image, "ref", record->image_ref);
	json_add_text(image, "id", record->image_id);
	json_add_text(object, "config_hash", record->config_hash);
	json_add_text(object, "contents", record->contents);
	json_add_text(object, "state", state_names[record->state]);
	json_add_bool(object, "paused", record->paused);
	json_add_bool(object, "stopped_by_hand", record->stopped_by_hand);
	json_add_bool(object, "asleep", record->asleep);
	json_add_bool(object, "cut_off", record->cut_off);
	json_add_text(object, "not_back", record->not_back[0] ? record->not_back : NULL);
	life = json_add_object(object, "life");
	json_add_int(life, "number", (int64_t)record->life);
	json_add_text(life, "boot_id", record->boot_id);
	json_add_int(life, "started_at_us", (int64_t)record->started_at_us);
	add_process(life, "monitor", record->monitor);
	add_process(life, "init", record->init);
	add_exit(object, &record->last_exit);
	json_add_int(object, "restarts", record->restarts);
	json_add_text(object, "health", health_names[record->health]);
	return object;
}

char *record_text(const struct record *record)
{
	AUTO(json) struct json_object *object = compose(record);
	size_t len;
	const char *head = json_object_to_json_string_length(
		object, JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE, &len);

	/* The part that never changes is kept as text and not built anew at each change of state.
	 */
	return xformat("%.*s,\"info\":%s}\n", (int)len - 1, head,
		       record->info ? record->info : "{}");
}

int record_write(int containers_fd, const char *id, const char *text, struct err *err)
{
	AUTO(fd) int dir_fd = file_open_dir(containers_fd, id, false, err);

	return dir_fd < 0 ? -1 : file_replace(dir_fd, "record.json", text, strlen(text), err);
}

int record_save(int containers_fd, const struct record *record, struct err *err)
{
	AUTO(free) char *text = record_text(record);

	return record_write(containers_fd, record->id, text, err);
}

static size_t index_of(const char *const *names, size_t count, const char *name, size_t fallback)
{
	for (size_t i = 0; i < count; i++)
		if (strcmp(names[i], name) == 0)
			return i;
	return fallback;
}

static void read_exit(const struct json_object *exit, struct record_exit *out)
{
	out->life = (uint64_t)json_int_or(exit, "life", 0);
	out->code = (int)json_int_or(exit, "code", 0);
	out->signal = (int)json_int_or(exit, "signal", 0);
	out->oom = json_bool_or(exit, "oom", false);
	out->started_at_us = (uint64_t)json_int_or(exit, "started_at_us", 0);
	out->finished_at_us = (uint64_t)json_int_or(exit, "finished_at_us", 0);
	snprintf(out->error, sizeof(out->error), "%s", json_text_or(exit, "error", ""));
}

static void fill(struct record *record, const struct json_object *object)
{
	struct json_object *image = json_object_at(object, "image");
	struct json_object *life = json_object_at(object, "life");
	struct json_object *info = json_object_at(object, "info");

	snprintf(record->id, sizeof(record->id), "%s", json_text_or(object, "id", ""));
	record->name = xstrdup(json_text_or(object, "name", record->id));
	record->service = xstrdup(json_text_or(object, "service", ""));
	record->slot = (unsigned)json_int_or(object, "slot", 0);
	record->oneoff = xstrdup(json_text_or(object, "oneoff", NULL));
	record->created_at_us = (uint64_t)json_int_or(object, "created_at_us", 0);
	record->image_ref = xstrdup(json_text_or(image, "ref", ""));
	record->image_id = xstrdup(json_text_or(image, "id", ""));
	record->config_hash = xstrdup(json_text_or(object, "config_hash", ""));
	record->contents = xstrdup(json_text_or(object, "contents", NULL));
	record->state =
		(enum record_state)index_of(state_names, RECORD_STATE_COUNT,
					    json_text_or(object, "state", ""), RECORD_CREATING);
	record->paused = json_bool_or(object, "paused", false);
	record->stopped_by_hand = json_bool_or(object, "stopped_by_hand", false);
	record->asleep = json_bool_or(object, "asleep", false);
	record->cut_off = json_bool_or(object, "cut_off", false);
	snprintf(record->not_back, sizeof(record->not_back), "%s",
		 json_text_or(object, "not_back", ""));
	record->life = (uint64_t)json_int_or(life, "number", 0);
	record->started_at_us = (uint64_t)json_int_or(life, "started_at_us", 0);
	record->monitor = read_process(life, "monitor");
	record->init = read_process(life, "init");
	read_exit(json_object_at(object, "last_exit"), &record->last_exit);
	record->restarts = (unsigned)json_int_or(object, "restarts", 0);
	record->health = (enum health_state)index_of(health_names, HEALTH_BAD + 1,
						     json_text_or(object, "health", ""), 0);
	record->info = xstrdup(
		info ? json_object_to_json_string_ext(info, JSON_C_TO_STRING_PLAIN |
								    JSON_C_TO_STRING_NOSLASHESCAPE)
		     : "{}");
}

/* No container lives through a reboot: what ran in another boot has ended, at a time nobody saw. */
static void end_of_other_boot(struct record *record, const struct json_object *object)
{
	const char *boot_id = json_text_or(json_object_at(object, "life"), "boot_id", "");

	if (strcmp(boot_id, record->boot_id) == 0)
		return;
	record->monitor = record->init = (struct process_id){ 0 };
	if (record->state == RECORD_BACKOFF) {
		record->state = RECORD_EXITED; /* its end is told already */
		record->cut_off = true;
	}
	if (record->asleep && record->state == RECORD_EXITED)
		record->cut_off = true; /* nobody holds its ports any more */
	record->asleep = false;
	if (record->state != RECORD_RUNNING && record->state != RECORD_STARTING)
		return;
	record->state = RECORD_EXITED;
	record->paused = false;
	record->cut_off = true;
	record->last_exit = (struct record_exit){ .life = record->life,
						  .code = 255,
						  .started_at_us = record->started_at_us,
						  .finished_at_us = record->started_at_us + 1 };
	snprintf(record->last_exit.error, sizeof(record->last_exit.error), "the machine went down");
}

struct record *record_read(int containers_fd, const char *id, struct err *err)
{
	AUTO(free) char *path = xformat("%s/record.json", id);
	AUTO(json)
	struct json_object *object = json_read_file(containers_fd, path, RECORD_MAX_BYTES, err);
	AUTO(record) struct record *record = NULL;
	int64_t version;

	if (!object)
		return NULL;
	version = json_int_or(object, "version", 0);
	if (version < 1 || version > RECORD_VERSION) {
		err_set(err, ERR_UNSUPPORTED,
			"record of container %.12s is of version %d, newer than this stack", id,
			(int)version);
		return NULL;
	}
	record = xcalloc(1, sizeof(*record));
	stamp_boot_id(record->boot_id);
	fill(record, object);
	if (strcmp(record->id, id) != 0 || !record->service[0]) {
		err_set(err, ERR_INVALID, "record of container %.12s is damaged", id);
		return NULL;
	}
	end_of_other_boot(record, object);
	return TAKE(record);
}

static int by_name(const void *a, const void *b)
{
	const struct record *left = *(struct record *const *)a, *right = *(struct record *const *)b;
	int order = strcmp(left->service, right->service);

	if (order == 0 && left->slot != right->slot)
		return left->slot < right->slot ? -1 : 1;
	return order ? order : strcmp(left->name, right->name);
}

struct record **records_read(int containers_fd, size_t *out_count, struct err *err)
{
	int fd = openat(containers_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *dir = fd < 0 ? NULL : fdopendir(fd);
	struct record **records = NULL;
	struct dirent *entry;
	size_t count = 0;

	*out_count = 0;
	if (!dir) {
		err_sys(err, errno, "read the containers' folder");
		if (fd >= 0)
			close(fd);
		return NULL;
	}
	while ((entry = readdir(dir)) != NULL) {
		struct err torn = ERR_NONE;
		struct record *record;

		if (entry->d_name[0] == '.')
			continue;
		record = record_read(containers_fd, entry->d_name, &torn);
		if (record)
			*(struct record **)xgrow(&records, &count, sizeof(*records)) = record;
	}
	closedir(dir);
	if (count)
		qsort(records, count, sizeof(*records), by_name);
	*out_count = count;
	return records ? records : xcalloc(1, sizeof(*records));
}

void records_free(struct record **records, size_t count)
{
	for (size_t i = 0; records && i < count; i++)
		record_free(records[i]);
	free(records);
}

static uint64_t read_time_us(const struct json_object *object, const char *key)
{
	const char *text = json_text_or(object, key, "");
	uint64_t ns = 0;

	return stamp_parse_rfc3339(text, strlen(text), &ns) < 0 ? 0 : ns / 1000;
}

int record_read_exit(int containers_fd, const char *id, uint64_t life, struct record_exit *out,
		     struct err *err)
{
	AUTO(free) char *path = xformat("%s/exit.json", id);
	AUTO(json)
	struct json_object *object = json_read_file(containers_fd, path, RECORD_MAX_BYTES, err);

	if (!object)
		return err->code == ERR_NOT_FOUND ? 0 : -1;
	if ((uint64_t)json_int_or(object, "life", 0) != life)
		return 0;
	*out = (struct record_exit){ .life = life,
				     .code = (int)json_int_or(object, "code", 0),
				     .signal = (int)json_int_or(object, "signal", 0),
				     .oom = json_bool_or(object, "oom", false),
				     .started_at_us = read_time_us(object, "started_at"),
				     .finished_at_us = read_time_us(object, "finished_at") };
	if (!out->finished_at_us)
		out->finished_at_us = stamp_now_us();
	snprintf(out->error, sizeof(out->error), "%s", json_text_or(object, "error", ""));
	return 1;
}

void record_put_info(struct record *record, struct json_object *info)
{
	free(record->info);
	record->info = xstrdup(json_object_to_json_string_ext(
		info, JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE));
	json_object_put(info);
}

struct json_object *record_info(const struct record *record)
{
	struct err err = ERR_NONE;
	const char *text = record->info ? record->info : "{}";
	struct json_object *info = json_parse("record", text, strlen(text), &err);

	return info ? info : json_object_new_object();
}

const char *record_status(const struct record *record, bool alive)
{
	switch (record->state) {
	case RECORD_CREATING:
	case RECORD_CREATED:
		return "created";
	case RECORD_STARTING:
		return record->life > 1 ? "restarting" : "created";
	case RECORD_RUNNING:
		return !alive ? "exited" : record->paused ? "paused" : "running";
	case RECORD_BACKOFF:
		return "restarting";
	case RECORD_REMOVING:
		return "removing";
	default:
		return "exited";
	}
}
