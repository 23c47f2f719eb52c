/* orchestrator/change_observe - what is there and what a change wants, for its plan. */
#pragma once
#include "orchestrator/change.h"

int observe_rest(void *change,
		 struct err *err);         /* pool: hashes, images, contents, volumes, networks */
void observe_slots(struct change *change); /* loop: containers, and the models they are made from */
