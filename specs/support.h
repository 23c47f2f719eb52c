/* specs/support - what stack does with each key: the reference page, and what `up` refuses.
 *
 * Pure; never blocks.
 */
#pragma once
#include <stdio.h>

#include "base/err.h"
#include "specs/model.h"

/* ERR_UNSUPPORTED naming service and key when the project asks for what cannot work here (Windows
 * keys, swarm secrets, foreign volume and log drivers ...). For up, create, run; `config` only
 * warns. */
int project_check_supported(const struct project *project, struct err *err);

/* docs/compose-support.md, from the key tables. */
void support_write_page(FILE *out);
