/* orchestrator/record_make - the record of a container that is about to be made: its name, its
 * image, and the info that ps and inspect show. */
#pragma once
#include "orchestrator/change.h"
#include "orchestrator/records.h"

/* The member "ports" of info: those of the slot as they hold now. */
void record_note_ports(struct json_object *info, const struct slot_net *net);

/* On the loop; slot->net may be NULL. Never NULL. */
struct record *record_make(const struct change *change, const struct service *service,
			   const struct plan_wanted *wanted, const struct slot *slot,
			   const char *name);
/* Adds "networks" and "ports" as the slot has them (NULL: none) to a record's info. */
void record_add_networks(struct json_object *info, const struct slot_net *net);
