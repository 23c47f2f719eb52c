/* orchestrator/cli/transfer_view - pulls and pushes as lines of progress, wherever they run.
 *
 * One view for `image pull`, `image push` and for the lines that a supervisor passes on from its
 * worker. One thread.
 */
#pragma once
#include "orchestrator/cli/progress.h"
#include "orchestrator/transfer.h"

struct transfer_view {
	struct progress *progress; /* borrowed */
	enum progress_form form;   /* of it; plain shows images, not layers */
};

/* ctx: struct transfer_view. Fits transfer_options.progress. */
void transfer_view_show(void *ctx, const struct transfer_progress *transfer);
