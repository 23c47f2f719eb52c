/* netplug/netd_request - one request of a conversation, between netd_talk (its way in and out) and
 * netd_words (what it means). */
#pragma once
#include "base/message.h"
#include "netplug/netd_core.h"

/* A request being served. Descriptors that a word keeps are set to -1. */
struct request {
	struct conversation *from;
	struct json_object *in, *out;
	int fds[MESSAGE_FDS_MAX];
	size_t fd_count;
	int answer_fds[4];
	size_t answer_fd_count;
};

/* Does what the request says and fills request->out; -1: *err goes into the answer. */
int words_serve(struct netd *netd, struct request *request, struct err *err);
