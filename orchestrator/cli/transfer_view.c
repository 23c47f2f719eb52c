/* orchestrator/cli/transfer_view - pulls and pushes as lines of progress.
 *
 * Owns: which status is shown how. May not touch: the transfer, stdout.
 */
#include "orchestrator/cli/transfer_view.h"

#include "base/alloc.h"
#include "orchestrator/cli/human.h"

static enum progress_state state_of(enum transfer_status status)
{
	switch (status) {
	case TRANSFER_DONE:
	case TRANSFER_EXISTS:
	case TRANSFER_IMAGE_DONE:
		return PROGRESS_DONE;
	case TRANSFER_IMAGE_FAILED:
		return PROGRESS_FAILED;
	case TRANSFER_WARNING:
	case TRANSFER_RETRYING:
		return PROGRESS_WARNING;
	default:
		return PROGRESS_WORKING;
	}
}

static const char *verb_of(const struct transfer_progress *transfer)
{
	if (transfer->status == TRANSFER_IMAGE_DONE)
		return transfer->text;
	return transfer->status == TRANSFER_IMAGE_FAILED ? "Error"
							 : transfer_status_name(transfer->status);
}

static const char *detail_of(const struct transfer_progress *transfer)
{
	switch (transfer->status) {
	case TRANSFER_IMAGE_DONE:
		return transfer->digest;
	case TRANSFER_IMAGE_FAILED:
	case TRANSFER_RETRYING:
	case TRANSFER_WARNING:
		return transfer->text;
	default:
		return NULL;
	}
}

void transfer_view_show(void *ctx, const struct transfer_progress *transfer)
{
	const struct transfer_view *view = ctx;
	bool is_layer = transfer->layer != NULL;
	char short_id[HUMAN_LEN];
	const struct progress_event event = {
		.kind = is_layer ? "" : "Image",
		.name = is_layer ? human_short_id(transfer->layer, short_id) : transfer->image,
		.parent = is_layer ? transfer->image : NULL,
		.verb = verb_of(transfer),
		.detail = detail_of(transfer),
		.state = state_of(transfer->status),
		.current = transfer->current_bytes,
		.total = transfer->total_bytes,
	};

	if (transfer->status == TRANSFER_RATE) {
		AUTO(free) char *line = xformat("Image %s: %s", transfer->image, transfer->text);

		if (view->form != PROGRESS_QUIET)
			progress_note(view->progress, line);
	} else if (!is_layer || view->form != PROGRESS_PLAIN) {
		progress_event(view->progress, &event);
	}
	progress_tick(view->progress);
}
