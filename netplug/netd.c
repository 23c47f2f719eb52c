/* netplug/netd - the words between the supervisor and stack-netd: the supervisor's side.
 *
 * Owns: the writing of requests and the reading of answers. May not touch: netd's process
 * (orchestrator/netd).
 */
#include "netplug/netd.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/json.h"
#include "base/message.h"
#include "base/stamp.h"

static const char *const socket_names[] = { "udp", "tcp", "upstream", "upstream_tcp" };

static enum err_code code_of(const char *name)
{
	for (int code = ERR_OK; code < ERR_CODE_COUNT; code++)
		if (strcmp(err_code_name((enum err_code)code), name) == 0)
			return (enum err_code)code;
	return ERR_SYSTEM;
}

/* Waits for the answer with this id; answers to requests that were given up are passed over. */
static int await(int netd_fd, int64_t id, struct json_object **out, int *fds, size_t *fd_count,
		 struct err *err)
{
	uint64_t until = stamp_monotonic_us() / 1000 + NETD_TIMEOUT_MS;
	size_t room = fd_count ? *fd_count : 0;

	for (;;) {
		AUTO(json) struct json_object *answer = NULL;
		struct pollfd ready = { .fd = netd_fd, .events = POLLIN };
		uint64_t now = stamp_monotonic_us() / 1000;
		size_t count = room;
		int got;

		if (now >= until || poll(&ready, 1, (int)(until - now)) == 0)
			return err_set(err, ERR_TIMEOUT, "stack-netd does not answer");
		got = message_receive(netd_fd, &answer, fds, fd_count ? &count : NULL, err);
		if (got < 0 && err->code == ERR_BUSY)
			continue;
		if (got < 0)
			return -1;
		if (got == 0)
			return err_set(err, ERR_NOT_FOUND, "stack-netd has gone");
		if (json_int_or(answer, "id", -1) == id) {
			if (fd_count)
				*fd_count = count;
			*out = json_object_get(answer);
			return 0;
		}
		while (fds && count)
			close(fds[--count]);
	}
}

/* Sends the request and returns netd's answer, when it is a good one. */
static struct json_object *ask(int netd_fd, const char *op, struct json_object *request,
			       const int *send_fds, size_t send_count, int *fds, size_t *fd_count,
			       struct err *err)
{
	AUTO(json) struct json_object *answer = NULL;
	int64_t id = (int64_t)(stamp_monotonic_us() & 0xffffffffffff);
	struct json_object *error;

	json_add_int(request, "id", id);
	json_add_text(request, "op", op);
	if (message_send(netd_fd, request, send_fds, send_count, err) < 0 ||
	    await(netd_fd, id, &answer, fds, fd_count, err) < 0) {
		err_wrap(err, "netd %s", op);
		return NULL;
	}
	if (json_bool_or(answer, "ok", false))
		return TAKE(answer);
	while (fds && fd_count && *fd_count)
		close(fds[--*fd_count]);
	error = json_object_at(answer, "error");
	err_set(err, code_of(json_text_or(error, "code", "")), "netd %s: %s", op,
		json_text_or(error, "message", "no reason given"));
	return NULL;
}

/* A request whose answer says nothing more. */
static int tell(int netd_fd, const char *op, struct json_object *request, const int *fds,
		size_t fd_count, struct err *err)
{
	AUTO(json)
	struct json_object *answer = ask(netd_fd, op, request, fds, fd_count, NULL, NULL, err);

	return answer ? 0 : -1;
}

int netd_hello(int netd_fd, struct netd_hello *out, struct err *err)
{
	AUTO(json) struct json_object *request = json_object_new_object();
	AUTO(json) struct json_object *answer = NULL;

	json_add_int(request, "version", NETD_VERSION);
	answer = ask(netd_fd, "hello", request, NULL, 0, NULL, NULL, err);
	if (!answer)
		return -1;
	*out = (struct netd_hello){
		.version = (int)json_int_or(answer, "version", 0),
		.pid = json_int_or(answer, "pid", 0),
		.zone_serial = (uint64_t)json_int_or(answer, "zone", 0),
		.slot_count = (size_t)json_int_or(answer, "slots", 0),
		.hold_count = (size_t)json_int_or(answer, "holds", 0),
		.relay_count = (size_t)json_int_or(answer, "relays", 0),
	};
	return 0;
}

int netd_zone(int netd_fd, int zone_fd, struct err *err)
{
	AUTO(json) struct json_object *request = json_object_new_object();

	return tell(netd_fd, "zone", request, &zone_fd, 1, err);
}

static void add_texts(struct json_object *request, const char *key, const char *const *texts,
		      size_t count)
{
	struct json_object *array = json_add_array(request, key);

	for (size_t i = 0; i < count; i++)
		json_push_text(array, texts[i]);
}

int netd_slot_add(int netd_fd, const struct netd_slot *slot, struct err *err)
{
	AUTO(json) struct json_object *request = json_object_new_object();
	const int all[4] = { slot->udp_fd, slot->tcp_fd, slot->upstream_fd, slot->upstream_tcp_fd };
	struct json_object *names = json_add_array(request, "sockets");
	int fds[4];
	size_t count = 0;

	json_add_text(request, "slot", slot->slot);
	add_texts(request, "servers", slot->servers, slot->server_count);
	json_add_bool(request, "internal_only", slot->internal_only);
	for (size_t i = 0; i < 4; i++)
		if (all[i] >= 0) {
			fds[count++] = all[i];
			json_push_text(names, socket_names[i]);
		}
	return tell(netd_fd, "slot", request, fds, count, err);
}

int netd_slot_drop(int netd_fd, const char *slot, struct err *err)
{
	AUTO(json) struct json_object *request = json_object_new_object();

	json_add_text(request, "slot", slot);
	return tell(netd_fd, "drop", request, NULL, 0, err);
}

int netd_hold(int netd_fd, const struct netd_hold *holds, size_t count, struct err *err)
{
	for (size_t done = 0; done < count;) {
		AUTO(json) struct json_object *request = json_object_new_object();
		struct json_object *keys = json_add_array(request, "keys");
		int fds[MESSAGE_FDS_MAX];
		size_t n = 0;

		for (; n < MESSAGE_FDS_MAX && done < count; n++, done++) {
			json_push_text(keys, holds[done].key);
			fds[n] = holds[done].fd;
		}
		if (tell(netd_fd, "hold", request, fds, n, err) < 0)
			return -1;
	}
	return 0;
}

/* "unhold" and "unrelay": so many keys a message that it stays well below its limit. */
static int drop_keys(int netd_fd, const char *op, const char *const *keys, size_t count,
		     struct err *err)
{
	const size_t at_once = MESSAGE_MAX / (2 * NETD_KEY_MAX);

	for (size_t done = 0; done < count; done += at_once) {
		AUTO(json) struct json_object *request = json_object_new_object();

		add_texts(request, "keys", keys + done,
			  count - done < at_once ? count - done : at_once);
		if (tell(netd_fd, op, request, NULL, 0, err) < 0)
			return -1;
	}
	return 0;
}

int netd_unhold(int netd_fd, const char *const *keys, size_t count, struct err *err)
{
	return drop_keys(netd_fd, "unhold", keys, count, err);
}

int netd_relay(int netd_fd, const struct netd_relay *relay, struct err *err)
{
	AUTO(json) struct json_object *request = json_object_new_object();

	json_add_text(request, "key", relay->key);
	json_add_text(request, "address", relay->address);
	json_add_int(request, "port", relay->port);
	return tell(netd_fd, "relay", request, &relay->fd, relay->fd >= 0, err);
}

int netd_unrelay(int netd_fd, const char *const *keys, size_t count, struct err *err)
{
	return drop_keys(netd_fd, "unrelay", keys, count, err);
}

int netd_upstreams(int netd_fd, const char *const *servers, size_t count, struct err *err)
{
	AUTO(json) struct json_object *request = json_object_new_object();

	add_texts(request, "servers", servers, count);
	return tell(netd_fd, "upstreams", request, NULL, 0, err);
}

static void append_all(struct json_object *to, struct json_object *from)
{
	for (size_t i = 0; i < json_array_count(from); i++)
		json_object_array_add(to, json_object_get(json_object_array_get_idx(from, i)));
}

int netd_list(int netd_fd, struct json_object **out, struct err *err)
{
	static const char *const lists[] = { "slots", "holds", "relays" };
	AUTO(json) struct json_object *whole = NULL;
	int64_t from = 0;

	while (from >= 0) {
		AUTO(json) struct json_object *request = json_object_new_object();
		AUTO(json) struct json_object *page = NULL;

		json_add_int(request, "from", from);
		page = ask(netd_fd, "list", request, NULL, 0, NULL, NULL, err);
		if (!page)
			return -1;
		from = json_int_or(page, "next", -1);
		if (!whole) {
			whole = TAKE(page);
			continue;
		}
		for (size_t i = 0; i < 3; i++)
			append_all(json_array_at(whole, lists[i]), json_array_at(page, lists[i]));
	}
	json_object_object_del(whole, "next");
	json_object_object_del(whole, "id");
	json_object_object_del(whole, "ok");
	*out = TAKE(whole);
	return 0;
}

int netd_slot_sockets(int netd_fd, const char *slot, struct netd_slot *out, struct err *err)
{
	AUTO(json) struct json_object *request = json_object_new_object();
	AUTO(json) struct json_object *answer = NULL;
	int *const places[4] = { &out->udp_fd, &out->tcp_fd, &out->upstream_fd,
				 &out->upstream_tcp_fd };
	int fds[4];
	size_t count = 4;
	struct json_object *names;

	*out = (struct netd_slot){
		.slot = slot, .udp_fd = -1, .tcp_fd = -1, .upstream_fd = -1, .upstream_tcp_fd = -1
	};
	json_add_text(request, "slot", slot);
	answer = ask(netd_fd, "give", request, NULL, 0, fds, &count, err);
	if (!answer)
		return -1;
	out->internal_only = json_bool_or(answer, "internal_only", false);
	names = json_array_at(answer, "sockets");
	for (size_t i = 0; i < count; i++) {
		const char *name = json_object_get_string(json_object_array_get_idx(names, i));
		size_t k = 0;

		while (k < 4 && (!name || strcmp(name, socket_names[k]) != 0))
			k++;
		if (k < 4 && *places[k] < 0)
			*places[k] = fds[i];
		else
			close(fds[i]);
	}
	return 0;
}

int netd_socket(int netd_fd, const char *key, struct err *err)
{
	AUTO(json) struct json_object *request = json_object_new_object();
	AUTO(json) struct json_object *answer = NULL;
	int fd = -1;
	size_t count = 1;

	json_add_text(request, "key", key);
	answer = ask(netd_fd, "give", request, NULL, 0, &fd, &count, err);
	if (answer && count == 1)
		return fd;
	return answer ? err_set(err, ERR_INTERNAL, "netd give: no descriptor came") : -1;
}

int netd_stats(int netd_fd, struct json_object **out, struct err *err)
{
	AUTO(json) struct json_object *request = json_object_new_object();
	AUTO(json)
	struct json_object *answer = ask(netd_fd, "stats", request, NULL, 0, NULL, NULL, err);

	if (!answer)
		return -1;
	*out = json_object_get(json_object_at(answer, "stats"));
	return 0;
}

int netd_retire(int netd_fd, struct err *err)
{
	AUTO(json) struct json_object *request = json_object_new_object();

	return tell(netd_fd, "retire", request, NULL, 0, err);
}

int netd_end(int netd_fd, struct err *err)
{
	AUTO(json) struct json_object *request = json_object_new_object();

	return tell(netd_fd, "end", request, NULL, 0, err);
}
