/* orchestrator/cli/attach - the terminal of the user joined to a container's streams, through its
 * monitor.
 *
 * Owns: raw mode and its way back, frames, detach keys, signals that are passed on. May not touch:
 * the container's life.
 */
#include "orchestrator/cli/attach.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/ioctl.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <termios.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/cleanup.h"
#include "base/file.h"
#include "base/json.h"
#include "base/message.h"
#include "base/text.h"

#define FRAME_HEADER 8
#define DETACH_KEYS  "ctrl-p,ctrl-q"
#define DRAIN_MS     500

struct attach {
	struct attach_view view;
	int monitor_fd, stream_fd, signal_fd;
	struct termios before;
	bool is_raw, stdin_over, ended;
	int code;
	sigset_t mask_before;
	char frame[FRAME_HEADER];
	size_t header_len, frame_left;
	char keys[ATTACH_KEYS_MAX];
	size_t key_count, keys_seen;
};

static void send_size(struct attach *attach)
{
	AUTO(json) struct json_object *message = NULL;
	struct winsize size;
	struct err ignored = ERR_NONE;

	if (!attach->view.tty || ioctl(STDIN_FILENO, TIOCGWINSZ, &size) < 0)
		return;
	message = json_object_new_object();
	json_add_text(message, "op", "resize");
	json_add_int(message, "rows", size.ws_row);
	json_add_int(message, "cols", size.ws_col);
	message_send(attach->monitor_fd, message, NULL, 0, &ignored);
}

static void set_raw(struct attach *attach)
{
	struct termios raw;

	if (!attach->view.tty || tcgetattr(STDIN_FILENO, &attach->before) < 0)
		return;
	raw = attach->before;
	cfmakeraw(&raw);
	attach->is_raw = tcsetattr(STDIN_FILENO, TCSANOW, &raw) == 0;
}

static int ask(struct attach *attach, struct err *err)
{
	AUTO(json) struct json_object *question = json_object_new_object();
	AUTO(json) struct json_object *answer = NULL;
	size_t count = 1;
	int n;

	json_add_text(question, "op", "attach");
	json_add_bool(question, "stdin", attach->view.stdin_open);
	json_add_bool(question, "stdin_eof", !attach->view.tty);
	json_add_int(question, "replay", attach->view.replay);
	if (message_send(attach->monitor_fd, question, NULL, 0, err) < 0)
		return -1;
	n = message_receive(attach->monitor_fd, &answer, &attach->stream_fd, &count, err);
	if (n < 0)
		return -1;
	if (n == 0 || count == 0 || !json_bool_or(answer, "ok", false)) {
		if (count == 0)
			attach->stream_fd = -1;
		return err_set(err, ERR_SYSTEM, "attach: %s",
			       n ? json_text_or(answer, "err", "refused")
				 : "the container has ended");
	}
	return 0;
}

/* The byte of one key; -1: it is none. */
static int key_byte(struct slice word)
{
	if (word.len == 1)
		return (unsigned char)word.at[0];
	if (word.len != 6 || strncasecmp(word.at, "ctrl-", 5) != 0)
		return -1;
	if (isalpha((unsigned char)word.at[5]))
		return toupper((unsigned char)word.at[5]) - '@';
	return strchr("@[\\]^_", word.at[5]) ? word.at[5] - '@' : -1;
}

int attach_keys(const char *text, char keys[ATTACH_KEYS_MAX], size_t *out_count, struct err *err)
{
	struct slice rest = SLICE(text), word;

	*out_count = 0;
	while (slice_next(&rest, ',', &word)) {
		int byte = key_byte(word);

		if (byte < 0 || *out_count == ATTACH_KEYS_MAX)
			return err_set(err, ERR_INVALID,
				       "--detach-keys: \"%s\" must be keys like ctrl-p,ctrl-q or a",
				       text);
		keys[(*out_count)++] = (char)byte;
	}
	return *out_count ? 0 : err_set(err, ERR_INVALID, "--detach-keys: no key");
}

struct attach *attach_open(const struct roots *roots, const struct attach_view *view,
			   struct err *err)
{
	struct attach *attach = xcalloc(1, sizeof(*attach));
	AUTO(free) char *path = xformat("containers/%s", view->container_id);
	AUTO(fd) int dir_fd = file_open_dir(roots->run_fd, path, false, err);
	sigset_t wanted;

	attach->view = *view;
	if (attach_keys(view->detach_keys ? view->detach_keys : DETACH_KEYS, attach->keys,
			&attach->key_count, err) < 0) {
		free(attach);
		return NULL;
	}
	attach->monitor_fd = attach->stream_fd = attach->signal_fd = -1;
	sigemptyset(&wanted);
	sigaddset(&wanted, SIGWINCH);
	if (view->proxy_signals) {
		sigaddset(&wanted, SIGINT);
		sigaddset(&wanted, SIGTERM);
		sigaddset(&wanted, SIGHUP);
		sigaddset(&wanted, SIGQUIT);
	}
	sigprocmask(SIG_BLOCK, &wanted, &attach->mask_before);
	attach->signal_fd = signalfd(-1, &wanted, SFD_CLOEXEC | SFD_NONBLOCK);
	if (dir_fd >= 0)
		attach->monitor_fd = message_connect(dir_fd, "monitor.sock", SOCK_SEQPACKET, err);
	if (attach->monitor_fd < 0 || ask(attach, err) < 0) {
		attach_close(attach);
		return NULL;
	}
	set_raw(attach);
	send_size(attach);
	return attach;
}

void attach_close(struct attach *attach)
{
	if (attach->is_raw)
		tcsetattr(STDIN_FILENO, TCSANOW, &attach->before);
	sigprocmask(SIG_SETMASK, &attach->mask_before, NULL);
	if (attach->signal_fd >= 0)
		close(attach->signal_fd);
	if (attach->stream_fd >= 0)
		close(attach->stream_fd);
	if (attach->monitor_fd >= 0)
		close(attach->monitor_fd);
	free(attach);
}

/* Output in frames: stream, three zeros, length, bytes. */
static void take_output(struct attach *attach, const char *bytes, size_t len)
{
	while (len) {
		if (attach->frame_left) {
			size_t part = len < attach->frame_left ? len : attach->frame_left;
			int out = attach->frame[0] == 2 ? STDERR_FILENO : STDOUT_FILENO;

			if (file_write_all(out, bytes, part) < 0 && errno == EPIPE)
				attach->ended = true;
			attach->frame_left -= part;
			bytes += part;
			len -= part;
			continue;
		}
		attach->frame[attach->header_len++] = *bytes++;
		len--;
		if (attach->header_len == FRAME_HEADER) {
			const unsigned char *h = (const unsigned char *)attach->frame;

			attach->header_len = 0;
			attach->frame_left =
				(size_t)h[4] << 24 | (size_t)h[5] << 16 | (size_t)h[6] << 8 | h[7];
		}
	}
}

static void close_stream(struct attach *attach)
{
	close(attach->stream_fd);
	attach->stream_fd = -1;
}

static void read_stream(struct attach *attach)
{
	char bytes[65536];
	ssize_t n = read(attach->stream_fd, bytes, sizeof(bytes));

	if (n > 0)
		take_output(attach, bytes, (size_t)n);
	else if (n == 0 || (errno != EINTR && errno != EAGAIN))
		close_stream(attach);
}

/* True when the detach keys were typed. */
static bool is_detach(struct attach *attach, const char *bytes, size_t len)
{
	for (size_t i = 0; i < len; i++) {
		attach->keys_seen = bytes[i] == attach->keys[attach->keys_seen]
					    ? attach->keys_seen + 1
				    : bytes[i] == attach->keys[0] ? 1
								  : 0;
		if (attach->keys_seen == attach->key_count)
			return true;
	}
	return false;
}

static bool read_stdin(struct attach *attach)
{
	char bytes[16384];
	ssize_t n = read(STDIN_FILENO, bytes, sizeof(bytes));

	if (n < 0 && (errno == EINTR || errno == EAGAIN))
		return true;
	if (n <= 0) {
		attach->stdin_over = true;
		if (attach->stream_fd >= 0)
			shutdown(attach->stream_fd, SHUT_WR);
		return true;
	}
	if (attach->view.tty && is_detach(attach, bytes, (size_t)n))
		return false;
	if (attach->stream_fd >= 0 && file_write_all(attach->stream_fd, bytes, (size_t)n) < 0)
		attach->stdin_over = true;
	return true;
}

static void read_monitor(struct attach *attach)
{
	struct json_object *message = NULL;
	struct err err = ERR_NONE;
	int n = message_receive(attach->monitor_fd, &message, NULL, NULL, &err);

	if (n > 0 && strcmp(json_text_or(message, "op", ""), "exited") == 0) {
		attach->code = (int)json_int_or(message, "code", 0);
		attach->ended = true;
	}
	if (n <= 0)
		attach->ended = true;
	json_object_put(message);
}

static void read_signal(struct attach *attach)
{
	struct signalfd_siginfo info;
	AUTO(fd) int pidfd = -1;

	if (read(attach->signal_fd, &info, sizeof(info)) != (ssize_t)sizeof(info))
		return;
	if (info.ssi_signo == SIGWINCH) {
		send_size(attach);
		return;
	}
	pidfd = process_open(attach->view.init);
	if (pidfd >= 0)
		process_signal(pidfd, (int)info.ssi_signo);
}

int attach_follow(struct attach *attach, struct err *err)
{
	attach->code = -1;
	while (!attach->ended || attach->stream_fd >= 0) {
		bool reads_stdin = attach->view.stdin_open && !attach->stdin_over && !attach->ended;
		struct pollfd waits[4] = {
			{.fd = attach->stream_fd,                        .events = POLLIN},
			{ .fd = attach->ended ? -1 : attach->monitor_fd, .events = POLLIN},
			{ .fd = attach->signal_fd,                       .events = POLLIN},
			{ .fd = reads_stdin ? STDIN_FILENO : -1,         .events = POLLIN},
		};
		int n = poll(waits, 4, attach->ended ? DRAIN_MS : -1);

		if (n < 0 && errno != EINTR)
			return err_sys(err, errno, "wait for the container");
		if (n == 0)
			break; /* it has ended, and what holds its output says nothing more */
		if (waits[0].revents)
			read_stream(attach);
		if (waits[3].revents && !read_stdin(attach))
			return err_set(err, ERR_CANCELLED, "detached");
		if (waits[2].revents)
			read_signal(attach);
		if (waits[1].revents)
			read_monitor(attach);
	}
	if (attach->code < 0)
		return err_set(err, ERR_SYSTEM, "the container's monitor has gone");
	return attach->code;
}
