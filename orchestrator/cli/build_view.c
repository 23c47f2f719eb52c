/* orchestrator/cli/build_view - a build as people see it.
 *
 * Owns: the steps on the screen. May not touch: what is built.
 */
#include "orchestrator/cli/build_view.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/json.h"
#include "base/stamp.h"
#include "base/text.h"
#include "orchestrator/cli/human.h"

#define TAIL_LINES    6 /* of output, below a running step */
#define DRAW_US       80000
#define WIDTH_DEFAULT 80
#define WIDTH_MAX     200

struct step {
	unsigned number;
	char *label; /* "[web build 2/7] RUN make" */
	uint64_t start_us;
	bool is_over;
	char *tail[TAIL_LINES];
	size_t tail_count; /* all lines that came */
};

struct build_view {
	FILE *stream;
	enum progress_form form;
	struct step **steps;
	size_t count;
	size_t drawn; /* lines of the block on the screen */
	uint64_t drawn_us;
	bool has_error;
	char *pulling; /* the last word of a pull, for plain: not twice */
};

struct build_view *build_view_new(FILE *stream, enum progress_form form)
{
	struct build_view *view = xcalloc(1, sizeof(*view));

	view->stream = stream;
	view->form = form;
	return view;
}

void build_view_free(struct build_view *view)
{
	build_view_end(view);
	for (size_t i = 0; i < view->count; i++) {
		for (size_t n = 0; n < TAIL_LINES; n++)
			free(view->steps[i]->tail[n]);
		free(view->steps[i]->label);
		free(view->steps[i]);
	}
	free(view->steps);
	free(view->pulling);
	free(view);
}

bool build_view_has_error(const struct build_view *view)
{
	return view->has_error;
}

/* ---- the block of a terminal ---- */

static size_t width_of(const struct build_view *view)
{
	struct winsize size;
	int fd = fileno(view->stream);

	if (fd < 0 || ioctl(fd, TIOCGWINSZ, &size) < 0 || size.ws_col < 20)
		return WIDTH_DEFAULT;
	return size.ws_col < WIDTH_MAX ? size.ws_col : WIDTH_MAX;
}

static void clear_block(struct build_view *view)
{
	if (view->drawn)
		fprintf(view->stream, "\033[%zuA\r\033[J", view->drawn);
	view->drawn = 0;
}

static void draw_line(struct build_view *view, const char *mark, const char *text, const char *tail,
		      size_t width)
{
	size_t used = strlen(mark) + strlen(tail) + 1;
	size_t room = width > used + 1 ? width - used - 1 : 1;
	size_t len = strlen(text) < room ? strlen(text) : room;

	fprintf(view->stream, "%s%.*s%*s %s\n", mark, (int)len, text, (int)(room - len), "", tail);
	view->drawn++;
}

static void draw_block(struct build_view *view)
{
	size_t width = width_of(view);

	clear_block(view);
	for (size_t i = 0; i < view->count; i++) {
		const struct step *step = view->steps[i];
		size_t shown = step->tail_count < TAIL_LINES ? step->tail_count : TAIL_LINES;
		char time[32];

		if (step->is_over)
			continue;
		snprintf(time, sizeof(time), "%.1fs",
			 (double)(stamp_monotonic_us() - step->start_us) / 1e6);
		draw_line(view, " => ", step->label, time, width);
		for (size_t n = step->tail_count - shown; n < step->tail_count; n++)
			draw_line(view, " =>   # ", step->tail[n % TAIL_LINES], "", width);
	}
	fflush(view->stream);
	view->drawn_us = stamp_monotonic_us();
}

void build_view_tick(struct build_view *view)
{
	if (view->form == PROGRESS_TTY && stamp_monotonic_us() - view->drawn_us > DRAW_US)
		draw_block(view);
}

void build_view_end(struct build_view *view)
{
	if (view->form == PROGRESS_TTY)
		clear_block(view);
	fflush(view->stream);
}

/* A line that stays. */
static void say(struct build_view *view, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));
static void say(struct build_view *view, const char *fmt, ...)
{
	va_list ap;

	if (view->form == PROGRESS_TTY)
		clear_block(view);
	va_start(ap, fmt);
	vfprintf(view->stream, fmt, ap);
	va_end(ap);
	fputc('\n', view->stream);
}

/* ---- events ---- */

static struct step *find(struct build_view *view, const struct json_object *event)
{
	unsigned number = (unsigned)json_int_or(event, "step", 0);

	for (size_t i = 0; i < view->count; i++)
		if (view->steps[i]->number == number)
			return view->steps[i];
	return NULL;
}

static void on_step(struct build_view *view, const struct json_object *event)
{
	struct step *step = xcalloc(1, sizeof(*step));
	const char *stage = json_text_or(event, "stage", "");
	char *end;

	*(struct step **)xgrow(&view->steps, &view->count, sizeof(step)) = step;
	step->number = (unsigned)json_int_or(event, "step", 0);
	step->start_us = stamp_monotonic_us();
	step->label = xformat("[%s%s%d/%d] %s", stage, *stage ? " " : "",
			      (int)json_int_or(event, "number", 0),
			      (int)json_int_or(event, "count", 0), json_text_or(event, "text", ""));
	end = strchr(step->label, '\n'); /* a heredoc: its first line will do */
	if (end)
		*end = '\0';
	text_plain(step->label);
	if (view->form == PROGRESS_PLAIN)
		say(view, "#%u %s", step->number, step->label);
}

static void on_log(struct build_view *view, const struct json_object *event)
{
	struct step *step = find(view, event);
	const char *text = json_text_or(event, "text", "");
	char **place;

	if (!step)
		return;
	if (view->form == PROGRESS_PLAIN)
		say(view, "#%u %.3f %s", step->number, (double)json_int_or(event, "at_ms", 0) / 1e3,
		    text);
	place = &step->tail[step->tail_count++ % TAIL_LINES];
	free(*place);
	*place = text_plain(xstrdup(text));
}

static void end_step(struct build_view *view, const struct json_object *event, const char *word)
{
	struct step *step = find(view, event);

	if (!step)
		return;
	step->is_over = true;
	if (view->form == PROGRESS_PLAIN)
		say(view, "#%u %s", step->number, word);
	else if (view->form == PROGRESS_TTY)
		say(view, " => %s  %s", step->label, word);
}

static void on_done(struct build_view *view, const struct json_object *event)
{
	char word[32];

	snprintf(word, sizeof(word), "DONE %.1fs", (double)json_int_or(event, "ms", 0) / 1e3);
	end_step(view, event, word);
}

static void on_cached(struct build_view *view, const struct json_object *event)
{
	end_step(view, event, "CACHED");
}

static void on_failed(struct build_view *view, const struct json_object *event)
{
	AUTO(free) char *word = xformat("ERROR %s", json_text_or(event, "error", ""));

	end_step(view, event, word);
}

static void on_note(struct build_view *view, const struct json_object *event)
{
	if (view->form != PROGRESS_QUIET)
		say(view, "warning: %s", json_text_or(event, "text", ""));
}

static void on_pull(struct build_view *view, const struct json_object *event)
{
	const struct json_object *line = json_object_at(event, "line");
	const char *image = json_text_or(line, "image", "");
	AUTO(free) char *word = NULL;

	if (json_text_or(line, "layer", NULL) || view->form == PROGRESS_QUIET)
		return;
	word = xformat("%s: %s", image, json_text_or(line, "status", ""));
	if (view->pulling && strcmp(view->pulling, word) == 0)
		return;
	say(view, "image %s", word);
	free(view->pulling);
	view->pulling = TAKE(word);
}

static void on_image(struct build_view *view, const struct json_object *event)
{
	const struct json_object *tags = json_array_at(event, "tags");
	const char *id = json_text_or(event, "id", "");
	char short_id[HUMAN_LEN];

	if (view->form == PROGRESS_QUIET)
		return;
	if (json_array_count(tags) == 0)
		say(view, " Image %s  Built", human_short_id(id, short_id));
	for (size_t i = 0; i < json_array_count(tags); i++)
		say(view, " Image %s  Built",
		    json_object_get_string(json_object_array_get_idx(tags, i)));
}

static void on_error(struct build_view *view, const struct json_object *event)
{
	const struct json_object *output = json_array_at(event, "output");
	const char *snippet = json_text_or(event, "snippet", "");
	const char *stage = json_text_or(event, "stage", NULL);

	view->has_error = true;
	for (size_t i = 0; i < json_array_count(output); i++) {
		if (i == 0)
			say(view, "------ the last lines of its output:");
		say(view, "%s", json_object_get_string(json_object_array_get_idx(output, i)));
		if (i + 1 == json_array_count(output))
			say(view, "------");
	}
	say(view, "%s", json_text_or(event, "error", ""));
	if (*snippet)
		say(view, "%.*s", (int)strlen(snippet) - (text_ends(snippet, "\n") ? 1 : 0),
		    snippet);
	if (stage)
		say(view, "build failed: %s%sstep %d/%d", stage, *stage ? ", " : "",
		    (int)json_int_or(event, "number", 0), (int)json_int_or(event, "count", 0));
}

static const struct {
	const char *name;
	void (*on)(struct build_view *view, const struct json_object *event);
} handlers[] = {
	{"step",     on_step  },
        { "log",     on_log   },
        { "done",    on_done  },
	{ "cached",  on_cached},
        { "failed",  on_failed},
        { "note",    on_note  },
	{ "warning", on_note  },
        { "pull",    on_pull  },
        { "image",   on_image },
	{ "error",   on_error },
};

void build_view_event(struct build_view *view, const struct json_object *event, const char *line)
{
	const char *name = json_text_or(event, "event", "");

	if (view->form == PROGRESS_JSON) {
		fprintf(view->stream, "%s\n", line);
		view->has_error |= strcmp(name, "error") == 0;
		return;
	}
	for (size_t i = 0; i < sizeof(handlers) / sizeof(*handlers); i++)
		if (strcmp(handlers[i].name, name) == 0)
			handlers[i].on(view, event);
	build_view_tick(view);
}
