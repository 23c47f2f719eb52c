/* orchestrator/cli/options_value - texts to values of one row; used by options and its tables only.
 *
 * All are ERR_INVALID with "--name: ..." when the text does not fit; *out is untouched then.
 */
#pragma once
#include <stdbool.h>
#include <stdint.h>

#include "orchestrator/cli/options.h"

/* Decimal, within the row's limits; true, false, 1, 0 and the like; one of the row's words. */
int option_number(const struct option_row *row, const char *text, int64_t *out, struct err *err);
int option_bool(const struct option_row *row, const char *text, bool *out, struct err *err);
bool option_choice_has(const struct option_row *row, const char *text);
