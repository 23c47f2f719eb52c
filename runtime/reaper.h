/* runtime/reaper - SIGCHLD as a descriptor, without a handler and without leaking a mask to
 * programs.
 *
 * Ended children are told by a signalfd; what else could end or stop the process (TERM, HUP, INT,
 * PIPE, XFSZ) is caught and forgotten: a program that is executed later gets the defaults, since a
 * caught signal is reset by execve and an ignored one would not be. No state.
 */
#pragma once
#include "base/err.h"

/* Catches and forgets. At the beginning of the process. */
void reaper_shield(void);
/* Blocks SIGCHLD and returns a signalfd for it (non-blocking), the caller's. */
int reaper_open(struct err *err);
/* Empties it; the caller reaps all who ended. */
void reaper_drain(int fd);
/* Around a fork whose child executes a program: it must not inherit the mask. Who ends in between
 * is told after reaper_resume. */
void reaper_pause(void);
void reaper_resume(void);
