/* specs/export/report - what became of every key: sayings of a translator over a table of defaults.
 *
 * A table has a row for each key that the model can hold; a translator says only what differs from
 * its row. report_finish walks the resolved document, so a key that nobody thought of cannot be
 * left out: it is told as dropped. One thread; never blocks.
 */
#pragma once
#include <json-c/json.h>

#include "specs/export/export.h"

/* Pattern: the key path with * for names and [] for list items. A key below a row that has no rows
 * of its own is covered by it. */
struct export_row {
	const char *pattern;
	enum export_verdict verdict;
	const char *note;
};

struct export_table {
	const struct export_row *rows;
	size_t count;
};
extern const struct export_table kube_keys, swarm_keys;

struct report;

/* An empty one, made in the arena; report_free gives back what is not. table: borrowed. */
struct report *report_new(struct arena *arena, const struct export_table *table);
/* With all that was said; not the lines of report_finish. */
void report_free(struct report *report);
AUTO_TYPE(report, report_free);

/* What became of the key at this path, in place of its row. The path is one of the document;
 * several sayings about one path all stand, the same one once. */
void report_say(struct report *report, enum export_verdict verdict, const char *path,
		const char *fmt, ...) __attribute__((format(printf, 4, 5)));
/* As report_say of a part of the value: the row (or what else is said) stands beside it. */
void report_say_part(struct report *report, enum export_verdict verdict, const char *path,
		     const char *fmt, ...) __attribute__((format(printf, 4, 5)));
/* All lines in the order of the document, into result->lines and ->counts. Empty values are no
 * lines. */
void report_finish(struct report *report, struct json_object *document,
		   struct export_result *result);

/* The row that speaks about a pattern (its own, or the nearest above); NULL: none. */
const struct export_row *export_table_find(const struct export_table *table, const char *pattern);
