/* orchestrator/values - values of secrets and configs that came from the caller's environment, kept
 * over the supervisor's death (docs/decisions/0014): in RUN/projects/NAME/values.json, mode 0600,
 * and only where that folder is in memory (tmpfs). Never below the state root. Blocks (a few system
 * calls). */
#pragma once
#include "base/err.h"
#include "orchestrator/model.h"
#include "orchestrator/roots.h"

/* Writes what the model knows, or takes the file away when it knows nothing. */
int values_keep(const struct project_dirs *dirs, const struct model *model, struct err *err);
/* Puts kept values into a model that was read from disk. Nothing kept: nothing done. */
void values_put_back(const struct project_dirs *dirs, struct model *model);
void values_forget(const struct project_dirs *dirs);
