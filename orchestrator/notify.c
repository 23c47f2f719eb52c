/* orchestrator/notify - words to the service manager that started us.
 *
 * Owns: the socket of NOTIFY_SOCKET, the timer of the watchdog. May not touch: when the supervisor
 * is ready. Source: sd_notify(3), sd_watchdog_enabled(3).
 */
#include "orchestrator/notify.h"

#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/log.h"
#include "base/num.h"
#include "base/stamp.h"

struct notify {
	char *path; /* "@" in front: an abstract name */
	char *watchdog_text;
	uint64_t watchdog_us; /* 0: none */
	uv_timer_t timer;
};

static bool is_ours(const char *pid)
{
	struct err ignored = ERR_NONE;
	uint64_t number;

	return !pid || (num_parse_u64("WATCHDOG_PID", pid, strlen(pid), 1, INT32_MAX, &number,
				      &ignored) == 0 &&
			number == (uint64_t)getpid());
}

struct notify *notify_open(void)
{
	const char *path = getenv("NOTIFY_SOCKET"), *watchdog = getenv("WATCHDOG_USEC");
	struct err ignored = ERR_NONE;
	struct notify *notify;

	if (!path || (path[0] != '/' && path[0] != '@'))
		return NULL;
	notify = xcalloc(1, sizeof(*notify));
	notify->path = xstrdup(path);
	if (watchdog && is_ours(getenv("WATCHDOG_PID")) &&
	    num_parse_u64("WATCHDOG_USEC", watchdog, strlen(watchdog), 1, UINT64_MAX,
			  &notify->watchdog_us, &ignored) == 0)
		notify->watchdog_text = xstrdup(watchdog);
	unsetenv("NOTIFY_SOCKET");
	unsetenv("WATCHDOG_USEC");
	unsetenv("WATCHDOG_PID");
	return notify;
}

void notify_say(struct notify *notify, const char *word)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	size_t len = notify ? strlen(notify->path) : 0;
	socklen_t size = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + len);
	int fd;

	if (!len || len >= sizeof(address.sun_path))
		return;
	memcpy(address.sun_path, notify->path, len);
	if (address.sun_path[0] == '@')
		address.sun_path[0] = '\0';
	else
		size++;
	fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return;
	if (sendto(fd, word, strlen(word), MSG_NOSIGNAL | MSG_DONTWAIT, (struct sockaddr *)&address,
		   size) < 0)
		log_debug("not-notified", KV_S("word", word));
	close(fd);
}

static void sign_of_life(uv_timer_t *timer)
{
	notify_say(timer->data, "WATCHDOG=1");
}

void notify_ready(struct notify *notify, uv_loop_t *loop, const char *project)
{
	char text[512];
	uint64_t ms;

	if (!notify)
		return;
	snprintf(text, sizeof(text), "READY=1\nMAINPID=%d\nSTATUS=Keeps project %s", (int)getpid(),
		 project);
	notify_say(notify, text);
	ms = notify->watchdog_us / 2000;
	if (!ms)
		return;
	uv_timer_init(loop, &notify->timer);
	notify->timer.data = notify;
	uv_timer_start(&notify->timer, sign_of_life, ms, ms);
	uv_unref((uv_handle_t *)&notify->timer);
}

void notify_free(struct notify *notify)
{
	if (!notify)
		return;
	free(notify->path);
	free(notify->watchdog_text);
	free(notify);
}

void notify_keep(const struct notify *notify)
{
	if (!notify)
		return;
	setenv("NOTIFY_SOCKET", notify->path, 1);
	if (notify->watchdog_text)
		setenv("WATCHDOG_USEC", notify->watchdog_text, 1);
}
