/* tests/orchestrator/test_notify - mirrors orchestrator/notify: what a service manager hears. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/alloc.h"
#include "orchestrator/notify.h"
#include "tests/runtime/folder.h"

static int listen_at(const char *path)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	size_t len = strlen(path);

	memcpy(address.sun_path, path, len);
	if (path[0] == '@')
		address.sun_path[0] = '\0';
	assert_int_equal(bind(fd, (struct sockaddr *)&address,
			      (socklen_t)(offsetof(struct sockaddr_un, sun_path) + len)),
			 0);
	return fd;
}

static void hears(int fd, const char *wanted)
{
	char text[512];
	ssize_t n = recv(fd, text, sizeof(text) - 1, 0);

	assert_true(n > 0);
	text[n] = '\0';
	if (strncmp(text, wanted, strlen(wanted)) != 0)
		fail_msg("heard \"%s\" instead of \"%s\"", text, wanted);
}

/* Ends the loop when two signs of life have come, however slow the machine is. */
struct listener {
	uv_timer_t timer;
	int fd, beats;
};

static void listen_for_beats(uv_timer_t *timer)
{
	struct listener *listener = timer->data;
	char text[64] = "";

	while (recv(listener->fd, text, sizeof(text) - 1, MSG_DONTWAIT) > 0)
		listener->beats += strncmp(text, "WATCHDOG=1", strlen("WATCHDOG=1")) == 0;
	if (listener->beats >= 2)
		uv_stop(timer->loop);
}

static void both_kinds_of_address_hear_ready_and_the_watchdog(void **state)
{
	struct folder folder;
	char *names[2];

	(void)state;
	folder_make(&folder);
	names[0] = xformat("%s/notify", folder.path);
	names[1] = xformat("@stack-test-%d", getpid());
	for (size_t i = 0; i < 2; i++) {
		struct notify *notify;
		uv_loop_t loop;
		struct listener listener = { .fd = listen_at(names[i]) };
		int fd = listener.fd;

		setenv("NOTIFY_SOCKET", names[i], 1);
		setenv("WATCHDOG_USEC", "20000", 1);
		notify = notify_open();
		assert_non_null(notify);
		assert_null(getenv("NOTIFY_SOCKET"));
		assert_null(getenv("WATCHDOG_USEC"));
		uv_loop_init(&loop);
		notify_ready(notify, &loop, "shop");
		hears(fd, "READY=1\nMAINPID=");
		uv_timer_init(&loop, &listener.timer);
		listener.timer.data = &listener;
		uv_timer_start(&listener.timer, listen_for_beats, 5, 5);
		uv_run(&loop, UV_RUN_DEFAULT);
		assert_true(listener.beats >= 2);
		notify_say(notify, "STOPPING=1");
		notify_keep(notify);
		assert_string_equal(getenv("NOTIFY_SOCKET"), names[i]);
		assert_string_equal(getenv("WATCHDOG_USEC"), "20000");
		uv_walk(&loop, (uv_walk_cb)(void (*)(void))uv_close, NULL);
		uv_run(&loop, UV_RUN_DEFAULT);
		uv_loop_close(&loop);
		notify_free(notify);
		close(fd);
		free(names[i]);
	}
	unsetenv("NOTIFY_SOCKET");
	unsetenv("WATCHDOG_USEC");
	folder_drop(&folder);
}

static void without_a_manager_nothing_happens(void **state)
{
	uv_loop_t loop;

	(void)state;
	unsetenv("NOTIFY_SOCKET");
	assert_null(notify_open());
	uv_loop_init(&loop);
	notify_ready(NULL, &loop, "shop");
	notify_say(NULL, "STOPPING=1");
	notify_keep(NULL);
	notify_free(NULL);
	assert_int_equal(uv_loop_close(&loop), 0);
}

static void a_watchdog_of_another_process_is_not_ours(void **state)
{
	struct notify *notify;

	(void)state;
	setenv("NOTIFY_SOCKET", "@stack-nobody", 1);
	setenv("WATCHDOG_USEC", "20000", 1);
	setenv("WATCHDOG_PID", "1", 1);
	notify = notify_open();
	assert_non_null(notify);
	notify_keep(notify);
	assert_null(getenv("WATCHDOG_USEC"));
	notify_say(notify, "READY=1"); /* nobody listens: no failure */
	notify_free(notify);
	unsetenv("NOTIFY_SOCKET");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(both_kinds_of_address_hear_ready_and_the_watchdog),
		cmocka_unit_test(without_a_manager_nothing_happens),
		cmocka_unit_test(a_watchdog_of_another_process_is_not_ours),
	};

	return cmocka_run_group_tests_name("orchestrator/notify", tests, NULL, NULL);
}
