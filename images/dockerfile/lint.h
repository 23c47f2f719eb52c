/* images/dockerfile/lint - what docker's build checks say about single instructions.
 *
 * Pure. Adds warnings to the report; nothing here is an error. The checks of FROM are graph's,
 * those of forms are parse's, those of variables and ignored files are the builder's.
 */
#pragma once
#include "images/dockerfile/parse.h"

/* ConsistentInstructionCasing, JSONArgsRecommended, MaintainerDeprecated,
 * MultipleInstructionsDisallowed, SecretsUsedInArgOrEnv, WorkdirRelativePath, ExposeProtoCasing,
 * ExposeInvalidFormat. */
void df_lint(struct df_report *report, const struct df_file *file);
