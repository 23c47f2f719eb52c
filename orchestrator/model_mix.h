/* orchestrator/model_mix - one model made of two: some services of another time in the present one.
 * Pure (JSON in, a model out). */
#pragma once
#include "orchestrator/model.h"

/* The present model with these services as they were in the former one (and the networks, volumes,
 * secrets and configs that only that one has, and the configs and secrets that they alone use as
 * they were there); count 0: the former one. NULL with *err. */
struct model *model_mix(const struct model *now, const struct model *former,
			const char *const *services, size_t count, struct err *err);

/* What is in force after `now` was brought: services that it sets aside (`up A`, a profile that is
 * not named) stay active when the one before had them active and `exists` says that something of
 * them is there. NULL: as it is. */
struct model *model_keep_active(const struct model *now, const struct model *before,
				bool (*exists)(void *ctx, const char *service), void *ctx);
