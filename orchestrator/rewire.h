/* orchestrator/rewire - the mark of a container whose links are being changed.
 *
 * `network connect` and `disconnect` write what the container shall be on before they touch its
 * links. Beside it stands what it had (info.rewires), until the links, its files and the books
 * follow: a successor of a supervisor that died between finds there what is left to do (adopt_net).
 * Pure: changes the record in memory.
 */
#pragma once
#include "orchestrator/network.h"
#include "orchestrator/records.h"

/* Links of `former` go or stay, by `to`; what an older mark names goes with them, unless `to` joins
 * it again. */
void rewire_note(struct record *record, const struct slot_net *former, const struct slot_net *to);
/* What the container had, as far as links, files and leases need it; an own reference. NULL: no
 * mark. */
struct slot_net *rewire_former(const struct record *record);
/* All of it follows the record. */
void rewire_done(struct record *record);
