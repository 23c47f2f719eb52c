/* orchestrator/probe - is a container ready, judged from outside: its monitor looks into its
 * namespace (docs/monitor.md, `probe`). Blocks: for the pool. */
#pragma once
#include "base/err.h"
#include "orchestrator/supervisor.h"
#include "specs/model.h"

/* One try. 0: yes. ERR_BUSY: not yet, with why. log probes are not judged here. */
int probe_once(const struct supervisor *sv, const char *container_id, const struct probe *probe,
	       unsigned timeout_ms, struct err *err);
