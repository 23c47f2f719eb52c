/* orchestrator/transfer_progress - what a transfer tells: the callback, and JSON lines.
 *
 * Owns: the words and keys of the lines. May not touch: the transfer.
 */
#include <json-c/json.h>
#include <string.h>

#include "base/alloc.h"
#include "base/json.h"
#include "base/stamp.h"
#include "base/text.h"
#include "orchestrator/transfer_state.h"

#define REPORT_EVERY_US 100000 /* of one layer */

static const char *const status_names[] = {
	[TRANSFER_RESOLVING] = "resolving",
	[TRANSFER_WAITING] = "waiting",
	[TRANSFER_LOCKED] = "waiting for another pull",
	[TRANSFER_DOWNLOADING] = "downloading",
	[TRANSFER_EXTRACTING] = "extracting",
	[TRANSFER_DONE] = "done",
	[TRANSFER_EXISTS] = "exists",
	[TRANSFER_UPLOADING] = "uploading",
	[TRANSFER_RETRYING] = "retrying",
	[TRANSFER_WARNING] = "warning",
	[TRANSFER_RATE] = "rate-limit",
	[TRANSFER_IMAGE_DONE] = "pulled",
	[TRANSFER_IMAGE_FAILED] = "failed",
};

const char *transfer_status_name(enum transfer_status status)
{
	return status_names[status];
}

void transfer_progress_json(void *ctx, const struct transfer_progress *progress)
{
	struct json_object *line = json_object_new_object();
	FILE *out = ctx;

	json_add_text(line, "image", progress->image);
	json_add_text(line, "layer", progress->layer);
	if (progress->status == TRANSFER_IMAGE_FAILED) {
		json_add_text(line, "error", progress->text);
		json_add_text(line, "code", progress->code);
	} else if (progress->status == TRANSFER_IMAGE_DONE) {
		json_add_text(line, "id", progress->id);
		json_add_text(line, "digest", progress->digest);
		json_add_text(line, "name", progress->name);
		json_add_text(line, "status", progress->text);
	} else {
		json_add_text(line, "status", status_names[progress->status]);
		json_add_text(line, "text", progress->text);
	}
	if (progress->layer) {
		json_add_int(line, "number", progress->number);
		json_add_int(line, "layers", progress->layer_count);
		json_add_int(line, "current", (int64_t)progress->current_bytes);
		json_add_int(line, "total", (int64_t)progress->total_bytes);
	}
	fprintf(out, "%s\n",
		json_object_to_json_string_ext(line, JSON_C_TO_STRING_PLAIN |
							     JSON_C_TO_STRING_NOSLASHESCAPE));
	fflush(out);
	json_object_put(line);
}

static enum transfer_status status_of(struct json_object *line, const char *word)
{
	if (json_text_or(line, "error", NULL))
		return TRANSFER_IMAGE_FAILED;
	if (json_text_or(line, "id", NULL))
		return TRANSFER_IMAGE_DONE;
	for (size_t i = 0; i < sizeof(status_names) / sizeof(status_names[0]); i++)
		if (strcmp(status_names[i], word) == 0)
			return (enum transfer_status)i;
	return TRANSFER_RESOLVING;
}

void transfer_progress_read(struct json_object *line, struct transfer_progress *out)
{
	const char *word = json_text_or(line, "status", "");
	const char *error = json_text_or(line, "error", NULL);

	*out = (struct transfer_progress){
		.status = status_of(line, word),
		.image = json_text_or(line, "image", ""),
		.layer = json_text_or(line, "layer", NULL),
		.number = (unsigned)json_int_or(line, "number", 0),
		.layer_count = (unsigned)json_int_or(line, "layers", 0),
		.current_bytes = (uint64_t)json_int_or(line, "current", 0),
		.total_bytes = (uint64_t)json_int_or(line, "total", 0),
		.id = json_text_or(line, "id", NULL),
		.digest = json_text_or(line, "digest", NULL),
		.name = json_text_or(line, "name", NULL),
		.text = json_text_or(line, "text", NULL),
		.code = json_text_or(line, "code", NULL),
	};
	if (out->status == TRANSFER_IMAGE_FAILED)
		out->text = error;
	else if (out->status == TRANSFER_IMAGE_DONE)
		out->text = word;
}

void transfer_report(struct image_pull *image, const struct transfer_progress *progress)
{
	const struct transfer_options *options = image->pull->options;
	struct transfer_progress full = *progress;

	for (size_t i = 0; options->progress && i < image->text_count; i++) {
		full.image = image->texts[i];
		options->progress(options->progress_ctx, &full);
	}
}

void transfer_report_wait(struct image_pull *image, const char *layer, const struct err *why,
			  uint64_t ms)
{
	struct err told = *why;
	AUTO(free)
	char *text = xformat("%s; again in %llu s", text_plain(told.msg),
			     (unsigned long long)(ms + 999) / 1000);
	const struct transfer_progress progress = {
		.status = TRANSFER_RETRYING,
		.layer = layer,
		.text = text,
	};

	transfer_report(image, &progress);
}

void transfer_report_layer(struct layer_pull *layer, enum transfer_status status,
			   uint64_t current_bytes)
{
	const struct transfer_progress progress = {
		.status = status,
		.layer = layer->descriptor->digest,
		.number = layer->number,
		.layer_count = layer->total,
		.current_bytes = current_bytes,
		.total_bytes = layer->descriptor->size_bytes,
	};
	uint64_t now = stamp_monotonic_us();

	if (status == TRANSFER_DOWNLOADING && current_bytes &&
	    now < layer->reported_us + REPORT_EVERY_US)
		return;
	layer->reported_us = now;
	for (size_t i = 0; i < layer->waiter_count; i++)
		transfer_report(layer->waiters[i], &progress);
}
