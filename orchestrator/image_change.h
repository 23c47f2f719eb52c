/* orchestrator/image_change - what an image says of itself, in a Dockerfile's words.
 *
 * For `image import -c 'CMD ["app"]'`. Pure.
 */
#pragma once
#include <stddef.h>

#include "base/arena.h"
#include "base/err.h"

/* Instructions that change the config alone (CMD ENTRYPOINT ENV EXPOSE HEALTHCHECK LABEL ONBUILD
 * SHELL STOPSIGNAL USER VOLUME WORKDIR), in order, to the JSON of a config's object "config"; in
 * the arena. Errors: INVALID, with the instruction and what is wrong in it. */
int image_change(struct arena *arena, const char *const *changes, size_t count,
		 const char **out_config, struct err *err);
