/* orchestrator/storage - all mounts of one container: from the service's words to entries of
 * config.json.
 *
 * Translates specs' mounts, tmpfs, configs and secrets to volumes/. Everything blocks (disk,
 * kernel): for the pool. A start calls storage_prepare, after "created" storage_settled, at the end
 * of the life storage_release.
 */
#pragma once
#include <stdbool.h>
#include <stddef.h>

#include "base/arena.h"
#include "base/err.h"
#include "images/config.h"
#include "images/snapshot.h"
#include "images/user.h"
#include "orchestrator/bundle.h"
#include "orchestrator/records.h"
#include "orchestrator/roots.h"
#include "specs/model.h"
#include "volumes/stage.h"
#include "volumes/store.h"

/* What a mount list is made from; everything borrowed. */
struct storage_env {
	const struct roots *roots;
	const struct volume_store *volumes;
	struct store *images; /* for image volumes */
	const struct project *project;
	const struct service *service;
	const struct record *record;
	int slot_fd; /* slots/SERVICE.N: slot.json with the anonymous volumes */
	const struct snapshot *snapshot;
	const struct image_config *image;
	const struct image_user *user;
};

struct storage {
	struct arena *arena; /* the caller's: texts below live in it */
	struct bundle_mount *mounts;
	size_t mount_count;
	const char **volumes; /* names of the volumes in use */
	size_t volume_count;
	const char **targets; /* where each of them is mounted */
	size_t target_count;
	struct volume_stage *stage;
};

/* Before anything is touched: are the sources of binds, configs and secrets there. ERR_NOT_FOUND
 * names service and source. What the user should know goes to notices, once (arena): folders that
 * will be made, binds that give power over the host, many that write into one volume. */
int storage_check(const struct volume_store *volumes, const struct project *project,
		  const struct service *service, struct arena *arena, struct texts *notices,
		  struct err *err);

/* A declared volume, made when it is absent (create, up). External ones must exist. */
int storage_make_volume(const struct volume_store *volumes, const struct project *project,
			const struct volume *volume, struct err *err);
/* Makes, mounts and seeds what is needed. On error everything of this call is released. */
int storage_prepare(const struct storage_env *env, struct storage *out, struct err *err);
/* The container holds its mounts now: what lay ready for it goes out of the host's tree. */
void storage_settled(const struct storage_env *env, struct storage *storage);
/* End of a life: device volumes may be unmounted. Names from record info ("volumes") when the
 * service is gone. */
void storage_release(const struct roots *roots, const struct volume_store *volumes,
		     const char *container_id, const char *const *names, size_t count);

/* Keyed digest over all configs and secrets of the service, 64 hex in out; "" when it has none. */
int storage_contents(const struct volume_store *volumes, const struct project *project,
		     const struct service *service, char out[65], struct err *err);

/* What type image mounts keep their images by is let go; once per container, at its removal. */
void storage_release_images(struct store *images, const struct record *record);

/* The anonymous volumes of a slot (slot.json), as names in the arena; for rm -v and down -v. */
int storage_anonymous(int slot_fd, struct arena *arena, struct texts *out, struct err *err);
