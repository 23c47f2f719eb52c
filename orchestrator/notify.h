/* orchestrator/notify - words to the service manager that started us (sd_notify(3)): ready,
 * reloading, stopping, and the watchdog's sign of life. Without NOTIFY_SOCKET every function does
 * nothing. On the loop. */
#pragma once
#include <uv.h>

struct notify;

/* Reads NOTIFY_SOCKET and WATCHDOG_USEC and takes them out of the environment, so that no child
 * speaks in our name; WATCHDOG_PID of another process counts as no watchdog. Before threads. NULL:
 * nobody listens (every function below takes it). */
struct notify *notify_open(void);
/* READY=1 with the project as status; from now on the watchdog hears of us twice in its time. */
void notify_ready(struct notify *notify, uv_loop_t *loop, const char *project);
/* Any other word: "STOPPING=1". */
void notify_say(struct notify *notify, const char *word);
void notify_free(struct notify *notify);
/* Puts both variables back, for a program that takes our place by execve. */
void notify_keep(const struct notify *notify);
