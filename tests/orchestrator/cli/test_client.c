/* tests/orchestrator/cli/test_client - mirrors orchestrator/cli/client: against a supervisor that
 * is a thread with a script, a line for each conversation that it holds. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <pthread.h>
#include <sys/socket.h>

#include "base/message.h"
#include "orchestrator/cli/client.h"
#include "tests/orchestrator/project_room.h"

#define GREETING "{\"protocol\":1,\"says_taken\":true}\n"
#define ENOUGH   7

enum turn {
	END_OF_SCRIPT,
	SLAM,        /* closes before a greeting */
	GREET_CLOSE, /* greets and closes: it was just ending */
	READ_CLOSE,  /* reads the request and dies before it is taken */
	TAKE_CLOSE,  /* says that it has it, and dies */
	TURN_AWAY,   /* answers: not begun, ask my successor */
	REFUSE_BUSY, /* answers: busy, and nothing else */
	SERVE,
};

struct fake {
	struct project_room room;
	int listen_fd;
	const enum turn *script;
	const char *greeting;
	unsigned requests; /* that it read */
	pthread_t thread;
};

static void say(int fd, const char *text)
{
	assert_int_equal(send(fd, text, strlen(text), MSG_NOSIGNAL), strlen(text));
}

static bool read_request(struct fake *fake, int fd)
{
	char byte;

	while (recv(fd, &byte, 1, 0) == 1)
		if (byte == '\n') {
			fake->requests++;
			return true;
		}
	return false;
}

static void hold_conversation(struct fake *fake, enum turn turn)
{
	AUTO(fd) int fd = accept4(fake->listen_fd, NULL, NULL, SOCK_CLOEXEC);

	if (turn == SLAM)
		return;
	say(fd, fake->greeting);
	if (turn == GREET_CLOSE || !read_request(fake, fd) || turn == READ_CLOSE)
		return;
	if (turn == TURN_AWAY)
		say(fd, "{\"id\":1,\"ok\":false,\"error\":{\"code\":\"busy\",\"message\":\"ends\","
			"\"again\":true}}\n");
	else if (turn == REFUSE_BUSY)
		say(fd,
		    "{\"id\":1,\"ok\":false,\"error\":{\"code\":\"busy\",\"message\":\"no\"}}\n");
	else
		say(fd, "{\"id\":1,\"event\":{\"taken\":true}}\n");
	if (turn == SERVE)
		say(fd, "{\"id\":1,\"event\":{\"n\":1}}\n{\"id\":1,\"ok\":true,\"result\":{"
			"\"done\":1}}\n");
}

static void *play(void *ctx)
{
	struct fake *fake = ctx;

	for (size_t i = 0; fake->script[i] != END_OF_SCRIPT; i++)
		hold_conversation(fake, fake->script[i]);
	close(TAKE_FD(fake->listen_fd));
	return NULL;
}

static void begin(struct fake *fake, const enum turn *script, const char *greeting)
{
	struct err err = ERR_NONE;

	memset(fake, 0, sizeof(*fake));
	room_make(&fake->room);
	fake->listen_fd =
		message_listen(fake->room.dirs->run_fd, "control.sock", SOCK_STREAM, true, &err);
	fake->script = script;
	fake->greeting = greeting;
	assert_true(fake->listen_fd >= 0);
	assert_int_equal(pthread_create(&fake->thread, NULL, play, fake), 0);
}

static void end(struct fake *fake)
{
	pthread_join(fake->thread, NULL);
	room_drop(&fake->room);
}

static void count_event(void *ctx, struct json_object *event)
{
	if (event)
		(*(unsigned *)ctx)++;
}

struct row {
	enum turn script[ENOUGH];
	int status;
	enum err_code code;
	unsigned requests;
};

/* What the first one of the script does to the conversation that is open: the rest are its
 * successors. */
static void ask(struct fake *fake, const struct row *row)
{
	struct cli cli = { .roots = fake->room.roots };
	struct err err = ERR_NONE;
	AUTO(json) struct json_object *result = NULL;
	AUTO(client) struct client *client = client_open(&cli, "shop", false, &err);
	unsigned events = 0;

	assert_non_null(client);
	assert_int_equal(client_request(client, "up", NULL, count_event, &events, &result, &err),
			 row->status);
	assert_int_equal(err.code, row->code);
	assert_int_equal(events, row->status == 0); /* "taken" is not shown */
	if (row->status == 0)
		assert_int_equal(json_int_or(result, "done", 0), 1);
}

static void what_was_not_taken_is_asked_of_the_successor(void **state)
{
	static const struct row rows[] = {
		{{ SERVE },				      0, ERR_OK, 1},
		{ { GREET_CLOSE, SERVE },                        0, ERR_OK, 1},
		{ { READ_CLOSE, SERVE },                         0, ERR_OK, 2},
		{ { TURN_AWAY, SERVE },                          0, ERR_OK, 2},
		{ { READ_CLOSE, GREET_CLOSE, TURN_AWAY, SERVE }, 0, ERR_OK, 3},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		struct fake fake;

		begin(&fake, rows[i].script, GREETING);
		ask(&fake, &rows[i]);
		end(&fake);
		assert_int_equal(fake.requests, rows[i].requests);
	}
}

static void what_was_taken_or_answered_is_never_repeated(void **state)
{
	static const struct row rows[] = {
		{{ TAKE_CLOSE },              -1, ERR_SYSTEM, 1},
		{ { REFUSE_BUSY },            -1, ERR_BUSY,   1},
		{ { READ_CLOSE, TAKE_CLOSE }, -1, ERR_SYSTEM, 2},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		struct fake fake;

		begin(&fake, rows[i].script, GREETING);
		ask(&fake, &rows[i]);
		end(&fake);
		assert_int_equal(fake.requests, rows[i].requests);
	}
}

static void it_gives_up_after_six_that_took_nothing(void **state)
{
	static const struct row row = {
		{READ_CLOSE, READ_CLOSE, READ_CLOSE, READ_CLOSE, READ_CLOSE, READ_CLOSE},
		-1,
		ERR_SYSTEM,
		6
	};
	struct fake fake;

	(void)state;
	begin(&fake, row.script, GREETING);
	ask(&fake, &row);
	end(&fake);
	assert_int_equal(fake.requests, 6);
}

static void one_that_does_not_say_taken_is_asked_once(void **state)
{
	static const struct row row = { { READ_CLOSE }, -1, ERR_SYSTEM, 1 };
	struct fake fake;

	(void)state;
	begin(&fake, row.script, "{\"protocol\":1}\n");
	ask(&fake, &row);
	end(&fake);
	assert_int_equal(fake.requests, 1);
}

static void without_a_successor_nobody_lives(void **state)
{
	static const struct row row = { { GREET_CLOSE }, -1, ERR_NOT_FOUND, 0 };
	struct fake fake;

	(void)state;
	begin(&fake, row.script, GREETING);
	ask(&fake, &row);
	end(&fake);
}

static void a_door_that_closes_before_the_greeting_means_that_nobody_lives(void **state)
{
	static const enum turn script[] = { SLAM, END_OF_SCRIPT };
	struct err err = ERR_NONE;
	struct fake fake;

	(void)state;
	begin(&fake, script, GREETING);
	{
		struct cli cli = { .roots = fake.room.roots };

		assert_null(client_open(&cli, "shop", false, &err));
	}
	assert_int_equal(err.code, ERR_NOT_FOUND);
	end(&fake);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_was_not_taken_is_asked_of_the_successor),
		cmocka_unit_test(what_was_taken_or_answered_is_never_repeated),
		cmocka_unit_test(it_gives_up_after_six_that_took_nothing),
		cmocka_unit_test(one_that_does_not_say_taken_is_asked_once),
		cmocka_unit_test(without_a_successor_nobody_lives),
		cmocka_unit_test(a_door_that_closes_before_the_greeting_means_that_nobody_lives),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
