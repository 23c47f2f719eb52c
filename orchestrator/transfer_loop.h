/* orchestrator/transfer_loop - images/fetch on a libuv loop.
 *
 * One loop, one fetch; sockets become uv_poll handles, the timer a uv_timer. One thread.
 */
#pragma once
#include <uv.h>

#include "base/cleanup.h"
#include "images/fetch.h"

struct transfer_loop;

/* ERR_NOT_FOUND when this machine has no libcurl. */
struct transfer_loop *transfer_loop_new(unsigned max_host_connections, struct err *err);
uv_loop_t *transfer_loop_uv(struct transfer_loop *loop);
struct fetch *transfer_loop_fetch(struct transfer_loop *loop);
/* Until nothing is left to do. */
void transfer_loop_run(struct transfer_loop *loop);
/* Cancels what is in flight, closes all handles, frees. The caller's own handles must be closed. */
void transfer_loop_free(struct transfer_loop *loop);
AUTO_TYPE(transfer_loop, transfer_loop_free);
