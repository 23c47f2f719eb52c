/* orchestrator/cli/row_size - what a container takes on the disk. Blocks (walks its folders). */
#pragma once
#include <json-c/json.h>

#include "orchestrator/records.h"
#include "orchestrator/roots.h"

/* "Size" of a row: bytes of the writable layer, and of the log with what was rotated:
 * "98.1kB (log 1.2kB)". */
void row_add_size(struct json_object *row, const struct project_dirs *dirs,
		  const struct record *record);
