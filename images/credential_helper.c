/* images/credential_helper - one run of a credential helper.
 *
 * Owns: the pipes, the time limit, the words of the protocol.
 * May not touch: credential files, the network. The secret is in no argument and no variable.
 */
#include "images/credential_helper.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/cleanup.h"
#include "base/file.h"
#include "base/json.h"
#include "base/process.h"
#include "base/stamp.h"
#include "base/text.h"
#include "images/auth.h"

#define ANSWER_MAX  65536
#define LIMIT_MS    30000
#define NOT_FOUND   "credentials not found in native keychain"
#define INPUT_LIMIT 4096 /* fits a pipe: written before the helper reads */

extern char **environ;

struct answer {
	char *text; /* stdout and stderr together, NUL-terminated */
	size_t len;
	int status; /* exit status, -1: killed */
};

static bool is_name(const char *name)
{
	for (const char *c = name; *c; c++)
		if (!((*c >= 'a' && *c <= 'z') || (*c >= 'A' && *c <= 'Z') ||
		      (*c >= '0' && *c <= '9') || strchr("._-", *c)))
			return false;
	return *name != '\0';
}

static int spawn_helper(const char *program, const char *verb, int in_fd, int out_fd,
			pid_t *out_pid)
{
	char *const argv[] = { (char *)(uintptr_t)program, (char *)(uintptr_t)verb, NULL };
	posix_spawn_file_actions_t actions;
	posix_spawnattr_t attr;
	sigset_t none, defaults;
	int failure;

	sigemptyset(&none);
	sigemptyset(&defaults);
	sigaddset(&defaults, SIGPIPE);
	posix_spawn_file_actions_init(&actions);
	posix_spawn_file_actions_adddup2(&actions, in_fd, 0);
	posix_spawn_file_actions_adddup2(&actions, out_fd, 1);
	posix_spawn_file_actions_adddup2(&actions, out_fd, 2);
	posix_spawnattr_init(&attr);
	posix_spawnattr_setsigmask(&attr, &none);
	posix_spawnattr_setsigdefault(&attr, &defaults);
	posix_spawnattr_setflags(&attr, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
	failure = posix_spawnp(out_pid, program, &actions, &attr, argv, environ);
	posix_spawn_file_actions_destroy(&actions);
	posix_spawnattr_destroy(&attr);
	return failure;
}

/* Reads to the end or the limit; false when time was up. */
static bool read_answer(int fd, struct answer *answer)
{
	uint64_t end_us = stamp_monotonic_us() + LIMIT_MS * 1000ull;

	answer->text = xcalloc(1, ANSWER_MAX + 1);
	for (;;) {
		struct pollfd ready = { .fd = fd, .events = POLLIN };
		uint64_t now = stamp_monotonic_us();
		ssize_t n;

		if (now >= end_us || poll(&ready, 1, (int)((end_us - now) / 1000) + 1) == 0)
			return false;
		n = read(fd, answer->text + answer->len, ANSWER_MAX - answer->len);
		if (n < 0 && (errno == EINTR || errno == EAGAIN))
			continue;
		if (n <= 0)
			return true;
		answer->len += (size_t)n;
	}
}

/* A helper that does not read what it is told must not end us: SIGPIPE is held back for the write,
 * and taken away again if it came. */
static void write_input(int fd, const char *input)
{
	const struct timespec now = { 0, 0 };
	sigset_t pipe_only, before;

	sigemptyset(&pipe_only);
	sigaddset(&pipe_only, SIGPIPE);
	pthread_sigmask(SIG_BLOCK, &pipe_only, &before);
	if (file_write_all(fd, input, strlen(input)) < 0 && errno == EPIPE)
		sigtimedwait(&pipe_only, NULL, &now);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
}

static int wait_helper(pid_t pid)
{
	int status = 0;

	while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static int run_helper(const char *name, const char *verb, const char *input, struct answer *out,
		      struct err *err)
{
	AUTO(free) char *program = xformat("docker-credential-%s", name);
	int in[2] = { -1, -1 }, from[2] = { -1, -1 }, failure;
	bool in_time;
	pid_t pid;

	memset(out, 0, sizeof(*out));
	if (!is_name(name))
		return err_set(err, ERR_INVALID, "credential helper \"%.40s\": no such name can be",
			       name);
	if (strlen(input) > INPUT_LIMIT)
		return err_set(err, ERR_INVALID, "%s: the secret is too long", program);
	if (pipe2(in, O_CLOEXEC) < 0 || pipe2(from, O_CLOEXEC) < 0) {
		failure = errno;
	} else if ((failure = spawn_helper(program, verb, in[0], from[1], &pid)) == 0) {
		close(TAKE_FD(in[0]));
		close(TAKE_FD(from[1]));
		write_input(in[1], input);
		close(TAKE_FD(in[1]));
		in_time = read_answer(from[0], out);
		if (!in_time)
			kill(pid, SIGKILL);
		out->status = wait_helper(pid);
		if (!in_time)
			err_set(err, ERR_TIMEOUT, "%s: no answer within 30 s", program);
	}
	for (size_t i = 0; i < 2; i++) {
		auto_fd(&in[i]);
		auto_fd(&from[i]);
	}
	if (failure)
		return err_sys(err, failure, "run %s", program);
	return err->code ? -1 : 0;
}

/* The helper's own words, one line of them. */
static int helper_failed(const char *name, const char *verb, struct answer *answer, struct err *err)
{
	char *line = answer->text + strspn(answer->text, " \t\r\n");

	line[strcspn(line, "\r\n")] = '\0';
	return err_set(err, ERR_SYSTEM, "docker-credential-%s %s: %.120s", name, verb,
		       *line ? text_plain(line) : "failed without a word");
}

static int parse_answer(const char *name, const struct answer *answer, struct credential *out,
			struct err *err)
{
	AUTO(json) struct json_object *root = NULL;
	const char *user, *secret;

	root = json_parse("answer", answer->text, answer->len, err);
	user = json_text_or(root, "Username", NULL);
	secret = json_text_or(root, "Secret", NULL);
	if (!user || !secret)
		return err_set(err, ERR_INVALID, "docker-credential-%s: its answer holds no secret",
			       name);
	if (strcmp(user, "<token>") == 0) {
		out->identity_token = xstrdup(secret);
	} else {
		out->user = xstrdup(user);
		out->secret = xstrdup(secret);
	}
	return 0;
}

int credential_helper_get(const char *name, const char *server, struct credential *out,
			  struct err *err)
{
	AUTO(free) char *input = xformat("%s\n", server);
	struct answer answer;
	int result = run_helper(name, "get", input, &answer, err);

	if (result == 0 && answer.status == 0)
		result = parse_answer(name, &answer, out, err);
	else if (result == 0 && !strstr(answer.text, NOT_FOUND))
		result = helper_failed(name, "get", &answer, err);
	auth_forget(answer.text);
	return result;
}

int credential_helper_store(const char *name, const char *server, const char *user,
			    const char *secret, struct err *err)
{
	struct json_object *request = json_object_new_object();
	struct answer answer;
	char *input;
	int result;

	json_add_text(request, "ServerURL", server);
	json_add_text(request, "Username", user);
	json_add_text(request, "Secret", secret);
	input = xstrdup(json_object_to_json_string_ext(
		request, JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE));
	json_object_put(request);
	result = run_helper(name, "store", input, &answer, err);
	if (result == 0 && answer.status != 0)
		result = helper_failed(name, "store", &answer, err);
	auth_forget(input);
	auth_forget(answer.text);
	return result;
}

int credential_helper_erase(const char *name, const char *server, bool *out_had, struct err *err)
{
	struct answer answer;
	int result = run_helper(name, "erase", server, &answer, err);

	*out_had = result == 0 && answer.status == 0;
	if (result == 0 && answer.status != 0 && !strstr(answer.text, NOT_FOUND))
		result = helper_failed(name, "erase", &answer, err);
	auth_forget(answer.text);
	return result;
}
