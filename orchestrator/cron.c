/* orchestrator/cron - when is the next time of a schedule.
 *
 * Owns: the five fields. May not touch: timers (schedule), what is a valid text (specs/checks).
 * Source: crontab(5): with both day fields restricted, either is enough.
 */
#include "orchestrator/cron.h"

#include <stdbool.h>
#include <stddef.h>
#include <string.h>

#include "base/num.h"
#include "base/text.h"
#include "specs/units.h"

enum { MINUTE, HOUR, DAY, MONTH, WEEKDAY, FIELD_COUNT };

#define YEARS_AHEAD 9 /* 29 February at a turn of the century */
#define SUNDAY      7

struct plan_times {
	uint64_t set[FIELD_COUNT]; /* bit N: the number N */
	bool any_day, any_weekday;
};

static const struct {
	const char *name, *fields;
} nicknames[] = {
	{"@yearly",    "0 0 1 1 *"},
        { "@annually", "0 0 1 1 *"},
        { "@monthly",  "0 0 1 * *"},
	{ "@weekly",   "0 0 * * 0"},
        { "@daily",    "0 0 * * *"},
        { "@midnight", "0 0 * * *"},
	{ "@hourly",   "0 * * * *"},
};

static const unsigned lows[] = { 0, 0, 1, 1, 0 }, highs[] = { 59, 23, 31, 12, 7 };

static unsigned number(struct slice text, unsigned fallback)
{
	struct err ignored = ERR_NONE;
	uint64_t value;

	return num_parse_u64("field", text.at, text.len, 0, 99, &value, &ignored) < 0
		       ? fallback
		       : (unsigned)value;
}

static uint64_t read_part(struct slice part, unsigned low, unsigned high)
{
	struct slice range, step_text, left, right;
	bool stepped = slice_split(part, '/', &range, &step_text);
	unsigned step = stepped ? number(step_text, 1) : 1, first = low, last = high;
	uint64_t set = 0;

	if (!slice_is(range, "*")) {
		bool ranged = slice_split(range, '-', &left, &right);

		first = number(left, low);
		last = ranged ? number(right, high) : stepped ? high : first;
	}
	for (unsigned i = first; i <= last && i < 64; i += step ? step : 1)
		set |= 1ull << i;
	return set;
}

static void read_fields(const char *text, struct plan_times *out)
{
	struct slice rest = SLICE(text), field, part;

	memset(out, 0, sizeof(*out));
	for (size_t i = 0; i < FIELD_COUNT && slice_next(&rest, ' ', &field);) {
		if (!field.len)
			continue;
		if (i == DAY)
			out->any_day = field.at[0] == '*';
		if (i == WEEKDAY)
			out->any_weekday = field.at[0] == '*';
		while (slice_next(&field, ',', &part))
			out->set[i] |= read_part(part, lows[i], highs[i]);
		i++;
	}
	if (out->set[WEEKDAY] & (1ull << SUNDAY))
		out->set[WEEKDAY] |= 1;
}

static bool has(const struct plan_times *times, int field, int value)
{
	return times->set[field] >> value & 1;
}

static bool is_day(const struct plan_times *times, const struct tm *tm)
{
	bool day = has(times, DAY, tm->tm_mday), weekday = has(times, WEEKDAY, tm->tm_wday);

	if (!has(times, MONTH, tm->tm_mon + 1))
		return false;
	return times->any_day || times->any_weekday ? day && weekday : day || weekday;
}

/* Midnight of the next day, hour, minute: mktime puts it right. */
static void step(struct tm *tm, int *field)
{
	++*field;
	if (field != &tm->tm_min)
		tm->tm_min = 0;
	if (field == &tm->tm_mday)
		tm->tm_hour = 0;
	tm->tm_sec = 0;
	tm->tm_isdst = -1;
	mktime(tm);
}

static int64_t next_of_fields(const char *text, int64_t now)
{
	struct plan_times times;
	time_t from = (time_t)now + 60 - (time_t)now % 60;
	struct tm tm;
	int last_year;

	read_fields(text, &times);
	localtime_r(&from, &tm);
	last_year = tm.tm_year + YEARS_AHEAD;
	while (tm.tm_year <= last_year) {
		struct tm copy = tm;
		time_t found;

		if (!is_day(&times, &tm)) {
			step(&tm, &tm.tm_mday);
			continue;
		}
		if (!has(&times, HOUR, tm.tm_hour)) {
			step(&tm, &tm.tm_hour);
			continue;
		}
		if (!has(&times, MINUTE, tm.tm_min)) {
			step(&tm, &tm.tm_min);
			continue;
		}
		found = mktime(&copy);
		if (found > (time_t)now)
			return found;
		step(&tm, &tm.tm_min); /* the hour that the clock has twice */
	}
	return -1;
}

int64_t cron_next(const char *schedule, int64_t now, int64_t base)
{
	struct err ignored = ERR_NONE;
	uint64_t us;

	if (strncmp(schedule, "@every ", 7) == 0) {
		int64_t seconds;

		if (units_parse_duration(schedule + 7, &us, &ignored) < 0)
			return -1;
		seconds = us < 1000000 ? 1 : (int64_t)(us / 1000000);
		return now < base ? base + seconds : base + ((now - base) / seconds + 1) * seconds;
	}
	for (size_t i = 0; i < sizeof(nicknames) / sizeof(*nicknames); i++)
		if (strcmp(nicknames[i].name, schedule) == 0)
			return next_of_fields(nicknames[i].fields, now);
	return next_of_fields(schedule, now);
}
