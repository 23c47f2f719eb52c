/* orchestrator/change_images - the images that a change needs: which, and their coming. Stage of a
 * change. */
#pragma once
#include "orchestrator/change.h"

int change_fetch_images(void *change, struct err *err);
int change_stop_fetching(void *change, struct err *err); /* its undo, half-way too */
