/* orchestrator/change_sync - what a change wrote is put on disk while its containers start, and
 * before it is answered.
 *
 * A process that dies loses nothing of files that were written; only a power cut does. So intent is
 * written first, and its way to the disk (20 ms and more for each file) is not waited for before
 * the act but at its end. For the flow of change.c alone; the loop's thread.
 */
#pragma once
#include "base/err.h"

/* Stages: begins (model, wanted state, networks of the project), waits; the undo leaves a sync that
 * runs to itself. A disk that refuses is told as a notice and logged: what has started stays. */
int sync_begin(void *change, struct err *err);
int sync_leave(void *change, struct err *err);
int sync_await(void *change, struct err *err);
