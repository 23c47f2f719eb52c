/* specs/explain - every value of a resolved document with the file and line that it came from. */
#pragma once
#include <stdio.h>

#include "specs/node.h"

/* One line a value: "services.web.image: nginx:1   app.yml:3". Values that no file says: "default".
 */
void explain_write(FILE *out, struct arena *arena, const struct node *tree);
