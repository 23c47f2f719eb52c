/* images/dockerfile/duration - "1m30s" of HEALTHCHECK to nanoseconds. Pure. */
#pragma once
#include <stdint.h>

/* Go's durations, not negative: numbers with fractions and a unit (ns us ms s m h) each; "0". -1
 * when it is none. */
int df_duration_parse(const char *text, int64_t *out_ns);
