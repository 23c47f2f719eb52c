/* orchestrator/transfer_state - what the files of a pull share; nobody else includes it.
 *
 * All of it belongs to the loop's thread. A job in the pool (struct uv_work_t of an image or a
 * layer) owns the fields named beside it until it is back.
 */
#pragma once
#include <sys/queue.h>
#include <uv.h>

#include "base/arena.h"
#include "images/config.h"
#include "images/exchange.h"
#include "images/layer.h"
#include "images/media.h"
#include "orchestrator/transfer.h"
#include "orchestrator/transfer_loop.h"

#define TRANSFER_LAYERS_MAX 6 /* at once, over all hosts */
#define TRANSFER_HOSTS_MAX  8 /* endpoints of one registry that may need a password */

/* What is known of the passwords for one repository: found in the pool. */
struct transfer_login_job {
	char *domain, *path;             /* path NULL: the whole registry */
	char *hosts[TRANSFER_HOSTS_MAX]; /* endpoints, mirrors first; the last one is the domain's
					    own */
	size_t host_count;
	struct credential found[TRANSFER_HOSTS_MAX];
	char *warning; /* or NULL */
};
/* On the loop: lists the hosts. In the pool: looks them up. On the loop: hands them to the session.
 */
int transfer_login_prepare(struct transfer_login_job *job, struct registry_settings *settings,
			   const char *domain, const char *path, unsigned flags, struct err *err);
int transfer_login_find(struct transfer_login_job *job, struct err *err);
void transfer_login_done(struct transfer_login_job *job, struct session *session);

struct image_pull;

enum layer_state { LAYER_QUEUED, LAYER_OPENING, LAYER_FETCHING, LAYER_FINISHING, LAYER_OVER };

struct layer_pull {
	TAILQ_ENTRY(layer_pull) link;
	struct pull *pull;
	struct image_pull **waiters;
	size_t waiter_count;
	const struct descriptor *descriptor; /* in the first waiter's arena */
	char *domain, *path, *diff_id;
	unsigned number, total;
	enum layer_state state;
	struct exchange *exchange;
	struct layer *layer;
	bool is_paused, has_ended, exists, from_mirror, origin_only, is_fresh, wants_restart;
	uint64_t received, reported_us;
	uv_work_t work; /* layer, result, work_err */
	struct layer_result result;
	struct err work_err, write_err;
	unsigned open_flags;
};

struct image_pull {
	struct pull *pull;
	const char **texts; /* the references that mean this image, as they were asked for */
	size_t text_count;
	struct ref ref;
	char canonical[REF_TEXT_MAX + 1];
	struct platform wanted;
	bool is_explicit, is_over;
	struct arena *arena;
	struct exchange *exchange; /* in flight, or NULL */

	struct image_name
		known; /* what the store has under that name; id "" when nothing that fits */
	char seen[4]
		 [DIGEST_TEXT_MAX]; /* manifests and indexes on the way, the first is the name's */
	unsigned seen_count;
	const char *expected_type; /* of the descriptor that led to the next manifest */
	char *manifest_text, *config_text;
	size_t manifest_len, config_len;
	struct manifest *manifest;
	struct image_config *config;
	size_t layers_left;
	uint64_t missing_bytes; /* of the layers that are not here, as they travel */

	struct transfer_login_job login;
	uv_work_t work; /* known, login, missing_bytes, id, work_err */
	char id[DIGEST_TEXT_MAX];
	struct err work_err;
};

struct pull {
	const struct transfer_options *options;
	struct transfer_loop *loop;
	struct registry_settings *settings;
	struct session *session;
	struct store *store;
	struct lease *lease;
	struct image_pull **images;
	size_t image_count, images_left;
	size_t begun; /* of images, in their order */
	TAILQ_HEAD(, layer_pull) layers;
	unsigned pool_jobs;
	uv_async_t wake; /* a layer's worker thread has news */
	bool was_refused;
	struct err first_err;
};

/* transfer_progress.c: fills in the image and calls options->progress for every text of the image.
 */
void transfer_report(struct image_pull *image, const struct transfer_progress *progress);
void transfer_report_wait(struct image_pull *image, const char *layer, const struct err *why,
			  uint64_t ms);
void transfer_report_layer(struct layer_pull *layer, enum transfer_status status,
			   uint64_t current_bytes);

/* transfer_image.c */
void image_pull_begin(struct image_pull *image);
void image_pull_layer_done(struct image_pull *image);
void image_pull_fail(struct image_pull *image, const struct err *err);
void image_pull_free(struct image_pull *image);

/* transfer_layer.c: one job per digest; an image that needs it becomes a waiter. */
void layer_pull_want(struct image_pull *image, size_t number);
void layer_pull_forget(struct image_pull *image); /* it waits no longer for anything */
void layer_pull_schedule(struct pull *pull);
void layer_pull_wake(struct pull *pull);
void layer_pull_free(struct layer_pull *layer);

/* transfer.c: the image has come to its end. */
void pull_image_over(struct pull *pull);
