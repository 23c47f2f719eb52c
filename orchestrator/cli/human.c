/* orchestrator/cli/human - sizes, durations and ages as docker prints them.
 *
 * Owns: the roundings that docker's users know. May not touch: the locale, the clock.
 */
#include "orchestrator/cli/human.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/alloc.h"
#include "base/text.h"

#define SHORT_ID_LEN 12
#define ID_PREFIX    "sha256:"
#define US           1000000ull
#define MINUTE       60ull
#define HOUR         (60 * MINUTE)
#define DAY          (24 * HOUR)
#define WEEK         (7 * DAY)
#define MONTH        (30 * DAY)
#define YEAR         (365 * DAY)

static char *scaled(uint64_t bytes, double base, const char *const *units, size_t unit_count,
		    int digits, char *out)
{
	double value = (double)bytes;
	size_t unit = 0;

	while (value >= base && unit + 1 < unit_count) {
		value /= base;
		unit++;
	}
	snprintf(out, HUMAN_LEN, "%.*g%s", digits, value, units[unit]);
	return out;
}

char *human_size(uint64_t bytes, char *out)
{
	static const char *const units[] = { "B", "kB", "MB", "GB", "TB", "PB", "EB" };
	char *text = scaled(bytes, 1000, units, sizeof(units) / sizeof(units[0]), 3, out);

	/* 999.9 of a unit rounds up to "1e+03" with three digits */
	return strstr(text, "e+")
		       ? scaled(bytes, 999.5, units, sizeof(units) / sizeof(units[0]), 3, out)
		       : text;
}

char *human_size_binary(uint64_t bytes, char *out)
{
	static const char *const units[] = { "B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB" };

	return scaled(bytes, 1024, units, sizeof(units) / sizeof(units[0]), 4, out);
}

char *human_duration(uint64_t seconds, char *out)
{
	/* clang-format off */
	static const struct { uint64_t below, unit; const char *name; } steps[] = {
		{ MINUTE,    1,      "seconds" },
		{ HOUR,      MINUTE, "minutes" },
		{ 2 * DAY,   HOUR,   "hours" },
		{ 2 * WEEK,  DAY,    "days" },
		{ 2 * MONTH, WEEK,   "weeks" },
		{ 2 * YEAR,  MONTH,  "months" },
		{ UINT64_MAX, YEAR,  "years" },
	};
	/* clang-format on */
	uint64_t hours = (seconds + HOUR / 2) / HOUR; /* hours are rounded, all else is cut */
	size_t i = 0;

	if (seconds < 1)
		return strcpy(out, "Less than a second");
	if (seconds == 1)
		return strcpy(out, "1 second");
	if (seconds >= MINUTE && seconds < 2 * MINUTE)
		return strcpy(out, "About a minute");
	if (seconds >= HOUR && hours == 1)
		return strcpy(out, "About an hour");
	if (seconds >= HOUR)
		seconds = hours * HOUR;
	while (seconds >= steps[i].below)
		i++;
	snprintf(out, HUMAN_LEN, "%llu %s", (unsigned long long)(seconds / steps[i].unit),
		 steps[i].name);
	return out;
}

char *human_age(uint64_t then_us, uint64_t now_us, char *out)
{
	if (then_us == 0)
		return strcpy(out, "");
	human_duration(now_us > then_us ? (now_us - then_us) / US : 0, out);
	return strcat(out, " ago");
}

char *human_time(uint64_t unix_us, char *out)
{
	time_t seconds = (time_t)(unix_us / US);
	struct tm parts;

	gmtime_r(&seconds, &parts);
	strftime(out, HUMAN_LEN, "%Y-%m-%d %H:%M:%S +0000 UTC", &parts);
	return out;
}

char *human_elapsed(uint64_t us, char *out)
{
	snprintf(out, HUMAN_LEN, "%llu.%llus", (unsigned long long)(us / US),
		 (unsigned long long)(us / (US / 10) % 10));
	return out;
}

char *human_short_id(const char *id, char *out)
{
	const char *digits = text_starts(id, ID_PREFIX) ? id + strlen(ID_PREFIX) : id;

	snprintf(out, HUMAN_LEN, "%.*s", SHORT_ID_LEN, digits);
	return out;
}

static bool starts_character(char c)
{
	return ((unsigned char)c & 0xc0) != 0x80;
}

char *human_cut(const char *text, size_t max)
{
	size_t characters = 0, keep = 0;

	for (const char *c = text; *c; c++) {
		if (!starts_character(*c))
			continue;
		if (++characters == max)
			keep = (size_t)(c - text);
	}
	if (characters <= max)
		return xstrdup(text);
	return max == 0 ? xstrdup("") : xformat("%.*s…", (int)keep, text);
}

size_t human_columns(const char *text)
{
	size_t columns = 0;

	for (const char *c = text; *c; c++) {
		if (c[0] == '\033' && c[1] == '[') {
			for (c += 2; *c && ((unsigned char)*c < 0x40 || (unsigned char)*c > 0x7e);)
				c++;
			if (!*c)
				break;
			continue;
		}
		columns += starts_character(*c);
	}
	return columns;
}
