/* runtime/exec_session - processes with a terminal in the container that outlive the client who
 * asked for them.
 *
 * Each has an id, a hub of its own and a record run_dir/exec/ID.json. For the monitor: one thread;
 * the processes are its children.
 */
#pragma once
#include <json-c/json.h>
#include <stdbool.h>
#include <sys/types.h>

#include "base/cleanup.h"
#include "base/err.h"
#include "runtime/attach_hub.h"
#include "runtime/poller.h"

#define EXEC_SESSION_ID_LEN 12
#define EXEC_SESSION_COUNT  32

struct exec_sessions;
struct exec_kept;

/* root and id name the container for runtime/state; run_dir_fd is borrowed. on_end is told each
 * session's end
 * ({"op":"exec-exited",…}, borrowed). */
struct exec_sessions *exec_sessions_new(struct poller *poller, int run_dir_fd, const char *root,
					const char *id,
					void (*on_end)(void *ctx, struct json_object *event),
					void *ctx);
void exec_sessions_free(struct exec_sessions *sessions);
AUTO_TYPE(exec_sessions, exec_sessions_free);

/* Starts the OCI process object in the container, with a terminal of that size. Borrowed result.
 * Blocks until the program is executed. *out_exit_code: 126, 127 or 255 on failure. */
struct exec_kept *exec_sessions_start(struct exec_sessions *sessions, struct json_object *process,
				      unsigned rows, unsigned columns, int *out_exit_code,
				      struct err *err);
/* By id; NULL: unknown, or ended. */
struct exec_kept *exec_sessions_find(struct exec_sessions *sessions, const char *id);
const char *exec_kept_id(const struct exec_kept *kept);
struct attach_hub *exec_kept_hub(struct exec_kept *kept);
int exec_kept_resize(struct exec_kept *kept, unsigned rows, unsigned columns, struct err *err);

/* A child was reaped: true when it was a session's. */
bool exec_sessions_reaped(struct exec_sessions *sessions, pid_t pid, int wait_status);
