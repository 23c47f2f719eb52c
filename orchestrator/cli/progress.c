/* orchestrator/cli/progress - what happens to which resource, while it happens.
 *
 * Owns: the list of resources and their drawing. May not touch: timers, stdout, what verbs mean.
 */
#include "orchestrator/cli/progress.h"

#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/json.h"
#include "base/stamp.h"
#include "base/text.h"
#include "orchestrator/cli/human.h"
#include "orchestrator/cli/output.h"

#define DRY_RUN_PREFIX   " DRY-RUN MODE - "
#define DRAW_INTERVAL_US 50000
#define FRAME_US         100000 /* a picture of the spinner */
#define BAR_CELLS        20

struct item {
	char *id; /* "Container shop-web-1" */
	char *name;
	char *parent; /* NULL: a resource of its own */
	char *verb;
	char *detail;
	enum progress_state state;
	uint64_t current, total;
	uint64_t started_us, ended_us;
};

struct progress {
	FILE *stream;
	enum progress_form form;
	unsigned flags;
	char *title;
	struct item *items;
	size_t count;
	size_t drawn_lines;
	uint64_t drawn_us;
	bool changed;
};

static const char *const form_names[] = { "auto", "tty", "plain", "json", "quiet" };
_Static_assert(sizeof(form_names) / sizeof(form_names[0]) == PROGRESS_FORM_COUNT,
	       "a form has no name");

int progress_form_choose(const char *word, const char *ansi, FILE *stream,
			 enum progress_form *out_form, struct err *err)
{
	bool never = ansi && strcmp(ansi, "never") == 0;
	bool always = ansi && strcmp(ansi, "always") == 0;
	size_t form = 0;

	while (word && form < PROGRESS_FORM_COUNT && strcmp(form_names[form], word) != 0)
		form++;
	if (form == PROGRESS_FORM_COUNT)
		return err_set(err, ERR_INVALID,
			       "--progress: \"%s\" is none of auto, tty, plain, json, quiet", word);
	if (form == PROGRESS_TTY && never)
		return err_set(err, ERR_INVALID, "--progress tty cannot go with --ansi never");
	if (form == PROGRESS_PLAIN && always)
		return err_set(err, ERR_INVALID, "--progress plain cannot go with --ansi always");
	if (form == PROGRESS_AUTO)
		form = output_may_use_ansi(stream, ansi) ? PROGRESS_TTY : PROGRESS_PLAIN;
	*out_form = (enum progress_form)form;
	return 0;
}

struct progress *progress_new(FILE *stream, enum progress_form form, const char *title,
			      unsigned flags)
{
	struct progress *progress = xcalloc(1, sizeof(*progress));

	progress->stream = stream;
	progress->form = form;
	progress->title = xstrdup(title);
	progress->flags = flags;
	return progress;
}

static void drop_items(struct progress *progress)
{
	for (size_t i = 0; i < progress->count; i++) {
		struct item *item = &progress->items[i];

		free(item->id);
		free(item->name);
		free(item->parent);
		free(item->verb);
		free(item->detail);
	}
	free(progress->items);
	progress->items = NULL;
	progress->count = 0;
}

void progress_free(struct progress *progress)
{
	if (!progress)
		return;
	progress_end(progress);
	drop_items(progress);
	free(progress->title);
	free(progress);
}

static bool is_over(enum progress_state state)
{
	return state >= PROGRESS_DONE;
}

static const char *prefix_of(const struct progress *progress)
{
	return progress->flags & PROGRESS_DRY_RUN ? DRY_RUN_PREFIX : "";
}

static struct item *item_named(const struct progress *progress, const char *name)
{
	for (size_t i = 0; i < progress->count; i++)
		if (strcmp(progress->items[i].name, name) == 0 && !progress->items[i].parent)
			return &progress->items[i];
	return NULL;
}

static bool is_hidden(const struct progress *progress, const struct item *item)
{
	const struct item *parent = item->parent ? item_named(progress, item->parent) : NULL;

	return parent && is_over(parent->state);
}

static const char *mark_of(const struct item *item, uint64_t now_us)
{
	static const char *const frames[] = { "⠋", "⠙", "⠹", "⠸", "⠼", "⠴", "⠦", "⠧", "⠇", "⠏" };
	static const char *const marks[] = {
		[PROGRESS_WAITING] = "\033[2m·\033[0m", [PROGRESS_WORKING] = NULL,
		[PROGRESS_DONE] = "\033[32m✔\033[0m",   [PROGRESS_WARNING] = "\033[33m!\033[0m",
		[PROGRESS_FAILED] = "\033[31m✘\033[0m",
	};
	_Static_assert(sizeof(marks) / sizeof(marks[0]) == PROGRESS_STATE_COUNT,
		       "a state has no mark");

	return marks[item->state]
		       ? marks[item->state]
		       : frames[now_us / FRAME_US % (sizeof(frames) / sizeof(frames[0]))];
}

static void write_bar(FILE *out, const struct item *item)
{
	char done[HUMAN_LEN], total[HUMAN_LEN];
	uint64_t current = item->current < item->total ? item->current : item->total;
	unsigned full = (unsigned)((double)current / (double)item->total * BAR_CELLS);

	fputs("  [", out);
	for (unsigned i = 0; i < BAR_CELLS; i++)
		fputc(i < full ? '=' : i == full ? '>' : ' ', out);
	fprintf(out, "] %s/%s", human_size(current, done), human_size(item->total, total));
}

/* Between mark and clock; to be freed. */
static char *middle_of(const struct progress *progress, const struct item *item, size_t id_width)
{
	char *text = NULL;
	size_t size = 0;
	FILE *out = open_memstream(&text, &size);
	size_t used = human_columns(item->id) + (item->parent ? 2 : 0);

	fprintf(out, "%s%s%s%*s  %s", prefix_of(progress), item->parent ? "  " : "", item->id,
		(int)(used < id_width ? id_width - used : 0), "", item->verb);
	if (item->total && !is_over(item->state))
		write_bar(out, item);
	if (item->detail && *item->detail)
		fprintf(out, "  %s", item->detail);
	fclose(out);
	return text;
}

static void draw_item(const struct progress *progress, FILE *out, const struct item *item,
		      size_t id_width, unsigned columns, uint64_t now_us)
{
	uint64_t end_us = is_over(item->state) ? item->ended_us : now_us;
	AUTO(free) char *middle = middle_of(progress, item, id_width);
	AUTO(free) char *cut = NULL;
	char clock[HUMAN_LEN];
	size_t clock_len, room, used;

	human_elapsed(end_us > item->started_us ? end_us - item->started_us : 0, clock);
	clock_len = strlen(clock);
	room = columns > clock_len + 5 ? columns - clock_len - 5
				       : 1; /* mark, blanks, last column */
	cut = human_cut(middle, room);
	used = human_columns(cut);
	fprintf(out, " %s %s%*s %s\033[K\n", mark_of(item, now_us), cut, (int)(room - used), "",
		clock);
}

struct picture {
	size_t shown, over, total, id_width;
};

static struct picture measure(const struct progress *progress)
{
	struct picture picture = { 0 };

	for (size_t i = 0; i < progress->count; i++) {
		const struct item *item = &progress->items[i];
		size_t width = human_columns(item->id) + (item->parent ? 2 : 0);

		if (!item->parent) {
			picture.total++;
			picture.over += is_over(item->state);
		}
		if (is_hidden(progress, item))
			continue;
		picture.shown++;
		if (width > picture.id_width)
			picture.id_width = width;
	}
	return picture;
}

/* Draws over the last picture. Too many for the screen: what is over gives way first, then the
 * newest. */
static void draw(struct progress *progress, bool last)
{
	struct picture picture = measure(progress);
	unsigned columns, lines;
	size_t room, drop, drawn = 1, size = 0;
	uint64_t now_us = stamp_monotonic_us();
	AUTO(free) char *text = NULL;
	FILE *out = open_memstream(&text, &size);

	output_terminal_size(progress->stream, &columns, &lines);
	room = last || picture.shown + 2 < lines ? picture.shown : lines > 4 ? lines - 3 : 1;
	drop = picture.shown - room;
	if (progress->drawn_lines)
		fprintf(out, "\033[%zuA", progress->drawn_lines);
	fprintf(out, "\r\033[?25l[+] %s %zu/%zu\033[K\n", progress->title, picture.over,
		picture.total);
	for (size_t i = 0; i < progress->count && room; i++) {
		const struct item *item = &progress->items[i];

		if (is_hidden(progress, item))
			continue;
		if (drop && is_over(item->state)) {
			drop--;
			continue;
		}
		draw_item(progress, out, item, picture.id_width, columns, now_us);
		drawn++;
		room--;
	}
	fputs("\033[J\033[?25h", out);
	fclose(out);
	fwrite(text, 1, size, progress->stream);
	fflush(progress->stream);
	progress->drawn_lines = drawn;
	progress->drawn_us = now_us;
	progress->changed = false;
}

static void erase(struct progress *progress)
{
	if (progress->drawn_lines)
		fprintf(progress->stream, "\033[%zuA\r\033[J", progress->drawn_lines);
	progress->drawn_lines = 0;
}

static void print_json_event(const struct progress *progress, const struct item *item)
{
	AUTO(json) struct json_object *line = json_object_new_object();

	json_add_text(line, "id", item->id);
	json_add_text(line, "parent_id", item->parent);
	json_add_text(line, "status", item->verb);
	if (item->total) {
		json_add_int(line, "current", (int64_t)item->current);
		json_add_int(line, "total", (int64_t)item->total);
	}
	if (item->state == PROGRESS_FAILED) {
		json_add_bool(line, "error", true);
		json_add_text(line, "message", item->detail);
	} else {
		json_add_text(line, "details", item->detail);
	}
	if (progress->flags & PROGRESS_DRY_RUN)
		json_add_bool(line, "dry-run", true);
	output_json_line(progress->stream, line);
	fflush(progress->stream);
}

static void print_plain_event(const struct progress *progress, const struct item *item)
{
	fprintf(progress->stream, "%s %s  %s%s%s\n", prefix_of(progress), item->id, item->verb,
		item->detail && *item->detail ? "  " : "", item->detail ? item->detail : "");
	fflush(progress->stream);
}

static char *identity(const struct progress_event *event)
{
	bool kind = event->kind && *event->kind;

	return text_plain(xformat("%s%s%s", kind ? event->kind : "", kind ? " " : "", event->name));
}

static struct item *find_or_add(struct progress *progress, const struct progress_event *event)
{
	char *id = identity(event);
	struct item *item;

	for (size_t i = 0; i < progress->count; i++) {
		item = &progress->items[i];
		if (strcmp(item->id, id) == 0 && strcmp(item->parent ? item->parent : "",
							event->parent ? event->parent : "") == 0) {
			free(id);
			return item;
		}
	}
	item = xgrow(&progress->items, &progress->count, sizeof(*item));
	item->id = id;
	item->name = xstrdup(event->name);
	item->parent = xstrdup(event->parent);
	item->started_us = stamp_monotonic_us();
	return item;
}

void progress_event(struct progress *progress, const struct progress_event *event)
{
	struct item *item = find_or_add(progress, event);
	bool new_verb = !item->verb || strcmp(item->verb, event->verb) != 0;

	if (is_over(item->state) && !is_over(event->state))
		item->started_us = stamp_monotonic_us(); /* it begins again */
	if (new_verb) {
		free(item->verb);
		item->verb = text_plain(xstrdup(event->verb));
	}
	free(item->detail);
	item->detail = event->detail ? text_plain(xstrdup(event->detail)) : NULL;
	if (is_over(event->state) && !is_over(item->state))
		item->ended_us = stamp_monotonic_us();
	item->state = event->state;
	item->current = event->current;
	item->total = event->total;
	progress->changed = true;
	if (progress->form == PROGRESS_PLAIN && new_verb)
		print_plain_event(progress, item);
	else if (progress->form == PROGRESS_JSON)
		print_json_event(progress, item);
	else if (progress->form == PROGRESS_TTY &&
		 stamp_monotonic_us() - progress->drawn_us >= DRAW_INTERVAL_US)
		draw(progress, false);
}

void progress_tick(struct progress *progress)
{
	bool moves = progress->changed;

	if (progress->form != PROGRESS_TTY)
		return;
	for (size_t i = 0; i < progress->count && !moves; i++)
		moves = progress->items[i].state == PROGRESS_WORKING;
	if (moves)
		draw(progress, false);
}

static void say(struct progress *progress, const char *text, bool is_error)
{
	AUTO(json) struct json_object *line = NULL;

	if (progress->form == PROGRESS_JSON) {
		line = json_object_new_object();
		if (is_error)
			json_add_bool(line, "error", true);
		json_add_text(line, "message", text);
		output_json_line(progress->stream, line);
	} else {
		erase(progress);
		fprintf(progress->stream, "%s\n", text);
		if (progress->form == PROGRESS_TTY && progress->count)
			draw(progress, false);
	}
	fflush(progress->stream);
}

void progress_note(struct progress *progress, const char *text)
{
	say(progress, text, false);
}

void progress_error(struct progress *progress, const char *text)
{
	say(progress, text, true);
}

void progress_end(struct progress *progress)
{
	if (progress->form == PROGRESS_TTY && progress->count) {
		erase(progress);
		draw(progress, true);
	}
	progress->drawn_lines = 0;
	progress->changed = false;
	drop_items(progress);
}
