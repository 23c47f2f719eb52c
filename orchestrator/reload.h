/* orchestrator/reload - another binary takes the supervisor's place, in the same process
 * (docs/decisions/0014): containers, netd and the lock stay, records and kernel tell the new one
 * what is there. On the loop. */
#pragma once
#include "orchestrator/control.h"
#include "orchestrator/supervisor.h"

/* Tries the program, then waits until nothing is on its way (changes, starts, stops), answers
 * {"pid"} and executes it. The request fails when the program does not run; then everything goes on
 * as before. ERR_BUSY: one waits already. */
void reload_begin(struct supervisor *sv, struct control_request *request);
/* Something ended: whether it is time. */
void reload_look(struct supervisor *sv);
