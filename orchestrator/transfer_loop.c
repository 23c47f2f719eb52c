/* orchestrator/transfer_loop - sockets and the timer of images/fetch as libuv handles.
 *
 * Owns: the handles. May not touch: requests, what is transferred.
 */
#include "orchestrator/transfer_loop.h"

#include <stdlib.h>
#include <sys/queue.h>

#include "base/alloc.h"

struct watch {
	LIST_ENTRY(watch) link;
	struct transfer_loop *loop;
	int socket_fd; /* borrowed from curl */
	uv_poll_t poll;
};

struct transfer_loop {
	uv_loop_t loop;
	uv_timer_t timer;
	struct fetch *fetch;
	LIST_HEAD(, watch) watches;
};

static void socket_ready(uv_poll_t *poll, int status, int events)
{
	struct watch *watch = poll->data;
	unsigned what =
		(events & UV_READABLE ? FETCH_READ : 0) | (events & UV_WRITABLE ? FETCH_WRITE : 0);

	if (status < 0)
		what = FETCH_READ | FETCH_WRITE;
	fetch_socket_ready(watch->loop->fetch, watch->socket_fd, what);
}

static void watch_closed(uv_handle_t *handle)
{
	free(handle->data);
}

static void end_watch(struct watch *watch)
{
	LIST_REMOVE(watch, link);
	uv_poll_stop(&watch->poll);
	uv_close((uv_handle_t *)&watch->poll, watch_closed);
}

static struct watch *find_watch(struct transfer_loop *loop, int socket_fd)
{
	struct watch *watch = LIST_FIRST(&loop->watches);

	while (watch && watch->socket_fd != socket_fd)
		watch = LIST_NEXT(watch, link);
	return watch;
}

static void watch_socket(void *ctx, int socket_fd, unsigned what)
{
	struct transfer_loop *loop = ctx;
	struct watch *watch = find_watch(loop, socket_fd);

	if (!what) {
		if (watch)
			end_watch(watch);
		return;
	}
	if (!watch) {
		watch = xcalloc(1, sizeof(*watch));
		watch->loop = loop;
		watch->socket_fd = socket_fd;
		uv_poll_init_socket(&loop->loop, &watch->poll, socket_fd);
		watch->poll.data = watch;
		LIST_INSERT_HEAD(&loop->watches, watch, link);
	}
	uv_poll_start(&watch->poll,
		      (what & FETCH_READ ? UV_READABLE : 0) |
			      (what & FETCH_WRITE ? UV_WRITABLE : 0),
		      socket_ready);
}

static void timer_due(uv_timer_t *timer)
{
	struct transfer_loop *loop = timer->data;

	fetch_timer_due(loop->fetch);
}

static void set_timer(void *ctx, long ms)
{
	struct transfer_loop *loop = ctx;

	if (ms < 0)
		uv_timer_stop(&loop->timer);
	else
		uv_timer_start(&loop->timer, timer_due, (uint64_t)ms, 0);
}

struct transfer_loop *transfer_loop_new(unsigned max_host_connections, struct err *err)
{
	struct transfer_loop *loop = xcalloc(1, sizeof(*loop));
	const struct fetch_loop hooks = { loop, watch_socket, set_timer };

	LIST_INIT(&loop->watches);
	uv_loop_init(&loop->loop);
	uv_timer_init(&loop->loop, &loop->timer);
	loop->timer.data = loop;
	loop->fetch = fetch_new(&hooks, max_host_connections, err);
	if (loop->fetch)
		return loop;
	transfer_loop_free(loop);
	return NULL;
}

uv_loop_t *transfer_loop_uv(struct transfer_loop *loop)
{
	return &loop->loop;
}

struct fetch *transfer_loop_fetch(struct transfer_loop *loop)
{
	return loop->fetch;
}

void transfer_loop_run(struct transfer_loop *loop)
{
	uv_run(&loop->loop, UV_RUN_DEFAULT);
}

void transfer_loop_free(struct transfer_loop *loop)
{
	if (!loop)
		return;
	fetch_free(loop->fetch);
	while (!LIST_EMPTY(&loop->watches))
		end_watch(LIST_FIRST(&loop->watches));
	uv_close((uv_handle_t *)&loop->timer, NULL);
	uv_run(&loop->loop, UV_RUN_DEFAULT);
	uv_loop_close(&loop->loop);
	free(loop);
}
