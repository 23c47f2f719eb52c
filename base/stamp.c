/* base/stamp - ids and clocks.
 *
 * Owns: how time is written. May not touch: the time zone of the environment.
 */
#include "base/stamp.h"

#include <fcntl.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>
#include <unistd.h>

#include "base/num.h"

#define NS_PER_S 1000000000ull

void stamp_id(char *out, size_t digits)
{
	static const char hex[] = "0123456789abcdef";
	unsigned char bytes[STAMP_ID_LEN / 2];
	size_t count = digits / 2 < sizeof(bytes) ? digits / 2 : sizeof(bytes);

	if (getrandom(bytes, count, 0) != (ssize_t)count)
		abort(); /* cannot happen below 256 bytes once the pool is up */
	for (size_t i = 0; i < count; i++) {
		out[2 * i] = hex[bytes[i] >> 4];
		out[2 * i + 1] = hex[bytes[i] & 15];
	}
	out[2 * count] = '\0';
}

static uint64_t now_ns(clockid_t clock)
{
	struct timespec ts;

	clock_gettime(clock, &ts);
	return (uint64_t)ts.tv_sec * NS_PER_S + (uint64_t)ts.tv_nsec;
}

uint64_t stamp_now_us(void)
{
	return now_ns(CLOCK_REALTIME) / 1000;
}

uint64_t stamp_now_ns(void)
{
	return now_ns(CLOCK_REALTIME);
}

uint64_t stamp_monotonic_us(void)
{
	return now_ns(CLOCK_MONOTONIC) / 1000;
}

static bool is_leap(unsigned year)
{
	return year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
}

/* The C library's gmtime_r reads the zone files of the host, which a short program has no time
 * for. */
static void date_of_days(uint64_t days, unsigned *year, unsigned *month, unsigned *day)
{
	static const unsigned char lengths[] = { 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31 };
	unsigned left, len;

	for (*year = 1970; days >= 365u + is_leap(*year); (*year)++)
		days -= 365u + is_leap(*year);
	left = (unsigned)days;
	for (*month = 1;; (*month)++) {
		len = lengths[*month - 1] + (*month == 2 && is_leap(*year) ? 1u : 0u);
		if (left < len)
			break;
		left -= len;
	}
	*day = left + 1;
}

char *stamp_rfc3339(uint64_t unix_ns, char *out)
{
	uint64_t seconds = unix_ns / NS_PER_S;
	unsigned of_day = (unsigned)(seconds % 86400), year, month, day;

	date_of_days(seconds / 86400, &year, &month, &day);
	snprintf(out, STAMP_TEXT_LEN, "%04u-%02u-%02uT%02u:%02u:%02u.%09uZ", year, month, day,
		 of_day / 3600, of_day / 60 % 60, of_day % 60, (unsigned)(unix_ns % NS_PER_S));
	return out;
}

struct scan {
	const char *at;
	size_t left;
};

static int take_number(struct scan *scan, size_t digits, unsigned max)
{
	struct err err = ERR_NONE;
	uint64_t value;

	if (scan->left < digits ||
	    num_parse_u64("time", scan->at, digits, 0, max, &value, &err) < 0)
		return -1;
	scan->at += digits;
	scan->left -= digits;
	return (int)value;
}

static int take_char(struct scan *scan, const char *allowed)
{
	if (scan->left == 0 || !memchr(allowed, scan->at[0], strlen(allowed)))
		return -1;
	scan->left--;
	return *scan->at++;
}

/* Hours and minutes of "+02:00" as seconds; 0 for Z. -1: malformed. */
static int take_zone(struct scan *scan, long *out_seconds)
{
	int sign = take_char(scan, "Zz+-"), hours, minutes;

	*out_seconds = 0;
	if (sign < 0)
		return -1;
	if (sign == 'Z' || sign == 'z')
		return 0;
	hours = take_number(scan, 2, 23);
	if (hours < 0 || take_char(scan, ":") < 0)
		return -1;
	minutes = take_number(scan, 2, 59);
	if (minutes < 0)
		return -1;
	*out_seconds = (sign == '-' ? -1L : 1L) * (hours * 3600L + minutes * 60L);
	return 0;
}

static uint64_t take_fraction(struct scan *scan)
{
	uint64_t ns = 0;
	size_t digits = num_digits(scan->at, scan->left);

	for (size_t i = 0; i < 9; i++)
		ns = ns * 10 + (i < digits ? (uint64_t)(scan->at[i] - '0') : 0);
	scan->at += digits;
	scan->left -= digits;
	return ns;
}

int stamp_parse_rfc3339(const char *text, size_t len, uint64_t *out_ns)
{
	struct scan scan = { text, len };
	struct tm tm = { 0 };
	uint64_t fraction = 0;
	long zone;
	time_t seconds;

	tm.tm_year = take_number(&scan, 4, 9999) - 1900;
	if (tm.tm_year < 70 || take_char(&scan, "-") < 0)
		return -1;
	tm.tm_mon = take_number(&scan, 2, 12) - 1;
	if (tm.tm_mon < 0 || take_char(&scan, "-") < 0)
		return -1;
	tm.tm_mday = take_number(&scan, 2, 31);
	if (tm.tm_mday < 1 || take_char(&scan, "Tt ") < 0)
		return -1;
	tm.tm_hour = take_number(&scan, 2, 23);
	if (tm.tm_hour < 0 || take_char(&scan, ":") < 0)
		return -1;
	tm.tm_min = take_number(&scan, 2, 59);
	if (tm.tm_min < 0 || take_char(&scan, ":") < 0)
		return -1;
	tm.tm_sec = take_number(&scan, 2, 60);
	if (tm.tm_sec < 0)
		return -1;
	if (scan.left && (scan.at[0] == '.' || scan.at[0] == ',')) {
		take_char(&scan, ".,");
		fraction = take_fraction(&scan);
	}
	if (take_zone(&scan, &zone) < 0 || scan.left)
		return -1;
	seconds = timegm(&tm) - zone;
	if (seconds < 0)
		return -1;
	*out_ns = (uint64_t)seconds * NS_PER_S + fraction;
	return 0;
}

void stamp_boot_id(char *out)
{
	int fd = open("/proc/sys/kernel/random/boot_id", O_RDONLY | O_CLOEXEC);
	ssize_t n = fd < 0 ? 0 : read(fd, out, 36);

	if (fd >= 0)
		close(fd);
	out[n < 0 ? 0 : n] = '\0';
}
