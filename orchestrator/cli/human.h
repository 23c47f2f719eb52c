/* orchestrator/cli/human - sizes, durations and ages as docker prints them. Never blocks; out is
 * the caller's and at least HUMAN_LEN bytes; all return it. */
#pragma once
#include <stddef.h>
#include <stdint.h>

#define HUMAN_LEN 48

char *human_size(uint64_t bytes, char *out); /* powers of 1000, 3 digits: "2.5MB", "133kB", "0B" */
char *human_size_binary(uint64_t bytes,
			char *out); /* powers of 1024, 4 digits: "1.5GiB", "7.684MiB" */
char *human_duration(uint64_t seconds, char *out); /* "4 seconds", "About an hour", "3 weeks" */
/* "4 seconds ago" of a time since 1970; times to come count as now; 0: "". */
char *human_age(uint64_t then_us, uint64_t now_us, char *out);
/* "2026-11-21 10:55:38 +0000 UTC" */
char *human_time(uint64_t unix_us, char *out);
/* "0.3s", "12.0s", "75.2s": for progress. */
char *human_elapsed(uint64_t us, char *out);
/* The first 12 digits of an id, "sha256:" left out. */
char *human_short_id(const char *id, char *out);
/* Cut to `max` characters (not bytes), the last of them "…", when longer. To be freed. */
char *human_cut(const char *text, size_t max);
/* Columns that the text takes on a terminal: characters, escape sequences not counted. */
size_t human_columns(const char *text);
