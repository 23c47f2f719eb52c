/* runtime/verb_events - events.
 *
 * Owns: its lines and their rhythm. May not touch: how numbers are read (cgroup_stats).
 */
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/json.h"
#include "base/num.h"
#include "base/process.h"
#include "runtime/verbs.h"

static void print_line(const char *type, const char *id, struct json_object *data)
{
	AUTO(json) struct json_object *json = json_object_new_object();

	json_add_text(json, "type", type);
	json_add_text(json, "id", id);
	if (data)
		json_object_object_add(json, "data", data);
	printf("%s\n", json_object_to_json_string_ext(
			       json, JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE));
	fflush(stdout);
}

/* "5s", "100ms", "1m", "2". */
static int parse_interval(const char *text, int *out_ms, struct err *err)
{
	static const struct {
		const char *unit;
		unsigned ms;
	} units[] = {
		{"s",   1000   },
                { "",   1000   },
                { "ms", 1      },
                { "m",  60000  },
                { "h",  3600000}
	};
	size_t digits = num_digits(text, strlen(text));
	uint64_t number;

	if (num_parse_u64("--interval", text, digits, 1, 100000, &number, err) < 0)
		return -1;
	for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++)
		if (strcmp(text + digits, units[i].unit) == 0) {
			*out_ms = (int)(number * units[i].ms);
			return 0;
		}
	return err_set(err, ERR_INVALID, "--interval: unknown unit in %.40s", text);
}

int verb_events(struct runtime *runtime, struct flags *flags, const char **args, size_t count,
		struct err *err)
{
	AUTO(state) struct state *state = runtime_state(runtime, args[0], err);
	AUTO(fd) int pidfd = -1;
	AUTO(fd) int oom_fd = -1;
	int interval_ms = 5000;
	struct err ignored = ERR_NONE;
	uint64_t seen;

	(void)count;
	if (!state)
		return err_wrap(err, "events %.64s", args[0]);
	if (flags->interval && parse_interval(flags->interval, &interval_ms, err) < 0)
		return -1;
	pidfd = process_open(state->init);
	if (pidfd < 0)
		return err_set(err, ERR_NOT_FOUND, "events %.64s: container not running", args[0]);
	if (!state->cgroup)
		return err_set(err, ERR_UNSUPPORTED, "events %.64s: container has no cgroup",
			       args[0]);
	if (flags->stats) {
		print_line("stats", state->id, cgroup_stats_json(state->cgroup));
		return 0;
	}
	oom_fd = cgroup_oom_fd(state->cgroup, &ignored);
	seen = cgroup_oom_kills(state->cgroup);
	for (;;) {
		struct pollfd polls[2] = {
			{pidfd,   POLLIN, 0},
                        { oom_fd, POLLIN, 0}
		};
		char data[512];
		int n = poll(polls, 2, interval_ms);

		if (n < 0 && errno != EINTR)
			return err_sys(err, errno, "wait for events");
		if (polls[1].revents && read(oom_fd, data, sizeof(data)) > 0 &&
		    cgroup_exists(state->cgroup)) {
			print_line("oom", state->id, NULL);
			seen = cgroup_oom_kills(state->cgroup);
		}
		if (polls[0].revents)
			break;
		if (n == 0)
			print_line("stats", state->id, cgroup_stats_json(state->cgroup));
	}
	if (cgroup_oom_kills(state->cgroup) > seen) /* init died of it before we could read */
		print_line("oom", state->id, NULL);
	return 0;
}
