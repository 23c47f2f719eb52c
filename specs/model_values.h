/* specs/model_values - the small shapes that the model is made of.
 *
 * Plain data in the caller's arena. A pointer is NULL and a count 0 when the file says nothing;
 * where 0 (or an empty list) is a value of its own, is_set tells. Durations are microseconds, sizes
 * bytes.
 */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct texts {
	const char **items; /* none is NULL */
	size_t count;
};

/* Names with values, sorted by name, names unique. value NULL: `NAME:` without a value (for
 * environment: to be removed, even when the image sets it). */
struct pair {
	const char *name;
	const char *value;
};
struct pairs {
	struct pair *items;
	size_t count;
};

/* A command line (struct command is the one of the command tables). Not set: the image's; set with
 * no words: `[]` or "". */
struct command_words {
	const char **items;
	size_t count;
	bool is_set;
};

struct opt_bool {
	bool value;
	bool is_set;
};
struct opt_int {
	int64_t value;
	bool is_set;
};
struct opt_number {
	double value;
	bool is_set;
};
/* -1 only where the specification knows it as "unlimited" (memswap_limit). */
struct opt_bytes {
	int64_t bytes;
	bool is_set;
};
struct opt_time {
	int64_t us;
	bool is_set;
};

/* Where a value stands in the user's files; file NULL: nowhere (a default, or read back from JSON).
 */
struct place {
	const char *file;
	unsigned line; /* from 1 */
	unsigned column;
};

/* Extension keys (x-...) of one object, values as JSON text; only carried and printed. */
struct pairs_json {
	struct pair *items;
	size_t count;
};
