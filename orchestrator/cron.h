/* orchestrator/cron - when is the next time of a schedule. Pure but for the host's time zone
 * (localtime_r, mktime). */
#pragma once
#include <stdint.h>
#include <time.h>

/* The first time after `now` (seconds since 1970) of "minute hour day month weekday", @daily and
 * the like; of
 * "@every D": a whole number of D after `base`. A time that the clock passes over (summer time) is
 * the first one behind it; one that it has twice counts once. -1: never (30 February). */
int64_t cron_next(const char *schedule, int64_t now, int64_t base);
