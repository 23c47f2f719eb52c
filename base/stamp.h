/* base/stamp - ids and clocks. Thread-safe, never blocks. */
#pragma once
#include <stddef.h>
#include <stdint.h>

#define STAMP_ID_LEN 64 /* hex digits of an id, as docker's */

/* `digits` random hex digits and a NUL (digits even). */
void stamp_id(char *out, size_t digits);
uint64_t stamp_now_us(void);       /* wall clock, since 1970 */
uint64_t stamp_now_ns(void);       /* wall clock, since 1970 */
uint64_t stamp_monotonic_us(void); /* for distances */

#define STAMP_TEXT_LEN 40
/* "2026-11-21T10:55:38.123456789Z" of a time since 1970 in ns. Returns out (STAMP_TEXT_LEN bytes).
 */
char *stamp_rfc3339(uint64_t unix_ns, char *out);
/* RFC 3339 with any fraction and zone to ns since 1970; -1 when it is none. */
int stamp_parse_rfc3339(const char *text, size_t len, uint64_t *out_ns);
/* The kernel's boot id (36 characters and a NUL in out[40]); "" when /proc is not there. */
void stamp_boot_id(char *out);
