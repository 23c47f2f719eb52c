/* orchestrator/transfer_upload - one blob to a registry: there already, mounted, or sent.
 *
 * On the loop; opening the blob goes through the pool. HEAD → mount → open → HEAD of what was
 * opened → upload session → PUT of all; after a lost connection: how far did it come → PATCH of the
 * rest → PUT.
 */
#pragma once
#include <uv.h>

#include "images/exchange.h"
#include "images/layer.h"
#include "orchestrator/transfer.h"
#include "orchestrator/transfer_loop.h"

struct upload;

struct upload_spec {
	struct transfer_loop *loop;
	struct session *session;
	struct store *store;
	const char *domain, *path;
	const char *mount_from; /* another repository of the host that has it, or NULL */
	const char *digest;     /* as the manifest names it; "": not known */
	uint64_t size_bytes;
	const char *diff_id; /* a layer of the store; NULL: the bytes below */
	const void *bytes;
	enum layer_compression compression; /* when the store must make the blob anew */
	void *ctx;
	void (*progress)(void *ctx, enum transfer_status status, uint64_t current, uint64_t total);
	/* The upload is gone after it. digest, size and type of what is there now; type NULL: as it
	 * was. */
	void (*done)(void *ctx, const char *digest, uint64_t size, const char *media_type,
		     const struct err *err);
};

/* Texts and bytes are borrowed until done. done comes through the loop, never at once. */
void upload_start(const struct upload_spec *spec);
