/* orchestrator/log_line - one line of a json-file log as a record. Pure. */
#pragma once
#include <stdbool.h>
#include <stddef.h>

#include "orchestrator/log_reader.h"

/* Decodes in place: the texts of *out lie in line, whose len bytes (without the newline) are
 * changed. Any order of members, unknown ones are passed over. False: no record of ours (half a
 * line, no time ...). */
bool log_line_decode(char *line, size_t len, struct log_record *out);

/* Whether the record's text ends in a newline, told without decoding: for counting lines backwards.
 */
bool log_line_is_whole(const char *line, size_t len);
