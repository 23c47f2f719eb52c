/* orchestrator/repair - the supervisor notices when others harm the project's network, and puts it
 * right: rules and links taken away, netd dead.
 *
 * On the loop; the repair itself runs in the pool. What the project does itself looks the same from
 * outside: then the comparison finds nothing.
 */
#pragma once
#include "orchestrator/supervisor.h"

struct repairer;

/* Begins to watch; NULL with a warning in the log when the kernel does not allow it. */
struct repairer *repair_start(struct supervisor *sv);
/* netd may be another one than before: it is watched from now on. */
void repair_watch_netd(struct supervisor *sv);
/* A look without a notice: after an adoption. */
void repair_soon(struct supervisor *sv);
