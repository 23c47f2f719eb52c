/* orchestrator/apply_internal - what the two halves of apply share: the actions and the walk over
 * them. Not for others.
 */
#pragma once
#include "orchestrator/change.h"

/* Begins the action at that place of the plan; its end comes back by apply_look. */
void apply_action(struct change *change, size_t at);
/* The slot that an action is about; NULL: it has gone. */
struct slot *apply_slot_of(const struct change *change, const struct action *action);
/* Takes something down: goes on after a failure. */
bool apply_stops(enum action_kind kind);
/* The first failure is the change's answer, unless each of its actions stands for itself. */
void apply_note_failure(struct change *change, const struct action *action, const struct err *err);
/* The failed line of the action, to whoever follows. */
void apply_tell_failure(struct change *change, const struct action *action, const struct err *err);
