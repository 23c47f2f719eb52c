/* netplug/netd_talk - conversations with the supervisor: requests in, answers out.
 *
 * Owns: the connections. May not touch: what a word means (netd_words), packets.
 */
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/cleanup.h"
#include "base/json.h"
#include "netplug/netd_request.h"

static void conversation_close(struct netd *netd, struct conversation *conversation)
{
	TAILQ_REMOVE(&netd->conversations, conversation, next);
	core_unwatch(netd, &conversation->io);
	core_bury(netd, conversation);
}

static void answer(struct netd *netd, struct request *request, int status, const struct err *failed)
{
	struct err err = ERR_NONE;

	json_object_object_add(request->out, "id",
			       json_object_get(json_object_object_get(request->in, "id")));
	json_add_bool(request->out, "ok", status == 0);
	if (status < 0) {
		struct json_object *error = json_add_object(request->out, "error");

		json_add_text(error, "code", err_code_name(failed->code));
		json_add_text(error, "message", failed->msg);
	}
	if (message_send(request->from->io.fd, request->out, request->answer_fds,
			 status == 0 ? request->answer_fd_count : 0, &err) < 0)
		conversation_close(netd, request->from); /* it does not read: it is no supervisor */
}

static void conversation_ready(struct netd *netd, struct watched *watched, uint32_t events)
{
	struct request request = { .from = OWNER_OF(conversation, io, watched),
				   .fd_count = MESSAGE_FDS_MAX };
	AUTO(json) struct json_object *in = NULL;
	AUTO(json) struct json_object *out = json_object_new_object();
	struct err err = ERR_NONE;
	int got = message_receive(watched->fd, &in, request.fds, &request.fd_count, &err);

	(void)events;
	if (got < 0 && err.code == ERR_BUSY)
		return;
	if (got == 0 || (got < 0 && err.code != ERR_INVALID)) {
		conversation_close(netd, request.from);
		return;
	}
	request.in = in;
	request.out = out;
	answer(netd, &request, got < 0 ? -1 : words_serve(netd, &request, &err), &err);
	for (size_t i = 0; got > 0 && i < request.fd_count; i++)
		if (request.fds[i] >= 0)
			close(request.fds[i]);
}

int talk_add(struct netd *netd, int fd, struct err *err)
{
	struct conversation *conversation = xcalloc(1, sizeof(*conversation));

	if (core_watch(netd, &conversation->io, fd, EPOLLIN, conversation_ready, err) < 0) {
		free(conversation);
		return -1;
	}
	TAILQ_INSERT_TAIL(&netd->conversations, conversation, next);
	return 0;
}

void talk_accept(struct netd *netd, struct watched *watched, uint32_t events)
{
	int fd = accept4(watched->fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
	struct err err = ERR_NONE;
	struct ucred peer = { .uid = (uid_t)-1 };
	socklen_t len = sizeof(peer);

	(void)events;
	if (fd < 0)
		return;
	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &len) < 0 ||
	    (peer.uid != netd->owner_uid && peer.uid != 0)) {
		close(fd);
		return;
	}
	talk_add(netd, fd, &err);
}
