/* runtime/layer_keeper - lets go of a writable layer's overlay a moment after the life.
 *
 * The last reference to an overlay writes back the whole file system below it, as `sync` does. A
 * life that ends, and a `down` that removes the layer anyway, need not wait for that: a child of
 * the monitor holds the overlay for a moment, or until the next life of the layer asks for it.
 */
#pragma once

/* Consumes both. lock_fd (or -1: nothing is held, the overlay goes here) is a locked file below the
 * layer's work folder: the next life opens and locks it, which ends the moment, and has it when the
 * overlay is gone. word (may be NULL): "monitor" on the process's own command line, which the child
 * writes over, so that nobody takes it for one. Call it last, with everything else of the life
 * closed. Does not block. */
void layer_keeper_leave(int mount_fd, int lock_fd, char *word);
