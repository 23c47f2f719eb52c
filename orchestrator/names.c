/* orchestrator/names - the supervisor's side of stack-netd.
 *
 * Owns: netd's process and the conversation with it. May not touch: what a zone holds.
 */
#include "orchestrator/names.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/cleanup.h"
#include "base/json.h"
#include "base/message.h"
#include "base/process.h"
#include "base/stamp.h"
#include "orchestrator/names_inner.h"

struct names *names_open(const struct project_dirs *dirs, const char *netd_path, int log_fd,
			 struct err *err)
{
	struct names *names = xcalloc(1, sizeof(*names));

	(void)err;
	names->dirs = dirs;
	names->netd_path = xstrdup(netd_path);
	names->log_fd = log_fd;
	names->conversation_fd = names->pidfd = -1;
	names->serial = stamp_now_us(); /* grows over our own restarts, too */
	pthread_mutex_init(&names->book, NULL);
	pthread_mutex_init(&names->lock, NULL);
	pthread_mutex_init(&names->ports, NULL);
	return names;
}

static size_t slot_index(const struct names *names, const char *slot)
{
	for (size_t i = 0; i < names->slot_count; i++)
		if (strcmp(names->slots[i], slot) == 0)
			return i;
	return SIZE_MAX;
}

static void note_slot(struct names *names, const char *slot)
{
	pthread_mutex_lock(&names->book);
	if (slot_index(names, slot) == SIZE_MAX)
		*(char **)xgrow(&names->slots, &names->slot_count, sizeof(char *)) = xstrdup(slot);
	pthread_mutex_unlock(&names->book);
}

/* False: it was not there. */
static bool forget_slot(struct names *names, const char *slot)
{
	size_t at;

	pthread_mutex_lock(&names->book);
	at = slot_index(names, slot);
	if (at != SIZE_MAX) {
		free(names->slots[at]);
		names->slots[at] = names->slots[--names->slot_count];
	}
	pthread_mutex_unlock(&names->book);
	return at != SIZE_MAX;
}

static void forget_slots(struct names *names)
{
	pthread_mutex_lock(&names->book);
	for (size_t i = 0; i < names->slot_count; i++)
		free(names->slots[i]);
	free(names->slots);
	names->slots = NULL;
	names->slot_count = 0;
	pthread_mutex_unlock(&names->book);
}

static int start(struct names *names, struct err *err)
{
	names_end_half_renewed(names); /* it has the ports */
	if (names_start_process(names, NETD_SOCKET, &names->conversation_fd, &names->pidfd, err) <
	    0)
		return -1;
	names->generation++;
	return 0;
}

/* What a netd that outlived our predecessor holds. */
static int learn_slots(struct names *names, struct err *err)
{
	AUTO(json) struct json_object *list = NULL;
	struct json_object *slots;

	if (netd_list(names->conversation_fd, &list, err) < 0)
		return -1;
	slots = json_array_at(list, "slots");
	for (size_t i = 0; i < json_array_count(slots); i++)
		note_slot(names, json_text_or(json_object_array_get_idx(slots, i), "slot", ""));
	return 0;
}

/* One that outlived our predecessor is watched like our own. */
static int adopt(struct names *names, const struct netd_hello *hello, struct err *err)
{
	names->pidfd = process_pidfd_open((pid_t)hello->pid);
	names->generation++;
	return learn_slots(names, err);
}

static void disconnect(struct names *names)
{
	if (names->conversation_fd >= 0)
		close(TAKE_FD(names->conversation_fd));
	if (names->pidfd >= 0) {
		waitid(P_PIDFD, (id_t)names->pidfd, &(siginfo_t){ 0 }, WEXITED | WNOHANG);
		close(TAKE_FD(names->pidfd));
	}
	forget_slots(names);
}

static int ensure(struct names *names, bool *out_fresh, struct err *err)
{
	struct err absent = ERR_NONE;
	struct netd_hello hello;

	*out_fresh = false;
	if (names->conversation_fd >= 0 && netd_hello(names->conversation_fd, &hello, &absent) == 0)
		return 0;
	disconnect(names);
	names->conversation_fd =
		message_connect(names->dirs->run_fd, NETD_SOCKET, SOCK_SEQPACKET, &absent);
	if (names->conversation_fd >= 0 && netd_hello(names->conversation_fd, &hello, &absent) == 0)
		return adopt(names, &hello, err);
	disconnect(names);
	*out_fresh = true;
	return start(names, err);
}

void names_ports_lock(struct names *names)
{
	pthread_mutex_lock(&names->ports);
}

void names_ports_unlock(struct names *names)
{
	pthread_mutex_unlock(&names->ports);
}

int names_ensure(struct names *names, bool *out_fresh, struct err *err)
{
	int status;

	pthread_mutex_lock(&names->lock);
	status = ensure(names, out_fresh, err);
	pthread_mutex_unlock(&names->lock);
	return status;
}

bool names_has_slot(struct names *names, const char *slot)
{
	bool has;

	pthread_mutex_lock(&names->book);
	has = slot_index(names, slot) != SIZE_MAX;
	pthread_mutex_unlock(&names->book);
	return has;
}

int names_add_slot(struct names *names, const struct netd_slot *slot, struct err *err)
{
	int status;

	pthread_mutex_lock(&names->lock);
	status = netd_slot_add(names->conversation_fd, slot, err);
	if (status == 0)
		note_slot(names, slot->slot);
	pthread_mutex_unlock(&names->lock);
	return status;
}

int names_drop_slot(struct names *names, const char *slot, struct err *err)
{
	int status = 0;

	pthread_mutex_lock(&names->lock);
	if (forget_slot(names, slot))
		status = netd_slot_drop(names->conversation_fd, slot, err);
	pthread_mutex_unlock(&names->lock);
	return status;
}

int names_hold(struct names *names, const struct netd_hold *holds, size_t count, struct err *err)
{
	int status;

	pthread_mutex_lock(&names->lock);
	status = count ? netd_hold(names->conversation_fd, holds, count, err) : 0;
	pthread_mutex_unlock(&names->lock);
	return status;
}

int names_unhold(struct names *names, const char *const *keys, size_t count, struct err *err)
{
	int status;

	pthread_mutex_lock(&names->lock);
	status = count && names->conversation_fd >= 0
			 ? netd_unhold(names->conversation_fd, keys, count, err)
			 : 0;
	pthread_mutex_unlock(&names->lock);
	return status;
}

int names_relay(struct names *names, const struct netd_relay *relay, struct err *err)
{
	int status;

	pthread_mutex_lock(&names->lock);
	status = netd_relay(names->conversation_fd, relay, err);
	pthread_mutex_unlock(&names->lock);
	return status;
}

int names_unrelay(struct names *names, const char *const *keys, size_t count, struct err *err)
{
	int status;

	pthread_mutex_lock(&names->lock);
	status = count && names->conversation_fd >= 0
			 ? netd_unrelay(names->conversation_fd, keys, count, err)
			 : 0;
	pthread_mutex_unlock(&names->lock);
	return status;
}

int names_socket(struct names *names, const char *key, struct err *err)
{
	int fd;

	pthread_mutex_lock(&names->lock);
	fd = netd_socket(names->conversation_fd, key, err);
	pthread_mutex_unlock(&names->lock);
	return fd;
}

static void add_held(struct arena *arena, struct texts *out, const char *key)
{
	*(const char **)arena_grow(arena, &out->items, &out->count, sizeof(char *)) =
		arena_strdup(arena, key);
}

int names_held(struct names *names, struct arena *arena, struct texts *out, struct err *err)
{
	AUTO(json) struct json_object *list = NULL;
	struct json_object *holds, *relays;
	int status;

	pthread_mutex_lock(&names->lock);
	status = netd_list(names->conversation_fd, &list, err);
	pthread_mutex_unlock(&names->lock);
	if (status < 0)
		return -1;
	holds = json_array_at(list, "holds");
	relays = json_array_at(list, "relays");
	for (size_t i = 0; i < json_array_count(holds); i++)
		add_held(arena, out, json_array_text(holds, i));
	for (size_t i = 0; i < json_array_count(relays); i++)
		add_held(arena, out, json_text_or(json_object_array_get_idx(relays, i), "key", ""));
	return 0;
}

int names_publish(struct names *names, struct zone *zone, struct err *err)
{
	int status;

	pthread_mutex_lock(&names->lock);
	if (names->conversation_fd < 0) { /* nothing of the project is on a network */
		pthread_mutex_unlock(&names->lock);
		return 0;
	}
	zone->serial = ++names->serial;
	{
		AUTO(fd) int zone_fd = zone_write(names->dirs->run_fd, zone, err);

		status = zone_fd < 0 ? -1 : netd_zone(names->conversation_fd, zone_fd, err);
	}
	pthread_mutex_unlock(&names->lock);
	return status;
}

void names_end(struct names *names)
{
	struct err ignored = ERR_NONE;

	pthread_mutex_lock(&names->lock);
	if (names->conversation_fd < 0)
		names->conversation_fd =
			message_connect(names->dirs->run_fd, NETD_SOCKET, SOCK_SEQPACKET, &ignored);
	if (names->conversation_fd >= 0)
		netd_end(names->conversation_fd, &ignored);
	if (names->pidfd >= 0 && process_wait_end(names->pidfd, NETD_TIMEOUT_MS, &ignored) == 0)
		waitid(P_PIDFD, (id_t)names->pidfd, &(siginfo_t){ 0 }, WEXITED);
	disconnect(names);
	unlinkat(names->dirs->run_fd, NETD_SOCKET, 0);
	pthread_mutex_unlock(&names->lock);
}

int names_watch(struct names *names, unsigned *generation)
{
	int fd = -1;

	pthread_mutex_lock(&names->lock);
	if (names->pidfd >= 0 && names->generation != *generation) {
		fd = fcntl(names->pidfd, F_DUPFD_CLOEXEC, 0);
		*generation = names->generation;
	}
	pthread_mutex_unlock(&names->lock);
	return fd;
}
