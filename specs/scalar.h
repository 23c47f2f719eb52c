/* specs/scalar - what an unquoted scalar means: nothing, a boolean, a number or text.
 *
 * YAML 1.2 core, plus the integers of 1.1 that the reference takes (012 octal, 1_000, 0b1). No
 * dates, no base 60; yes/no/on/off are text. Thread-safe; never blocks.
 */
#pragma once
#include <json-c/json.h>

#include "base/arena.h"
#include "specs/node.h"

#define SCALAR_NUMBER_MAX 40 /* bytes that a printed number needs */

/* Kind of a plain scalar; *out_text is the form that it prints in (in the arena). */
enum node_kind scalar_resolve(struct arena *arena, const char *text, size_t len,
			      const char **out_text);
/* 1: true or false in any case; 2: y yes on n no off; 0: none of them. */
int scalar_bool(const char *text, bool *out_value);
/* A whole number in any of the spellings above; -1 when it is none or too large. */
int scalar_int(const char *text, int64_t *out_value);
/* A number, whole or not; -1 when it is none. */
int scalar_number(const char *text, double *out_value);
/* The shortest text that reads back as the same number: "0.5", "1000", "1e+21". */
void scalar_number_text(double value, char out[SCALAR_NUMBER_MAX]);
/* The text of a resolved number as JSON. */
struct json_object *scalar_json_number(const char *text);
