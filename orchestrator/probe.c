/* orchestrator/probe - is a container ready, judged from outside.
 *
 * Owns: one question to a monitor, and the few words of HTTP behind it. May not touch: when to ask.
 */
#include "orchestrator/probe.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/file.h"
#include "base/json.h"
#include "base/message.h"
#include "base/num.h"

/* Sends the question and takes the answer with its socket (-1: none). */
static int ask(const struct supervisor *sv, const char *id, struct json_object *question,
	       int *out_fd, struct json_object **out, struct err *err)
{
	AUTO(free) char *path = xformat("containers/%s", id);
	AUTO(fd) int dir_fd = file_open_dir(sv->roots->run_fd, path, false, err);
	AUTO(fd) int monitor_fd = -1;
	size_t count = 1;
	int n;

	*out_fd = -1;
	if (dir_fd < 0)
		return -1;
	monitor_fd = message_connect(dir_fd, "monitor.sock", SOCK_SEQPACKET, err);
	if (monitor_fd < 0 || message_send(monitor_fd, question, NULL, 0, err) < 0)
		return -1;
	n = message_receive(monitor_fd, out, out_fd, &count, err);
	if (n == 0)
		return err_set(err, ERR_NOT_FOUND, "the monitor has ended");
	if (count == 0)
		*out_fd = -1;
	return n < 0 ? -1 : 0;
}

static int read_status(int fd, unsigned timeout_ms, unsigned *out, struct err *err)
{
	struct pollfd wait = { .fd = fd, .events = POLLIN };
	char line[64];
	uint64_t status;
	ssize_t n;

	if (poll(&wait, 1, (int)timeout_ms) <= 0)
		return err_set(err, ERR_BUSY, "no answer to the HTTP request");
	n = read(fd, line, sizeof(line) - 1);
	if (n < 12 || strncmp(line, "HTTP/1.", 7) != 0 ||
	    num_parse_u64("status", line + 9, 3, 100, 999, &status, err) < 0)
		return err_set(err, ERR_BUSY, "the answer is not HTTP");
	*out = (unsigned)status;
	return 0;
}

static int http(int fd, const struct probe *probe, unsigned timeout_ms, struct err *err)
{
	AUTO(free)
	char *request = xformat("GET %s HTTP/1.0\r\nHost: localhost\r\nUser-Agent: stack\r\n"
				"Connection: close\r\n\r\n",
				probe->http_path ? probe->http_path : "/");
	unsigned status = 0;

	if (file_write_all(fd, request, strlen(request)) < 0)
		return err_set(err, ERR_BUSY, "the connection was closed");
	if (read_status(fd, timeout_ms, &status, err) < 0)
		return -1;
	if (status < probe->http_status_min || status > probe->http_status_max)
		return err_set(err, ERR_BUSY, "HTTP status %u", status);
	return 0;
}

int probe_once(const struct supervisor *sv, const char *container_id, const struct probe *probe,
	       unsigned timeout_ms, struct err *err)
{
	AUTO(json) struct json_object *question = json_object_new_object();
	AUTO(json) struct json_object *answer = NULL;
	AUTO(fd) int fd = -1;
	unsigned port = probe->listen_port ? probe->listen_port
			: probe->tcp_port  ? probe->tcp_port
					   : probe->http_port;

	json_add_text(question, "op", "probe");
	json_add_int(question, probe->listen_port ? "listen" : "connect", port);
	json_add_int(question, "timeout_ms", timeout_ms);
	if (ask(sv, container_id, question, &fd, &answer, err) < 0)
		return -1;
	if (!json_bool_or(answer, "ok", false))
		return err_set(err, ERR_BUSY, "port %u: %s", port,
			       json_text_or(answer, "err", "no answer"));
	if (probe->listen_port)
		return json_bool_or(answer, "listening", false)
			       ? 0
			       : err_set(err, ERR_BUSY, "nothing listens on port %u", port);
	if (probe->http_port)
		return fd < 0 ? err_set(err, ERR_BUSY, "port %u: no connection", port)
			      : http(fd, probe, timeout_ms, err);
	return 0;
}
