/* specs/finish - the merged document: what must be there, what may not be empty, defaults of its
 * maps.
 *
 * One thread; never blocks.
 */
#pragma once
#include "specs/keys.h"

/* In place; errors and warnings go to shape->problems. Returns -1 when there was an error. */
int finish_document(struct shape *shape, struct node *root);
