/* orchestrator/cli/template - the part of Go's templates that --format needs, over JSON values.
 *
 * {{.Name}} {{.State.Status}} {{json .}} {{.}} with pipes; if, else, with, range, end; the
 * functions json, upper, lower, title, join, split, truncate, pad, len, index, eq, ne, not, and,
 * or, print, println, printf-like %s %v %d %q; {{- and -}} eat blanks; {{/x comment x/}}; \t and \n
 * written as two characters become tab and newline. Never blocks.
 */
#pragma once
#include <json-c/json.h>
#include <stdio.h>

#include "base/err.h"

struct template;

/* Parses; ERR_INVALID "template: ..." with what is wrong. text is copied. */
struct template *template_parse(const char *text, struct err *err);
void template_free(struct template *template);

/* Writes the template for one value. A field that the top object lacks is ERR_INVALID with the
 * nearest name; what lacks further down is "<no value>". On error a part may be written. */
int template_print(const struct template *template, FILE *out, struct json_object *value,
		   struct err *err);
